"""A minimal boto3 script as a peer: `plain_boto3.py list|delete ENDPOINT BUCKET [NAMES]`.

NAMES is a file with the deployments to delete, one per line. It uses 32 threads, one listing per
deployment, and deletes with `objects.filter().delete()`.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

THREADS = 32


def list_all(endpoint_url: str, bucket: str) -> None:
    """Print the time, size and key of every object."""
    client = boto3.client("s3", endpoint_url=endpoint_url, config=_config())
    paginator = client.get_paginator("list_objects_v2")
    folders = [
        folder["Prefix"]
        for page in paginator.paginate(Bucket=bucket, Delimiter="/")
        for folder in page.get("CommonPrefixes", ())
    ]

    def list_folder(prefix: str) -> str:
        lines = [
            f"{entry['LastModified']} {entry['Size']} {entry['Key']}\n"
            for page in paginator.paginate(Bucket=bucket, Prefix=prefix)
            for entry in page.get("Contents", ())
        ]
        return "".join(lines)

    with ThreadPoolExecutor(THREADS) as pool:
        for lines in pool.map(list_folder, folders):
            sys.stdout.write(lines)


def delete(endpoint_url: str, bucket: str, names: list[str]) -> None:
    """Delete all objects of the deployments."""
    resource = boto3.resource("s3", endpoint_url=endpoint_url, config=_config()).Bucket(bucket)
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda name: resource.objects.filter(Prefix=f"{name}/").delete(), names):
            pass


def _config() -> Config:
    return Config(max_pool_connections=THREADS, s3={"addressing_style": "path"})


if __name__ == "__main__":
    work, endpoint, name, *files = sys.argv[1:]
    if work == "list":
        list_all(endpoint, name)
    else:
        delete(endpoint, name, Path(files[0]).read_text().split())
