"""Listing deployments: folders, parallel key ranges, worker processes, S3 Inventory reports.

May import: `ci3.engine.workers`, `ci3.aws` and the layers below them.
Start reading: `listing`, then `parallel_listing` and `key_ranges`; `report` for S3 Inventory.
"""
