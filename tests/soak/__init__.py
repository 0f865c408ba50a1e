"""Long runs of `make soak`, which are no part of `make test`."""
