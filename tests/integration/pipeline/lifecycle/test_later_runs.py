"""What other runs, another S3 and what goes live meanwhile make of rules that stand."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ci3.core.model.issues import WarningCode
from ci3.core.model.result import RunOutcome
from ci3.core.plan.target_result import TargetResult
from ci3.errors import RefusedError
from ci3.pipeline.run import open_run
from tests.integration.pipeline.lifecycle.lifecycle_run import (
    DOOMED,
    FOREIGN,
    GET,
    OURS,
    PUT,
    Ran,
    apply,
    plan_of,
    written,
)
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (rb"(<Days>[0-9]+</Days>)(?=</Expiration>)", rb"\1<Novel>1</Novel>"),
        (rb"<Prefix>(old-[0-9])/</Prefix>", rb"<Prefix>\1</Prefix>"),
    ],
    ids=["an element more", "a prefix without its slash"],
)
def test_rules_that_stand_otherwise_than_they_were_written_are_taken_out(
    site: MemorySite, pattern: bytes, replacement: bytes
) -> None:
    def rewrite() -> None:
        site.lifecycle = re.sub(pattern, replacement, site.lifecycle)

    site.proxy.call_before(*GET, rewrite, nth=3)
    ran = Ran(site)
    stand = [removal for removal in rule_ids(site.lifecycle) if removal.startswith("ci3/")]
    said = ran.record("rules-outcome")["outcome"]
    assert ran.outcome is RunOutcome.PARTIAL
    assert (stand == [], said) in {(True, "rolled-back"), (False, "unknown")}


def test_rules_under_other_ids_are_not_said_to_be_gone(site: MemorySite) -> None:
    def rename() -> None:
        site.lifecycle = re.sub(
            rb"<ID>ci3/(old-[0-9])/[^<]*</ID>", rb"<ID>r-\1</ID>", site.lifecycle
        )

    site.proxy.call_before(*GET, rename, nth=3)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.PARTIAL
    assert ran.record("rules-outcome")["outcome"] == "unknown"
    assert "r-old-1, r-old-2, r-old-3" in ran.stop_reason


def test_two_runs_at_once_leave_one_rule_for_a_folder(site: MemorySite) -> None:
    first = open_run([make_context(site, engine="lifecycle")])
    begun = first.reconcile_rules(first.make_plans())
    later = make_context(site, engine="lifecycle")
    later = replace(later, clock=lambda: datetime.now(UTC) + timedelta(seconds=5))
    assert apply(later)[0].outcome is RunOutcome.APPLIED
    (account,) = first.apply_plans(begun, is_fresh=True)
    assert account.outcome is RunOutcome.APPLIED
    assert written(site) == ["logs", *OURS]


def test_rules_of_what_is_kept_go_also_where_followers_are_refused(site: MemorySite) -> None:
    site.enable_versioning()
    assert Ran(site).outcome is RunOutcome.APPLIED
    for number in range(3):
        site.remove(f"old-1/file-{number:05}")
    refused = "<Error><Code>InvalidArgument</Code><Message>no</Message></Error>"
    site.proxy.answer(*PUT, refused, status=400, nth=1)
    (account,) = apply(make_context(site, engine="lifecycle", protect="old-2"))
    assert "ci3/old-2/" not in written(site)
    assert {removal.name for removal in account.reconciled.removed} == {"old-1", "old-2"}


def test_left_behind_rule_that_cannot_be_read_is_told_with_any_engine(site: MemorySite) -> None:
    site.lifecycle = FOREIGN.replace(b"</Rule>", b"<Novel>1</Novel></Rule>", 1)
    ran = Ran(site, engine="direct")
    assert ran.outcome is RunOutcome.APPLIED
    (warning,) = ran.plan.warnings
    assert warning.code is WarningCode.LIFECYCLE
    assert "Novel" in warning.message


def by_pointer(site: MemorySite, **changes: str):
    return make_context(site, **({"engine": "lifecycle", "live_from": "object:current"} | changes))


def told(account: TargetResult) -> list[tuple[str, str]]:
    return [(removal.name, removal.message) for removal in account.reconciled.removed]


@pytest.mark.parametrize("due", [False, True])
@pytest.mark.parametrize("when", ["meanwhile", "later"])
@pytest.mark.parametrize("is_fresh", [True, False])
def test_rule_of_what_goes_live_during_a_run_is_taken_away(
    pointed: MemorySite, when: str, due: bool, is_fresh: bool, assert_screen
) -> None:
    if due:
        pointed.deploy("old-9", days=40)
    roll_back = {when: lambda: pointed.put("current", body=b"old-2")}
    (account,) = apply(by_pointer(pointed), is_fresh=is_fresh, **roll_back)
    assert account.outcome is (RunOutcome.APPLIED if due else RunOutcome.NOTHING_TO_DELETE)
    assert written(pointed) == ["logs", "ci3/old-1/", "ci3/old-3/", *["ci3/old-9/"] * due]
    ((name, why),) = told(account)
    assert name == "old-2"
    assert_screen(why, is_shared=True)
    assert account.expiring_count == 2 + due


def test_rule_goes_first_of_what_went_live_while_it_was_listed(pointed: MemorySite) -> None:
    removal = open_run([by_pointer(pointed)])
    plans = removal.make_plans()
    pointed.put("current", body=b"old-2")
    (begun,) = removal.reconcile_rules(plans)
    assert [removal.name for removal in begun.reconciled.removed] == ["old-2"]
    assert written(pointed) == ["logs", "ci3/old-1/", "ci3/old-3/"]


def test_rule_of_this_run_goes_for_what_goes_live_while_it_deletes(
    pointed: MemorySite, assert_screen
) -> None:
    pointed.deploy("old-9", days=40)
    pointed.deploy("young", days=3)
    pointed.proxy.call_before(
        "POST", r"\?delete", lambda: pointed.put("current", body=b"old-9"), nth=1
    )
    (account,) = apply(by_pointer(pointed))
    assert account.outcome is RunOutcome.PARTIAL
    assert written(pointed) == ["logs", *OURS]
    assert account.result.expiring_names == frozenset()
    (removal,) = [removal for removal in account.result.deployments if removal.name == "old-9"]
    assert_screen(removal.problem)
    assert "young" not in pointed.folders()


@pytest.mark.parametrize("due", [False, True])
@pytest.mark.parametrize("when", ["meanwhile", "later"])
def test_no_rule_stands_where_what_is_live_cannot_be_read_at_the_end(
    pointed: MemorySite, when: str, due: bool
) -> None:
    if due:
        pointed.deploy("young", days=3)
    run = by_pointer(pointed)
    forget = {when: lambda: pointed.remove("current")}
    if due:
        with pytest.raises(RefusedError, match="current"):
            apply(run, **forget)
    else:
        (account,) = apply(run, **forget)
        assert account.outcome is RunOutcome.PARTIAL
        assert {name for name, _ in told(account)} == set(DOOMED)
        assert "object:current" in account.reconciled.live_problem
    assert written(pointed) == ["logs"]
    assert "young" in pointed.folders() or not due


def test_what_went_wrong_says_which_rules_went_too(pointed: MemorySite) -> None:
    pointed.deploy("young", days=3)
    run = open_run([by_pointer(pointed)])
    (target_run,) = run.reconcile_rules(run.make_plans())
    pointed.remove("current")
    with pytest.raises(RefusedError) as caught:
        run.apply_plans((target_run,), is_fresh=True)
    assert {name for name, _ in told(target_run.target_result)} == set(DOOMED)
    assert "old-" not in caught.value.full_message


def test_rule_of_what_a_new_plan_keeps_is_taken_away(pointed: MemorySite) -> None:
    pointed.deploy("old-9", days=40)
    (account,) = apply(
        by_pointer(pointed), is_fresh=False, later=lambda: pointed.deploy("old-3", days=0)
    )
    assert "ci3/old-3/" not in written(pointed)
    assert "old-3" in {name for name, _ in told(account)}


def test_rule_that_cannot_be_taken_away_at_the_end_is_told(pointed: MemorySite) -> None:
    def roll_back() -> None:
        pointed.put("current", body=b"old-2")
        pointed.proxy.answer(*PUT, "<Error><Code>AccessDenied</Code></Error>", status=403)

    (account,) = apply(by_pointer(pointed), later=roll_back)
    assert account.outcome is RunOutcome.PARTIAL
    assert "s3:PutLifecycleConfiguration" in account.reconciled.problem


def test_saved_plan_is_held_against_what_is_live_at_the_end(pointed: MemorySite) -> None:
    run = by_pointer(pointed)
    for key in [key for key in pointed.content() if key.startswith("old-3/")]:
        pointed.remove(key)
    saved = run.make_plan(run.open_bucket())
    removal = open_run([run], [saved])
    (begun,) = removal.reconcile_rules([saved])
    pointed.put("current", body=b"old-2")
    account = begun.revoke_rules()
    assert written(pointed) == ["logs", "ci3/old-1/"]
    assert [name for name, _ in told(account)] == ["old-2"]


def test_nothing_is_read_again_where_no_rule_stands(site: MemorySite) -> None:
    site.put("current", body=b"new")
    for name in DOOMED:
        for key in [key for key in site.content() if key.startswith(f"{name}/")]:
            site.remove(key)
    plan_of(site, live_from="object:current")
    asked = len(site.proxy.requests)
    apply(by_pointer(site))
    assert len(site.proxy.requests) == 2 * asked
