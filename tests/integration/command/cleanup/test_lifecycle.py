"""`engine: lifecycle` as a person meets it: shown, applied, gone on with, undone, given up."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.core.lifecycle.configuration import parse_configuration
from ci3.core.lifecycle.rule import ManagedRule
from ci3.errors import ExitCode
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite, intercept_requests

FOREIGN = config(foreign_rule())
KEEP_1 = ("--keep-count", "1", "--match", ".*")
BY_S3 = (*KEEP_1, "--engine", "lifecycle")


@pytest.fixture
def site() -> Iterator[MemorySite]:
    site = MemorySite()
    site.deploy("new", days=1)
    for days, name in enumerate(("old-1", "old-2"), start=20):
        site.deploy(name, days=days)
    site.lifecycle = FOREIGN
    with intercept_requests(site.proxy.handle):
        yield site


def cleanup(site: MemorySite, *options: str, journal: str = "j.jsonl") -> int:
    return main(["cleanup", *site.options(), *options, "--auto-approve", "--journal-file", journal])


def lose(site: MemorySite, name: str) -> None:
    """Delete a deployment, as S3 does by its rule."""
    for key in [one for one in site.content() if one.startswith(f"{name}/")]:
        site.remove(key)


def add_rule(site: MemorySite, name: str, *, made_days_ago: float, days: int = 20) -> None:
    """Put in a rule that an earlier run has made."""
    now = datetime.now(UTC).replace(microsecond=0)
    expires_at = now + timedelta(days=7 - made_days_ago)
    made = ManagedRule(prefix=f"{name}/", days=days, noncurrent_days=None, expires_at=expires_at)
    site.lifecycle = parse_configuration(site.lifecycle).with_rules([made.elements])


def names(site: MemorySite) -> list[str]:
    return [re.sub("ci3/(.*)/[0-9TZ]+", r"\1", one) for one in rule_ids(site.lifecycle)]


# What is said.


def test_hostile_name_is_no_command_in_the_json_of_a_cleanup(site, capsys) -> None:
    assert cleanup(site, *KEEP_1, "--output", "json", journal="##[error].jsonl") == 0
    out = capsys.readouterr().out
    assert "##[" not in out
    assert json.loads(out)["journal-file"] == "##[error].jsonl"


def test_plan_says_what_s3_deletes_and_until_when_that_can_be_undone(site, capsys) -> None:
    assert main(["plan-cleanup", *site.options(), *BY_S3]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "2 of 3 deployments would be deleted (by S3, within a day or two)" in out
    assert "S3 deletes it, by a rule for what is at least 21 days old" in out
    assert (
        "Until S3 deletes it, within a day or two, an undo takes the rules away. Then it is final."
        in out
    )
    assert site.lifecycle == FOREIGN


def test_apply_says_what_to_mind_and_counts_nothing_as_deleted(site, capsys) -> None:
    assert cleanup(site, *BY_S3) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "2 deployments left to S3, which deletes them within a day or two: 6 objects" in out
    assert "Run ci3 again within 7 days" in out
    assert "once that is 20 days old" in out
    assert "To undo: ci3 restore j.jsonl" in out
    assert names(site) == ["logs", "old-1", "old-2"]


def test_numbers_count_what_is_expiring_apart(site, capsys) -> None:
    assert cleanup(site, *BY_S3, "--output", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["deployments-expiring"]) == ("applied", 2)
    assert (told["deployments-deleted"], told["objects-deleted"], told["bytes-deleted"]) == (
        0,
        0,
        0,
    )
    assert main(["plan-cleanup", *site.options(), *BY_S3, "--output", "json"]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert (totals["found"], totals["keep"], totals["delete"], totals["expiring"]) == (3, 1, 0, 2)
    assert totals["bytes_expiring"] == 6


def test_later_run_shows_them_as_expiring_and_writes_nothing(site, capsys) -> None:
    cleanup(site, *BY_S3)
    before = site.lifecycle
    writes = len(site.proxy.find_requests("PUT"))
    capsys.readouterr()
    assert cleanup(site, *BY_S3, journal="k.jsonl") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "expiring old-1" in out
    assert "expiring (S3 deletes it within a day or two)" in out
    assert "Nothing to delete: 3 deployments found, 1 kept, 2 expiring" in out
    assert site.lifecycle == before
    assert len(site.proxy.find_requests("PUT")) == writes


def test_explanation_says_that_s3_deletes_it(site, capsys) -> None:
    assert main(["explain", "old-1", *site.options(), *BY_S3]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "It is due now. By engine: lifecycle: S3 deletes it, by a rule" in out
    cleanup(site, *BY_S3)
    capsys.readouterr()
    assert main(["explain", "old-1", *site.options(), *BY_S3]) == 0
    assert "By engine: lifecycle: expiring" in " ".join(capsys.readouterr().out.split())


def test_markdown_has_them_in_a_table_of_their_own(site, capsys) -> None:
    cleanup(site, *BY_S3)
    capsys.readouterr()
    assert main(["plan-cleanup", *site.options(), *BY_S3, "--output", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "<summary>2 deployments expiring (S3 deletes what is left within a day or two)" in out
    assert "| `old-2` |" in out


# Later runs reconcile first.


def test_rule_of_an_emptied_deployment_is_taken_away(site, capsys) -> None:
    cleanup(site, *BY_S3)
    lose(site, "old-1")
    assert cleanup(site, *BY_S3, journal="k.jsonl") == 0
    assert (
        "The lifecycle rule for old-1 was taken away: nothing is left there."
        in capsys.readouterr().out
    )
    assert names(site) == ["logs", "old-2"]


@pytest.mark.parametrize("how", ["redeploy", "protect", "direct"])
def test_rule_of_what_is_live_pinned_or_deleted_otherwise_is_taken_away(site, capsys, how) -> None:
    cleanup(site, *BY_S3)
    settings = [*BY_S3]
    match how:
        case "redeploy":
            site.deploy("old-1", days=0)
        case "protect":
            settings += ["--protect", "old-1"]
        case _:
            settings = [*KEEP_1]
    capsys.readouterr()
    assert main(["plan-cleanup", *site.options(), *settings]) == 0
    warned = " ".join(capsys.readouterr().out.split())
    assert "Warning: an apply first takes away the" in warned
    assert names(site) == ["logs", "old-1", "old-2"]
    assert cleanup(site, *settings, journal="k.jsonl") == 0
    assert names(site) == (["logs"] if how == "direct" else ["logs", "old-2"])
    there = site.folders()
    assert ("old-1" in there, "old-2" in there) == (
        (False, False) if how == "direct" else (True, True)
    )


def test_overdue_rule_is_taken_away_and_made_anew(site, capsys) -> None:
    add_rule(site, "old-1", made_days_ago=8, days=12)
    old = rule_ids(site.lifecycle)[1]
    assert cleanup(site, *BY_S3) == 0
    assert "was taken away: the term ended on" in capsys.readouterr().out
    assert names(site) == ["logs", "old-1", "old-2"]
    assert old not in rule_ids(site.lifecycle)


def test_rules_go_even_where_the_plan_is_refused(site, capsys) -> None:
    cleanup(site, *BY_S3)
    assert cleanup(site, *BY_S3, "--protect", "nowhere", journal="k.jsonl") == 4
    assert names(site) == ["logs"]
    assert "it is not known what is live" in " ".join(capsys.readouterr().out.split())


def test_limit_that_refuses_leaves_the_rules_of_earlier_runs(site) -> None:
    cleanup(site, *BY_S3)
    for days in (30, 31):
        site.deploy(f"older-{days}", days=days)
    assert cleanup(site, *BY_S3, "--max-delete", "1", journal="k.jsonl") == 4
    assert names(site) == ["logs", "old-1", "old-2"]


def test_rule_that_somebody_took_away_meanwhile_is_told(site, capsys) -> None:
    cleanup(site, *BY_S3)
    lose(site, "old-1")

    def take_away() -> None:
        text = parse_configuration(site.lifecycle)
        site.lifecycle = text.without_rules(text.rules[-1:])

    site.proxy.call_before("GET", r"\?lifecycle", take_away, nth=2)
    assert cleanup(site, *BY_S3, journal="k.jsonl") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Somebody else has taken away ci3's lifecycle rules for old-2" in out


@pytest.mark.parametrize("nth", [1, 2])
def test_rule_of_what_goes_live_during_the_run_is_taken_away_and_told(site, capsys, nth) -> None:
    site.put("current", body=b"new")
    pointer = ("--live-from", "object:current")
    cleanup(site, *BY_S3, *pointer)
    capsys.readouterr()
    writes = ("GET", r"\?lifecycle")
    site.proxy.call_before(*writes, lambda: site.put("current", body=b"old-2"), nth=nth)
    assert cleanup(site, *BY_S3, *pointer, "--output", "json", journal="k.jsonl") == 0
    out = capsys.readouterr()
    assert json.loads(out.out)["deployments-expiring"] == 1
    assert "The lifecycle rule for old-2 was taken away: kept now (live: " in (
        " ".join(out.err.split())
    )
    assert names(site) == ["logs", "old-1"]


def test_no_rule_stands_where_what_is_live_is_not_known_at_the_end(site, capsys) -> None:
    site.put("current", body=b"new")
    pointer = ("--live-from", "object:current")
    cleanup(site, *BY_S3, *pointer)
    site.proxy.call_before("GET", r"\?lifecycle", lambda: site.remove("current"), nth=2)
    assert cleanup(site, *BY_S3, *pointer, journal="k.jsonl") == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "No lifecycle rule was left to stand: it is not known what is live: live-from" in out
    assert names(site) == ["logs"]


def test_error_of_an_apply_names_the_rules_that_were_taken_away(site, capsys) -> None:
    site.put("current", body=b"new")
    pointer = ("--live-from", "object:current")
    cleanup(site, *BY_S3, *pointer)
    site.deploy("old-3", days=30)
    capsys.readouterr()
    site.proxy.call_before("GET", "/current", lambda: site.remove("current"), nth=3)
    assert cleanup(site, *BY_S3, *pointer, journal="k.jsonl") == ExitCode.REFUSED
    shown = " ".join(capsys.readouterr().err.split())
    assert "Look at a new plan. 2 lifecycle rules for old-" in shown
    assert "were taken away: " in shown
    assert "No lifecycle rule was left to stand: it is not known what is live: live-from" in shown
    assert names(site) == ["logs"]


@pytest.mark.parametrize("engine", ["lifecycle", "direct"])
def test_rule_that_cannot_be_taken_away_ends_in_exit_3(site, capsys, engine: str) -> None:
    cleanup(site, *BY_S3)
    site.deploy("old-1", days=0)
    site.proxy.answer("PUT", r"\?lifecycle", "<Error><Code>AccessDenied</Code></Error>", status=403)
    assert cleanup(site, *KEEP_1, "--engine", engine, journal="k.jsonl") == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "may stand yet, and S3 may delete by them" in out
    assert "s3:PutLifecycleConfiguration" in out
    # Direct deletion goes on; with lifecycle nothing is done on top of what could not be mended.
    assert ("new" in site.folders()) is (engine == "lifecycle")


def test_rule_called_like_ours_and_changed_by_hand_is_left_and_told(site, capsys) -> None:
    add_rule(site, "old-1", made_days_ago=1)
    site.lifecycle = site.lifecycle.replace(b"<Days>20</Days>", b"<Days>2</Days>")
    site.lifecycle = site.lifecycle.replace(
        b"</Filter><Status>Enabled", b"</Filter><Status>Disabled", 2
    )
    before = site.lifecycle
    main(["plan-cleanup", *site.options(), *KEEP_1])
    assert "called as if it were ci3's, and not as ci3 writes it" in " ".join(
        capsys.readouterr().out.split()
    )
    assert site.lifecycle == before


def test_rules_changed_by_hand_are_described_in_the_plural(site, capsys) -> None:
    for name in ("old-1", "old-2"):
        add_rule(site, name, made_days_ago=1)
    site.lifecycle = site.lifecycle.replace(b"<Days>20</Days>", b"<Days>2</Days>").replace(
        b"</Filter><Status>Enabled", b"</Filter><Status>Disabled"
    )
    main(["plan-cleanup", *site.options(), *KEEP_1])
    assert (
        "2 lifecycle rules called as if they were ci3's, and not as ci3 writes them, are left "
        "alone: ci3/old-1/"
    ) in " ".join(capsys.readouterr().out.split())


# Versions: what follows a rule.


def test_after_what_is_hidden_a_rule_for_its_old_versions_follows(site, capsys) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    cleanup(site, *BY_S3)
    lose(site, "old-1")
    assert cleanup(site, *BY_S3, journal="k.jsonl") == 0
    assert "only old versions are left there, for 30 days" in " ".join(
        capsys.readouterr().out.split()
    )
    assert sorted(names(site)) == ["logs", "old-1", "old-2"]
    text = site.lifecycle.decode()
    follower = re.search("<Rule><ID>ci3/old-1/.*?</Rule>", text)[0]
    assert "<Days>" not in follower
    assert "<ExpiredObjectDeleteMarker>true" in follower
    assert "<NoncurrentDays>30</NoncurrentDays>" in follower
    site.deploy("old-1", days=0)
    assert cleanup(site, *BY_S3, journal="l.jsonl") == 0
    assert "old-1" not in names(site)


@pytest.mark.parametrize("options", [(), ("--delete-versions",)])
def test_old_versions_are_freed_where_the_engine_is_direct_by_then(site, options) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    site.deploy("new", days=1)
    cleanup(site, *BY_S3)
    lose(site, "old-1")
    lose(site, "old-2")
    assert cleanup(site, *KEEP_1, "--engine", "direct", *options, journal="k.jsonl") == 0
    followers = re.findall("<Rule><ID>ci3/.*?</Rule>", site.lifecycle.decode())
    assert len(followers) == 2
    assert all("<NoncurrentDays>30</NoncurrentDays>" in one for one in followers)
    assert not any("<Days>" in one for one in followers)


# Undoing it.


def test_restore_takes_the_rules_away_while_nothing_has_expired(site, capsys) -> None:
    cleanup(site, *BY_S3)
    before = site.content()
    assert main(["restore", "j.jsonl", "--auto-approve", "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out.partition("\n{")[2].join(("{", "")))
    assert (told["outcome"], told["rules-removed"], told["objects-restored"]) == ("restored", 2, 0)
    assert site.lifecycle == FOREIGN
    assert site.content() == before


def test_restore_says_what_has_expired_for_good(site, capsys) -> None:
    cleanup(site, *BY_S3)
    lose(site, "old-1")
    assert main(["restore", "j.jsonl", "--auto-approve"]) == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "2 lifecycle rules would be taken away; 3 objects can't be brought back" in out
    assert "lost old-1: 3 objects: S3 has deleted it by its lifecycle rule" in out
    assert site.lifecycle == FOREIGN


def test_restore_brings_back_what_s3_has_hidden(site) -> None:
    site.enable_versioning()
    for days, name in enumerate(("old-1", "old-2"), start=20):
        site.deploy(name, days=days)
    before = site.content()
    cleanup(site, *BY_S3)
    lose(site, "old-1")
    cleanup(site, *BY_S3, journal="k.jsonl")  # a rule for old versions follows
    assert main(["restore", "j.jsonl", "--auto-approve"]) == 0
    assert site.content() == before
    assert site.lifecycle == FOREIGN


def test_restore_does_nothing_more_where_rules_can_not_be_taken_away(site, capsys) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    cleanup(site, *BY_S3)
    lose(site, "old-1")
    site.proxy.answer("PUT", r"\?lifecycle", status=403)
    assert main(["restore", "j.jsonl", "--auto-approve"]) == 3
    assert "the lifecycle rules may stand yet" in " ".join(capsys.readouterr().out.split())
    assert "old-1" not in site.folders()


def test_restore_since_a_time_takes_the_rule_away_too(site, capsys) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    cleanup(site, *BY_S3)
    since = ["restore", "old-1", "--deleted-since", "1h", *site.options(), "--auto-approve"]
    site.remove("old-1/file-00000")
    capsys.readouterr()
    assert main(since) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "1 lifecycle rule would be taken away, and 1 object would come back, 1 Byte" in out
    assert "1 lifecycle rule taken away; 1 object restored" in out
    assert names(site) == ["logs", "old-2"]
    add_rule(site, "old-1", made_days_ago=1)
    assert main(since) == 0
    assert "1 lifecycle rule taken away." in capsys.readouterr().out
    assert main(since) == 0
    assert "Nothing to restore" in capsys.readouterr().out


# Saved plans and journals.


def test_saved_plan_is_applied_by_its_own_engine_only(site, capsys) -> None:
    plan = ("--plan-file", "plan.json")
    assert main(["plan-cleanup", *site.options(), *BY_S3, *plan]) == 0
    assert main(["cleanup", *plan, "--auto-approve", "--engine", "direct"]) == 2
    assert "is a plan with engine: lifecycle, and the settings have engine: direct" in (
        capsys.readouterr().err
    )
    assert main(["cleanup", *plan, "--auto-approve", "--journal-file", "j.jsonl"]) == 0
    assert names(site) == ["logs", "old-1", "old-2"]


def test_saved_plan_reconciles_by_what_is_so_now(site) -> None:
    cleanup(site, *BY_S3)
    plan = ("--plan-file", "plan.json")
    site.deploy("older", days=30)
    assert main(["plan-cleanup", *site.options(), *BY_S3, *plan]) == 0
    assert len(json.loads(Path("plan.json").read_text())["rules"]) == 2
    site.deploy("old-1", days=0)
    main(["cleanup", *plan, "--auto-approve", "--journal-file", "k.jsonl"])
    assert "old-1" not in names(site)


def test_run_with_rules_is_not_gone_on_with(site, capsys) -> None:
    cleanup(site, *BY_S3)
    assert main(["cleanup", "--resume", "j.jsonl", "--auto-approve"]) == 2
    assert "Run it again without: it finds the rules that stand" in " ".join(
        capsys.readouterr().err.split()
    )
