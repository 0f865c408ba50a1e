"""A 200 response with another document is an error in every read, never an empty result."""

from collections.abc import Callable

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.model.deployment import Versioning
from ci3.errors import AccessError
from tests.support.s3.answers import HTML
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

READS: dict[str, tuple[str, str, Callable[[BucketReader], object]]] = {
    "objects": ("list-type", "ListBucketResult", lambda reader: reader.list_keys("")),
    "versions": (
        "versions", "ListVersionsResult", lambda reader: [*reader.list_versions("")]
    ),
    "uploads": (
        "uploads", "ListMultipartUploadsResult", lambda reader: [*reader.list_uploads("")]
    ),
    "versioning": (
        "versioning", "VersioningConfiguration", lambda reader: reader.read_versioning_state()
    ),
    "lifecycle": (
        "lifecycle", "LifecycleConfiguration", lambda reader: reader.read_lifecycle()
    ),
    "lifecycle rules": (
        "lifecycle", "LifecycleConfiguration", lambda reader: reader.read_lifecycle_rules()
    ),
    "object lock": (
        "object-lock", "ObjectLockConfiguration", lambda reader: reader.read_object_lock()
    ),
    "region": ("list-type", "ListBucketResult", lambda reader: reader.read_bucket_region("")),
}  # fmt: skip
WRONG_BODIES = {
    "HTML": HTML,
    "HTML that is XML": HTML.partition("\n")[2],
    "another document": "<ListAllMyBucketsResult/>",
    "its name in another document": "<html><{root}/></html>",
    "nothing": "",
    "white space": "\n",
    "text": "OK",
    "JSON": "{{}}",
    "cut off in the root": "<{root}",
    "cut off after the root": "<{root}><Stat",
    "cut off before the end": "<{root}>",
}


@pytest.mark.parametrize("body", WRONG_BODIES.values(), ids=WRONG_BODIES)
@pytest.mark.parametrize(("query", "root", "read"), READS.values(), ids=READS)
def test_response_with_another_document_is_an_error(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, pauses: list[float], query: str, root: str, read, body: str
) -> None:
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    proxy.answer("GET", query, body.replace("{root}", root))
    with pytest.raises(AccessError):
        read(reader)


@pytest.mark.parametrize("body", WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_versioning_in_another_document_is_unknown(
    site: Bucket, proxy: FaultProxy, pauses: list[float], body: str
) -> None:
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    proxy.answer("GET", "versioning", body.replace("{root}", "VersioningConfiguration"))
    assert reader.read_versioning_or_unknown().versioning is Versioning.UNKNOWN
