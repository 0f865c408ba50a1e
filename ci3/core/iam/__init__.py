"""IAM: the least-privilege policy for each purpose, and the trust policy of a role.

May import: `ci3.core.inventory`, `ci3.core.live` and the packages below them.
Start reading: `policy`.
"""
