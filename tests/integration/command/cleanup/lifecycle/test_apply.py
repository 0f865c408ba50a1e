"""`engine: lifecycle` on the command line: plan, apply and saved plan."""

import json
from pathlib import Path

from ci3.cli.main import main
from tests.integration.command.cleanup.lifecycle.conftest import (
    BY_S3,
    FOREIGN,
    KEEP_1,
    cleanup,
    list_rule_names,
)
from tests.support.action_reports import row_counts


def test_hostile_name_is_not_a_workflow_command_in_json(site, capsys) -> None:
    assert cleanup(site, *KEEP_1, "--output", "json", journal="##[error].jsonl") == 0
    out = capsys.readouterr().out
    assert "##[" not in out
    assert json.loads(out)["journal-file"] == "##[error].jsonl"


def test_plan_shows_what_s3_deletes_and_until_when_it_can_be_restored(
    site, capsys, assert_screen
) -> None:
    assert main(["plan-cleanup", *site.options(), *BY_S3]) == 0
    assert_screen(capsys.readouterr().out, has_table=True)
    assert site.lifecycle == FOREIGN


def test_apply_shows_what_to_do_next_and_counts_nothing_as_deleted(
    site, capsys, assert_screen
) -> None:
    assert cleanup(site, *BY_S3) == 0
    assert_screen(capsys.readouterr().out)
    assert site.folders() == {"new", "old-1", "old-2"}
    assert list_rule_names(site) == ["logs", "old-1", "old-2"]


def test_expiring_deployments_are_counted_separately(site, capsys) -> None:
    assert cleanup(site, *BY_S3, "--output", "json") == 0
    outputs = json.loads(capsys.readouterr().out)
    assert (outputs["outcome"], outputs["deployments-expiring"]) == ("applied", 2)
    deleted = ("deployments-deleted", "objects-deleted", "bytes-deleted")
    assert [outputs[name] for name in deleted] == [0, 0, 0]
    assert main(["plan-cleanup", *site.options(), *BY_S3, "--output", "json"]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert (totals["found"], totals["keep"], totals["delete"], totals["expiring"]) == (3, 1, 0, 2)
    assert totals["bytes_expiring"] == 6


def test_later_run_shows_them_as_expiring_and_writes_nothing(site, capsys, assert_screen) -> None:
    cleanup(site, *BY_S3)
    before = site.lifecycle
    writes = len(site.proxy.find_requests("PUT"))
    capsys.readouterr()
    assert cleanup(site, *BY_S3, journal="k.jsonl") == 0
    assert_screen(capsys.readouterr().out, has_table=True)
    assert site.lifecycle == before
    assert len(site.proxy.find_requests("PUT")) == writes


def test_explanation_shows_that_s3_deletes_the_deployment(site, capsys, assert_screen) -> None:
    assert main(["explain", "old-1", *site.options(), *BY_S3]) == 0
    assert_screen(capsys.readouterr().out, "before")
    cleanup(site, *BY_S3)
    capsys.readouterr()
    assert main(["explain", "old-1", *site.options(), *BY_S3]) == 0
    assert_screen(capsys.readouterr().out, "after")


def test_markdown_has_a_separate_table_of_expiring_deployments(site, capsys) -> None:
    cleanup(site, *BY_S3)
    capsys.readouterr()
    assert main(["plan-cleanup", *site.options(), *BY_S3, "--output", "markdown"]) == 0
    out = capsys.readouterr().out
    assert row_counts(out) == [2, 1]
    assert "| `old-1` |" in out
    assert "| `old-2` |" in out


def test_saved_plan_is_applied_only_with_its_engine(site, capsys, assert_screen) -> None:
    plan = ("--plan-file", "plan.json")
    assert main(["plan-cleanup", *site.options(), *BY_S3, *plan]) == 0
    capsys.readouterr()
    assert main(["cleanup", *plan, "--auto-approve", "--engine", "direct"]) == 2
    assert_screen(capsys.readouterr().err)
    assert main(["cleanup", *plan, "--auto-approve", "--journal-file", "j.jsonl"]) == 0
    assert list_rule_names(site) == ["logs", "old-1", "old-2"]


def test_saved_plan_reconciles_rules_with_the_current_state(site) -> None:
    cleanup(site, *BY_S3)
    plan = ("--plan-file", "plan.json")
    site.deploy("older", days=30)
    assert main(["plan-cleanup", *site.options(), *BY_S3, *plan]) == 0
    assert len(json.loads(Path("plan.json").read_text())["rules"]) == 2
    site.deploy("old-1", days=0)
    assert main(["cleanup", *plan, "--auto-approve", "--journal-file", "k.jsonl"]) == 0
    assert "old-1" not in list_rule_names(site)


def test_run_with_rules_is_not_resumed(site, capsys, assert_screen) -> None:
    cleanup(site, *BY_S3)
    before = site.lifecycle
    capsys.readouterr()
    assert main(["cleanup", "--resume", "j.jsonl", "--auto-approve"]) == 2
    assert_screen(capsys.readouterr().err)
    assert site.lifecycle == before
