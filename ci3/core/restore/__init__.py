"""Restoring: which delete markers to remove so that exactly what a run deleted is back.

May import: everything in `ci3.core`. Removing markers is done by `ci3.engine.restore`.
Start reading: `decide`.
"""
