"""Restoring: the delete markers to remove so that exactly the deleted objects are restored.

May import: everything in `ci3.core`. Removing markers is done by `ci3.engine.restore`.
Start reading: `decide`.
"""
