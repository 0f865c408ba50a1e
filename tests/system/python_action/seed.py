"""Create the bucket `my-site` with three deployments: `python seed.py URL`, as CI does."""

import sys
import time

import boto3
from botocore.config import Config

RETRIES = Config(retries={"max_attempts": 10})
"""The server may still be starting."""


def main(url: str) -> None:
    client = boto3.client("s3", endpoint_url=url, config=RETRIES)
    client.create_bucket(Bucket="my-site")
    for number in (1, 2, 3):
        client.put_object(Bucket="my-site", Key=f"v{number}/index.html", Body=b"x")
        time.sleep(1)  # S3 has whole seconds, and equal times are ambiguous


if __name__ == "__main__":
    main(*sys.argv[1:])
