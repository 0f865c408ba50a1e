"""Whether or not S3 checks conditions: nothing is sent that was not listed a moment ago."""

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
from tests.integration.faults.conftest import again
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import FaultProxy, Request
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
NEW = b"rolled back"


@pytest.fixture(params=["SlowDown", "InternalError"])
def slow(request: pytest.FixtureRequest, proxy: FaultProxy) -> Callable[[Callable], None]:
    """Let S3 ask for the first batch again, and something happen in the pause."""

    def reply(act: Callable[[], object]) -> None:
        def ask_again(sent: Request) -> str:
            act()
            errors = (
                f"<Error><Key>{key}</Key><Code>{request.param}</Code></Error>"
                for key in sent.batch_keys
            )
            proxy.forget_rules()
            return f"<DeleteResult>{''.join(errors)}</DeleteResult>"

        proxy.answer_with("POST", DELETE, ask_again)

    return reply


@pytest.fixture(params=[False, True], ids=["ignores-conditions", "honors-conditions"])
def careless(request: pytest.FixtureRequest, site: MemorySite) -> MemorySite:
    """A deployment to delete; a condition cannot see that the same bytes were uploaded again."""
    site.set_conditional_deletes(yes=request.param)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    return site


def test_what_was_uploaded_again_in_a_pause_is_not_sent_again(
    careless: MemorySite, slow: Callable
) -> None:
    slow(lambda: (careless.put("old-1/file-00001", body=NEW), careless.remove("old-1/file-00002")))
    ran = apply(careless, changeable_keys=("old-1/file-00001", "old-1/file-00002"))
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"changed": 2, "absent": 1}
    assert careless.content()["old-1/file-00001"][0] == NEW


def test_same_bytes_uploaded_again_in_a_pause_stay(careless: MemorySite, slow: Callable) -> None:
    slow(lambda: careless.deploy("old-1", days=0))
    ran = apply(careless, changeable_keys=[f"old-1/file-{number:05}" for number in range(3)])
    assert ran.counts("old-1") == {"changed": 3}
    assert careless.folders() == {"new", "old-1"}


def test_nothing_is_sent_again_that_cannot_be_listed(
    careless: MemorySite, proxy: FaultProxy, slow: Callable
) -> None:
    denied = {"body": error("AccessDenied"), "status": 403}
    slow(lambda: None)
    forget = proxy.forget_rules
    proxy.forget_rules = lambda: (forget(), proxy.answer(**again("old-1", None), **denied))
    ran = apply(careless)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"failed": 3}
    assert len(proxy.deletions) == 1


@pytest.mark.parametrize("versions", ["false", "true"])
def test_sdk_sends_nothing_again_that_nothing_guards(
    careless: MemorySite, proxy: FaultProxy, pauses: list[float], versions: str
) -> None:
    if versions == "true":
        careless.suspend_versioning()
    upload = lambda: careless.put("old-1/file-00001", body=NEW)  # noqa: E731 - said once
    proxy.answer("POST", DELETE, error("SlowDown"), status=503, nth=1, first=upload)
    ran = apply(careless, changeable_keys=("old-1/file-00001",), delete_versions=versions)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"changed": 3}
    assert careless.content()["old-1/file-00001"][0] == NEW
    assert pauses == []


def test_what_has_not_changed_in_a_pause_is_sent_again(
    careless: MemorySite, proxy: FaultProxy, slow: Callable
) -> None:
    slow(lambda: None)
    assert apply(careless).counts("old-1") == {"deleted": 3}
    assert len(proxy.deletions) == 2


def test_null_version_overwritten_in_a_pause_is_not_sent_again(
    site: MemorySite, proxy: FaultProxy
) -> None:
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.suspend_versioning()

    def ask_again(sent: Request) -> str:
        site.put("old-1/file-00000", body=NEW)
        errors = (
            f"<Error><Key>{key}</Key><VersionId>null</VersionId><Code>SlowDown</Code></Error>"
            for key in sent.batch_keys
        )
        proxy.forget_rules()
        return f"<DeleteResult>{''.join(errors)}</DeleteResult>"

    proxy.answer_with("POST", DELETE, ask_again)
    ran = apply(site, changeable_keys=("old-1/file-00000",), delete_versions="true")
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"changed": 3}
    assert site.content()["old-1/file-00000"][0] == NEW


# Before the first request.


def sender(site: MemorySite, *, seconds: Callable[[], float]) -> tuple[ObjectSender, ObjectPart]:
    reader = make_context(site).open_bucket()
    writer = reader.open_writer()
    writer.probe_conditional_deletes("", Versioning.DISABLED)
    _, objects = list_deployment(reader, "old-1", "old-1/")
    one = ObjectSender(
        reader=reader,
        writer=writer,
        control=RunControl(progress=NoProgress(), sleep=lambda _: None, monotonic=seconds),
        slots=BoundedSemaphore(1),
        list_objects=lambda _: (),
    )
    part = BatchPart(name="old-1", prefix="old-1/", entries=objects, listed_at=0.0)
    return one, part


def test_deployment_that_changed_since_an_old_listing_is_kept_whole(careless: MemorySite) -> None:
    one, part = sender(careless, seconds=lambda: FRESH_SECONDS)
    careless.put("old-1/file-00001", body=NEW)
    said = one.send((part,))
    assert {key.outcome for key in said.values()} == {ObjectOutcome.CHANGED}
    assert len(careless.keys()) == 6


def test_old_listing_is_made_again_and_a_fresh_one_is_not(
    careless: MemorySite, proxy: FaultProxy
) -> None:
    for age, listings in ((0.0, 0), (FRESH_SECONDS, 1)):
        careless.deploy("old-1", days=10)
        one, part = sender(careless, seconds=lambda age=age: age)
        before = len(proxy.find_requests("GET"))
        said = one.send((part,))
        assert {key.outcome for key in said.values()} == {ObjectOutcome.DELETED}
        assert len(proxy.find_requests("GET")) - before == listings


def test_batch_that_takes_long_to_list_again_goes_in_several_requests(
    careless: MemorySite, proxy: FaultProxy
) -> None:
    """So that what was listed first is not old by the time that the last is listed."""
    seconds = [FRESH_SECONDS]

    def take_long() -> None:
        seconds[0] += FRESH_SECONDS * 0.75

    one, part = sender(careless, seconds=lambda: seconds[0])
    proxy.call_before("GET", r"prefix=old-1%2F", take_long)
    parts = tuple(replace(part, entries=(stored,)) for stored in part.entries)
    said = one.send(parts)
    assert {key.outcome for key in said.values()} == {ObjectOutcome.DELETED}
    assert [len(sent.batch_keys) for sent in proxy.deletions] == [1, 1, 1]


def test_same_bytes_uploaded_again_during_a_slow_deletion_stay(careless: MemorySite) -> None:
    """A roll-back: after FRESH_SECONDS no request deletes what is new."""
    careless.deploy("old-1", days=10, files=2_001)
    clock = [0.0]
    one, part = sender(careless, seconds=lambda: clock[0])
    first, *later = fill_batches([part])
    assert {key.outcome for key in one.send(first).values()} == {ObjectOutcome.DELETED}
    clock[0] = FRESH_SECONDS
    careless.deploy("old-1", days=0, files=2_001)
    for batch in later:
        assert {key.outcome for key in one.send(batch).values()} == {ObjectOutcome.CHANGED}
    assert sum(key.startswith("old-1/") for key in careless.content()) == 2_001


def test_lost_response_stays_unknown_if_nothing_can_be_listed(
    careless: MemorySite, proxy: FaultProxy
) -> None:
    """It may have been deleted: that it was not sent again does not make it failed."""
    proxy.drop("POST", DELETE, nth=1)
    proxy.answer(**again("old-1", None), body=error("AccessDenied"), status=403)
    proxy.rewrite(**again("old-1"), change=lambda body: body)
    ran = apply(careless)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"unknown": 3}


def test_same_bytes_in_place_of_null_versions_stay(site: MemorySite) -> None:
    """The rest of that deployment stays too."""
    site.suspend_versioning()
    site.deploy("old-1", days=10, files=2)
    reader, clock = make_context(site).open_bucket(), [0.0]
    one = VersionSender(
        reader=reader,
        remover=reader.open_version_remover(),
        control=RunControl(progress=NoProgress(), sleep=lambda _: None, monotonic=lambda: clock[0]),
    )
    versions = tuple(list_all_versions(reader, "old-1/"))
    part = BatchPart(name="old-1", prefix="old-1/", entries=versions, listed_at=0.0)
    clock[0] = FRESH_SECONDS
    site.put("old-1/file-00000", days=0)
    outcomes = one.send([part])
    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.CHANGED}
    assert len(site.content()) == 2
