"""Restoring on the in-process S3, with everything going wrong that can: doubt leaves it alone."""

import os
import re
import signal
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from ci3.core.undo import SkipReason
from ci3.core.undo import Undo as UndoOne
from ci3.core.undo_plan import Restored, RestoreOutcome, UndoPlan
from ci3.engine.deletions import DeletionsSince, JournaledDeletions
from ci3.engine.journal_file import open_journal
from ci3.engine.progress import Silent
from ci3.engine.restore import (
    RETRY_DELAYS_SECONDS,
    Restoration,
    check_markers,
    exit_code,
    refuse_unless_restorable,
)
from ci3.errors import AccessError, ExitCode, GateError, RefusedError, SettingsError
from tests.aws.answers import delete_result, error
from tests.engine.road import apply, cleanup
from tests.fault_proxy import FaultProxy, Request
from tests.s3 import Bucket

DELETE = r"\?delete"
VERSIONS = r"\?versions"
DOOMED = ("old-1", "old-2")


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """A versioned site: one deployment to keep, two to delete, files beside, an older version."""
    site.enable_versioning()
    site.put("index.html", days=90)
    site.put("old-1/file-00000", days=50, body=b"older")
    site.deploy("new", days=1)
    for days, name in enumerate(DOOMED, start=10):
        site.deploy(name, days=days)
    return site


def current(bucket: Bucket) -> dict[str, str]:
    """The version id of each current object, as another client lists it."""
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    return {one["Key"]: one["VersionId"] for one in answer.get("Versions", ()) if one["IsLatest"]}


def markers(bucket: Bucket) -> set[tuple[str, str]]:
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    return {(one["Key"], one["VersionId"]) for one in answer.get("DeleteMarkers", ())}


class Undo:
    """An undo of a journal, with the pauses noted instead of made."""

    def __init__(self, bucket: Bucket, deletions, progress=None) -> None:
        self.pauses: list[float] = []
        self.restoration = Restoration(
            reader=cleanup(bucket).open_bucket(),
            deletions=deletions,
            progress=progress or Silent(),
            sleep=self.pauses.append,
        )
        self.plan: UndoPlan = self.restoration.plan()

    def run(self) -> Restored:
        restored = self.restoration.run(self.plan)
        for planned, one in zip(self.plan.deployments, restored.deployments, strict=True):
            skipped = sum(skip.object_count for skip in planned.skipped)
            assert sum(one.counts.values()) == planned.object_count + skipped
        return restored

    def outcomes(self, restored: Restored) -> dict[str, int]:
        counts = {outcome: restored.count(outcome) for outcome in RestoreOutcome}
        return {str(outcome): number for outcome, number in counts.items() if number}


@pytest.fixture
def undo(live: Bucket):
    """Plan the undo of a journal, or by what is given; the journal stays open."""
    opened = []

    def make(path: str, progress=None) -> Undo:
        context = open_journal(path)
        opened.append(context)
        return Undo(live, JournaledDeletions(journal=context.__enter__()), progress)

    yield make
    for context in opened:
        context.__exit__(None, None, None)


def deleted(bucket: Bucket) -> str:
    """Apply, and give the journal's path."""
    ran = apply(bucket)
    assert ran.code is ExitCode.DONE
    assert bucket.folders() == {"new"}
    return ran.result.journal_file


# What comes back.


def test_restore_after_apply_is_the_identity_on_current_versions(live: Bucket, undo) -> None:
    before = current(live)
    one = undo(deleted(live))
    assert (one.plan.object_count, one.plan.size_bytes) == (6, 6)
    restored = one.run()
    assert current(live) == before
    assert markers(live) == set()
    assert one.outcomes(restored) == {"restored": 6}
    assert restored.bytes_restored == 6
    assert exit_code(restored) is ExitCode.DONE


def test_planning_an_undo_sends_no_request_that_writes(live: Bucket, proxy: FaultProxy, undo):
    path = deleted(live)
    sent = len(proxy.deletions)
    undo(path)
    assert len(proxy.deletions) == sent


def test_undo_names_delete_markers_and_nothing_else(live: Bucket, proxy: FaultProxy, undo) -> None:
    path = deleted(live)
    made = markers(live)
    sent = len(proxy.deletions)
    undo(path).run()
    removed = [
        (key, version_id)
        for request in proxy.deletions[sent:]
        for key, version_id in re.findall(
            "<Key>(.*?)</Key><VersionId>(.*?)</VersionId>", request.body.decode()
        )
    ]
    assert len(removed) == 6
    assert set(removed) == made


def test_second_undo_finds_everything_there(live: Bucket, undo) -> None:
    path = deleted(live)
    undo(path).run()
    again = undo(path)
    assert again.plan.skipped == {SkipReason.ALREADY_THERE: 6}
    assert again.outcomes(again.run()) == {"already-there": 6}


def test_markers_stacked_by_a_retry_are_all_removed(live: Bucket, proxy: FaultProxy, undo) -> None:
    """The answer is lost after the deed; boto3 asks again, and each key gets a second marker."""
    before = current(live)
    path = deleted(live)
    for key in before.keys() - current(live).keys():
        live.client.delete_object(Bucket=live.name, Key=key)
    one = undo(path)
    assert len(markers(live)) == 12
    assert one.outcomes(one.run()) == {"restored": 6}
    assert current(live) == before
    assert markers(live) == set()


def test_newer_version_is_left_alone_and_the_rest_comes_back(live: Bucket, undo) -> None:
    path = deleted(live)
    live.client.put_object(Bucket=live.name, Key="old-1/file-00001", Body=b"newer")
    newer = current(live)["old-1/file-00001"]
    one = undo(path)
    assert one.plan.skipped == {SkipReason.NEWER_VERSION: 1}
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert current(live)["old-1/file-00001"] == newer
    assert exit_code(restored) is ExitCode.DONE


def test_what_somebody_else_had_deleted_before_stays_deleted(live: Bucket, undo) -> None:
    live.client.delete_object(Bucket=live.name, Key="old-1/file-00002")
    theirs = markers(live)
    path = deleted(live)
    undo(path).run()
    assert markers(live) == theirs
    assert "old-1/file-00002" not in current(live)
    assert len(current(live)) == 4 + 5


def test_version_that_expired_is_told_before_anything_is_done(live: Bucket, undo) -> None:
    gone = current(live)["old-2/file-00000"]
    path = deleted(live)
    live.client.delete_object(Bucket=live.name, Key="old-2/file-00000", VersionId=gone)
    one = undo(path)
    assert one.plan.skipped == {SkipReason.VERSION_GONE: 1}
    assert one.plan.lost_count == 1
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert exit_code(restored) is ExitCode.PARTIAL


@pytest.mark.parametrize("name", ["a+b", "a%2Fb", "é 😀", "a&b<c>", "..", "' \"", "[bold]x[/bold]"])
def test_hostile_keys_come_back(live: Bucket, undo, name: str) -> None:
    live.put(f"{name}/x  y#?", days=20)
    live.deploy(name, days=20)
    before = current(live)
    undo(deleted(live)).run()
    assert current(live) == before


def test_more_objects_than_fit_in_a_batch_come_back(live: Bucket, proxy: FaultProxy, undo) -> None:
    live.deploy("old-2", days=11, files=1001)
    before = live.keys()
    path = deleted(live)
    sent = len(proxy.deletions)
    one = undo(path)
    assert one.outcomes(one.run()) == {"restored": 1004}
    assert live.keys() == before
    sizes = [len(request.batch_keys) for request in proxy.deletions[sent:]]
    assert sorted(sizes) == [1, 3, 1000]


def test_torn_journal_restores_what_it_no_longer_tells_the_outcome_of(live: Bucket, undo) -> None:
    before = current(live)
    path = Path(deleted(live))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][: len(lines[2]) // 2])
    one = undo(str(path))
    assert "cut off" in one.plan.notes[0]
    assert one.outcomes(one.run()) == {"restored": 6}
    assert current(live) == before


# What cannot be restored.


def test_bucket_without_versions_is_refused_and_nothing_is_sent(site: Bucket, proxy: FaultProxy):
    site.deploy("new", days=1)
    site.deploy("old-1", days=9)
    path = deleted(site)
    sent = len(proxy.deletions)
    with open_journal(path) as journal:
        one = Undo(site, JournaledDeletions(journal=journal))
    assert one.plan.skipped == {SkipReason.NO_VERSIONS: 3}
    with pytest.raises(RefusedError, match="this bucket keeps no versions"):
        refuse_unless_restorable(one.plan)
    assert len(proxy.deletions) == sent


def test_nothing_to_restore_is_no_refusal(live: Bucket, undo) -> None:
    path = deleted(live)
    undo(path).run()
    refuse_unless_restorable(undo(path).plan)


def test_configuration_that_leads_to_another_s3_is_refused(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    path = Path(deleted(live))
    path.write_text(path.read_text().replace(proxy.url, "http://127.0.0.1:1"))
    with pytest.raises(SettingsError, match=r"was at http://127\.0\.0\.1:1"):
        undo(str(path))


def test_gate_stops_what_is_no_marker_of_the_deployment() -> None:
    listed = {("old-1/a", "m1"), ("old-2/a", "m2")}
    check_markers([("old-1/a", "m1")], "old-1/", listed)
    for marker in (("old-1/a", "v1"), ("old-2/a", "m2"), ("old-1/b", "m1")):
        with pytest.raises(GateError):
            check_markers([("old-1/a", "m1"), marker], "old-1/", listed)


class Wrong(DeletionsSince):
    """Decides, against all rules, to remove a version that is no marker."""

    def decide(self, prefix, versions, versioning):  # noqa: ARG002 - as Deletions has it
        return tuple(
            UndoOne(
                key=one.key,
                version_id=one.version_id,
                size_bytes=1,
                marker_version_ids=(one.version_id,),
            )
            for one in versions
            if not one.is_marker
        )


def test_removal_of_content_is_stopped_before_the_request(live: Bucket, proxy: FaultProxy) -> None:
    run = cleanup(live)
    target = run.open_bucket().target("")
    before = live.versions()
    one = Undo(live, Wrong(target=target, name="old-1", since=run.clock()))
    restored = one.restoration.run(one.plan)
    assert restored.count(RestoreOutcome.FAILED) == 4
    assert "a bug in ci3" in restored.stopped
    assert proxy.deletions == []
    assert live.versions() == before


# What S3 answers.


def test_marker_that_failed_inside_s3_is_sent_again_alone(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    before = current(live)
    one = undo(deleted(live))
    proxy.rewrite("POST", DELETE, lambda body: _fail(body, "InternalError"), nth=1)
    sent = len(proxy.deletions)
    assert one.outcomes(one.run()) == {"restored": 6}
    assert current(live) == before
    assert one.pauses == [RETRY_DELAYS_SECONDS[0]]
    assert sorted(len(request.batch_keys) for request in proxy.deletions[sent:]) == [1, 3, 3]


def _fail(body: bytes, code: str) -> bytes:
    """Make an error of the first deletion that an answer tells; a gone marker may be sent again."""
    done = re.search("<Deleted>.*?</Deleted>", body.decode(), re.DOTALL)[0]
    key = re.search("<Key>.*?</Key>", done)[0]
    version = re.search("<VersionId>.*?</VersionId>", done)
    failed = f"<Error>{key}{version[0] if version else ''}<Code>{code}</Code></Error>"
    return body.decode().replace(done, failed, 1).encode()


def test_marker_that_may_not_be_removed_is_a_failure_and_the_rest_comes_back(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    made = sorted(markers(live))

    def deny(request: Request) -> str:
        keys = request.batch_keys
        for key, version_id in made:
            if key in keys and key != "old-1/file-00001":
                live.client.delete_object(Bucket=live.name, Key=key, VersionId=version_id)
        removed = [key for key in keys if key != "old-1/file-00001"]
        return delete_result(removed, [("old-1/file-00001", "AccessDenied")])

    proxy.reply("POST", DELETE, deny)
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "failed": 1}
    assert "AccessDenied" in restored.deployments[0].problem
    assert exit_code(restored) is ExitCode.PARTIAL
    assert live.keys() == {"index.html"} | {
        f"{name}/file-{number:05}"
        for name in ("new", *DOOMED)
        for number in range(3)
        if (name, number) != ("old-1", 1)
    }


@pytest.mark.parametrize("answer", ["", delete_result()])
def test_answer_that_says_nothing_is_settled_by_what_is_current(
    live: Bucket, proxy: FaultProxy, undo, answer: str
) -> None:
    before = current(live)
    one = undo(deleted(live))
    proxy.rewrite("POST", DELETE, lambda _: answer.encode())
    assert one.outcomes(one.run()) == {"restored": 6}
    assert current(live) == before


def test_removal_that_s3_only_says_it_made_has_failed(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    proxy.reply("POST", DELETE, lambda request: delete_result(request.batch_keys))
    restored = one.run()
    assert one.outcomes(restored) == {"failed": 6}
    assert "a delete marker is still there" in restored.deployments[0].problem
    assert exit_code(restored) is ExitCode.PARTIAL


def test_lost_access_stops_the_undo_and_the_rest_counts_as_failed(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    restored = one.run()
    assert one.outcomes(restored) == {"failed": 6}
    assert "ExpiredToken" in restored.stopped
    assert live.folders() == {"new"}


@pytest.mark.parametrize("nth", [2, 3])
def test_listing_that_fails_in_mid_run_is_a_failure_not_a_success(
    live: Bucket, proxy: FaultProxy, undo, nth: int
) -> None:
    """The second listing of a deployment comes right before the removal, the third after it."""
    one = undo(deleted(live))
    proxy.answer(
        "GET", f"{VERSIONS}.*prefix=old-1%2F", error("AccessDenied"), status=403, nth=nth - 1
    )
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 3, "failed": 3}
    assert "AccessDenied" in restored.deployments[0].problem
    assert ("old-1" in live.folders()) is (nth == 3)


def test_versions_that_cannot_be_listed_end_the_plan(live: Bucket, proxy: FaultProxy, undo) -> None:
    path = deleted(live)
    proxy.answer("GET", VERSIONS, error("AccessDenied"), status=403)
    with pytest.raises(AccessError, match="AccessDenied"):
        undo(path)


def test_version_uploaded_between_plan_and_removal_stays(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    live.client.put_object(Bucket=live.name, Key="old-1/file-00000", Body=b"newer")
    newer = current(live)["old-1/file-00000"]
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert current(live)["old-1/file-00000"] == newer


def test_version_uploaded_during_the_removal_stays(live: Bucket, proxy: FaultProxy, undo) -> None:
    one = undo(deleted(live))
    proxy.before("POST", DELETE, lambda: live.put("old-1/file-00000", body=b"newer"), nth=1)
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert live.content()["old-1/file-00000"][0] == b"newer"


# Interrupts, and whoever watches.


class GivesUp(Silent):
    """A watcher whose screen has gone."""

    def begin(self, task: str, total: int) -> None:  # noqa: ARG002 - as Progress has it
        if task == "Restoring objects":
            raise OSError(task)

    def advance(self, steps: int) -> None:
        if steps > 1:
            raise OSError(steps)


def test_watcher_that_went_away_stops_no_undo(live: Bucket, undo) -> None:
    one = undo(deleted(live), GivesUp())
    assert one.outcomes(one.run()) == {"restored": 6}


def test_interrupted_undo_waits_for_what_is_out_and_accounts_for_all(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    live.deploy("old-1", days=10, files=2500)
    one = undo(deleted(live))
    has_come = threading.Event()

    def raise_interrupt(*_: object) -> None:
        has_come.set()
        raise KeyboardInterrupt

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert has_come.wait(timeout=60)

    proxy.before("POST", rf"{DELETE}", interrupt, nth=1)
    before = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        restored = one.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert restored.stopped == "it was interrupted"
    there = {key for key in live.content() if key.startswith(DOOMED)}
    assert restored.count(RestoreOutcome.RESTORED) == len(there) < 2503
    assert restored.count(RestoreOutcome.FAILED) == 2503 - len(there)
    assert exit_code(restored) is ExitCode.PARTIAL


def test_bug_in_one_deployment_stops_the_undo_and_is_told(live: Bucket, undo, monkeypatch) -> None:
    path = deleted(live)
    one = undo(path)
    entries = one.restoration.deletions.journal.entries

    def broken(prefix: str):
        if prefix == "old-1/":
            raise ZeroDivisionError
        return entries(prefix)

    monkeypatch.setattr(one.restoration.deletions.journal, "entries", broken)
    restored = one.run()
    assert "a bug in ci3" in restored.stopped
    assert restored.deployments[0].counts == {RestoreOutcome.FAILED: 3}


# Without a journal.


def test_deletions_since_a_time_come_back_in_the_one_deployment(live: Bucket) -> None:
    before = current(live)
    run = cleanup(live)
    target = run.open_bucket().target("")
    since = run.clock() - timedelta(minutes=1)
    deleted(live)
    one = Undo(live, DeletionsSince(target=target, name="old-1", since=since))
    assert one.plan.object_count == 3
    assert one.outcomes(one.run()) == {"restored": 3}
    assert current(live) == {k: v for k, v in before.items() if not k.startswith("old-2/")}


def test_deletions_before_the_time_stay(live: Bucket) -> None:
    run = cleanup(live)
    target = run.open_bucket().target("")
    deleted(live)
    since = run.clock() + timedelta(minutes=1)
    one = Undo(live, DeletionsSince(target=target, name="old-1", since=since))
    assert one.plan.object_count == 0
    assert one.plan.skipped == {}
