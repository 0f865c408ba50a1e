"""What a listing shows: columns of objects, summaries, fingerprints, and S3 Inventory reports.

Turns listed keys into `Deployment` values; listing itself is done by `ci3.engine.inventory`.
May import: `ci3.core.model` and the layers below.
Start reading: `summary` (objects to a deployment), `fingerprint` (what makes it unique).
"""
