"""Live references and pins: which deployments must be kept because they are in use or protected.

Parses `live-from` settings and pointers, and matches names against pins. `ci3.live` reads the
sources.
May import: `ci3.core.model` and the layers below.
Start reading: `sources` (what a setting names), `references` (which names match), `pins` (what
forbids deletion).
"""
