"""`--delete-versions`: output, two questions, saved plans, resume and restore."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.integration.command.test_cli import run_on_terminal
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, Request
from tests.support.version_deletion import DELETE, answer_deletion

KEEP_1 = ("--keep-count", "1", "--match", ".*")
FINAL = (*KEEP_1, "--delete-versions")
PLAN = ("--plan-file", "plan.json")


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """Two deployments to delete, with eight versions and one marker, twelve bytes in total."""
    site.enable_versioning()
    site.put("old-1/file-00000", days=20, body=b"older")
    site.put("old-1/removed", days=20)
    site.remove("old-1/removed")
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=11)
    return site


def list_versions_of_deleted(bucket: Bucket) -> list[tuple[str, bool]]:
    return [version for version in bucket.versions() if version[0].startswith("old-")]


# Output, and the two questions.


def test_plan_shows_that_deletion_is_permanent_and_counts_the_versions(
    live: Bucket, capsys, assert_screen
) -> None:
    assert main(["plan-cleanup", *live.options(), *FINAL]) == 0
    out = capsys.readouterr().out
    assert_screen(out)
    assert "3 in 6 versions" in out


def test_setting_without_effect_in_a_bucket_without_versions_is_reported(
    site: Bucket, capsys, assert_screen
) -> None:
    site.deploy("new", days=1)
    site.deploy("old", days=9)
    assert main(["cleanup", *site.options(), *FINAL, "--auto-approve"]) == 0
    assert_screen(capsys.readouterr().out)
    assert site.folders() == {"new"}


def test_yes_and_the_number_at_the_terminal_delete_all_versions(live: Bucket) -> None:
    code, screen = run_on_terminal("cleanup", *live.options(), *FINAL, answer=b"y\n2\n")
    assert (code, list_versions_of_deleted(live)) == (0, []), screen


def test_questions_name_deployments_objects_and_versions(
    live: Bucket, monkeypatch: pytest.MonkeyPatch, assert_screen
) -> None:
    questions: list[str] = []

    def approve(question: str, *_: str, **_options: str) -> None:
        questions.append(question)

    monkeypatch.setattr("ci3.cli.cleanup.require_approval", approve)
    assert main(["cleanup", *live.options(), *FINAL]) == 0
    assert_screen("\n".join(questions))
    assert len(questions) == 2
    assert list_versions_of_deleted(live) == []


@pytest.mark.parametrize("answer", [b"n\n", b"y\n\n", b"y\ny\n", b"y\n3\n", b"y\n\x04"])
def test_nothing_is_deleted_without_both_answers(
    live: Bucket, proxy: FaultProxy, answer: bytes
) -> None:
    code, screen = run_on_terminal("cleanup", *live.options(), *FINAL, answer=answer)
    assert code == 4, screen
    assert "[y/N]" in screen
    assert proxy.deletions == []


def test_auto_approve_skips_both_questions(live: Bucket, capsys) -> None:
    assert main(["cleanup", *live.options(), *FINAL, "--auto-approve", "--output", "json"]) == 0
    outputs = json.loads(capsys.readouterr().out)
    assert (outputs["objects-deleted"], outputs["bytes-deleted"]) == (9, 12)
    assert list_versions_of_deleted(live) == []


# Saved plans.


def save_plan(bucket: Bucket, *options: str) -> dict:
    assert main(["plan-cleanup", *bucket.options(), *options, *PLAN]) == 0
    return json.loads(Path("plan.json").read_text(encoding="utf-8"))


def test_saved_plan_is_applied_with_its_own_setting(live: Bucket) -> None:
    plan = save_plan(live, *FINAL)
    assert plan["policy"]["delete-versions"] == {"value": "true", "from": "option"}
    assert plan["totals"]["versions_to_delete"] == 9
    assert main(["cleanup", *PLAN, "--auto-approve"]) == 0
    assert list_versions_of_deleted(live) == []


def test_plan_saved_without_the_setting_is_not_applied_with_it(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    save_plan(live, *KEEP_1)
    assert main(["cleanup", *PLAN, "--auto-approve", "--delete-versions"]) == 2
    assert_screen(capsys.readouterr().err)
    assert proxy.deletions == []


def test_plan_saved_with_the_setting_is_not_applied_without_it(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    save_plan(live, *FINAL)
    Path("ci3.yml").write_text("targets: [{bucket: %s, keep-count: 1, match: .*}]" % live.name)  # noqa: UP031
    options = ("--policy-file", "ci3.yml", "--endpoint-url", live.endpoint_url)
    assert main(["cleanup", *PLAN, *options, "--auto-approve"]) == 2
    assert_screen(capsys.readouterr().err)
    assert proxy.deletions == []


def test_saved_plan_is_stale_if_a_delete_marker_was_added(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    save_plan(live, *FINAL)
    live.remove("old-1/removed")
    capsys.readouterr()
    assert main(["cleanup", *PLAN, "--auto-approve"]) == 5
    assert_screen(capsys.readouterr().out)
    assert proxy.deletions == []


# Resume.


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_stopped_run_is_resumed_until_no_version_remains(
    live: Bucket, proxy: FaultProxy, nth: int
) -> None:
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=nth)
    options = (*FINAL, "--journal-file", "j.jsonl", "--auto-approve")
    assert main(["cleanup", *live.options(), *options]) == 3
    assert list_versions_of_deleted(live)
    assert main(["cleanup", "--resume", "j.jsonl", "--auto-approve"]) == 0
    assert list_versions_of_deleted(live) == []
    assert live.folders() == {"new"}


def test_run_that_stopped_while_deleting_current_objects_is_resumed(
    live: Bucket, proxy: FaultProxy
) -> None:
    keys = [f"old-1/file-0000{number}" for number in range(3)]

    def fail_second_key(request: Request) -> str:
        is_last = set(keys) <= set(request.batch_keys)
        return answer_deletion(live, request, {keys[1]: "ExpiredToken"} if is_last else {})

    options = (*FINAL, "--protect", "old-2", "--journal-file", "j.jsonl", "--auto-approve")
    proxy.answer_with("POST", DELETE, fail_second_key)
    assert main(["cleanup", *live.options(), *options]) == 3
    assert list_versions_of_deleted(live)[0] == (keys[1], False)
    proxy.answer_with("POST", DELETE, lambda request: answer_deletion(live, request, {}))
    assert main(["cleanup", "--resume", "j.jsonl", "--auto-approve"]) == 0
    assert live.folders() == {"new", "old-2"}
    assert [key for key, _ in list_versions_of_deleted(live) if key.startswith("old-1/")] == []


def test_run_without_delete_versions_is_not_resumed_with_it(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    options = (*KEEP_1, "--timeout", "0s", "--journal-file", "j.jsonl", "--auto-approve")
    assert main(["cleanup", *live.options(), *options]) == 3
    capsys.readouterr()
    assert main(["cleanup", "--resume", "j.jsonl", "--delete-versions", "--auto-approve"]) == 2
    assert_screen(capsys.readouterr().err)
    assert proxy.deletions == []


# Restore.


def test_restore_of_permanently_deleted_objects_is_refused_before_any_change(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    options = (*FINAL, "--journal-file", "j.jsonl", "--auto-approve", "--concurrency", "1")
    assert main(["cleanup", *live.options(), *options]) == 0
    capsys.readouterr()
    deletions_before = len(proxy.deletions)
    assert main(["restore", "j.jsonl", "--auto-approve"]) == 4
    captured = capsys.readouterr()
    assert_screen(captured.out + captured.err)
    assert len(proxy.deletions) == deletions_before
