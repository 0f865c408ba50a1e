"""Managed lifecycle rules: writing and confirming them, and removing outdated ones.

May import: `ci3.engine.gate`, `ci3.engine.inventory`, `ci3.engine.journal`,
`ci3.engine.live_watch`, `ci3.engine.workers` and the layers below.
Start reading: `apply` (new rules), `reconcile` (existing ones), `update` (one safe change).
"""
