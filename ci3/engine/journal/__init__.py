"""The write-ahead journal: records, files, objects in S3, and recovery after a crash.

May import: `ci3.engine.workers`, `ci3.aws` and the layers below them.
Start reading: `records` (the format), `writer`, `reader`.
"""
