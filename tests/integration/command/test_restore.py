"""`ci3 restore`: output, question, exit codes, and which deletions it restores."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.core.journal.location import JournalLocation, format_part_name
from tests.integration.command.test_cli import (
    HOSTILE_NAMES,
    Terminal,
    assert_escaped,
    run_on_terminal,
)
from tests.support.cleanup_run import apply
from tests.support.s3.answers import delete_result
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

DELETE = r"\?delete"


@pytest.fixture
def live(site: Bucket) -> Bucket:
    site.enable_versioning()
    site.put("index.html", days=90)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=11)
    return site


@pytest.fixture
def journal(live: Bucket) -> str:
    """The journal of a run that deleted `old-1` and `old-2`."""
    path = apply(live).result.journal_file
    assert live.folders() == {"new"}
    return path


def list_current_versions(bucket: Bucket) -> dict[str, str]:
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    versions = answer.get("Versions", ())
    return {version["Key"]: version["VersionId"] for version in versions if version["IsLatest"]}


def delete_versions(bucket: Bucket, key: str) -> None:
    """Delete all versions of a key."""
    versions = bucket.client.list_object_versions(Bucket=bucket.name, Prefix=key)["Versions"]
    for version in versions:
        bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=version["VersionId"])


# Output and the question.


def test_restore_shows_its_plan_and_then_its_result(
    live: Bucket, journal: str, capsys, assert_screen
) -> None:
    delete_versions(live, "old-2/file-00001")
    live.client.put_object(Bucket=live.name, Key="old-1/file-00000", Body=b"newer")
    capsys.readouterr()
    assert main(["restore", journal, "--auto-approve"]) == 3
    assert_screen(capsys.readouterr().out)


def test_stdout_of_a_restore_in_json_is_only_json(live: Bucket, journal: str, capsys) -> None:
    delete_versions(live, "old-2/file-00001")
    assert main(["restore", journal, "--auto-approve", "--output", "json"]) == 3
    captured = capsys.readouterr()
    outputs = json.loads(captured.out)
    assert (outputs["outcome"], outputs["objects-restored"]) == ("partial", 5)
    assert outputs["objects-skipped"] == 1
    assert outputs["deployments"][1]["skipped"][0]["reason"] == "version-gone"
    assert "old-2/file-00001" in captured.err


def test_restore_in_markdown_shows_each_deployment(live: Bucket, journal: str, capsys) -> None:
    assert main(["restore", journal, "--auto-approve", "--output", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "| `old-1` | 3 restored | 3&nbsp;Bytes |" in out


def test_no_at_the_terminal_restores_nothing(live: Bucket, journal: str, proxy: FaultProxy) -> None:
    deletions_before = len(proxy.deletions)
    code, screen = run_on_terminal("restore", journal, answer=b"n\n")
    assert code == 4
    assert "[y/N]" in screen
    assert len(proxy.deletions) == deletions_before


def test_question_names_objects_and_target(
    live: Bucket, journal: str, monkeypatch: pytest.MonkeyPatch, capsys, assert_screen
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    capsys.readouterr()
    assert main(["restore", journal]) == 4
    assert_screen(capsys.readouterr().err)
    assert live.folders() == {"new"}


def test_yes_at_the_terminal_restores(live: Bucket, journal: str) -> None:
    code, _ = run_on_terminal("restore", journal, answer=b"y\n")
    assert code == 0
    assert live.folders() == {"new", "old-1", "old-2"}


def test_without_a_terminal_and_without_approval_nothing_is_restored(  # noqa: PLR0917 - fixtures
    live: Bucket,
    journal: str,
    proxy: FaultProxy,
    capsys,
    assert_screen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deletions_before = len(proxy.deletions)
    capsys.readouterr()
    assert main(["restore", journal]) == 4
    captured = capsys.readouterr()
    assert_screen(captured.out + captured.err)
    assert len(proxy.deletions) == deletions_before


# Exit codes.


def test_nothing_to_restore_is_a_success_without_approval(
    live: Bucket, journal: str, capsys
) -> None:
    assert main(["restore", journal, "--auto-approve"]) == 0
    capsys.readouterr()
    assert main(["restore", journal, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "nothing-to-restore"


def test_bucket_without_versions_is_refused_with_the_reason(
    site: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    path = apply(site).result.journal_file
    deletions_before = len(proxy.deletions)
    assert main(["restore", path, "--auto-approve"]) == 4
    captured = capsys.readouterr()
    assert_screen(captured.out + captured.err)
    assert len(proxy.deletions) == deletions_before


def test_one_deployment_of_a_bucket_without_versions_cannot_be_restored(
    site: Bucket, capsys, assert_screen
) -> None:
    site.deploy("new", days=1)
    assert main(["restore", "old-1", "--deleted-since", "2h", *site.options()]) == 2
    assert_screen(capsys.readouterr().err)


def test_unknown_name_is_an_error(live: Bucket, journal: str, capsys, assert_screen) -> None:
    capsys.readouterr()
    assert main(["restore", "nosuch", "--deleted-since", "2h", *live.options()]) == 2
    assert_screen(capsys.readouterr().err)


def test_failed_removal_of_markers_is_a_partial_restore(
    live: Bucket, journal: str, proxy: FaultProxy, capsys
) -> None:
    proxy.answer_with(
        "POST",
        DELETE,
        lambda request: delete_result(errors=[(key, "AccessDenied") for key in request.batch_keys]),
    )
    capsys.readouterr()
    assert main(["restore", journal, "--auto-approve", "--output", "json"]) == 3
    assert json.loads(capsys.readouterr().out)["objects-failed"] == 6


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["nowhere.jsonl"],
        ["old-1", "--bucket-name", "b"],
        ["JOURNAL", "--bucket-name", "b"],
        ["JOURNAL", "--run-id", "x", "--bucket-name", "b"],
        ["--run-id", "x"],
        ["--run-id", "../x", "--bucket-name", "bucket"],
        ["a", "--run-id", "x", "--deleted-since", "2h"],
        ["a/b", "--deleted-since", "2h", "--bucket-name", "bucket"],
        ["--deleted-since", "2h", "--bucket-name", "bucket"],
        [".ci3", "--deleted-since", "2h", "--bucket-name", "bucket"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_an_error(
    live: Bucket, journal: str, capsys, assert_screen, options: list[str]
) -> None:
    argv = [journal if option == "JOURNAL" else option for option in options]
    assert main(["restore", *argv, "--auto-approve"]) == 2
    assert_screen(capsys.readouterr().err)


@pytest.mark.parametrize("text", ["yesterday", "2h30", "2026-11-23T10:00"])
def test_time_that_cannot_be_read_is_refused(
    live: Bucket, capsys, assert_screen, text: str
) -> None:
    assert main(["restore", "old-1", "--deleted-since", text, *live.options()]) == 2
    assert_screen(capsys.readouterr().err)


# By run ID, and by time.


def store_journal(bucket: Bucket, path: str, run_id: str, prefix: str = "") -> None:
    key = JournalLocation.for_run(bucket.name, prefix, run_id).key_prefix + format_part_name(1)
    bucket.client.put_object(Bucket=bucket.name, Key=key, Body=Path(path).read_bytes())


def read_run_id(path: str) -> str:
    return json.loads(Path(path).read_text(encoding="utf-8").splitlines()[0])["run_id"]


def test_stored_journal_is_found_by_run_id(live: Bucket, journal: str) -> None:
    run_id = read_run_id(journal)
    store_journal(live, journal, run_id)
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 0
    assert live.folders() >= {"new", "old-1", "old-2"}


def test_run_without_a_stored_journal_is_an_error(live: Bucket, capsys) -> None:
    assert main(["restore", "--run-id", "x", *live.options(), "--auto-approve"]) == 6
    assert ".ci3/journals/x/" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["run_id", "bucket", "prefix", "endpoint_url"])
def test_stored_journal_of_another_target_is_refused(
    live: Bucket, journal: str, capsys, field: str
) -> None:
    before = list_current_versions(live)
    lines = Path(journal).read_text(encoding="utf-8").splitlines(keepends=True)
    header = json.loads(lines[0])
    run_id = header["run_id"]
    if field == "run_id":
        header["run_id"] = "another"
    else:
        other_values = {"bucket": "other", "prefix": "other/", "endpoint_url": "http://127.0.0.1:1"}
        header["target"][field] = other_values[field]
        lines = lines[:1] if field == "prefix" else lines
    lines[0] = json.dumps(header) + "\n"
    Path(journal).write_text("".join(lines), encoding="utf-8")
    store_journal(live, journal, run_id)
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 2
    versions = list_current_versions(live).items()
    assert {key: version for key, version in versions if ".ci3" not in key} == before
    assert live.name in capsys.readouterr().err


@pytest.mark.parametrize("since", ["1h", "2020-01-01T00:00Z"])
def test_one_deployment_is_restored_by_time(live: Bucket, journal: str, since: str) -> None:
    argv = ["restore", "old-1", "--deleted-since", since, *live.options(), "--auto-approve"]
    assert main(argv) == 0
    assert live.folders() == {"new", "old-1"}


def test_required_file_is_restored_last_by_time(
    live: Bucket, journal: str, proxy: FaultProxy
) -> None:
    deletions_before = len(proxy.deletions)
    options = ["--deleted-since", "1h", "--required-file", "file-00001", "--auto-approve"]
    assert main(["restore", "old-1", *options, *live.options()]) == 0
    *_, last = [request.batch_keys for request in proxy.deletions[deletions_before:]]
    assert last == ["old-1/file-00001"]
    assert live.folders() == {"new", "old-1"}


def test_required_file_option_is_refused_with_a_journal(
    live: Bucket, journal: str, capsys, assert_screen
) -> None:
    for source in ([journal], ["--run-id", "x", *live.options()]):
        assert main(["restore", *source, "--required-file", "file-00001", "--auto-approve"]) == 2
        assert_screen(capsys.readouterr().err, "journal" if source == [journal] else "run id")
    assert live.folders() == {"new"}


def test_deletions_before_the_time_are_not_restored(live: Bucket, journal: str, capsys) -> None:
    since = ["--deleted-since", "2099-01-01T00:00Z"]
    options = [*since, *live.options(), "--auto-approve", "--output", "json"]
    assert main(["restore", "old-1", *options]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "nothing-to-restore"
    assert live.folders() == {"new"}


# Hostile names.


@pytest.mark.parametrize("output", ["table", "json", "markdown"])
def test_hostile_names_are_escaped(
    bucket: Bucket, capsys, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """Nothing can be restored, therefore the keys are named."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for days, name in enumerate(HOSTILE_NAMES):
        bucket.put(f"{name}/{name}", days=days)
    journal = apply(bucket).result.journal_file
    assert main(["restore", journal, "--auto-approve", "--output", output]) == 4
    captured = capsys.readouterr()
    assert_escaped(captured.out + captured.err)
