"""The journal store: it writes only under its key, and never overwrites a part."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.journal_store import JournalStore
from ci3.errors import GateError, JournalError
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, ignore_if_none_match

KEY = ".ci3/journals/run-1"


def make_reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def open_store(bucket: Bucket) -> JournalStore:
    return make_reader(bucket).open_journal_store(KEY)


def test_journal_is_written_in_parts(bucket: Bucket) -> None:
    journal_store = open_store(bucket)
    journal_store.put_part(b"1", suffix="/1")
    journal_store.put_part(b"22", suffix="/2")
    keys = make_reader(bucket).list_keys(KEY)
    assert keys == (f"{KEY}/1", f"{KEY}/2")
    assert [make_reader(bucket).read_object(key, 10) for key in keys] == [b"1", b"22"]


def test_existing_part_is_never_overwritten(site: Bucket, proxy: FaultProxy) -> None:
    site.put(KEY, body=b"another run's")
    journal_store = open_store(site)
    for _ in range(2):
        with pytest.raises(JournalError, match=KEY):
            journal_store.put_part(b"mine", suffix="")
    assert site.content()[KEY][0] == b"another run's"
    assert all(request.headers["If-None-Match"] == "*" for request in proxy.find_requests("PUT"))


@pytest.mark.parametrize("lost_count", [1, 2])
def test_part_is_recognized_after_a_lost_response(
    site: Bucket, proxy: FaultProxy, pauses: list[float], lost_count: int
) -> None:
    """The retried request finds the part that the first request stored."""
    for nth in range(1, lost_count + 1):
        proxy.drop("PUT", KEY, nth=nth)
    open_store(site).put_part(b"mine", suffix="/1")
    assert len(proxy.find_requests("PUT")) == lost_count + 1
    assert site.content()[f"{KEY}/1"][0] == b"mine"


@pytest.mark.parametrize("body", [b"mine", b"min", b"mine and more", b"other"])
def test_equal_part_of_another_writer_is_an_error(
    site: Bucket, proxy: FaultProxy, pauses: list[float], body: bytes
) -> None:
    """Two runs that resume one journal in the same second write the same line."""
    other_store = open_store(site)
    proxy.call_before("PUT", KEY, lambda: other_store.put_part(body, suffix="/1"), nth=1)
    with pytest.raises(JournalError, match="PreconditionFailed"):
        open_store(site).put_part(b"mine", suffix="/1")
    assert site.content()[f"{KEY}/1"][0] == body


def test_part_that_cannot_be_read_back_is_an_error(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("PUT", KEY, nth=1)
    proxy.answer("GET", KEY, error("AccessDenied"), status=403)
    with pytest.raises(JournalError, match="AccessDenied"):
        open_store(site).put_part(b"mine", suffix="/1")


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented"), (503, "SlowDown")]
)
def test_journal_that_cannot_be_written_is_an_error(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, code: str
) -> None:
    proxy.answer("PUT", ".", error(code), status=status)
    with pytest.raises(JournalError, match=code):
        open_store(site).put_part(b"x", suffix="/1")


def test_part_that_s3_refuses_to_overwrite_has_no_problem(site: Bucket, proxy: FaultProxy) -> None:
    journal_store = open_store(site)
    journal_store.put_part(b"mine", suffix="/1")
    assert journal_store.find_overwrite_problem(b"mine", suffix="/1") == ""
    assert open_store(site).find_overwrite_problem(b"mine", suffix="/1") == ""
    assert len(proxy.find_requests("PUT")) == 3
    assert site.content()[f"{KEY}/1"][0] == b"mine"


def test_s3_that_ignores_the_condition_is_a_problem_and_the_part_is_unchanged(
    site: Bucket, proxy: FaultProxy
) -> None:
    ignore_if_none_match(proxy)
    open_store(site).put_part(b"mine", suffix="/1")
    problem = open_store(site).find_overwrite_problem(b"mine", suffix="/1")
    assert "If-None-Match" in problem
    assert site.content()[f"{KEY}/1"][0] == b"mine"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AccessDenied"),
        (409, "ConditionalRequestConflict"),
        (500, "InternalError"),
        (501, "NotImplemented"),
        (503, "SlowDown"),
        (400, "PreconditionFailed"),
    ],
)
def test_response_that_does_not_prove_the_condition_is_a_problem(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, code: str
) -> None:
    journal_store = open_store(site)
    journal_store.put_part(b"mine", suffix="/1")
    proxy.answer("PUT", ".", error(code), status=status)
    assert "unknown" in journal_store.find_overwrite_problem(b"mine", suffix="/1")


def test_check_of_the_condition_is_retried_after_a_lost_response(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    journal_store = open_store(site)
    journal_store.put_part(b"mine", suffix="/1")
    proxy.drop("PUT", ".", nth=1)
    assert journal_store.find_overwrite_problem(b"mine", suffix="/1") == ""
    proxy.forget_rules()
    proxy.drop("PUT", ".")
    assert "unknown" in journal_store.find_overwrite_problem(b"mine", suffix="/1")


def test_store_cannot_write_or_read_another_key(site: Bucket, proxy: FaultProxy) -> None:
    journal_store = open_store(site)
    for bucket, key in ((site.name, "a/index.html"), (site.name, "x" + KEY), ("other", KEY)):
        with pytest.raises(GateError):
            journal_store._client.put_object(Bucket=bucket, Key=key, Body=b"x")
        with pytest.raises(GateError):
            journal_store._client.get_object(Bucket=bucket, Key=key)
    assert proxy.requests == []


@pytest.mark.parametrize("key", ["", "/"])
def test_store_without_a_key_is_refused(site: Bucket, key: str) -> None:
    with pytest.raises(GateError):
        make_reader(site).open_journal_store(key)
