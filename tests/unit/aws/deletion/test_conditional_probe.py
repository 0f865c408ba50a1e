"""The probe: deletes are conditional only if the S3 server showed that it honors conditions."""

import re
import time
from contextlib import nullcontext
from threading import BoundedSemaphore
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.conditional_probe import _Probe, _Trial
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.writer import BucketWriter
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import DeleteGuard, GuardProbe, ObjectOutcome
from tests.support.builders import make_object
from tests.support.concurrency_meter import ConcurrencyMeter
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.support.s3.answers import HTML, delete_result, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Answer, FaultProxy, Request

if TYPE_CHECKING:
    from ci3.aws.deletion.requests import DeleteRequests

DISABLED, ENABLED = Versioning.DISABLED, Versioning.ENABLED


def open_writer(bucket: Bucket) -> BucketWriter:
    reader = BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)
    return reader.open_writer()


def probe(bucket: Bucket, versioning: Versioning = DISABLED) -> GuardProbe:
    return open_writer(bucket).probe_conditional_deletes("previews/", versioning)


def honor_in_batches(proxy: FaultProxy, code: str = "NoSuchKey", plain: str = "") -> None:
    """Fail every key of a conditional batch with `code`, and of others with `plain`."""

    def respond(request: Request) -> str:
        error_code = code if b"<ETag>" in request.body else plain
        keys = request.batch_keys
        return (
            delete_result([], [(key, error_code) for key in keys])
            if error_code
            else delete_result(keys)
        )

    proxy.answer_with("POST", "delete", respond)


@pytest.mark.parametrize("versioning", Versioning)
@pytest.mark.parametrize("code", ["NoSuchKey", "PreconditionFailed"])
def test_s3_that_honors_all_conditions_gets_the_full_guard(
    site: Bucket, proxy: FaultProxy, code: str, versioning: Versioning
) -> None:
    honor_in_batches(proxy, code)
    assert probe(site, versioning).guard is DeleteGuard.ETAG


def test_probe_deletes_only_random_keys_and_no_deployment(site: Bucket, proxy: FaultProxy) -> None:
    site.deploy("previews/a", days=1)
    before = site.content()
    probe(site)
    probe(site)
    keys = [key for request in proxy.find_requests("POST") for key in request.batch_keys]
    keys += [request.target.partition("/previews/")[2] for request in proxy.find_requests("DELETE")]
    names = [key.removeprefix("previews/") for key in keys]
    assert all(re.fullmatch(r"\.ci3-probe-[0-9a-f]{16}(\?.*)?", name) for name in names)
    assert len(set(names)) == len(names) >= 6
    assert site.content() == before


def test_s3_that_ignores_conditions_in_batches_guards_only_single_requests(site: Bucket) -> None:
    result = probe(site)  # the in-process S3 ignores them
    assert result.guard is DeleteGuard.ETAG_SINGLE


def test_single_request_guard_sends_batches_without_a_condition(
    site: Bucket, proxy: FaultProxy
) -> None:
    bucket_writer = open_writer(site)
    bucket_writer.probe_conditional_deletes("", DISABLED)
    proxy.requests.clear()
    outcomes = bucket_writer.delete_objects([make_object("a/x", etag=""), make_object("a/\x01")])
    assert [outcome.outcome for outcome in outcomes.values()] == ["deleted", "absent"]
    (batch,), (single,) = proxy.find_requests("POST"), proxy.find_requests("DELETE")
    assert b"ETag" not in batch.body
    assert "If-Match" in single.headers


NO_GUARD = [
    (204, ""),
    (403, error("AccessDenied")),
    (403, ""),
    (501, error("NotImplemented")),
    (404, ""),
    (404, HTML),
    (404, error("NoSuchBucket")),
    (503, error("SlowDown")),
    (400, error("InvalidArgument")),
    (302, ""),
    (200, ""),
]


def probe_without_guard(
    bucket_writer: BucketWriter, proxy: FaultProxy, status: int, body: str
) -> GuardProbe:
    proxy.answer("DELETE", "ci3-probe", body, status=status)
    honor_in_batches(proxy)
    return bucket_writer.probe_conditional_deletes("", DISABLED)


def test_reasons_are_the_golden_ones(site: Bucket, proxy: FaultProxy, pauses: list[float]) -> None:
    cases = [("batches ignore conditions", probe(site).reason)]
    for status, body in NO_GUARD:
        proxy.forget_rules()
        reason = probe_without_guard(open_writer(site), proxy, status, body).reason
        cases.append((f"{status} {body}", reason))
    assert_messages(__file__, cases)


@pytest.mark.parametrize(("status", "body"), NO_GUARD)
def test_response_that_does_not_prove_conditions_gives_no_guard(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str
) -> None:
    bucket_writer = open_writer(site)
    result = probe_without_guard(bucket_writer, proxy, status, body)
    assert result.guard is DeleteGuard.NONE
    assert ("s3:GetObject" in words_in(result.reason)) is (status == 403)
    proxy.requests.clear()
    proxy.answer("DELETE", ".", status=204)
    bucket_writer.delete_objects([make_object("a/x"), make_object("a/\x01")])
    assert not any(
        b"ETag" in request.body or "If-Match" in request.headers for request in proxy.requests
    )


def test_lost_probe_responses_give_no_guard(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("DELETE", "ci3-probe")
    assert probe(site).guard is DeleteGuard.NONE


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<DeleteResult/>"),
        (400, error("MalformedXML")),
        (403, error("AccessDenied")),
        (412, error("PreconditionFailed")),
    ],
)
def test_batch_response_that_does_not_prove_conditions_is_not_guarded(
    site: Bucket, proxy: FaultProxy, status: int, body: str
) -> None:
    proxy.answer("POST", "delete", body, status=status)
    assert probe(site).guard is DeleteGuard.ETAG_SINGLE


def test_batches_stay_in_use_if_the_server_rejects_conditions_in_them(
    site: Bucket, proxy: FaultProxy
) -> None:
    def respond(request: Request) -> str | Answer:
        if b"<ETag>" in request.body:
            return Answer(status=400, body=error("MalformedXML").encode())
        return delete_result(request.batch_keys)

    proxy.answer_with("POST", "delete", respond)
    bucket_writer = open_writer(site)
    bucket_writer.probe_conditional_deletes("", DISABLED)
    proxy.forget_rules()
    proxy.requests.clear()
    assert (
        bucket_writer.delete_objects([make_object("a/x")])["a/x"].outcome is ObjectOutcome.DELETED
    )
    assert [request.method for request in proxy.requests] == ["POST"]


@pytest.mark.parametrize(
    ("status", "code", "versioning", "guard"),
    [
        (404, "NoSuchKey", DISABLED, DeleteGuard.NONE),
        (404, "NoSuchKey", ENABLED, DeleteGuard.NONE),
        (404, "NoSuchKey", Versioning.UNKNOWN, DeleteGuard.NONE),
        (412, "PreconditionFailed", DISABLED, DeleteGuard.ETAG),
        (412, "PreconditionFailed", ENABLED, DeleteGuard.ETAG),
    ],
)
def test_missing_key_error_without_a_condition_proves_nothing(  # noqa: PLR0917 - a table
    site: Bucket, proxy: FaultProxy, status: int, code: str, versioning: Versioning, guard
) -> None:
    proxy.answer("POST", "delete", error("NotImplemented"), status=501)
    proxy.answer("DELETE", "ci3-probe", error(code), status=status)
    assert probe(site, versioning).guard is guard


def test_missing_key_error_in_a_batch_without_a_condition_proves_nothing(
    site: Bucket, proxy: FaultProxy
) -> None:
    honor_in_batches(proxy, "NoSuchKey", plain="NoSuchKey")
    assert probe(site).guard is DeleteGuard.ETAG_SINGLE


def test_proven_batch_is_no_guard_if_single_requests_are_unproven(
    site: Bucket, proxy: FaultProxy
) -> None:
    """A key that XML cannot carry would be deleted by a request whose condition is ignored."""
    proxy.answer("DELETE", "ci3-probe", error("NoSuchKey"), status=404)
    honor_in_batches(proxy, "NoSuchKey")
    assert probe(site).guard is DeleteGuard.NONE


def test_batches_may_fall_back_to_single_requests_if_conditions_are_ignored(
    site: Bucket, proxy: FaultProxy
) -> None:
    """If a batch of two keys is rejected, each key is deleted by a single request."""
    proxy.answer("DELETE", "ci3-probe", status=204)
    bucket_writer = open_writer(site)
    assert bucket_writer.probe_conditional_deletes("", DISABLED).guard is DeleteGuard.NONE
    proxy.answer("POST", "delete", error("InvalidRequest"), status=400)
    outcomes = bucket_writer.delete_objects([make_object("a/x"), make_object("a/y")])
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.DELETED}


def test_policy_that_requires_conditions_does_not_fail_the_probe(
    site: Bucket, proxy: FaultProxy
) -> None:
    honor_in_batches(proxy, "NoSuchKey", plain="AccessDenied")
    denied = Answer(status=403, body=error("AccessDenied").encode())
    missing = Answer(status=404, body=error("NoSuchKey").encode())
    proxy.answer_with(
        "DELETE", "ci3-probe", lambda request: missing if "If-Match" in request.headers else denied
    )
    assert probe(site).guard is DeleteGuard.ETAG


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("versioning", Versioning)
def test_probe_requests_are_concurrent_unless_they_may_create_markers(
    site: Bucket, proxy: FaultProxy, slots: int, versioning: Versioning
) -> None:
    """Unless versioning is disabled, no request is unconditional, and requests are sequential."""
    expected = slots if versioning is DISABLED else 1
    meter, handle = ConcurrencyMeter(), proxy.handle

    def handle_metered(request: Request) -> Answer | None:
        with meter.counted():
            meter.wait_for(expected)
            time.sleep(0.01)  # a request too many would arrive now
            return handle(request)

    proxy.handle = handle_metered
    honor_in_batches(proxy)
    assert (
        open_writer(site).probe_conditional_deletes("", versioning, BoundedSemaphore(slots)).guard
        is DeleteGuard.ETAG
    )
    assert meter.maximum == expected
    requests = [*proxy.find_requests("DELETE"), *proxy.find_requests("POST")]
    conditional = [
        request
        for request in requests
        if "If-Match" in request.headers or b"<ETag>" in request.body
    ]
    assert len(conditional) == 2
    assert len(requests) == (4 if versioning is DISABLED else 2)


def test_store_without_batches_that_honors_conditions_has_the_full_guard(
    site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", "delete", error("NotImplemented"), status=501)
    bucket_writer = open_writer(site)
    result = bucket_writer.probe_conditional_deletes("", DISABLED)
    assert result.guard is DeleteGuard.ETAG
    site.put("a/x")
    proxy.requests.clear()
    assert (
        bucket_writer.delete_objects([make_object("a/x")])["a/x"].outcome is ObjectOutcome.CHANGED
    )
    assert [request.method for request in proxy.requests] == ["DELETE"]


def test_marker_created_despite_the_condition_is_removed(site: Bucket, proxy: FaultProxy) -> None:
    site.enable_versioning()  # the in-process S3 ignores conditions in batches
    proxy.rewrite("POST", "delete", _add_marker)
    assert probe(site, ENABLED).guard is DeleteGuard.NONE
    (batch,), removal = proxy.find_requests("POST"), proxy.find_requests("DELETE")[-1]
    assert re.search(f"/{re.escape(batch.batch_keys[0])}[?].*versionId=m1", removal.target)


def test_marker_that_cannot_be_removed_is_reported(site: Bucket, proxy: FaultProxy) -> None:
    marker_headers = {"x-amz-delete-marker": "true", "x-amz-version-id": "m1"}
    proxy.answer("DELETE", "ci3-probe", status=204, headers=marker_headers)
    proxy.answer("DELETE", "versionId=m1", error("AccessDenied"), status=403)
    result = probe(site, ENABLED)
    assert result.guard is DeleteGuard.NONE
    (key,) = {request.target.partition(site.name + "/")[2].partition("?")[0]
              for request in proxy.find_requests("DELETE")}  # fmt: skip
    assert {key, "AccessDenied"} <= words_in(result.reason)


def _add_marker(body: bytes) -> bytes:
    marker = b"<DeleteMarkerVersionId>m1</DeleteMarkerVersionId><DeleteMarker>true</DeleteMarker>"
    return re.sub(b"(</Key>).*?(</Deleted>)", rb"\1" + marker + rb"\2", body, flags=re.DOTALL)


def make_trial(outcome: str) -> _Trial:
    """Return the trial for `absent`, or for `absent+`, whose control has another outcome."""
    name = outcome.removesuffix("+")
    has_other_control = name != outcome
    if name == "no-bulk-delete":
        return _Trial(outcome=None)
    key_outcome = KeyOutcome(outcome=ObjectOutcome(name))
    return _Trial(outcome=key_outcome, has_other_control=has_other_control)


@pytest.mark.parametrize(
    ("single", "versioning", "batch", "mode"),
    [
        # not honored
        *[
            (single, versioning, None, DeleteGuard.NONE)
            for single in ("deleted", "denied", "unknown", "failed", "deleted+", "no-bulk-delete")
            for versioning in (DISABLED, ENABLED)
        ],
        # honored, not proven
        ("absent", DISABLED, None, DeleteGuard.NONE),
        # honored, and the batch proven
        ("absent+", DISABLED, "absent+", DeleteGuard.ETAG),
        ("absent+", DISABLED, "changed", DeleteGuard.ETAG),
        ("changed", DISABLED, "absent+", DeleteGuard.ETAG),
        ("changed", DISABLED, "changed", DeleteGuard.ETAG),
        # honored in a versioned bucket
        ("absent", ENABLED, "absent", DeleteGuard.ETAG),
        ("absent", ENABLED, "changed", DeleteGuard.ETAG),
        ("changed", ENABLED, "absent", DeleteGuard.ETAG),
        ("changed", ENABLED, "changed", DeleteGuard.ETAG),
        # honored, not proven, in a versioned bucket
        ("absent", ENABLED, "deleted", DeleteGuard.NONE),
        ("absent", ENABLED, "denied", DeleteGuard.NONE),
        ("absent", ENABLED, "no-bulk-delete", DeleteGuard.NONE),
        # proven, without bulk delete
        ("absent+", DISABLED, "no-bulk-delete", DeleteGuard.ETAG),
        ("changed", DISABLED, "no-bulk-delete", DeleteGuard.ETAG),
        ("changed", ENABLED, "no-bulk-delete", DeleteGuard.ETAG),
        # proven, and any other batch
        ("absent+", DISABLED, "absent", DeleteGuard.ETAG_SINGLE),
        ("changed", DISABLED, "deleted", DeleteGuard.ETAG_SINGLE),
        ("changed", ENABLED, "deleted", DeleteGuard.ETAG_SINGLE),
        ("changed", ENABLED, "denied", DeleteGuard.ETAG_SINGLE),
    ],
)
def test_mode_is_decided_by_the_table_of_outcomes(
    single: str, versioning: Versioning, batch: str | None, mode: DeleteGuard
) -> None:
    batches: list[str] = []

    def try_batch() -> _Trial:
        assert batch is not None
        batches.append(batch)
        return make_trial(batch)

    requests = cast("DeleteRequests", SimpleNamespace())
    probe = _Probe(requests, "previews/", versioning, nullcontext())
    assert probe._decide(make_trial(single), try_batch).guard is mode
    assert batches == ([] if batch is None else [batch])
