"""S3 Lifecycle as a deletion engine: which managed rules to add, and which to remove.

May import: `ci3.core.inventory`, `ci3.core.live` and the packages below them. Reading and writing
the bucket's configuration is done by `ci3.aws.lifecycle` and `ci3.engine.lifecycle`.
Start reading: `rule` (one managed rule), `rule_assignment` (which deployment gets one),
`rule_status` (which existing ones are kept or removed), `planning` (both as part of a plan).
"""
