"""The bench's server lists and deletes as a real one does."""

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
def real(moto_bucket: MotoBucket):
    """An S3 that was made by others, with a bucket of the same content."""
    for one in LAYOUT.deployments:
        for number in range(one.object_count):
            moto_bucket.put(one.key(number))
    return moto_bucket


FIRST = LAYOUT.deployments[0]
LARGEST = max(LAYOUT.deployments, key=lambda one: one.object_count)
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


def walk(client, bucket, operation, request):
    """List, and give what each page tells."""
    pages = []
    for page in client.get_paginator(operation).paginate(Bucket=bucket, **request):
        keys = [entry["Key"] for entry in page.get("Contents", ())]
        folders = [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
        pages.append((keys, folders, page["IsTruncated"]))
    return pages


@pytest.mark.parametrize("request_", LISTINGS.values(), ids=LISTINGS.keys())
def test_benchs_server_lists_as_another_s3_does(client, real, request_):
    ours = walk(client, LAYOUT.text, "list_objects_v2", request_)
    assert ours == walk(real.client, real.name, "list_objects_v2", request_)


@pytest.mark.parametrize("request_", [{}, {"MaxKeys": 4}])
def test_benchs_server_lists_the_older_way_too(client, real, request_):
    ours = walk(client, LAYOUT.text, "list_objects", request_)
    assert ours == walk(real.client, real.name, "list_objects", request_)


def test_benchs_server_fills_pages_to_their_borders():
    content = BucketContent(Layout("1x1001-1x999-3x1000"))
    keys, sizes, token = [], [], ""
    while not sizes or token:
        page = content.render_page(PageRequest(token=token)).decode()
        found = re.findall("<Key>(.*?)</Key>", page)
        keys += found
        sizes.append(len(found))
        token = "".join(re.findall("<NextContinuationToken>(.*?)<", page))
    assert sizes == [1000] * 5
    assert keys == [
        one.key(number) for one in content.layout.deployments for number in range(one.object_count)
    ]


def test_benchs_server_deletes_on_condition_and_brings_back(client, memory):
    listed = client.list_objects_v2(Bucket=LAYOUT.text, Prefix=f"{LARGEST.name}/")["Contents"]
    wanted = [{"Key": one["Key"], "ETag": one["ETag"]} for one in listed[2:5]]
    other = {"Key": listed[0]["Key"], "ETag": '"0"'}
    answer = client.delete_objects(Bucket=LAYOUT.text, Delete={"Objects": [other, *wanted]})
    assert [one["Key"] for one in answer["Deleted"]] == [one["Key"] for one in wanted]
    assert [one["Code"] for one in answer["Errors"]] == ["PreconditionFailed"]
    left = walk(client, LAYOUT.text, "list_objects_v2", {"Prefix": f"{LARGEST.name}/"})
    assert left[0][0] == [one["Key"] for one in (*listed[:2], *listed[5:])]
    assert memory.count_objects(LAYOUT.text) == LAYOUT.total - 3
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.delete_object(Bucket=LAYOUT.text, Key=wanted[0]["Key"], IfMatch=wanted[0]["ETag"])
    memory.query("reset?delay=0")
    assert memory.count_objects(LAYOUT.text) == LAYOUT.total
