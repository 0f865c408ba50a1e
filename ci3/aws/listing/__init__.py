"""Listing S3: pages of objects, versions and multipart uploads, each validated.

`fast_parser` parses pages that it recognizes and leaves all others to botocore.
May import: `ci3.aws.client`, `ci3.aws.parser_hook` and `ci3.core` and the layers below.
Start reading: `pages`, then `validation`.
"""
