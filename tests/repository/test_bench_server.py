"""The benchmark's server lists and deletes like moto."""

import re

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bench.layout import Layout
from bench.listing import BucketContent, PageRequest
from tests.support.s3.moto_s3 import MotoBucket

LAYOUT = Layout("2x3-1x11-3x1")


@pytest.fixture
def client(memory):
    memory.query("reset?delay=0")
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.client("s3", endpoint_url=memory.url, config=config)


@pytest.fixture
def moto(moto_bucket: MotoBucket):
    """Return a bucket of moto with the same content."""
    for deployment in LAYOUT.deployments:
        for number in range(deployment.object_count):
            moto_bucket.put(deployment.key(number))
    return moto_bucket


FIRST = LAYOUT.deployments[0]
LARGEST = max(LAYOUT.deployments, key=lambda deployment: deployment.object_count)
LISTINGS = {
    "all": {},
    "pages": {"MaxKeys": 4},
    "pages of one": {"MaxKeys": 1},
    "folders": {"Delimiter": "/"},
    "folders, paged": {"Delimiter": "/", "MaxKeys": 2},
    "one deployment": {"Prefix": f"{LARGEST.name}/", "MaxKeys": 3},
    "its folders": {"Prefix": f"{LARGEST.name}/", "Delimiter": "/"},
    "its files": {"Prefix": f"{LARGEST.name}/assets/000/", "Delimiter": "/", "MaxKeys": 4},
    "part of a name": {"Prefix": LARGEST.name[:1]},
    "no such prefix": {"Prefix": "zz/"},
    "behind a key": {"StartAfter": LARGEST.key(4), "MaxKeys": 3},
    "behind a name": {"StartAfter": LARGEST.name},
    "behind a folder's end": {"StartAfter": f"{FIRST.name}/~"},
    "behind a key of another prefix": {"Prefix": f"{LARGEST.name}/", "StartAfter": "0"},
    "behind everything": {"StartAfter": "zz"},
    "folders behind a folder's end": {"Delimiter": "/", "StartAfter": f"{FIRST.name}/~"},
}


def list_pages(client, bucket, operation, request):
    """Return the keys and prefixes of each page, and whether it is truncated."""
    pages = []
    for page in client.get_paginator(operation).paginate(Bucket=bucket, **request):
        keys = [entry["Key"] for entry in page.get("Contents", ())]
        folders = [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
        pages.append((keys, folders, page["IsTruncated"]))
    return pages


@pytest.mark.parametrize("request_", LISTINGS.values(), ids=LISTINGS.keys())
def test_listing_equals_the_listing_of_moto(client, moto, request_):
    actual = list_pages(client, LAYOUT.text, "list_objects_v2", request_)
    assert actual == list_pages(moto.client, moto.name, "list_objects_v2", request_)


@pytest.mark.parametrize("request_", [{}, {"MaxKeys": 4}])
def test_listing_by_list_objects_equals_the_listing_of_moto(client, moto, request_):
    actual = list_pages(client, LAYOUT.text, "list_objects", request_)
    assert actual == list_pages(moto.client, moto.name, "list_objects", request_)


def test_pages_are_filled_across_deployments():
    content = BucketContent(Layout("1x1001-1x999-3x1000"))
    keys, sizes, token = [], [], ""
    while not sizes or token:
        page = content.render_page(PageRequest(token=token)).decode()
        page_keys = re.findall("<Key>(.*?)</Key>", page)
        keys += page_keys
        sizes.append(len(page_keys))
        token = "".join(re.findall("<NextContinuationToken>(.*?)<", page))
    assert sizes == [1000] * 5
    assert keys == [
        deployment.key(number)
        for deployment in content.layout.deployments
        for number in range(deployment.object_count)
    ]


def test_conditional_deletes_are_honored_and_a_reset_restores_all_objects(client, memory):
    listed = client.list_objects_v2(Bucket=LAYOUT.text, Prefix=f"{LARGEST.name}/")["Contents"]
    matching = [{"Key": entry["Key"], "ETag": entry["ETag"]} for entry in listed[2:5]]
    changed = {"Key": listed[0]["Key"], "ETag": '"0"'}
    response = client.delete_objects(Bucket=LAYOUT.text, Delete={"Objects": [changed, *matching]})
    assert [entry["Key"] for entry in response["Deleted"]] == [entry["Key"] for entry in matching]
    assert [error["Code"] for error in response["Errors"]] == ["PreconditionFailed"]
    remaining_pages = list_pages(
        client, LAYOUT.text, "list_objects_v2", {"Prefix": f"{LARGEST.name}/"}
    )
    assert remaining_pages[0][0] == [entry["Key"] for entry in (*listed[:2], *listed[5:])]
    assert memory.count_objects(LAYOUT.text) == LAYOUT.total - 3
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.delete_object(
            Bucket=LAYOUT.text, Key=matching[0]["Key"], IfMatch=matching[0]["ETag"]
        )
    memory.query("reset?delay=0")
    assert memory.count_objects(LAYOUT.text) == LAYOUT.total
