"""The operations from settings to a result, called by both front ends.

Plan, approve, apply, resume, restore, doctor: combines `ci3.engine`, `ci3.live`, `ci3.aws` and
`ci3.core`. For a restore, the front ends combine `journals`, `restore` and `ci3.engine.restore`.

May import: every layer below it; not the front ends.
Start reading: `context` (one target), `planning` (its plan), `run` (all targets of a run),
`target_run` (one target in an apply), then `approval` and `apply`. `shared_reads` has what targets
read together.
"""
