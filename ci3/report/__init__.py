"""How a plan and a result are shown."""
