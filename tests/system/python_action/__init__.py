"""Tests of the composite action in `python/`: its step with real pip, started as by a runner."""
