"""Deletion of approved deployments: refresh, gate, journal, request, journal, result.

May import: `ci3.engine.gate`, `ci3.engine.inventory`, `ci3.engine.journal`,
`ci3.engine.live_watch`, `ci3.engine.workers` and the layers below.
Start reading: `objects` (current objects; its threads are in `scheduler`) or `versions` (all
versions), then `sender`, which restoring uses too.
"""
