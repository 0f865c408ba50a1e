"""What is asked of S3; the only importer of boto3."""
