"""Deleting: what S3 says of each key becomes its outcome, and silence is `unknown`."""

import pytest

from ci3.aws.bucket import BucketReader, BucketWriter, KeyOutcome
from ci3.core.model import ObjectOutcome
from tests.aws.answers import HTML, delete_result, error
from tests.builders import stored
from tests.fault_proxy import FaultProxy
from tests.s3 import Bucket


def writer(bucket: Bucket) -> BucketWriter:
    return BucketWriter(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def delete(bucket: Bucket, *keys: str) -> dict[str, KeyOutcome]:
    return dict(writer(bucket).delete([stored(key) for key in keys]))


def test_batch_deletes_what_it_names_and_nothing_else(site: Bucket, proxy: FaultProxy) -> None:
    for key in ("a/x", "a/y", "ab/x", "a", "b/x"):
        site.put(key)
    outcomes = delete(site, "a/x", "a/y")
    assert {one.outcome for one in outcomes.values()} == {ObjectOutcome.DELETED}
    assert site.keys() == {"ab/x", "a", "b/x"}
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "key",
    ["a/+", "a//x", "a/%2F", "a/&<>'\"", "a/é", "a/😀", "a/ b ", "a/\t", "a/?x#y", "a/../b/x"],
)
def test_odd_keys_go_in_a_batch_as_they_are(site: Bucket, proxy: FaultProxy, key: str) -> None:
    site.put(key)
    site.put("b/x")
    assert delete(site, key)[key].outcome is ObjectOutcome.DELETED
    assert site.keys() == {"b/x"}
    assert [one.method for one in proxy.requests] == ["POST"]


@pytest.mark.parametrize("key", ["a/\r", "a/\x01", "a/\x00", "a/\ufffe", "a/../b/\x01"])
def test_key_that_xml_cannot_carry_goes_alone_and_spoils_no_batch(
    site: Bucket, proxy: FaultProxy, key: str
) -> None:
    for one in (key, "a/x", "b/\x01"):
        site.put(one)
    outcomes = delete(site, key, "a/x")
    assert {one.outcome for one in outcomes.values()} == {ObjectOutcome.DELETED}
    assert site.keys() == {"b/\x01"}
    assert sorted(one.method for one in proxy.requests) == ["DELETE", "POST"]


def test_key_with_a_line_break_goes_alone(site: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("DELETE", "/a/%0A$", status=204)  # the in-process S3 knows no such path
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
        ("ExpiredToken", ObjectOutcome.FAILED, False, True),
        ("SomethingNew", ObjectOutcome.FAILED, False, False),
        ("", ObjectOutcome.FAILED, False, False),
    ],
)
def test_error_of_one_key_is_that_keys_outcome(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, code: str, outcome, can_retry: bool, stops_run: bool
) -> None:
    proxy.answer("POST", "delete", delete_result(["a/x"], [("a/y", code)]))
    outcomes = delete(site, "a/x", "a/y")
    assert outcomes["a/x"].outcome is ObjectOutcome.DELETED
    failed = outcomes["a/y"]
    assert (failed.outcome, failed.can_retry, failed.stops_run) == (outcome, can_retry, stops_run)


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        pytest.param("", ["unknown", "unknown"], id="an empty body"),
        pytest.param("<DeleteResult/>", ["unknown", "unknown"], id="an empty result"),
        pytest.param(HTML.partition("\n")[2], ["unknown", "unknown"], id="a login page"),
        pytest.param(delete_result(["a/x"]), ["deleted", "unknown"], id="one left out"),
        pytest.param(delete_result(["b/x"]), ["unknown", "unknown"], id="another key"),
        pytest.param(
            delete_result(["a/x", "a/y"], [("a/y", "AccessDenied")]), ["deleted", "denied"],
            id="deleted and denied at once",
        ),
        pytest.param("<DeleteResult><Deleted/></DeleteResult>", ["unknown", "unknown"],
                     id="no key"),
    ],
)  # fmt: skip
def test_key_that_the_answer_does_not_speak_of_is_unknown(
    site: Bucket, proxy: FaultProxy, pauses: list[float], body: str, outcomes: list[str]
) -> None:
    proxy.answer("POST", "delete", body)
    assert [one.outcome for one in delete(site, "a/x", "a/y").values()] == outcomes


@pytest.mark.parametrize(
    ("status", "body", "outcome", "stops_run"),
    [
        pytest.param(403, error("AccessDenied"), "denied", False, id="denied"),
        pytest.param(404, "", "unknown", False, id="not found, by whom?"),
        pytest.param(404, HTML, "unknown", False, id="not found, says a page"),
        pytest.param(404, error("NoSuchKey"), "unknown", False, id="no such key, which?"),
        pytest.param(404, error("NoSuchBucket"), "failed", True, id="no such bucket"),
        pytest.param(400, error("ExpiredToken"), "failed", True, id="expired"),
        pytest.param(501, error("NotImplemented"), "failed", False, id="not implemented"),
        pytest.param(503, error("SlowDown"), "failed", False, id="slow down, each time"),
        pytest.param(200, error("InternalError"), "failed", False, id="an error in a 200"),
        pytest.param(200, "<DeleteResult><Deleted>", "failed", False, id="cut off"),
    ],
)
def test_error_of_a_whole_batch_never_reads_as_gone(  # noqa: PLR0917 - a table's columns
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
    assert [one.outcome for one in outcomes.values()] == [outcome, outcome]
    assert {one.stops_run for one in outcomes.values()} == {stops_run}
    assert all(one.message for one in outcomes.values())


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (404, error("NoSuchKey"), "absent"),
        (404, "", "unknown"),
        (403, error("AccessDenied"), "denied"),
        (500, error("InternalError"), "failed"),
    ],
)
def test_error_of_a_single_delete_is_that_keys_outcome(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str, outcome: str
) -> None:
    proxy.answer("DELETE", ".", body, status=status)
    assert delete(site, "a/\n")["a/\n"].outcome == outcome


def test_lost_answer_is_unknown(site: Bucket, proxy: FaultProxy, pauses: list[float]) -> None:
    proxy.drop("POST", "delete")
    proxy.drop("DELETE", ".")
    outcomes = delete(site, "a/x", "a/\n")
    assert [one.outcome for one in outcomes.values()] == ["unknown", "unknown"]


def test_versioned_bucket_tells_the_delete_markers(bucket: Bucket) -> None:
    bucket.enable_versioning()
    for key in ("a/x", "a/\r"):
        bucket.put(key)
    outcomes = delete(bucket, "a/x", "a/\r")
    assert all(one.marker_version_id for one in outcomes.values())
    assert bucket.versions() == [("a/\r", False), ("a/\r", True), ("a/x", False), ("a/x", True)]


@pytest.mark.parametrize(
    ("name", "url", "recorded"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.example.org", "https://s3.example.org"),
        ("AWS_ENDPOINT_URL", "https://s3.eu-west-1.amazonaws.com", ""),
        ("AWS_REGION", "eu-west-1", ""),
    ],
)
def test_endpoint_of_the_aws_configuration_is_known_as_the_buckets(
    monkeypatch, name, url, recorded
):
    monkeypatch.setenv(name, url)
    reader = BucketReader(bucket="my-site", region="eu-west-1", endpoint_url="")
    assert reader.endpoint_url == recorded
