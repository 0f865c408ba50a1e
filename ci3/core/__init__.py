"""Pure decisions of ci3: what is kept, what is deleted, and why.

Owns the data model and all decision rules. Functions take values and return values: no I/O, no
clock, no environment, no threads and no locks; the current time is an argument.

May import: the standard library, pydantic (plan files), humanize, `ci3.errors` and `ci3.constants`.
Start reading: `model.deployment` and `model.decision` for the terms, then `retention.decide`.
Sub-packages import downward only: restore > journal, doctor > plan > retention, lifecycle, iam >
inventory, live > model, units, formatting.
"""
