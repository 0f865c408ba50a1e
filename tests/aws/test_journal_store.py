"""The journal's store: it writes under its own key, and at first overwrites nothing."""

import pytest

from ci3.aws.bucket import BucketReader, JournalStore
from ci3.errors import GateError, JournalError
from tests.aws.answers import error
from tests.fault_proxy import FaultProxy
from tests.s3 import Bucket

KEY = ".ci3/journals/run-1"


def reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def store(bucket: Bucket) -> JournalStore:
    return reader(bucket).open_journal_store(KEY)


def test_journal_is_written_in_parts(bucket: Bucket) -> None:
    face = store(bucket)
    face.put(b"1", part="/1")
    face.put(b"22", part="/2")
    keys = reader(bucket).list_keys(KEY)
    assert keys == (f"{KEY}/1", f"{KEY}/2")
    assert [reader(bucket).read_whole(key, 10) for key in keys] == [b"1", b"22"]


def test_part_that_is_there_is_never_written_over(site: Bucket, proxy: FaultProxy) -> None:
    site.put(KEY, body=b"another run's")
    face = store(site)
    for _ in range(2):
        with pytest.raises(JournalError, match=KEY):
            face.put(b"mine", part="")
    assert site.content()[KEY][0] == b"another run's"
    assert all(one.headers["If-None-Match"] == "*" for one in proxy.requests)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented"), (503, "SlowDown")]
)
def test_journal_that_cannot_be_written_is_told(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, code: str
) -> None:
    proxy.answer("PUT", ".", error(code), status=status)
    with pytest.raises(JournalError, match=code):
        store(site).put(b"x", part="/1")


def test_store_writes_no_other_key(site: Bucket, proxy: FaultProxy) -> None:
    face = store(site)
    for bucket, key in ((site.name, "a/index.html"), (site.name, "x" + KEY), ("other", KEY)):
        with pytest.raises(GateError):
            face._client.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert proxy.requests == []


@pytest.mark.parametrize("key", ["", "/"])
def test_store_needs_a_key_of_its_own(site: Bucket, key: str) -> None:
    with pytest.raises(GateError):
        reader(site).open_journal_store(key)
