"""The probe: a guard is in force only where this S3 has shown that it honours conditions."""

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


def writer(bucket: Bucket) -> BucketWriter:
    reader = BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)
    return reader.open_writer()


def probe(bucket: Bucket, versioning: Versioning = DISABLED) -> GuardProbe:
    return writer(bucket).probe_conditional_deletes("previews/", versioning)


def honour_in_batches(proxy: FaultProxy, code: str = "NoSuchKey", plain: str = "") -> None:
    """Answer of every key that it fails with this code; without a condition with another."""

    def make(request: Request) -> str:
        said = code if b"<ETag>" in request.body else plain
        keys = request.batch_keys
        return delete_result([], [(key, said) for key in keys]) if said else delete_result(keys)

    proxy.answer_with("POST", "delete", make)


@pytest.mark.parametrize("versioning", Versioning)
@pytest.mark.parametrize("code", ["NoSuchKey", "PreconditionFailed"])
def test_s3_that_honours_conditions_everywhere_is_the_full_guard(
    site: Bucket, proxy: FaultProxy, code: str, versioning: Versioning
) -> None:
    honour_in_batches(proxy, code)
    assert probe(site, versioning).guard is DeleteGuard.ETAG


def test_probe_deletes_only_keys_that_nobody_has_and_no_deployment(
    site: Bucket, proxy: FaultProxy
) -> None:
    site.deploy("previews/a", days=1)
    before = site.content()
    probe(site)
    probe(site)
    keys = [key for one in proxy.find_requests("POST") for key in one.batch_keys]
    keys += [one.target.partition("/previews/")[2] for one in proxy.find_requests("DELETE")]
    names = [key.removeprefix("previews/") for key in keys]
    assert all(re.fullmatch(r"\.ci3-probe-[0-9a-f]{16}(\?.*)?", name) for name in names)
    assert len(set(names)) == len(names) >= 6
    assert site.content() == before


def test_s3_that_ignores_conditions_in_batches_guards_only_single_requests(site: Bucket) -> None:
    found = probe(site)  # the in-process S3 is one
    assert found.guard is DeleteGuard.ETAG_SINGLE


def test_guard_of_single_requests_leaves_batches_without_a_condition(
    site: Bucket, proxy: FaultProxy
) -> None:
    face = writer(site)
    face.probe_conditional_deletes("", DISABLED)
    proxy.requests.clear()
    outcomes = face.delete_objects([make_object("a/x", etag=""), make_object("a/\x01")])
    assert [one.outcome for one in outcomes.values()] == ["deleted", "absent"]
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
    honour_in_batches(proxy)
    return bucket_writer.probe_conditional_deletes("", DISABLED)


def test_reasons_are_the_golden_ones(site: Bucket, proxy: FaultProxy, pauses: list[float]) -> None:
    cases = [("batches ignore conditions", probe(site).reason)]
    for status, body in NO_GUARD:
        proxy.forget_rules()
        reason = probe_without_guard(writer(site), proxy, status, body).reason
        cases.append((f"{status} {body}", reason))
    assert_messages(__file__, cases)


@pytest.mark.parametrize(("status", "body"), NO_GUARD)
def test_answer_that_shows_no_honoured_condition_is_no_guard(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str
) -> None:
    face = writer(site)
    found = probe_without_guard(face, proxy, status, body)
    assert found.guard is DeleteGuard.NONE
    assert ("s3:GetObject" in words_in(found.reason)) is (status == 403)
    proxy.requests.clear()
    proxy.answer("DELETE", ".", status=204)
    face.delete_objects([make_object("a/x"), make_object("a/\x01")])
    assert not any(b"ETag" in one.body or "If-Match" in one.headers for one in proxy.requests)


def test_probe_whose_answers_are_lost_is_no_guard(
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
def test_batch_whose_answer_shows_no_honoured_condition_is_not_guarded(
    site: Bucket, proxy: FaultProxy, status: int, body: str
) -> None:
    proxy.answer("POST", "delete", body, status=status)
    assert probe(site).guard is DeleteGuard.ETAG_SINGLE


def test_server_that_does_not_know_the_condition_in_a_batch_keeps_its_batches(
    site: Bucket, proxy: FaultProxy
) -> None:
    def make(request: Request) -> str | Answer:
        if b"<ETag>" in request.body:
            return Answer(status=400, body=error("MalformedXML").encode())
        return delete_result(request.batch_keys)

    proxy.answer_with("POST", "delete", make)
    face = writer(site)
    face.probe_conditional_deletes("", DISABLED)
    proxy.forget_rules()
    proxy.requests.clear()
    assert face.delete_objects([make_object("a/x")])["a/x"].outcome is ObjectOutcome.DELETED
    assert [one.method for one in proxy.requests] == ["POST"]


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
def test_store_that_calls_every_missing_key_missing_has_shown_nothing(  # noqa: PLR0917 - a table
    site: Bucket, proxy: FaultProxy, status: int, code: str, versioning: Versioning, guard
) -> None:
    proxy.answer("POST", "delete", error("NotImplemented"), status=501)
    proxy.answer("DELETE", "ci3-probe", error(code), status=status)
    assert probe(site, versioning).guard is guard


def test_batch_that_calls_every_missing_key_missing_has_shown_nothing(
    site: Bucket, proxy: FaultProxy
) -> None:
    honour_in_batches(proxy, "NoSuchKey", plain="NoSuchKey")
    assert probe(site).guard is DeleteGuard.ETAG_SINGLE


def test_sure_batch_is_no_guard_where_single_requests_have_shown_nothing(
    site: Bucket, proxy: FaultProxy
) -> None:
    """What can't go in a batch would go alone, on a condition that nobody looks at."""
    proxy.answer("DELETE", "ci3-probe", error("NoSuchKey"), status=404)
    honour_in_batches(proxy, "NoSuchKey")
    assert probe(site).guard is DeleteGuard.NONE


def test_what_batches_were_answered_counts_for_nothing_where_conditions_are_ignored(
    site: Bucket, proxy: FaultProxy
) -> None:
    """A store may take one key in a batch, and no more: then each goes alone."""
    proxy.answer("DELETE", "ci3-probe", status=204)
    face = writer(site)
    assert face.probe_conditional_deletes("", DISABLED).guard is DeleteGuard.NONE
    proxy.answer("POST", "delete", error("InvalidRequest"), status=400)
    outcomes = face.delete_objects([make_object("a/x"), make_object("a/y")])
    assert {one.outcome for one in outcomes.values()} == {ObjectOutcome.DELETED}


def test_policy_that_insists_on_conditions_does_not_spoil_the_probe(
    site: Bucket, proxy: FaultProxy
) -> None:
    honour_in_batches(proxy, "NoSuchKey", plain="AccessDenied")
    denied = Answer(status=403, body=error("AccessDenied").encode())
    missing = Answer(status=404, body=error("NoSuchKey").encode())
    proxy.answer_with(
        "DELETE", "ci3-probe", lambda one: missing if "If-Match" in one.headers else denied
    )
    assert probe(site).guard is DeleteGuard.ETAG


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("versioning", Versioning)
def test_probe_asks_at_once_what_leaves_nothing_behind_as_far_as_it_may(
    site: Bucket, proxy: FaultProxy, slots: int, versioning: Versioning
) -> None:
    """Where versions may be kept, plain requests are not made, and none while one is out."""
    expected = slots if versioning is DISABLED else 1
    meter, take = ConcurrencyMeter(), proxy.handle

    def metered(request: Request) -> Answer | None:
        with meter.counted():
            meter.wait_for(expected)
            time.sleep(0.01)  # another one, which must not come, would come now
            return take(request)

    proxy.handle = metered
    honour_in_batches(proxy)
    assert (
        writer(site).probe_conditional_deletes("", versioning, BoundedSemaphore(slots)).guard
        is DeleteGuard.ETAG
    )
    assert meter.maximum == expected
    sent = [*proxy.find_requests("DELETE"), *proxy.find_requests("POST")]
    on_condition = [one for one in sent if "If-Match" in one.headers or b"<ETag>" in one.body]
    assert len(on_condition) == 2
    assert len(sent) == (4 if versioning is DISABLED else 2)


def test_store_without_batches_that_honours_conditions_has_the_full_guard(
    site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", "delete", error("NotImplemented"), status=501)
    face = writer(site)
    found = face.probe_conditional_deletes("", DISABLED)
    assert found.guard is DeleteGuard.ETAG
    site.put("a/x")
    proxy.requests.clear()
    assert face.delete_objects([make_object("a/x")])["a/x"].outcome is ObjectOutcome.CHANGED
    assert [one.method for one in proxy.requests] == ["DELETE"]


def test_marker_that_an_ignored_condition_made_is_removed(site: Bucket, proxy: FaultProxy) -> None:
    site.enable_versioning()  # the in-process S3 ignores conditions in batches
    proxy.rewrite("POST", "delete", _with_marker)
    assert probe(site, ENABLED).guard is DeleteGuard.NONE
    (batch,), removal = proxy.find_requests("POST"), proxy.find_requests("DELETE")[-1]
    assert re.search(f"/{re.escape(batch.batch_keys[0])}[?].*versionId=m1", removal.target)


def test_marker_that_cannot_be_removed_is_named(site: Bucket, proxy: FaultProxy) -> None:
    made = {"x-amz-delete-marker": "true", "x-amz-version-id": "m1"}
    proxy.answer("DELETE", "ci3-probe", status=204, headers=made)
    proxy.answer("DELETE", "versionId=m1", error("AccessDenied"), status=403)
    found = probe(site, ENABLED)
    assert found.guard is DeleteGuard.NONE
    (key,) = {one.target.partition(site.name + "/")[2].partition("?")[0]
              for one in proxy.find_requests("DELETE")}  # fmt: skip
    assert {key, "AccessDenied"} <= words_in(found.reason)


def _with_marker(body: bytes) -> bytes:
    marker = b"<DeleteMarkerVersionId>m1</DeleteMarkerVersionId><DeleteMarker>true</DeleteMarker>"
    return re.sub(b"(</Key>).*?(</Deleted>)", rb"\1" + marker + rb"\2", body, flags=re.DOTALL)


def trial(outcome: str) -> _Trial:
    """Make the trial of a word such as `absent`, or `absent+` with another outcome as control."""
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
        return trial(batch)

    requests = cast("DeleteRequests", SimpleNamespace())
    probe = _Probe(requests, "previews/", versioning, nullcontext())
    assert probe._decide(trial(single), try_batch).guard is mode
    assert batches == ([] if batch is None else [batch])
