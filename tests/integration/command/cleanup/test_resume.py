"""A resumed run deletes only what the killed run planned, and checks the current state."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ci3.aws.bucket import BucketReader
from ci3.cli.main import main
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import JournalFile, open_journal, reopen_journal
from ci3.engine.journal.recovery import resolve_unknown_outcomes
from ci3.pipeline.context import TargetContext
from ci3.pipeline.resume import ResumedRun
from tests.support.cleanup_run import apply, make_context
from tests.support.crash import SETTINGS, crash, resume, small_batches
from tests.support.journals import (
    read_entries,
    read_intents,
    read_outcomes,
    read_records,
    start_journal,
)
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


@pytest.fixture
def site(site: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """`new` is kept; `old-1` and `old-2` (three objects each) are deleted in batches of two."""
    small_batches(monkeypatch)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=20)
    site.put("index.html")
    return site


def list_keys(site: Bucket, name: str) -> set[str]:
    return {key for key in site.content() if key.startswith(f"{name}/")}


def enable_versioning(site: Bucket) -> None:
    """Enable versioning and deploy all folders again."""
    site.enable_versioning()
    for days, name in ((1, "new"), (10, "old-1"), (20, "old-2")):
        site.deploy(name, days=days)


def test_started_deletions_are_found_without_reading_the_entries_again(
    site: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_run = apply(site)
    read_prefixes: list[str] = []
    monkeypatch.setattr(JournalFile, "read_entries", lambda _, prefix: read_prefixes.append(prefix))
    started: list[Mapping[str, str]] = []

    class StartedDeletions(Exception):  # noqa: N818 - not an error
        """Raised in place of a plan."""

    def make_plan(_context: TargetContext, _bucket: BucketReader, deletions: Mapping[str, str]):
        started.append(deletions)
        raise StartedDeletions

    monkeypatch.setattr(TargetContext, "make_plan", make_plan)
    context = make_context(site)
    with reopen_journal(first_run.result.journal_file) as journal:
        run = ResumedRun(context=context, bucket=context.open_bucket(), open_journal=journal)
        with pytest.raises(StartedDeletions):
            run.make_plan()
    assert {*started[0]} == {"old-1", "old-2"}
    assert read_prefixes == []


def assert_all_deleted() -> None:
    """Check that the journal of an ended run has a final outcome for all six objects."""
    with open_journal("j.jsonl") as journal:
        entries = read_entries(journal)
        assert (journal.has_ended, journal.stop_reason) == (True, "")
        assert journal.unresolved_prefixes == ()
    outcomes = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT, None)
    assert len(entries) == 6
    assert all(entry.outcome in outcomes for entry in entries.values())


@pytest.mark.parametrize("is_done", [False, True], ids=["before the deletion", "after it"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_run_killed_at_any_batch_is_resumed_and_ends(
    site: Bucket, proxy: FaultProxy, at: int, *, is_done: bool
) -> None:
    crash(site, proxy, at, is_done=is_done)

    assert resume() == 0

    assert site.folders() == {"new"}
    assert "index.html" in site.content()
    assert_all_deleted()
    keys = [key for request in proxy.deletions for key in request.batch_keys]
    assert len(keys) == len(set(keys)) == 6 - 2 * (at if is_done else at - 1)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_second_run_without_resume_deletes_the_rest_too(
    site: Bucket, proxy: FaultProxy, at: int
) -> None:
    crash(site, proxy, at)
    assert main(["cleanup", *site.options(), *SETTINGS, "--auto-approve"]) == 0
    assert site.folders() == {"new"}


def test_unknown_outcomes_of_a_killed_run_are_resolved_in_the_journal(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 2, is_done=True)

    assert resume() == 0

    lines = read_records("j.jsonl")
    resolved = next(record for record in lines if record["record"] == "resolved")
    assert resolved["batch"] == 2
    assert [row[1] for row in resolved["objects"]] == ["absent"]
    kinds = [record["record"] for record in lines]
    assert kinds.index("resumed") < kinds.index("resolved") < kinds.index("end")
    assert {record["batch"] for record in read_intents(lines)} == {1, 2, 3}


def test_incomplete_last_line_is_removed_and_its_batch_is_sent_again(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 2)
    Path("j.jsonl").write_bytes(Path("j.jsonl").read_bytes()[:-10])

    assert resume() == 0

    assert site.folders() == {"new"}
    assert_all_deleted()


def test_second_resume_has_nothing_to_delete(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    assert resume() == 0
    before = Path("j.jsonl").read_bytes()
    proxy.requests.clear()
    capsys.readouterr()

    assert resume() == 0

    assert_screen(capsys.readouterr().out)
    assert proxy.deletions == []
    assert Path("j.jsonl").read_bytes() == before


def test_run_killed_after_its_last_deletion_is_ended_without_requests(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 3, is_done=True)
    assert resume() == 0
    assert proxy.deletions == []
    assert_all_deleted()


# What has changed since.


CHANGES = [
    pytest.param(lambda site: site.put("old-1/more", days=10), id="object added"),
    pytest.param(lambda site: site.put("old-1/file-00002", days=9), id="same bytes again"),
    pytest.param(lambda site: site.put("old-1/file-00000", days=9), id="deleted one is back"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_half_deleted_deployment_that_was_changed_is_kept(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen, change
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    change(site)
    before = list_keys(site, "old-1")
    assert len(before) < 4

    assert resume() == 3

    assert site.folders() == {"new", "old-1"}
    assert list_keys(site, "old-1") == before
    assert_screen(capsys.readouterr().out)


def test_changed_deployment_whose_deletion_has_not_begun_is_kept(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 1)
    site.put("old-2/more", days=20)
    assert resume() == 3
    assert site.folders() == {"new", "old-2"}


def test_deployment_is_kept_if_an_object_was_deleted_by_another_client(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 1)
    site.remove("old-2/file-00001")
    assert resume() == 3
    assert site.folders() == {"new", "old-2"}


def test_half_deleted_deployment_that_is_pinned_now_is_kept(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    remaining_keys = list_keys(site, "old-1")

    assert resume("--protect", "old-1") == 3

    assert list_keys(site, "old-1") == remaining_keys
    assert site.folders() == {"new", "old-1"}
    assert_screen(capsys.readouterr().out)


def test_deployment_that_is_live_now_is_kept(site: Bucket, proxy: FaultProxy) -> None:
    """A rollback after the crash: the source is read again."""
    site.put("current", body=b"new")
    crash(site, proxy, 1, options=["--live-from", "object:current"])
    site.put("current", body=b"old-2")

    assert resume() == 3

    assert site.folders() == {"new", "old-2"}


def test_new_settings_can_keep_a_deployment_of_the_plan(site: Bucket, proxy: FaultProxy) -> None:
    crash(site, proxy, 1)
    site.deploy("newer", days=0.5)
    assert resume("--keep-count", "3") == 3
    assert site.folders() == {"newer", "new", "old-1"}


def test_deployment_that_only_a_new_run_would_delete_is_kept(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    site.deploy("newer", days=0.5)

    assert resume() == 0

    assert site.folders() == {"newer", "new"}
    assert_screen(capsys.readouterr().out, has_table=True)


@pytest.mark.usefixtures("command_pauses")
@pytest.mark.parametrize("is_complete", [True, False], ids=["all of it", "one object"])
def test_restored_deployment_is_not_deleted_again(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen, *, is_complete: bool
) -> None:
    enable_versioning(site)
    crash(site, proxy, 3)
    capsys.readouterr()
    if is_complete:
        assert main(["restore", "j.jsonl", "--auto-approve"]) == 0
    else:
        versions = site.client.list_object_versions(Bucket=site.name, Prefix="old-1/")
        marker = versions["DeleteMarkers"][0]
        site.client.delete_object(
            Bucket=site.name, Key=marker["Key"], VersionId=marker["VersionId"]
        )
    before = site.keys()
    capsys.readouterr()

    assert resume() == 3

    assert site.folders() >= {"new", "old-1"}
    assert list_keys(site, "old-1") == {key for key in before if key.startswith("old-1/")}
    assert_screen(capsys.readouterr().out)


def test_object_that_was_deleted_after_it_was_listed_is_restored(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last request of the killed run reaches S3 after the journal has the outcome `failed`."""
    enable_versioning(site)
    before = site.keys()
    crash(site, proxy, 1)
    (keys,) = [[record["key"] for record in read_intents(read_records("j.jsonl"))]]

    def delete_late(*arguments) -> None:
        resolve_unknown_outcomes(*arguments)
        for key in keys:
            site.remove(key)

    monkeypatch.setattr("ci3.pipeline.resume.resolve_unknown_outcomes", delete_late)
    assert resume() == 3
    resolved = [record for record in read_records("j.jsonl") if record["record"] == "resolved"]
    assert {row[1] for record in resolved for row in record["objects"]} == {"failed"}

    assert main(["restore", "j.jsonl", "--auto-approve"]) == 0
    assert site.keys() == before


@pytest.mark.parametrize("is_asked", [False, True])
def test_limit_counts_what_remains_and_no_newly_deletable_deployments(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, *, is_asked: bool
) -> None:
    monkeypatch.setattr("tests.support.crash.SETTINGS", (*SETTINGS, "--max-delete", "2"))
    crash(site, proxy, 2)
    site.deploy("newest", days=0)
    if is_asked:  # the plan is made again after the answer
        monkeypatch.setattr("ci3.cli.cleanup.require_approval", lambda *_: None)
        assert main(["cleanup", "--resume", "j.jsonl"]) == 0
    else:
        assert resume() == 0
    assert site.folders() == {"new", "newest"}


def test_limit_that_the_remaining_deletions_exceed_refuses(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 1)
    capsys.readouterr()
    before = site.keys()
    assert resume("--max-delete", "1") == 4
    assert_screen(capsys.readouterr().err)
    assert site.keys() == before


# What cannot be resumed.


def test_target_of_a_resumed_run_is_that_of_its_journal(
    site: Bucket, proxy: FaultProxy, capsys
) -> None:
    crash(site, proxy, 1)
    before = Path("j.jsonl").read_bytes()
    for option in (["--bucket", "other"], ["--prefix", "app"], ["--plan-file", "p.json"],
                   ["--journal-file", "k.jsonl"]):  # fmt: skip
        assert resume(*option) == 2
        assert option[0] in capsys.readouterr().err
    assert resume("--journal-file", "j.jsonl", *site.options()) == 0
    assert Path("j.jsonl").read_bytes().startswith(before)


def test_journal_in_use_is_not_resumed(site: Bucket, capsys, assert_screen) -> None:
    with start_journal():
        assert resume() == 2
    assert_screen(capsys.readouterr().err)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{}\n", b'{"record":"header"'],
    ids=["missing", "empty", "no record", "cut off"],
)
def test_missing_or_invalid_journal_is_not_resumed(content, capsys, assert_screen) -> None:
    if content is not None:
        Path("j.jsonl").write_bytes(content)
    assert resume() == 2
    assert_screen(capsys.readouterr().err)


def test_resume_without_approval_changes_neither_bucket_nor_journal(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    before = Path("j.jsonl").read_bytes()
    assert main(["cleanup", "--resume", "j.jsonl"]) == 4
    assert_screen(capsys.readouterr().err)
    assert proxy.deletions == []
    assert Path("j.jsonl").read_bytes() == before


def test_result_counts_what_the_resumed_run_deleted(
    site: Bucket, proxy: FaultProxy, capsys
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    assert resume("--output", "json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["outcome"], numbers["objects-deleted"]) == ("applied", 4)
    assert numbers["journal-file"] == "j.jsonl"
    assert len(read_outcomes(read_records("j.jsonl"))) == 2 + 4
