"""The retention policy: which deployments are kept by which rule, and in which order they are.

May import: `ci3.core.inventory`, `ci3.core.live` and the packages below them.
Start reading: `decide` (the decision), `age_order` (what is older than what), `evidence` (nothing
is deleted on what was not listed in full).
"""
