"""The journal's store: it writes under its own key, and at first overwrites nothing."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.journal_store import JournalStore
from ci3.errors import GateError, JournalError
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, ignore_if_none_match

KEY = ".ci3/journals/run-1"


def reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def store(bucket: Bucket) -> JournalStore:
    return reader(bucket).open_journal_store(KEY)


def test_journal_is_written_in_parts(bucket: Bucket) -> None:
    face = store(bucket)
    face.put_part(b"1", suffix="/1")
    face.put_part(b"22", suffix="/2")
    keys = reader(bucket).list_keys(KEY)
    assert keys == (f"{KEY}/1", f"{KEY}/2")
    assert [reader(bucket).read_object(key, 10) for key in keys] == [b"1", b"22"]


def test_part_that_is_there_is_never_written_over(site: Bucket, proxy: FaultProxy) -> None:
    site.put(KEY, body=b"another run's")
    face = store(site)
    for _ in range(2):
        with pytest.raises(JournalError, match=KEY):
            face.put_part(b"mine", suffix="")
    assert site.content()[KEY][0] == b"another run's"
    assert all(one.headers["If-None-Match"] == "*" for one in proxy.find_requests("PUT"))


@pytest.mark.parametrize("lost", [1, 2])
def test_part_whose_answer_was_lost_is_known_as_its_own(
    site: Bucket, proxy: FaultProxy, pauses: list[float], lost: int
) -> None:
    """The request that is sent again meets what the first has put."""
    for nth in range(1, lost + 1):
        proxy.drop("PUT", KEY, nth=nth)
    store(site).put_part(b"mine", suffix="/1")
    assert len(proxy.find_requests("PUT")) == lost + 1
    assert site.content()[f"{KEY}/1"][0] == b"mine"


@pytest.mark.parametrize("body", [b"mine", b"min", b"mine and more", b"other"])
def test_part_of_another_writer_is_not_taken_for_its_own_though_it_is_the_same(
    site: Bucket, proxy: FaultProxy, pauses: list[float], body: bytes
) -> None:
    """Two that go on with one journal in one second write the same line."""
    other = store(site)
    proxy.call_before("PUT", KEY, lambda: other.put_part(body, suffix="/1"), nth=1)
    with pytest.raises(JournalError, match="PreconditionFailed"):
        store(site).put_part(b"mine", suffix="/1")
    assert site.content()[f"{KEY}/1"][0] == body


def test_part_that_can_not_be_read_back_counts_as_unwritten(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("PUT", KEY, nth=1)
    proxy.answer("GET", KEY, error("AccessDenied"), status=403)
    with pytest.raises(JournalError, match="AccessDenied"):
        store(site).put_part(b"mine", suffix="/1")


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented"), (503, "SlowDown")]
)
def test_journal_that_cannot_be_written_is_told(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, code: str
) -> None:
    proxy.answer("PUT", ".", error(code), status=status)
    with pytest.raises(JournalError, match=code):
        store(site).put_part(b"x", suffix="/1")


def test_part_that_s3_refuses_to_overwrite_has_no_problem(site: Bucket, proxy: FaultProxy) -> None:
    journal_store = store(site)
    journal_store.put_part(b"mine", suffix="/1")
    assert journal_store.find_overwrite_problem(b"mine", suffix="/1") == ""
    assert store(site).find_overwrite_problem(b"mine", suffix="/1") == ""
    assert len(proxy.find_requests("PUT")) == 3
    assert site.content()[f"{KEY}/1"][0] == b"mine"


def test_s3_that_ignores_the_condition_is_a_problem_and_the_part_keeps_its_bytes(
    site: Bucket, proxy: FaultProxy
) -> None:
    ignore_if_none_match(proxy)
    store(site).put_part(b"mine", suffix="/1")
    problem = store(site).find_overwrite_problem(b"mine", suffix="/1")
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
def test_answer_that_does_not_say_whether_the_condition_holds_is_a_problem(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, code: str
) -> None:
    journal_store = store(site)
    journal_store.put_part(b"mine", suffix="/1")
    proxy.answer("PUT", ".", error(code), status=status)
    assert "unknown" in journal_store.find_overwrite_problem(b"mine", suffix="/1")


def test_lost_answer_to_the_check_of_the_condition_is_asked_again(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    journal_store = store(site)
    journal_store.put_part(b"mine", suffix="/1")
    proxy.drop("PUT", ".", nth=1)
    assert journal_store.find_overwrite_problem(b"mine", suffix="/1") == ""
    proxy.forget_rules()
    proxy.drop("PUT", ".")
    assert "unknown" in journal_store.find_overwrite_problem(b"mine", suffix="/1")


def test_store_writes_and_reads_no_other_key(site: Bucket, proxy: FaultProxy) -> None:
    face = store(site)
    for bucket, key in ((site.name, "a/index.html"), (site.name, "x" + KEY), ("other", KEY)):
        with pytest.raises(GateError):
            face._client.put_object(Bucket=bucket, Key=key, Body=b"x")
        with pytest.raises(GateError):
            face._client.get_object(Bucket=bucket, Key=key)
    assert proxy.requests == []


@pytest.mark.parametrize("key", ["", "/"])
def test_store_needs_a_key_of_its_own(site: Bucket, key: str) -> None:
    with pytest.raises(GateError):
        reader(site).open_journal_store(key)
