"""The bucket's lifecycle configuration, read and written as the XML document that S3 stores.

May import: `ci3.aws.client`, `ci3.aws.parser_hook`, `ci3.aws.deletion.outcomes` and `ci3.core`
and the layers below.
Start reading: `document` (the raw document), `rules` (rules as `ci3 doctor` needs them).
"""
