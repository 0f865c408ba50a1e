"""Live references: which deployments must stay because something uses them.

Parses `live-from` settings and pointer files, and matches names against pins. Reading the sources
is done by `ci3.live`.
May import: `ci3.core.model` and the layers below.
Start reading: `sources` (what a setting names), `pins` (what forbids deletion).
"""
