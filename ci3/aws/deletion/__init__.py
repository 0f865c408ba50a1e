"""Deleting on S3: requests, and one outcome for each key of their responses.

May import: `ci3.aws.client`, `ci3.aws.parser_hook` and `ci3.core` and the layers below.
Start reading: `outcomes`, then `requests` and `writer`; `conditional_probe` tests whether a server
honors conditional deletes.
"""
