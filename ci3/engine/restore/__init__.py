"""Restoring what a run deleted from a versioned bucket, by removing its delete markers.

May import: everything in `ci3.engine`.
Start reading: `sources` (which deletions are restored), then `restore`.
"""
