"""The composite action in `python/`: its step with real pip, started as a runner does."""
