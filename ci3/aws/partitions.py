"""The AWS partition of a region, from botocore's data."""

import re
from typing import Any

import botocore.loaders

DEFAULT_PARTITION = "aws"


def find_partition(region: str) -> str:
    """Return the partition of a region as in an ARN, such as `aws-cn`; `aws` without a region."""
    # Only botocore's own data: a folder of the AWS configuration could name any partition.
    loader = botocore.loaders.Loader(
        extra_search_paths=[str(botocore.loaders.Loader.BUILTIN_DATA_PATH)],
        include_default_search_paths=False,
    )
    data: Any = loader.load_data("partitions")
    for partition in data["partitions"]:
        if region in partition["regions"] or re.fullmatch(partition["regionRegex"], region):
            return str(partition["id"])
    return DEFAULT_PARTITION
