"""What is asked of S3; the only importer of botocore, which is boto3 without its wrappings."""
