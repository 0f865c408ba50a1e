"""Properties here run the same on every machine: no saved examples, no clock, no chance."""

from hypothesis import settings

settings.register_profile("ci3", database=None, deadline=None, derandomize=True, max_examples=100)
settings.load_profile("ci3")
