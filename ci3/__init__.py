"""ci3 removes old deployments from S3 buckets."""

__version__ = "0.1.0"
