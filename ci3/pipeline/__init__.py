"""The one way from settings to a result, which both front ends call.

Plan, approve, apply, resume, examine: brings `ci3.engine`, `ci3.live`, `ci3.aws` and `ci3.core`
together. The front ends start a restore from `journals` and `ci3.engine.restore`.

May import: every layer below it; not the front ends.
Start reading: `context` (one target and how it is planned), `run` (all targets of a run), then
`approval` and `apply`.
"""
