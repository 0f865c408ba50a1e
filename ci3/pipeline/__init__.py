"""The operations from settings to a result, called by both front ends.

Plan, approve, apply, resume, doctor: combines `ci3.engine`, `ci3.live`, `ci3.aws` and `ci3.core`.
The front ends start a restore from `journals` and `ci3.engine.restore`.

May import: every layer below it; not the front ends.
Start reading: `context` (one target), `planning` (its plan), `run` (all targets of a run), then
`approval` and `apply`.
"""
