"""Listed objects: columns, summaries, fingerprints, versions, names, and S3 Inventory reports.

Converts listed keys to `Deployment` values; listing itself is done by `ci3.engine.inventory`.
May import: `ci3.core.model` and the layers below.
Start reading: `summary` (objects to a deployment), `fingerprint` (what makes it unique).
"""
