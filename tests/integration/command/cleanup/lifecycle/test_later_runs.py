"""Runs after a run with `engine: lifecycle`: they reconcile its rules first."""

import json
import re

import pytest

from ci3.cli.main import main
from ci3.core.lifecycle.configuration import parse_configuration
from ci3.errors import ExitCode
from tests.integration.command.cleanup.lifecycle.conftest import (
    BY_S3,
    KEEP_1,
    add_rule,
    cleanup,
    expire,
    list_rule_names,
)
from tests.support.plan_issues import format_issues, warning_codes
from tests.support.s3.memory_lifecycle import rule_ids


def test_rule_of_an_emptied_deployment_is_removed(site, capsys, assert_screen) -> None:
    cleanup(site, *BY_S3)
    expire(site, "old-1")
    capsys.readouterr()
    assert cleanup(site, *BY_S3, "--output", "json", journal="k.jsonl") == 0
    assert_screen(capsys.readouterr().err)
    assert list_rule_names(site) == ["logs", "old-2"]


@pytest.mark.parametrize("change", ["redeploy", "protect", "direct"])
def test_rule_of_a_redeployed_pinned_or_directly_deleted_deployment_is_removed(
    site, capsys, change
) -> None:
    cleanup(site, *BY_S3)
    settings = [*BY_S3]
    match change:
        case "redeploy":
            site.deploy("old-1", days=0)
        case "protect":
            settings += ["--protect", "old-1"]
        case _:
            settings = [*KEEP_1]
    capsys.readouterr()
    assert main(["plan-cleanup", *site.options(), *settings, "--output", "json"]) == 0
    assert "rule-removal" in warning_codes(capsys.readouterr().out)
    assert list_rule_names(site) == ["logs", "old-1", "old-2"]
    assert cleanup(site, *settings, journal="k.jsonl") == 0
    assert list_rule_names(site) == (["logs"] if change == "direct" else ["logs", "old-2"])
    is_present = change != "direct"
    assert [name in site.folders() for name in ("old-1", "old-2")] == [is_present, is_present]


def test_overdue_rule_is_replaced(site, capsys, assert_screen) -> None:
    add_rule(site, "old-1", made_days_ago=8, days=12)
    old = rule_ids(site.lifecycle)[1]
    assert cleanup(site, *BY_S3, "--output", "json") == 0
    assert_screen(capsys.readouterr().err)
    assert list_rule_names(site) == ["logs", "old-1", "old-2"]
    assert old not in rule_ids(site.lifecycle)


def test_rules_are_removed_even_if_the_plan_is_refused(site, capsys, assert_screen) -> None:
    cleanup(site, *BY_S3)
    capsys.readouterr()
    options = (*BY_S3, "--protect", "nowhere", "--output", "json")
    assert cleanup(site, *options, journal="k.jsonl") == 4
    assert list_rule_names(site) == ["logs"]
    assert_screen(capsys.readouterr().err)


def test_limit_that_refuses_keeps_the_rules_of_earlier_runs(site) -> None:
    cleanup(site, *BY_S3)
    for days in (30, 31):
        site.deploy(f"older-{days}", days=days)
    assert cleanup(site, *BY_S3, "--max-delete", "1", journal="k.jsonl") == 4
    assert list_rule_names(site) == ["logs", "old-1", "old-2"]


def test_rule_that_another_client_removed_is_reported(site, capsys, assert_screen) -> None:
    cleanup(site, *BY_S3)
    expire(site, "old-1")
    capsys.readouterr()

    def remove_last_rule() -> None:
        configuration = parse_configuration(site.lifecycle)
        site.lifecycle = configuration.without_rules(configuration.rules[-1:])

    site.proxy.call_before("GET", r"\?lifecycle", remove_last_rule, nth=2)
    assert cleanup(site, *BY_S3, "--output", "json", journal="k.jsonl") == 0
    assert_screen(capsys.readouterr().err)


@pytest.mark.parametrize("nth", [1, 2])
def test_rule_of_a_deployment_that_goes_live_during_the_run_is_removed(
    site, capsys, assert_screen, nth
) -> None:
    site.put("current", body=b"new")
    pointer = ("--live-from", "object:current")
    cleanup(site, *BY_S3, *pointer)
    capsys.readouterr()
    reads = ("GET", r"\?lifecycle")
    site.proxy.call_before(*reads, lambda: site.put("current", body=b"old-2"), nth=nth)
    assert cleanup(site, *BY_S3, *pointer, "--output", "json", journal="k.jsonl") == 0
    out = capsys.readouterr()
    assert json.loads(out.out)["deployments-expiring"] == 1
    assert_screen(out.err)
    assert list_rule_names(site) == ["logs", "old-1"]


def test_rules_are_removed_if_live_deployments_are_unknown_at_the_end(
    site, capsys, assert_screen
) -> None:
    site.put("current", body=b"new")
    pointer = ("--live-from", "object:current")
    cleanup(site, *BY_S3, *pointer)
    site.proxy.call_before("GET", r"\?lifecycle", lambda: site.remove("current"), nth=2)
    capsys.readouterr()
    assert cleanup(site, *BY_S3, *pointer, "--output", "json", journal="k.jsonl") == 3
    assert_screen(capsys.readouterr().err)
    assert list_rule_names(site) == ["logs"]


def test_error_of_an_apply_names_the_rules_that_were_removed(site, capsys, assert_screen) -> None:
    site.put("current", body=b"new")
    pointer = ("--live-from", "object:current")
    cleanup(site, *BY_S3, *pointer)
    site.deploy("old-3", days=30)
    capsys.readouterr()
    site.proxy.call_before("GET", "/current", lambda: site.remove("current"), nth=3)
    assert cleanup(site, *BY_S3, *pointer, journal="k.jsonl") == ExitCode.REFUSED
    assert_screen(capsys.readouterr().err)
    assert list_rule_names(site) == ["logs"]


@pytest.mark.parametrize("engine", ["lifecycle", "direct"])
def test_rule_that_cannot_be_removed_ends_in_exit_3(
    site, capsys, assert_screen, engine: str
) -> None:
    cleanup(site, *BY_S3)
    site.deploy("old-1", days=0)
    site.proxy.answer("PUT", r"\?lifecycle", "<Error><Code>AccessDenied</Code></Error>", status=403)
    capsys.readouterr()
    options = (*KEEP_1, "--engine", engine, "--output", "json")
    assert cleanup(site, *options, journal="k.jsonl") == 3
    error = capsys.readouterr().err
    assert "s3:PutLifecycleConfiguration" in error
    assert_screen(error)
    # Direct deletion continues; with lifecycle nothing else is changed after the failure.
    assert ("new" in site.folders()) is (engine == "lifecycle")


def test_rule_with_a_managed_name_that_was_changed_by_hand_is_kept_and_reported(
    site, capsys, assert_screen
) -> None:
    add_rule(site, "old-1", made_days_ago=1)
    site.lifecycle = site.lifecycle.replace(b"<Days>20</Days>", b"<Days>2</Days>")
    site.lifecycle = site.lifecycle.replace(
        b"</Filter><Status>Enabled", b"</Filter><Status>Disabled", 2
    )
    before = site.lifecycle
    main(["plan-cleanup", *site.options(), *KEEP_1, "--output", "json"])
    assert_screen(format_issues(capsys.readouterr().out))
    assert site.lifecycle == before


def test_rules_changed_by_hand_are_described_in_the_plural(site, capsys, assert_screen) -> None:
    for name in ("old-1", "old-2"):
        add_rule(site, name, made_days_ago=1)
    site.lifecycle = site.lifecycle.replace(b"<Days>20</Days>", b"<Days>2</Days>").replace(
        b"</Filter><Status>Enabled", b"</Filter><Status>Disabled"
    )
    main(["plan-cleanup", *site.options(), *KEEP_1, "--output", "json"])
    assert_screen(format_issues(capsys.readouterr().out))


# Noncurrent versions.


def test_rule_for_noncurrent_versions_follows_the_expiration(site, capsys, assert_screen) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    cleanup(site, *BY_S3)
    expire(site, "old-1")
    capsys.readouterr()
    assert cleanup(site, *BY_S3, "--output", "json", journal="k.jsonl") == 0
    assert_screen(capsys.readouterr().err)
    assert sorted(list_rule_names(site)) == ["logs", "old-1", "old-2"]
    text = site.lifecycle.decode()
    rule_text = re.search("<Rule><ID>ci3/old-1/.*?</Rule>", text)[0]
    assert "<Days>" not in rule_text
    assert "<ExpiredObjectDeleteMarker>true" in rule_text
    assert "<NoncurrentDays>30</NoncurrentDays>" in rule_text
    site.deploy("old-1", days=0)
    assert cleanup(site, *BY_S3, journal="l.jsonl") == 0
    assert "old-1" not in list_rule_names(site)


@pytest.mark.parametrize("options", [(), ("--delete-versions",)])
def test_noncurrent_versions_expire_if_the_next_run_deletes_directly(site, options) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    site.deploy("new", days=1)
    cleanup(site, *BY_S3)
    expire(site, "old-1")
    expire(site, "old-2")
    assert cleanup(site, *KEEP_1, "--engine", "direct", *options, journal="k.jsonl") == 0
    rule_texts = re.findall("<Rule><ID>ci3/.*?</Rule>", site.lifecycle.decode())
    assert len(rule_texts) == 2
    assert all("<NoncurrentDays>30</NoncurrentDays>" in rule_text for rule_text in rule_texts)
    assert not any("<Days>" in rule_text for rule_text in rule_texts)
