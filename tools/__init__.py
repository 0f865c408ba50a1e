"""Scripts for maintainers of ci3: not installed, and not imported by ci3."""
