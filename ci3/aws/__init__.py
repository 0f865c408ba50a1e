"""AWS: sessions, credentials, and S3 clients that are restricted to an allow-list of operations.

The only package that imports boto3 and botocore. Translates their exceptions into `ci3.errors`
once. Decides nothing.

May import: `ci3.core` and the layers below it; no other package of the same layer.
Start reading: `client` (how clients are made and restricted), then `bucket` (`BucketReader`, which
opens everything else).
"""
