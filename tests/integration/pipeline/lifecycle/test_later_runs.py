"""Existing managed rules: later and concurrent runs, changed rules, and moving live references."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ci3.core.model.issues import WarningCode
from ci3.core.model.result import RunOutcome
from ci3.core.plan.target_result import TargetResult
from ci3.errors import RefusedError
from ci3.pipeline.context import TargetContext
from ci3.pipeline.run import open_run
from tests.integration.pipeline.lifecycle.lifecycle_run import (
    FOREIGN,
    GET,
    MANAGED_RULES,
    OLD_NAMES,
    PUT,
    LifecycleRun,
    apply,
    list_rules,
    make_plan,
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
    ids=["an additional element", "a prefix without its slash"],
)
def test_rules_that_differ_from_what_was_written_are_removed_or_unknown(
    site: MemorySite, pattern: bytes, replacement: bytes
) -> None:
    def rewrite() -> None:
        site.lifecycle = re.sub(pattern, replacement, site.lifecycle)

    site.proxy.call_before(*GET, rewrite, nth=3)
    run = LifecycleRun(site)
    managed_ids = [rule_id for rule_id in rule_ids(site.lifecycle) if rule_id.startswith("ci3/")]
    outcome = run.find_record("rules-outcome")["outcome"]
    assert run.outcome is RunOutcome.PARTIAL
    assert (managed_ids == [], outcome) in {(True, "rolled-back"), (False, "unknown")}


def test_rules_with_changed_ids_are_reported_as_unknown(site: MemorySite) -> None:
    def rename() -> None:
        site.lifecycle = re.sub(
            rb"<ID>ci3/(old-[0-9])/[^<]*</ID>", rb"<ID>r-\1</ID>", site.lifecycle
        )

    site.proxy.call_before(*GET, rename, nth=3)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.PARTIAL
    assert run.find_record("rules-outcome")["outcome"] == "unknown"
    assert "r-old-1, r-old-2, r-old-3" in run.stop_reason


def test_two_concurrent_runs_write_one_rule_for_each_folder(site: MemorySite) -> None:
    first = open_run([make_context(site, engine="lifecycle")])
    target_runs = first.reconcile_rules(first.make_plans())
    second = make_context(site, engine="lifecycle")
    second = replace(second, clock=lambda: datetime.now(UTC) + timedelta(seconds=5))
    assert apply(second)[0].outcome is RunOutcome.APPLIED
    (result,) = first.apply_plans(target_runs, is_fresh=True)
    assert result.outcome is RunOutcome.APPLIED
    assert list_rules(site) == ["logs", *MANAGED_RULES]


def test_rule_of_a_kept_deployment_is_removed_if_a_replacement_is_refused(site: MemorySite) -> None:
    site.enable_versioning()
    assert LifecycleRun(site).outcome is RunOutcome.APPLIED
    for number in range(3):
        site.remove(f"old-1/file-{number:05}")
    refused = "<Error><Code>InvalidArgument</Code><Message>no</Message></Error>"
    site.proxy.answer(*PUT, refused, status=400, nth=1)
    (result,) = apply(make_context(site, engine="lifecycle", protect="old-2"))
    assert "ci3/old-2/" not in list_rules(site)
    assert {removal.name for removal in result.reconciled.removed} == {"old-1", "old-2"}


def test_unreadable_rule_is_a_warning_with_any_engine(site: MemorySite) -> None:
    site.lifecycle = FOREIGN.replace(b"</Rule>", b"<Novel>1</Novel></Rule>", 1)
    run = LifecycleRun(site, engine="direct")
    assert run.outcome is RunOutcome.APPLIED
    (warning,) = run.plan.warnings
    assert warning.code is WarningCode.LIFECYCLE
    assert "Novel" in warning.message


def make_live_context(site: MemorySite) -> TargetContext:
    return make_context(site, engine="lifecycle", live_from="object:current")


def list_removed_rules(result: TargetResult) -> list[tuple[str, str]]:
    return [(removal.name, removal.message) for removal in result.reconciled.removed]


@pytest.mark.parametrize("has_work", [False, True])
@pytest.mark.parametrize("step", ["before_reconcile", "after_reconcile"])
@pytest.mark.parametrize("is_fresh", [True, False])
def test_rule_is_removed_if_its_deployment_becomes_live_during_a_run(
    site_with_rules: MemorySite, step: str, has_work: bool, is_fresh: bool, assert_screen
) -> None:
    if has_work:
        site_with_rules.deploy("old-9", days=40)
    move_pointer = {step: lambda: site_with_rules.put("current", body=b"old-2")}
    (result,) = apply(make_live_context(site_with_rules), is_fresh=is_fresh, **move_pointer)
    assert result.outcome is (RunOutcome.APPLIED if has_work else RunOutcome.NOTHING_TO_DELETE)
    assert list_rules(site_with_rules) == [
        "logs",
        "ci3/old-1/",
        "ci3/old-3/",
        *["ci3/old-9/"] * has_work,
    ]
    ((name, reason),) = list_removed_rules(result)
    assert name == "old-2"
    assert_screen(reason, is_shared=True)
    assert result.expiring_count == 2 + has_work


def test_rule_is_removed_first_if_its_deployment_becomes_live_during_planning(
    site_with_rules: MemorySite,
) -> None:
    run = open_run([make_live_context(site_with_rules)])
    plans = run.make_plans()
    site_with_rules.put("current", body=b"old-2")
    (target_run,) = run.reconcile_rules(plans)
    assert [removal.name for removal in target_run.reconciled.removed] == ["old-2"]
    assert list_rules(site_with_rules) == ["logs", "ci3/old-1/", "ci3/old-3/"]


def test_rule_of_this_run_is_removed_if_its_deployment_becomes_live_during_deletion(
    site_with_rules: MemorySite, assert_screen
) -> None:
    site_with_rules.deploy("old-9", days=40)
    site_with_rules.deploy("young", days=3)
    site_with_rules.proxy.call_before(
        "POST", r"\?delete", lambda: site_with_rules.put("current", body=b"old-9"), nth=1
    )
    (result,) = apply(make_live_context(site_with_rules))
    assert result.outcome is RunOutcome.PARTIAL
    assert list_rules(site_with_rules) == ["logs", *MANAGED_RULES]
    assert result.result.expiring_names == frozenset()
    (deployment,) = [item for item in result.result.deployments if item.name == "old-9"]
    assert_screen(deployment.problem)
    assert "young" not in site_with_rules.folders()


@pytest.mark.parametrize("has_work", [False, True])
@pytest.mark.parametrize("step", ["before_reconcile", "after_reconcile"])
def test_all_rules_are_removed_if_live_sources_cannot_be_read_at_the_end(
    site_with_rules: MemorySite, step: str, has_work: bool
) -> None:
    if has_work:
        site_with_rules.deploy("young", days=3)
    context = make_live_context(site_with_rules)
    remove_pointer = {step: lambda: site_with_rules.remove("current")}
    if has_work:
        with pytest.raises(RefusedError, match="current"):
            apply(context, **remove_pointer)
    else:
        (result,) = apply(context, **remove_pointer)
        assert result.outcome is RunOutcome.PARTIAL
        assert {name for name, _ in list_removed_rules(result)} == set(OLD_NAMES)
        assert "object:current" in result.reconciled.live_problem
    assert list_rules(site_with_rules) == ["logs"]
    assert "young" in site_with_rules.folders() or not has_work


def test_refused_run_reports_the_removed_rules(site_with_rules: MemorySite) -> None:
    site_with_rules.deploy("young", days=3)
    run = open_run([make_live_context(site_with_rules)])
    (target_run,) = run.reconcile_rules(run.make_plans())
    site_with_rules.remove("current")
    with pytest.raises(RefusedError) as caught:
        run.apply_plans((target_run,), is_fresh=True)
    assert {name for name, _ in list_removed_rules(target_run.target_result)} == set(OLD_NAMES)
    assert "old-" not in caught.value.full_message


def test_rule_of_a_deployment_that_a_new_plan_keeps_is_removed(site_with_rules: MemorySite) -> None:
    site_with_rules.deploy("old-9", days=40)
    (result,) = apply(
        make_live_context(site_with_rules),
        is_fresh=False,
        after_reconcile=lambda: site_with_rules.deploy("old-3", days=0),
    )
    assert "ci3/old-3/" not in list_rules(site_with_rules)
    assert "old-3" in {name for name, _ in list_removed_rules(result)}


def test_rule_that_cannot_be_removed_at_the_end_is_reported(site_with_rules: MemorySite) -> None:
    def roll_back() -> None:
        site_with_rules.put("current", body=b"old-2")
        site_with_rules.proxy.answer(*PUT, "<Error><Code>AccessDenied</Code></Error>", status=403)

    (result,) = apply(make_live_context(site_with_rules), after_reconcile=roll_back)
    assert result.outcome is RunOutcome.PARTIAL
    assert "s3:PutLifecycleConfiguration" in result.reconciled.problem


def test_live_sources_are_checked_for_the_rules_of_a_saved_plan_at_the_end(
    site_with_rules: MemorySite,
) -> None:
    context = make_live_context(site_with_rules)
    for key in [key for key in site_with_rules.content() if key.startswith("old-3/")]:
        site_with_rules.remove(key)
    plan = context.make_plan(context.open_bucket())
    (target_run,) = open_run([context], [plan]).reconcile_rules([plan])
    site_with_rules.put("current", body=b"old-2")
    result = target_run.revoke_rules()
    assert list_rules(site_with_rules) == ["logs", "ci3/old-1/"]
    assert [name for name, _ in list_removed_rules(result)] == ["old-2"]


def test_live_sources_are_not_read_again_without_rules(site: MemorySite) -> None:
    site.put("current", body=b"new")
    for name in OLD_NAMES:
        for key in [key for key in site.content() if key.startswith(f"{name}/")]:
            site.remove(key)
    make_plan(site, live_from="object:current")
    plan_request_count = len(site.proxy.requests)
    apply(make_live_context(site))
    assert len(site.proxy.requests) == 2 * plan_request_count
