"""Going on with a run that was killed: within what it was to delete, whatever has changed since."""

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
    """The newest, and two of three objects each that are due; in batches of two, one by one."""
    small_batches(monkeypatch)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=20)
    site.put("index.html")
    return site


def keys_of(site: Bucket, name: str) -> set[str]:
    return {key for key in site.content() if key.startswith(f"{name}/")}


def keep_versions(site: Bucket) -> None:
    """Keep versions from now on, of all that is there too."""
    site.enable_versioning()
    for days, name in ((1, "new"), (10, "old-1"), (20, "old-2")):
        site.deploy(name, days=days)


def test_started_deletions_are_known_without_reading_the_entries_again(
    site: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = apply(site)
    read: list[str] = []
    monkeypatch.setattr(JournalFile, "read_entries", lambda _, prefix: read.append(prefix))
    started: list[Mapping[str, str]] = []

    class StartedDeletions(Exception):  # noqa: N818 - not an error
        """Raised in place of a plan."""

    def make_plan(_context: TargetContext, _bucket: BucketReader, deletions: Mapping[str, str]):
        started.append(deletions)
        raise StartedDeletions

    monkeypatch.setattr(TargetContext, "make_plan", make_plan)
    context = make_context(site)
    with reopen_journal(ran.result.journal_file) as journal:
        run = ResumedRun(context=context, bucket=context.open_bucket(), open_journal=journal)
        with pytest.raises(StartedDeletions):
            run.make_plan()
    assert {*started[0]} == {"old-1", "old-2"}
    assert read == []


def all_deleted() -> bool:
    """Whether a journal says of all six objects that they are gone, and that the run has ended."""
    with open_journal("j.jsonl") as journal:
        found = read_entries(journal)
        assert (journal.has_ended, journal.stop_reason) == (True, "")
        assert journal.unresolved_prefixes == ()
    gone = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT, None)
    return len(found) == 6 and all(entry.outcome in gone for entry in found.values())


@pytest.mark.parametrize("is_done", [False, True], ids=["before the deed", "after it"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_run_killed_at_any_batch_is_gone_on_with_to_its_end(
    site: Bucket, proxy: FaultProxy, at: int, *, is_done: bool
) -> None:
    crash(site, proxy, at, is_done=is_done)

    assert resume() == 0

    assert site.folders() == {"new"}
    assert "index.html" in site.content()
    assert all_deleted()
    asked = [key for request in proxy.deletions for key in request.batch_keys]
    assert len(asked) == len(set(asked)) == 6 - 2 * (at if is_done else at - 1)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_plain_second_run_decides_anew_and_converges_too(
    site: Bucket, proxy: FaultProxy, at: int
) -> None:
    crash(site, proxy, at)
    assert main(["cleanup", *site.options(), *SETTINGS, "--auto-approve"]) == 0
    assert site.folders() == {"new"}


def test_what_the_crash_left_open_is_settled_in_the_journal(
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


def test_line_torn_by_the_crash_is_taken_away_and_its_batch_is_sent_anew(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 2)
    Path("j.jsonl").write_bytes(Path("j.jsonl").read_bytes()[:-10])

    assert resume() == 0

    assert site.folders() == {"new"}
    assert all_deleted()


def test_resuming_twice_has_nothing_left_the_second_time(
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


def test_run_that_was_killed_after_its_last_deed_is_brought_to_its_end(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 3, is_done=True)
    assert resume() == 0
    assert proxy.deletions == []
    assert all_deleted()


# What has changed since.


CHANGES = [
    pytest.param(lambda site: site.put("old-1/more", days=10), id="object added"),
    pytest.param(lambda site: site.put("old-1/file-00002", days=9), id="same bytes again"),
    pytest.param(lambda site: site.put("old-1/file-00000", days=9), id="deleted one is back"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_half_deleted_deployment_that_somebody_has_changed_stays_as_it_is(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen, change
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    change(site)
    before = keys_of(site, "old-1")
    assert len(before) < 4

    assert resume() == 3

    assert site.folders() == {"new", "old-1"}
    assert keys_of(site, "old-1") == before
    assert_screen(capsys.readouterr().out)


def test_deployment_that_was_not_begun_and_has_changed_stays(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 1)
    site.put("old-2/more", days=20)
    assert resume() == 3
    assert site.folders() == {"new", "old-2"}


def test_object_that_went_without_the_run_makes_it_another_deployment(
    site: Bucket, proxy: FaultProxy
) -> None:
    crash(site, proxy, 1)
    site.remove("old-2/file-00001")
    assert resume() == 3
    assert site.folders() == {"new", "old-2"}


def test_deployment_that_is_pinned_now_stays_though_half_of_it_is_gone(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    left = keys_of(site, "old-1")

    assert resume("--protect", "old-1") == 3

    assert keys_of(site, "old-1") == left
    assert site.folders() == {"new", "old-1"}
    assert_screen(capsys.readouterr().out)


def test_deployment_that_is_live_by_now_stays(site: Bucket, proxy: FaultProxy) -> None:
    """A rollback during the crash: the source is read again, not remembered."""
    site.put("current", body=b"new")
    live = ["--live-from", "object:current"]
    main(["cleanup", *site.options(), *SETTINGS, *live, "--journal-file", "first.jsonl"])
    crash(site, proxy, 1)
    site.put("current", body=b"old-2")

    assert resume(*live) == 3

    assert site.folders() == {"new", "old-2"}


def test_settings_given_anew_may_keep_what_was_to_go(site: Bucket, proxy: FaultProxy) -> None:
    crash(site, proxy, 1)
    site.deploy("newer", days=0.5)
    assert resume("--keep-count", "3") == 3
    assert site.folders() == {"newer", "new", "old-1"}


def test_what_became_due_since_was_not_approved(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    site.deploy("newer", days=0.5)

    assert resume() == 0

    assert site.folders() == {"newer", "new"}
    assert_screen(capsys.readouterr().out, has_table=True)


@pytest.mark.usefixtures("command_pauses")
@pytest.mark.parametrize("is_whole", [True, False], ids=["all of it", "one object"])
def test_what_was_brought_back_since_is_not_deleted_again(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen, *, is_whole: bool
) -> None:
    keep_versions(site)
    crash(site, proxy, 3)
    capsys.readouterr()
    if is_whole:
        assert main(["restore", "j.jsonl", "--auto-approve"]) == 0
    else:
        found = site.client.list_object_versions(Bucket=site.name, Prefix="old-1/")
        marker = found["DeleteMarkers"][0]
        site.client.delete_object(
            Bucket=site.name, Key=marker["Key"], VersionId=marker["VersionId"]
        )
    before = site.keys()
    capsys.readouterr()

    assert resume() == 3

    assert site.folders() >= {"new", "old-1"}
    assert keys_of(site, "old-1") == {key for key in before if key.startswith("old-1/")}
    assert_screen(capsys.readouterr().out)


def test_object_that_went_after_it_was_looked_at_comes_back(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed run's last request reaches S3 after the journal says `failed`."""
    keep_versions(site)
    before = site.keys()
    crash(site, proxy, 1)
    (keys,) = [[record["key"] for record in read_intents(read_records("j.jsonl"))]]

    def come_late(*asked) -> None:
        resolve_unknown_outcomes(*asked)
        for key in keys:
            site.remove(key)

    monkeypatch.setattr("ci3.pipeline.resume.resolve_unknown_outcomes", come_late)
    resume()
    resolved = [record for record in read_records("j.jsonl") if record["record"] == "resolved"]
    assert {row[1] for record in resolved for row in record["objects"]} == {"failed"}

    assert main(["restore", "j.jsonl", "--auto-approve"]) == 0
    assert site.keys() == before


@pytest.mark.parametrize("is_asked", [False, True])
def test_limit_is_held_against_what_is_left_and_not_what_became_due(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, *, is_asked: bool
) -> None:
    monkeypatch.setattr("tests.support.crash.SETTINGS", (*SETTINGS, "--max-delete", "2"))
    crash(site, proxy, 2)
    site.deploy("newest", days=0)
    if is_asked:  # then it is planned once more, when the answer is there
        monkeypatch.setattr("ci3.cli.cleanup.require_approval", lambda *_: None)
        assert main(["cleanup", "--resume", "j.jsonl"]) == 0
    else:
        assert resume() == 0
    assert site.folders() == {"new", "newest"}


def test_limit_that_what_is_left_is_over_refuses(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 1)
    capsys.readouterr()
    before = site.keys()
    assert resume("--max-delete", "1") == 4
    assert_screen(capsys.readouterr().err)
    assert site.keys() == before


# What can't be gone on with.


def test_place_and_settings_are_the_journals_and_no_other_place_may_be_given(
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


def test_journal_in_use_is_not_gone_on_with(site: Bucket, capsys, assert_screen) -> None:
    with start_journal():
        assert resume() == 2
    assert_screen(capsys.readouterr().err)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{}\n", b'{"record":"header"'],
    ids=["missing", "empty", "no record", "cut off"],
)
def test_what_is_no_journal_is_not_gone_on_with(content, capsys, assert_screen) -> None:
    if content is not None:
        Path("j.jsonl").write_bytes(content)
    assert resume() == 2
    assert_screen(capsys.readouterr().err)


def test_no_at_the_terminal_leaves_bucket_and_journal_alone(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    before = Path("j.jsonl").read_bytes()
    assert main(["cleanup", "--resume", "j.jsonl"]) == 4
    assert_screen(capsys.readouterr().err)
    assert proxy.deletions == []
    assert Path("j.jsonl").read_bytes() == before


def test_numbers_are_of_what_the_resumed_run_did(site: Bucket, proxy: FaultProxy, capsys) -> None:
    crash(site, proxy, 2)
    capsys.readouterr()
    assert resume("--output", "json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["outcome"], numbers["objects-deleted"]) == ("applied", 4)
    assert numbers["journal-file"] == "j.jsonl"
    assert len(read_outcomes(read_records("j.jsonl"))) == 2 + 4
