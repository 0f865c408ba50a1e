"""With or without conditional deletes, every deletion and every retry needs a recent listing."""

from collections.abc import Callable
from dataclasses import replace
from threading import BoundedSemaphore

import pytest

from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.object_sender import ObjectPart, ObjectSender
from ci3.engine.deletion.sender import FRESH_SECONDS, BatchPart, fill_batches
from ci3.engine.deletion.version_sender import VersionSender
from ci3.engine.inventory.listing import list_deployment
from ci3.engine.inventory.versions import list_all_versions
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from ci3.errors import ExitCode
from tests.integration.faults.conftest import match_refresh
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import FaultProxy, Request
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
NEW = b"rolled back"


@pytest.fixture(params=["SlowDown", "InternalError"])
def refuse_first_batch(
    request: pytest.FixtureRequest, proxy: FaultProxy
) -> Callable[[Callable], None]:
    """Return a function that makes S3 refuse the first batch, and calls `act` before the retry."""

    def refuse(act: Callable[[], object]) -> None:
        def reply(batch: Request) -> str:
            act()
            errors = (
                f"<Error><Key>{key}</Key><Code>{request.param}</Code></Error>"
                for key in batch.batch_keys
            )
            proxy.forget_rules()
            return f"<DeleteResult>{''.join(errors)}</DeleteResult>"

        proxy.answer_with("POST", DELETE, reply)

    return refuse


@pytest.fixture(params=[False, True], ids=["ignores-conditions", "honors-conditions"])
def bucket(request: pytest.FixtureRequest, site: MemorySite) -> MemorySite:
    """A bucket with a deployment to delete.

    Conditions do not detect that the same bytes were uploaded again: the ETag is the same.
    """
    site.set_conditional_deletes(yes=request.param)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    return site


def test_key_uploaded_again_before_the_retry_is_not_deleted(
    bucket: MemorySite, refuse_first_batch: Callable
) -> None:
    refuse_first_batch(
        lambda: (bucket.put("old-1/file-00001", body=NEW), bucket.remove("old-1/file-00002"))
    )
    run = apply(bucket, changeable_keys=("old-1/file-00001", "old-1/file-00002"))
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"changed": 2, "absent": 1}
    assert bucket.content()["old-1/file-00001"][0] == NEW


def test_same_bytes_uploaded_again_before_the_retry_are_kept(
    bucket: MemorySite, refuse_first_batch: Callable
) -> None:
    refuse_first_batch(lambda: bucket.deploy("old-1", days=0))
    run = apply(bucket, changeable_keys=[f"old-1/file-{number:05}" for number in range(3)])
    assert run.counts("old-1") == {"changed": 3}
    assert bucket.folders() == {"new", "old-1"}


def test_keys_that_cannot_be_listed_are_not_retried(
    bucket: MemorySite, proxy: FaultProxy, refuse_first_batch: Callable
) -> None:
    denied = {"body": error("AccessDenied"), "status": 403}
    refuse_first_batch(lambda: None)
    forget_rules = proxy.forget_rules
    proxy.forget_rules = lambda: (
        forget_rules(),
        proxy.answer(**match_refresh("old-1", None), **denied),
    )
    run = apply(bucket)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"failed": 3}
    assert len(proxy.deletions) == 1


@pytest.mark.parametrize("versions", ["false", "true"])
def test_sdk_does_not_retry_deletions(
    bucket: MemorySite, proxy: FaultProxy, pauses: list[float], versions: str
) -> None:
    if versions == "true":
        bucket.suspend_versioning()

    def upload() -> None:
        bucket.put("old-1/file-00001", body=NEW)

    proxy.answer("POST", DELETE, error("SlowDown"), status=503, nth=1, first=upload)
    run = apply(bucket, changeable_keys=("old-1/file-00001",), delete_versions=versions)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"changed": 3}
    assert bucket.content()["old-1/file-00001"][0] == NEW
    assert pauses == []


def test_unchanged_keys_are_retried(
    bucket: MemorySite, proxy: FaultProxy, refuse_first_batch: Callable
) -> None:
    refuse_first_batch(lambda: None)
    assert apply(bucket).counts("old-1") == {"deleted": 3}
    assert len(proxy.deletions) == 2


def test_null_version_overwritten_before_the_retry_is_not_deleted(
    site: MemorySite, proxy: FaultProxy
) -> None:
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.suspend_versioning()

    def refuse(batch: Request) -> str:
        site.put("old-1/file-00000", body=NEW)
        errors = (
            f"<Error><Key>{key}</Key><VersionId>null</VersionId><Code>SlowDown</Code></Error>"
            for key in batch.batch_keys
        )
        proxy.forget_rules()
        return f"<DeleteResult>{''.join(errors)}</DeleteResult>"

    proxy.answer_with("POST", DELETE, refuse)
    run = apply(site, changeable_keys=("old-1/file-00000",), delete_versions="true")
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"changed": 3}
    assert site.content()["old-1/file-00000"][0] == NEW


# Before the first request.


def make_sender(
    site: MemorySite, *, seconds: Callable[[], float]
) -> tuple[ObjectSender, ObjectPart]:
    reader = make_context(site).open_bucket()
    writer = reader.open_writer()
    writer.probe_conditional_deletes("", Versioning.DISABLED)
    _, objects = list_deployment(reader, "old-1", "old-1/")
    sender = ObjectSender(
        reader=reader,
        writer=writer,
        control=RunControl(progress=NoProgress(), sleep=lambda _: None, monotonic=seconds),
        slots=BoundedSemaphore(1),
        list_objects=lambda _: (),
    )
    part = BatchPart(name="old-1", prefix="old-1/", entries=objects, listed_at=0.0)
    return sender, part


def test_deployment_that_changed_since_a_stale_listing_is_kept_completely(
    bucket: MemorySite,
) -> None:
    sender, part = make_sender(bucket, seconds=lambda: FRESH_SECONDS)
    bucket.put("old-1/file-00001", body=NEW)
    outcomes = sender.send((part,))
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.CHANGED}
    assert len(bucket.keys()) == 6


def test_only_a_stale_listing_is_refreshed(bucket: MemorySite, proxy: FaultProxy) -> None:
    for age, listings in ((0.0, 0), (FRESH_SECONDS, 1)):
        bucket.deploy("old-1", days=10)
        sender, part = make_sender(bucket, seconds=lambda age=age: age)
        before = len(proxy.find_requests("GET"))
        outcomes = sender.send((part,))
        assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.DELETED}
        assert len(proxy.find_requests("GET")) - before == listings


def test_batch_with_slow_refreshes_is_sent_in_several_requests(
    bucket: MemorySite, proxy: FaultProxy
) -> None:
    """Otherwise the first listing would be stale when the last one is finished."""
    seconds = [FRESH_SECONDS]

    def wait() -> None:
        seconds[0] += FRESH_SECONDS * 0.75

    sender, part = make_sender(bucket, seconds=lambda: seconds[0])
    proxy.call_before("GET", r"prefix=old-1%2F", wait)
    parts = tuple(replace(part, entries=(entry,)) for entry in part.entries)
    outcomes = sender.send(parts)
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.DELETED}
    assert [len(request.batch_keys) for request in proxy.deletions] == [1, 1, 1]


def test_same_bytes_uploaded_again_during_a_slow_deletion_are_kept(bucket: MemorySite) -> None:
    """A rollback deploys old-1 again: later requests need a new listing after FRESH_SECONDS."""
    bucket.deploy("old-1", days=10, files=2_001)
    clock = [0.0]
    sender, part = make_sender(bucket, seconds=lambda: clock[0])
    first_batch, *later_batches = fill_batches([part])
    outcomes = sender.send(first_batch)
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.DELETED}
    clock[0] = FRESH_SECONDS
    bucket.deploy("old-1", days=0, files=2_001)
    for batch in later_batches:
        outcomes = sender.send(batch)
        assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.CHANGED}
    assert sum(key.startswith("old-1/") for key in bucket.content()) == 2_001


def test_lost_response_stays_unknown_if_nothing_can_be_listed(
    bucket: MemorySite, proxy: FaultProxy
) -> None:
    """The first request may have deleted the objects, so they do not count as failed."""
    proxy.drop("POST", DELETE, nth=1)
    proxy.answer(**match_refresh("old-1", None), body=error("AccessDenied"), status=403)
    proxy.rewrite(**match_refresh("old-1"), change=lambda body: body)
    run = apply(bucket)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"unknown": 3}


def test_deployment_is_kept_if_a_null_version_was_replaced_by_the_same_bytes(
    site: MemorySite,
) -> None:
    site.suspend_versioning()
    site.deploy("old-1", days=10, files=2)
    reader, clock = make_context(site).open_bucket(), [0.0]
    sender = VersionSender(
        reader=reader,
        remover=reader.open_version_remover(),
        control=RunControl(progress=NoProgress(), sleep=lambda _: None, monotonic=lambda: clock[0]),
    )
    versions = tuple(list_all_versions(reader, "old-1/"))
    part = BatchPart(name="old-1", prefix="old-1/", entries=versions, listed_at=0.0)
    clock[0] = FRESH_SECONDS
    site.put("old-1/file-00000", days=0)
    outcomes = sender.send([part])
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.CHANGED}
    assert len(site.content()) == 2
