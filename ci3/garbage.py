"""How often Python looks for garbage that refers to itself."""

import gc
from typing import Final

_NEW_OBJECTS: Final = 100_000
"""Python's own 700 cost a tenth of a plan; what waits here until then is a few megabytes."""


def look_seldom() -> None:
    """Let Python look less often: a run makes many objects, and hardly any that go in circles."""
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
