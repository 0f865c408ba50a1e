"""Deleting objects: the outcome of each key follows S3's response; without one it is `unknown`."""

import base64
import hashlib

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.writer import BucketWriter
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ObjectOutcome
from ci3.errors import AccessError, GateError
from tests.support.builders import make_object
from tests.support.s3.answers import HTML, delete_result, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def open_writer(bucket: Bucket) -> BucketWriter:
    reader = BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)
    return reader.open_writer()


def delete(bucket: Bucket, *keys: str) -> dict[str, KeyOutcome]:
    return dict(open_writer(bucket).delete_objects([make_object(key) for key in keys]))


def test_batch_deletes_only_the_named_keys(site: Bucket, proxy: FaultProxy) -> None:
    for key in ("a/x", "a/y", "ab/x", "a", "b/x"):
        site.put(key)
    outcomes = delete(site, "a/x", "a/y")
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.DELETED}
    assert site.keys() == {"ab/x", "a", "b/x"}
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "key",
    ["a/+", "a//x", "a/%2F", "a/&<>'\"", "a/é", "a/😀", "a/ b", "a/?x#y", "a/../b/x"],
)
def test_unusual_keys_are_sent_unchanged_in_a_batch(
    site: Bucket, proxy: FaultProxy, key: str
) -> None:
    site.put(key)
    site.put("b/x")
    assert delete(site, key)[key].outcome is ObjectOutcome.DELETED
    assert site.keys() == {"b/x"}
    assert [request.method for request in proxy.requests] == ["POST"]


@pytest.mark.parametrize(
    "key",
    ["a/\r", "a/\x01", "a/\x00", "a/\ufffe", " a/x", "a/x ", "a/\t", "a/x\xa0", "\ufeffa/x",
     "a/x\u2028", "a/x  y", "a/cafe\u0301"],
)  # fmt: skip
def test_key_that_xml_cannot_carry_is_deleted_by_a_single_request(
    site: Bucket, proxy: FaultProxy, key: str
) -> None:
    for stored_key in (key, "a/x", "b/\x01"):
        site.put(stored_key)
    outcomes = delete(site, key, "a/x")
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.DELETED}
    assert site.keys() == {"b/\x01"}
    assert sorted(request.method for request in proxy.requests) == ["DELETE", "POST"]


@pytest.mark.parametrize("key", ["a/../b/\x01", " a/../b/x", "a/./x "])
def test_key_that_neither_xml_nor_a_url_can_carry_is_not_deleted(
    site: Bucket, proxy: FaultProxy, key: str
) -> None:
    outcomes = delete(site, key, "a/x")
    assert outcomes[key].outcome is ObjectOutcome.FAILED
    assert [request.batch_keys for request in proxy.requests] == [["a/x"]]


DELETED = "<Deleted><Key>v1/x</Key>{}</Deleted>"


@pytest.mark.parametrize(
    "xml",
    [
        DELETED.format(""),
        DELETED.format("<Other/>"),  # read by botocore's parser
        DELETED.format("<VersionId>7</VersionId>"),
        "<Error><Key>v1/x</Key><Code>AccessDenied</Code></Error>",
        "<Error><Key>v1/x</Key><Code>NoSuchKey</Code></Error>",
    ],
)
@pytest.mark.parametrize("rest", ["", "<Deleted><Key>a/x</Key></Deleted>"])
def test_response_with_a_key_that_was_not_requested_stops_the_run(
    site: Bucket, proxy: FaultProxy, xml: str, rest: str
) -> None:
    proxy.answer("POST", "delete", f"<DeleteResult>{rest}{xml}</DeleteResult>")
    outcome = delete(site, "a/x")["a/x"]
    assert outcome.should_stop_run
    assert not outcome.can_retry
    assert "'v1/x'" in outcome.message
    assert outcome.outcome is (ObjectOutcome.DELETED if rest else ObjectOutcome.UNKNOWN)


@pytest.mark.parametrize(
    ("xml", "is_stopped"),
    [
        ("<VersionId>7</VersionId>", False),
        ("<DeleteMarkerVersionId>7</DeleteMarkerVersionId>", False),
        ("", False),  # resolved by a listing
        ("<VersionId>8</VersionId>", True),
        ("<DeleteMarkerVersionId>8</DeleteMarkerVersionId>", True),
    ],
)
def test_response_with_another_version_stops_the_run(
    site: Bucket, proxy: FaultProxy, xml: str, *, is_stopped: bool
) -> None:
    body = f"<DeleteResult><Deleted><Key>a/x</Key>{xml}</Deleted></DeleteResult>"
    proxy.answer("POST", "delete", body)
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    outcomes = reader.open_version_remover().remove_versions([("a/x", "7")])
    assert outcomes["a/x", "7"].should_stop_run is is_stopped


def test_probe_response_with_another_key_stops_the_run(site: Bucket, proxy: FaultProxy) -> None:
    proxy.ignores_probes = False
    proxy.answer("DELETE", "", error("NoSuchKey"), status=404)
    proxy.answer("POST", "delete", delete_result(["v1/x"]))
    with pytest.raises(AccessError, match="'v1/x'"):
        open_writer(site).probe_conditional_deletes("", Versioning.ENABLED)


def test_key_with_a_line_break_is_deleted_by_a_single_request(
    site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("DELETE", "/a/%0A$", status=204)  # the in-process S3 does not support such a path
    assert delete(site, "a/\n")["a/\n"].outcome is ObjectOutcome.DELETED
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("code", "outcome", "can_retry", "stops_run"),
    [
        ("AccessDenied", ObjectOutcome.DENIED, False, False),
        ("NoSuchKey", ObjectOutcome.ABSENT, False, False),
        ("NoSuchVersion", ObjectOutcome.ABSENT, False, False),
        ("PreconditionFailed", ObjectOutcome.CHANGED, False, False),
        ("InternalError", ObjectOutcome.FAILED, True, False),
        ("SlowDown", ObjectOutcome.FAILED, True, False),
        ("ServiceUnavailable", ObjectOutcome.FAILED, True, False),
        ("ConditionalRequestConflict", ObjectOutcome.FAILED, True, False),
        ("ObjectLocked", ObjectOutcome.DENIED, False, False),
        ("ExpiredToken", ObjectOutcome.FAILED, False, True),
        ("SomethingNew", ObjectOutcome.FAILED, False, False),
        ("", ObjectOutcome.FAILED, False, False),
    ],
)
def test_error_of_a_key_decides_its_outcome(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, code: str, outcome, can_retry: bool, stops_run: bool
) -> None:
    proxy.answer("POST", "delete", delete_result(["a/x"], [("a/y", code)]))
    outcomes = delete(site, "a/x", "a/y")
    assert outcomes["a/x"].outcome is ObjectOutcome.DELETED
    failed_outcome = outcomes["a/y"]
    assert (failed_outcome.outcome, failed_outcome.can_retry, failed_outcome.should_stop_run) == (
        outcome,
        can_retry,
        stops_run,
    )


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        pytest.param("", ["unknown", "unknown"], id="an empty body"),
        pytest.param("<DeleteResult/>", ["unknown", "unknown"], id="an empty result"),
        pytest.param(HTML.partition("\n")[2], ["unknown", "unknown"], id="a login page"),
        pytest.param(delete_result(["a/x"]), ["deleted", "unknown"], id="one missing"),
        pytest.param(
            delete_result(["a/x", "a/y"], [("a/y", "AccessDenied")]), ["deleted", "denied"],
            id="deleted and denied at once",
        ),
        pytest.param("<DeleteResult><Deleted/></DeleteResult>", ["unknown", "unknown"],
                     id="no key"),
    ],
)  # fmt: skip
def test_key_missing_from_the_response_is_unknown(
    site: Bucket, proxy: FaultProxy, pauses: list[float], body: str, outcomes: list[str]
) -> None:
    proxy.answer("POST", "delete", body)
    assert [key_outcome.outcome for key_outcome in delete(site, "a/x", "a/y").values()] == outcomes


@pytest.mark.parametrize(
    ("status", "body", "outcome", "stops_run"),
    [
        pytest.param(403, error("AccessDenied"), "denied", False, id="denied"),
        pytest.param(404, "", "unknown", False, id="not found, empty body"),
        pytest.param(404, HTML, "unknown", False, id="not found, HTML page"),
        pytest.param(404, error("NoSuchKey"), "unknown", False, id="no such key"),
        pytest.param(404, error("NoSuchBucket"), "failed", True, id="no such bucket"),
        pytest.param(400, error("ExpiredToken"), "failed", True, id="expired"),
        pytest.param(412, error("PreconditionFailed"), "unknown", False, id="changed"),
        pytest.param(503, error("SlowDown"), "failed", False, id="slow down"),
        pytest.param(200, error("InternalError"), "failed", False, id="an error in a 200"),
        pytest.param(302, "", "unknown", True, id="redirect without a location"),
        pytest.param(200, "<DeleteResult><Deleted>", "failed", False, id="truncated"),
    ],
)
def test_error_of_a_batch_never_means_absent(  # noqa: PLR0917 - a table's columns
    site: Bucket,
    proxy: FaultProxy,
    pauses: list[float],
    status: int,
    body: str,
    outcome: str,
    stops_run: bool,
) -> None:
    proxy.answer("POST", "delete", body, status=status)
    outcomes = delete(site, "a/x", "a/y")
    assert [key_outcome.outcome for key_outcome in outcomes.values()] == [outcome, outcome]
    assert {key_outcome.should_stop_run for key_outcome in outcomes.values()} == {stops_run}
    assert all(key_outcome.message for key_outcome in outcomes.values())


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (404, error("NoSuchKey"), "absent"),
        (404, "", "unknown"),
        (200, "", "unknown"),
        (200, HTML, "unknown"),
        (302, "", "unknown"),
        (412, error("PreconditionFailed"), "changed"),
        (409, error("ConditionalRequestConflict"), "failed"),
        (403, error("AccessDenied"), "denied"),
        (500, error("InternalError"), "failed"),
    ],
)
def test_error_of_a_single_request_decides_the_outcome(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str, outcome: str
) -> None:
    proxy.answer("DELETE", ".", body, status=status)
    assert delete(site, "a/\n")["a/\n"].outcome == outcome


def test_lost_response_is_unknown(site: Bucket, proxy: FaultProxy, pauses: list[float]) -> None:
    proxy.drop("POST", "delete")
    proxy.drop("DELETE", ".")
    outcomes = delete(site, "a/x", "a/\n")
    assert [outcome.outcome for outcome in outcomes.values()] == ["unknown", "unknown"]


def test_delete_markers_of_a_versioned_bucket_are_returned(bucket: Bucket) -> None:
    bucket.enable_versioning()
    for key in ("a/x", "a/\r"):
        bucket.put(key)
    outcomes = delete(bucket, "a/x", "a/\r")
    assert all(outcome.marker_version_id for outcome in outcomes.values())
    assert bucket.versions() == [("a/\r", False), ("a/\r", True), ("a/x", False), ("a/x", True)]


def test_only_slow_down_counts_as_throttled(site: Bucket, proxy: FaultProxy) -> None:
    errors = [("a/x", "SlowDown"), ("a/y", "InternalError")]
    proxy.answer("POST", "delete", delete_result([], errors))
    outcomes = delete(site, "a/x", "a/y")
    assert [outcome.is_throttled for outcome in outcomes.values()] == [True, False]


@pytest.mark.parametrize(
    ("status", "code"),
    [(501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "MalformedXML"),
     (400, "InvalidArgument")],
)  # fmt: skip
def test_store_without_batches_gets_one_batch_and_then_single_requests(
    site: Bucket, proxy: FaultProxy, status: int, code: str
) -> None:
    site.deploy("a", days=1, files=30)
    site.put("b/x")
    proxy.answer("POST", "delete", error(code), status=status)
    bucket_writer, keys = open_writer(site), sorted(site.keys() - {"b/x"})
    for part in (keys[:20], keys[20:]):
        outcomes = bucket_writer.delete_objects([make_object(key) for key in part])
        assert {key: outcome.outcome for key, outcome in outcomes.items()} == dict.fromkeys(
            part, "deleted"
        )
    assert site.keys() == {"b/x"}
    assert len(proxy.find_requests("POST")) == 1
    assert len(proxy.find_requests("DELETE")) == 30


def test_error_after_a_successful_batch_does_not_end_batches(
    site: Bucket, proxy: FaultProxy
) -> None:
    bucket_writer = open_writer(site)
    bucket_writer.delete_objects([make_object("a/x")])
    proxy.answer("POST", "delete", error("MalformedXML"), status=400)
    assert bucket_writer.delete_objects([make_object("a/y")])["a/y"].outcome is ObjectOutcome.FAILED
    assert proxy.find_requests("DELETE") == []


def test_single_requests_end_after_an_error_that_stops_the_run(
    site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", "delete", error("NotImplemented"), status=501)
    proxy.answer("DELETE", ".", error("ExpiredToken"), status=400)
    outcomes = delete(site, *(f"a/{number}" for number in range(100)))
    assert len(outcomes) == 100
    assert {(outcome.outcome, outcome.should_stop_run) for outcome in outcomes.values()} == {
        ("failed", True)
    }
    assert len(proxy.find_requests("DELETE")) < 10


@pytest.mark.parametrize(
    "body",
    [
        error("MissingContentMD5"),
        error("InvalidRequest", "Missing required header for this request: Content-MD5"),
    ],
)
def test_server_that_requires_an_md5_gets_it_from_then_on(
    site: Bucket, proxy: FaultProxy, body: str
) -> None:
    for key in ("a/x", "a/y"):
        site.put(key)
    proxy.answer("POST", "delete", body, status=400, nth=1)
    bucket_writer = open_writer(site)
    for key in ("a/x", "a/y"):
        assert (
            bucket_writer.delete_objects([make_object(key)])[key].outcome is ObjectOutcome.DELETED
        )
    first, *later = proxy.requests
    assert "Content-MD5" not in first.headers
    assert len(later) == 2
    for request in later:
        digest = hashlib.md5(request.body, usedforsecurity=False).digest()
        assert request.headers["Content-MD5"] == base64.b64encode(digest).decode()
        assert "content-md5" in request.headers["Authorization"]


def test_no_request_bypasses_a_lock_or_is_quiet(site: Bucket, proxy: FaultProxy) -> None:
    delete(site, "a/x", "a/\x01")
    for request in proxy.deletions:
        assert "bypass" not in str(request.headers).lower()
        assert b"<Quiet>true" not in request.body


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (204, "", "deleted"),
        (404, error("NoSuchUpload"), "absent"),
        (404, "", "unknown"),
        (403, error("AccessDenied"), "denied"),
        (500, error("InternalError"), "failed"),
        (200, "", "unknown"),
        (200, HTML, "unknown"),
    ],
)
def test_aborting_an_upload_has_an_outcome(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str, outcome: str
) -> None:
    proxy.answer("DELETE", "/a/x[?].*uploadId=u1", body, status=status)
    assert open_writer(site).abort_upload("a/x", "u1").outcome == outcome


def test_lost_response_to_an_abort_is_unknown(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("DELETE", ".")
    assert open_writer(site).abort_upload("a/x", "u1").outcome is ObjectOutcome.UNKNOWN


def test_abort_without_an_upload_id_is_not_sent(site: Bucket, proxy: FaultProxy) -> None:
    with pytest.raises(GateError):
        open_writer(site).abort_upload("a/x", "")
    assert proxy.requests == []
