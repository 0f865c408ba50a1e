"""Concurrency: limits on parallel requests, progress, waiting, and the worker process.

May import: `ci3.aws` and the layers below it; nothing else of `ci3.engine`.
Start reading: `run_control` (a run and its early stop), `worker_process` (a fork that lists).
"""
