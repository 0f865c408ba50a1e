"""Benchmarks ci3 against its peers on loopback servers; not part of the ci3 package."""
