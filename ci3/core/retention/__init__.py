"""Retention policy: which rules keep a deployment, and in which order deployments are ranked.

May import: `ci3.core.inventory`, `ci3.core.live` and the packages below them.
Start reading: `decide` (the decision), `evaluation` (its result), `age_order`
(which deployments are newer than another), `evidence` (which deployments must be listed in full
before anything is deleted).
"""
