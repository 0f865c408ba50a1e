"""A Hypothesis profile with reproducible runs: no saved examples, deadline or randomness."""

from hypothesis import settings

settings.register_profile("ci3", database=None, deadline=None, derandomize=True, max_examples=100)
settings.load_profile("ci3")
