"""Long runs of `make soak`, which are not part of `make test`."""
