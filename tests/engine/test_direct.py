"""Direct deletion, with everything going wrong that can: doubt keeps, and each object is told."""

import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ci3.core.model import ObjectOutcome
from ci3.engine.direct import RETRY_DELAYS_SECONDS
from ci3.engine.progress import Silent
from ci3.errors import ExitCode, RefusedError
from tests.aws.answers import HTML, delete_result, entry, error, listing
from tests.engine.road import Ran, apply, apply_plan, cleanup
from tests.fault_proxy import FaultProxy, Request
from tests.journals import intended, outcomes, records
from tests.s3 import Bucket

DELETE = r"\?delete"
DOOMED = ("old-1", "old-2", "old-3")


def again(name: str) -> dict:
    """The listing of a deployment right before it is deleted: the second one of the run."""
    return {"method": "GET", "pattern": f"prefix={name}%2F", "nth": 2}


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """A site with one deployment to keep, three to delete and files beside them."""
    for key in ("index.html", "old-1", "new.txt"):
        site.put(key, days=90)
    site.deploy("new", days=1)
    for days, name in enumerate(DOOMED, start=10):
        site.deploy(name, days=days)
    return site


@pytest.fixture(autouse=True)
def _kept_stays_byte_for_byte(request: pytest.FixtureRequest):
    """Whatever happens, nothing but what was doomed may be another afterwards."""
    if "live" not in request.fixturenames:
        yield
        return
    bucket: Bucket = request.getfixturevalue("live")

    def kept() -> dict:
        return {
            key: stored
            for key, stored in bucket.content().items()
            if not key.startswith(tuple(f"{name}/" for name in DOOMED))
        }

    before = kept()
    assert len(before) == 6
    yield
    assert kept() == before


def test_everything_doomed_goes_in_one_batch(live: Bucket, proxy: FaultProxy) -> None:
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert live.folders() == {"new"}
    assert ran.result.count(ObjectOutcome.DELETED) == 9
    assert ran.result.bytes_deleted == 9
    assert [len(one.batch_keys) for one in proxy.deletions] == [9]


def test_batches_never_pass_a_thousand_keys_and_deployments_share_them(
    live: Bucket, proxy: FaultProxy
) -> None:
    live.deploy("old-1", days=10, files=1001)
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert sorted(len(one.batch_keys) for one in proxy.deletions) == [7, 1000]
    assert live.folders() == {"new"}
    assert ran.counts("old-1") == {"deleted": 1001}


def test_plan_sends_no_request_that_writes(live: Bucket, proxy: FaultProxy) -> None:
    before = live.content()
    run = cleanup(live)
    assert len(run.make_plan(run.open_bucket()).doomed) == 3
    assert proxy.deletions == []
    assert live.content() == before


# What S3 answers to a deletion.


def test_key_that_failed_inside_s3_is_sent_again_alone(live: Bucket, proxy: FaultProxy) -> None:
    def fail_one(body: bytes) -> bytes:
        done = "<Deleted><Key>old-2/file-00001</Key></Deleted>"
        assert done in body.decode()
        live.put("old-2/file-00001", days=11)
        failed = done.replace("Deleted>", "Error>").replace(
            "</Key>", "</Key><Code>InternalError</Code>"
        )
        return body.decode().replace(done, failed).encode()

    proxy.rewrite("POST", DELETE, fail_one, nth=1)
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert [len(one.batch_keys) for one in proxy.deletions] == [9, 1]
    assert ran.pauses == [RETRY_DELAYS_SECONDS[0]]
    assert ran.counts("old-2") == {"deleted": 3}


def test_key_that_s3_never_takes_fails_after_all_pauses(live: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("POST", DELETE, delete_result(errors=[("old-2/file-00001", "SlowDown")]))
    proxy.answer(
        "POST",
        DELETE,
        delete_result(
            [f"{name}/file-{number:05}" for name in DOOMED for number in range(3)],
            [("old-2/file-00001", "SlowDown")],
        ),
        nth=1,
    )
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.pauses == list(RETRY_DELAYS_SECONDS)
    assert ran.counts("old-2") == {"deleted": 2, "failed": 1}
    assert "SlowDown" in ran.of("old-2").problem


def test_denied_key_is_told_and_the_rest_is_deleted(live: Bucket, proxy: FaultProxy) -> None:
    def deny(body: bytes) -> bytes:
        live.put("old-1/file-00000", days=10)
        return body.replace(
            b"<Deleted><Key>old-1/file-00000</Key></Deleted>",
            b"<Error><Key>old-1/file-00000</Key><Code>AccessDenied</Code></Error>",
        )

    proxy.rewrite("POST", DELETE, deny)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"denied": 1, "deleted": 2}
    assert live.folders() == {"new", "old-1"}
    assert ran.pauses == []


def test_denied_batch_deletes_nothing_and_says_so(live: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("POST", DELETE, error("AccessDenied"), status=403)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.result.count(ObjectOutcome.DENIED) == 9
    assert live.folders() == {"new", *DOOMED}


def test_error_inside_a_200_is_asked_again(
    live: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.answer("POST", DELETE, error("InternalError"), nth=1)
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert ran.result.count(ObjectOutcome.DELETED) == 9


@pytest.mark.parametrize("body", ["", "<DeleteResult/>", HTML.partition("\n")[2]])
def test_answer_that_says_nothing_is_settled_by_listing(
    live: Bucket, proxy: FaultProxy, body: str
) -> None:
    proxy.answer("POST", DELETE, body)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.result.count(ObjectOutcome.FAILED) == 9
    assert live.folders() == {"new", *DOOMED}


def test_answer_that_says_nothing_after_the_deed_is_settled_as_absent(
    live: Bucket, proxy: FaultProxy
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: b"<DeleteResult/>")
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert ran.result.count(ObjectOutcome.ABSENT) == 9


def test_page_that_is_not_found_does_not_pass_for_objects_that_are_gone(
    live: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, HTML, status=404)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.result.count(ObjectOutcome.FAILED) == 9


def test_lost_answer_after_the_deed_is_settled(
    live: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("POST", DELETE)
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert ran.result.count(ObjectOutcome.ABSENT) == 9
    assert live.folders() == {"new"}


def test_internal_error_after_the_deed_is_settled(
    live: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: error("InternalError").encode())
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert ran.result.count(ObjectOutcome.ABSENT) == 9


def test_unknown_that_cannot_be_settled_stays_unknown(live: Bucket, proxy: FaultProxy) -> None:
    proxy.rewrite("POST", DELETE, lambda _: b"<DeleteResult/>")
    proxy.answer("GET", "prefix=old-1%2F", error("AccessDenied"), status=403, nth=3)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"unknown": 3}
    assert ran.counts("old-2") == {"absent": 3}


def test_expired_credentials_stop_the_run_and_the_rest_counts_as_failed(
    live: Bucket, proxy: FaultProxy
) -> None:
    live.deploy("old-1", days=10, files=1001)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    proxy.rewrite("POST", DELETE, lambda body: body, nth=1)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert "ExpiredToken" in ran.result.stopped
    deleted = len(proxy.deletions[0].batch_keys)
    assert ran.result.count(ObjectOutcome.DELETED) == deleted
    assert ran.result.count(ObjectOutcome.FAILED) == 1007 - deleted
    assert ran.journal[-1]["record"] == "end"
    assert "ExpiredToken" in ran.journal[-1]["stopped"]


# What changes between the plan and the deletion.


def upload_other_bytes(bucket: Bucket) -> None:
    bucket.put("old-2/file-00001", days=11, body=b"y")


def upload_same_bytes(bucket: Bucket) -> None:
    bucket.put("old-2/file-00001", days=0)


def upload_another(bucket: Bucket) -> None:
    bucket.put("old-2/one-more", days=11)


def remove_one(bucket: Bucket) -> None:
    bucket.remove("old-2/file-00001")


@pytest.mark.parametrize(
    "change", [upload_other_bytes, upload_same_bytes, upload_another, remove_one]
)
def test_deployment_that_changed_since_the_plan_is_kept_whole(
    live: Bucket, proxy: FaultProxy, change: Callable[[Bucket], None]
) -> None:
    proxy.before(**again("old-2"), act=lambda: change(live))
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"changed": 3}
    assert "changed since the plan" in ran.of("old-2").problem
    assert live.folders() == {"new", "old-2"}
    assert not any("old-2" in key for one in proxy.deletions for key in one.batch_keys)


def test_deployment_that_somebody_else_deleted_is_absent(live: Bucket, proxy: FaultProxy) -> None:
    def remove() -> None:
        for number in range(3):
            live.remove(f"old-2/file-{number:05}")

    proxy.before(**again("old-2"), act=remove)
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert ran.counts("old-2") == {"absent": 3}
    assert ran.result.count(ObjectOutcome.DELETED) == 6


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, HTML),
        (200, ""),
        (200, listing(entry("old-2/file-00000"), more="true")),
        (200, listing(entry("new/file-00000"))),
        (403, error("AccessDenied")),
    ],
)
def test_deployment_that_cannot_be_listed_again_is_kept(
    live: Bucket, proxy: FaultProxy, status: int, body: str
) -> None:
    proxy.answer(**again("old-2"), body=body, status=status)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"failed": 3}
    assert ran.of("old-2").problem.startswith("kept: ")
    assert live.folders() == {"new", "old-2"}


def test_lost_access_stops_the_run_before_the_next_deletion(
    live: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer(**again("old-2"), body=error("ExpiredToken"), status=400)
    ran = apply(live)
    assert ran.code is ExitCode.PARTIAL
    assert "get new ones" in ran.result.stopped
    assert ran.result.count(ObjectOutcome.DELETED) == 0
    assert live.folders() == {"new", *DOOMED}


# While somebody thinks about the plan.


def approve(bucket: Bucket, change: Callable[[], object], **settings: str) -> Ran:
    run = cleanup(bucket, **settings)
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    change()
    ran = Ran(plan=plan, result=apply_plan(run, plan, reader, is_fresh=False))
    ran.check_accounts()
    return ran


def test_deployment_that_changed_during_approval_is_kept(live: Bucket) -> None:
    ran = approve(live, lambda: upload_same_bytes(live))
    assert ran.code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"changed": 3}
    assert live.folders() == {"new", "old-2"}


def test_deployment_that_went_during_approval_is_absent(live: Bucket) -> None:
    def remove() -> None:
        for number in range(3):
            live.remove(f"old-2/file-{number:05}")

    ran = approve(live, remove)
    assert ran.code is ExitCode.DONE
    assert ran.counts("old-2") == {"absent": 3}


def test_deployment_that_became_due_during_approval_was_not_approved(live: Bucket) -> None:
    ran = approve(live, lambda: live.deploy("old-3x", days=20))
    assert ran.code is ExitCode.DONE
    assert live.folders() == {"new", "old-3x"}
    live.remove("old-3x/file-00000")
    for number in range(3):
        live.remove(f"old-3x/file-{number:05}")


def test_hole_that_opened_during_approval_refuses_everything(
    live: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer(**again("old-2"), body=error("AccessDenied"), status=403)
    with pytest.raises(RefusedError, match="old-2 could not be listed"):
        approve(live, lambda: None)
    assert live.folders() == {"new", *DOOMED}
    assert proxy.deletions == []


# The journal.


def test_intent_stands_in_the_journal_before_each_request(live: Bucket, proxy: FaultProxy) -> None:
    live.deploy("old-1", days=10, files=1001)
    named: list[set[str]] = []

    def read_journal() -> None:
        named.append({one["key"] for one in intended(records("before.jsonl"))})

    proxy.before("POST", DELETE, read_journal)
    ran = apply(live, journal_file="before.jsonl")
    assert len(named) == 2
    for keys, request in zip(named, proxy.deletions, strict=True):
        assert set(request.batch_keys) <= keys
    kinds = [record["record"] for record in ran.journal]
    assert (kinds[0], kinds[-1]) == ("header", "end")
    assert sorted(kinds[1:-1]) == ["intent", "intent", "outcome", "outcome"]
    assert ran.journal[0]["plan_id"] == ran.plan.plan_id


class FullDisk(Silent):
    """Fills the disk, as it were, when the deletion begins: no file may grow any more."""

    def begin(self, task: str, total: int) -> None:  # noqa: ARG002 - as Progress has it
        if task == "Deleting objects":
            size = Path("full.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))


def test_journal_that_cannot_be_written_stops_the_run_before_the_request(
    live: Bucket, proxy: FaultProxy
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        ran = apply_on_full_disk(live)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert ran.code is ExitCode.PARTIAL
    assert "full.jsonl can't be written" in ran.result.stopped
    assert ran.result.count(ObjectOutcome.FAILED) == 9
    assert proxy.deletions == []


def apply_on_full_disk(bucket: Bucket) -> Ran:
    run = cleanup(bucket, progress=FullDisk(), journal_file="full.jsonl")
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    return Ran(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))


# Interrupts.


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_waits_for_what_is_out_and_accounts_for_all(
    live: Bucket, proxy: FaultProxy, sent: signal.Signals
) -> None:
    """The listing and the answers come from the proxy, so that 20,000 objects cost no time."""
    many = listing(*(entry(f"old-1/{number}") for number in range(20_000)))
    proxy.answer("GET", "prefix=old-1%2F", many)
    is_sent, has_come = threading.Event(), threading.Event()

    def interrupt_once(request: Request) -> str:
        if not is_sent.is_set():
            is_sent.set()
            os.kill(os.getpid(), sent)
            has_come.wait(timeout=60)
        return delete_result(request.batch_keys)

    def raise_interrupt(*_: object) -> None:
        has_come.set()
        raise KeyboardInterrupt

    proxy.reply("POST", DELETE, interrupt_once)
    before = {one: signal.signal(one, raise_interrupt) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        ran = apply(live)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert ran.code is ExitCode.PARTIAL
    assert ran.result.stopped == "it was interrupted"
    assert ran.journal[-1] == {"record": "end", "stopped": "it was interrupted"}
    asked = sum(len(one.batch_keys) for one in proxy.deletions)
    assert ran.result.count(ObjectOutcome.DELETED) == asked < 20_006
    assert ran.result.count(ObjectOutcome.FAILED) == 20_006 - asked


# Versions.


def test_versioned_bucket_gets_markers_and_keeps_every_version(live: Bucket) -> None:
    live.enable_versioning()
    ran = apply(live)
    assert ran.code is ExitCode.DONE
    assert sum(is_marker for _, is_marker in live.versions()) == 9
    assert sum(not is_marker for _, is_marker in live.versions()) == 6 + 9
    assert all(one["marker"] for one in outcomes(ran.journal))


@pytest.mark.parametrize("name", ["a+b", "a%2Fb", "é 😀", "a&b<c>", "..", "a\x01b", "' \""])
def test_deployment_of_an_odd_name_goes_and_its_neighbours_stay(bucket: Bucket, name: str) -> None:
    bucket.deploy("new", days=1)
    bucket.deploy(f"{name}x", days=2)
    bucket.deploy(name, days=9)
    ran = apply(bucket, keep_count="2")
    assert ran.code is ExitCode.DONE
    assert bucket.folders() == {"new", f"{name}x"}
