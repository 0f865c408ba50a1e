"""The AWS partitions, from botocore's data: their regions and the domains of their endpoints."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.loaders

DEFAULT_PARTITION = "aws"


def find_partition(region: str) -> str:
    """Return the partition of a region as in an ARN, such as `aws-cn`; `aws` without a region."""
    for partition in _load_partitions():
        if region in partition["regions"] or re.fullmatch(partition["regionRegex"], region):
            return str(partition["id"])
    return DEFAULT_PARTITION


@cache
def list_dns_suffixes() -> tuple[str, ...]:
    """Return the domains that the host names of AWS's services end in, such as `amazonaws.eu`."""
    outputs = [partition["outputs"] for partition in _load_partitions()]
    return tuple(
        dict.fromkeys(
            str(output[name])
            for name in ("dnsSuffix", "dualStackDnsSuffix")
            for output in outputs
            if output.get(name)
        )
    )


def is_default_endpoint(url: str, service: str) -> bool:
    """Return True for the URL of a service in AWS that needs no configuration.

    Such as `https://sts.eu-west-1.amazonaws.com`; not the URL of a VPC endpoint, a port or HTTP.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.path not in ("", "/") or parts.query or parts.fragment:
        return False
    host = rf"{service}[.-]([a-z0-9-]+\.)?({'|'.join(map(re.escape, list_dns_suffixes()))})"
    return re.fullmatch(host, parts.netloc) is not None


@cache
def _load_partitions() -> Sequence[Any]:
    # Only botocore's own data: a folder of the AWS configuration could name any partition.
    loader = botocore.loaders.Loader(
        extra_search_paths=[str(botocore.loaders.Loader.BUILTIN_DATA_PATH)],
        include_default_search_paths=False,
    )
    data: Any = loader.load_data("partitions")
    partitions: Sequence[Any] = data["partitions"]
    return partitions
