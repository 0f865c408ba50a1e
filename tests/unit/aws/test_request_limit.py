from contextlib import suppress
from threading import Event, Thread

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.request_limit import RequestLimit
from ci3.errors import AccessError
from tests.support.s3.bucket import Bucket


def is_free(limit: RequestLimit) -> bool:
    """Return True if another thread could hold a slot now."""
    is_acquired = limit._slots.acquire(blocking=False)
    if is_acquired:
        limit._slots.release()
    return is_acquired


def test_thread_with_a_slot_needs_no_second() -> None:
    limit = RequestLimit(1)
    with limit.hold(), limit.hold():
        assert not is_free(limit)
    assert is_free(limit)


def test_interrupted_thread_frees_its_slots() -> None:
    limit = RequestLimit(2)
    with suppress(KeyboardInterrupt), limit.hold(2):
        assert not is_free(limit)
        raise KeyboardInterrupt
    assert is_free(limit)


class InterruptedClient:
    """A client whose calls are interrupted."""

    def _make_api_call(self, *_: object) -> None:
        raise KeyboardInterrupt


def test_interrupted_call_frees_its_slot() -> None:
    limit, client = RequestLimit(1), InterruptedClient()
    limit.apply_to(client)
    with pytest.raises(KeyboardInterrupt):
        client._make_api_call("ListObjectsV2", {})
    assert is_free(limit)


def test_object_holds_a_slot_until_it_is_read(site: Bucket) -> None:
    site.put("report", body=b"x" * 3)
    limit = RequestLimit(1)
    reader = BucketReader(
        bucket=site.name, region="", endpoint_url=site.endpoint_url, request_limit=limit
    )
    chunks = reader.stream_object("report", 3)
    assert next(chunks) == b"xxx"
    assert not is_free(limit)
    assert not [*chunks]
    assert is_free(limit)


def test_failed_request_frees_its_slot(site: Bucket) -> None:
    limit = RequestLimit(1)
    reader = BucketReader(
        bucket=site.name, region="", endpoint_url=site.endpoint_url, request_limit=limit
    )
    with pytest.raises(AccessError):
        reader.read_object("missing", 10)
    assert is_free(limit)


def test_other_bucket_and_journal_share_the_limit(site: Bucket) -> None:
    limit = RequestLimit(1)
    reader = BucketReader(
        bucket=site.name, region="", endpoint_url=site.endpoint_url, request_limit=limit
    )
    store = reader.open_journal_store(".ci3/journals/run/")
    done = Event()

    def put() -> None:
        store.put_part(b"{}", suffix="00000001.json")
        done.set()

    with limit.hold():
        thread = Thread(target=put, daemon=True)
        thread.start()
        assert not done.wait(0.05)
        assert reader.reader_for("other").request_limit is limit
    assert done.wait(10)
