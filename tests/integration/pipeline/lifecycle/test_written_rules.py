"""The lifecycle rules that a run writes, and the refusals of engine: lifecycle."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.model.result import RunOutcome
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
from tests.support.s3.lifecycle_texts import config, configurations, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite, intercept_requests


def test_each_old_deployment_gets_a_rule_and_nothing_is_deleted(site: MemorySite) -> None:
    before = site.content()
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED
    assert list_rules(site) == ["logs", *MANAGED_RULES]
    assert run.result.expiring_names == set(OLD_NAMES)
    assert (run.result.deployments_deleted, run.result.bytes_deleted) == (0, 0)
    assert run.target_result.outputs["deployments-expiring"] == 3
    assert run.target_result.outputs["objects-deleted"] == 0
    assert site.content() == before
    assert [request.method for request in site.proxy.requests if request.is_write] == ["PUT"]
    assert "<Days>20</Days>" in site.lifecycle.decode()


def test_younger_deployments_are_deleted_directly_in_the_same_run(site: MemorySite) -> None:
    site.deploy("young", days=3)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED
    assert run.result.deployments_deleted == 1
    assert run.result.expiring_names == set(OLD_NAMES)
    assert "young" not in site.folders()
    assert [record["record"] for record in run.records] == [
        "header", "rules", "rules-outcome", "intent", "outcome", "end",
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(configurations())
def test_foreign_rules_are_unchanged_after_apply_and_reconcile(raw: bytes) -> None:
    site = MemorySite()
    site.deploy("new", days=1)
    site.deploy("old-1", days=20)
    site.lifecycle = raw
    with intercept_requests(site.proxy.handle):
        run = LifecycleRun(site)
        assert run.result.expiring_names == {"old-1"}, run.stop_reason
        remaining_rules = re.sub(rb"<((?:s3:|a:)?)Rule><\1ID>ci3/.*?</\1Rule>", b"", site.lifecycle)
        assert remaining_rules == raw
        assert site.lifecycle != raw
        for key in [key for key in site.content() if key.startswith("old-1/")]:
            site.remove(key)
        (result,) = apply(make_context(site, engine="lifecycle"))
        assert [removal.name for removal in result.reconciled.removed] == ["old-1"]
        assert site.lifecycle == raw


def test_bucket_without_rules_has_none_after_its_managed_rules_are_removed(
    site: MemorySite,
) -> None:
    site.lifecycle = b""
    assert LifecycleRun(site).outcome is RunOutcome.APPLIED
    assert len(rule_ids(site.lifecycle)) == 3
    for key in [key for key in site.content() if key.startswith("old-")]:
        site.remove(key)
    (result,) = apply(make_context(site, engine="lifecycle"))
    assert result.outcome is RunOutcome.NOTHING_TO_DELETE
    assert site.lifecycle == b""
    assert site.proxy.find_requests("DELETE", r"\?lifecycle")


def test_default_minimum_size_for_transitions_is_echoed(site: MemorySite) -> None:
    site.transition_minimum = "varies_by_storage_class"
    assert LifecycleRun(site).outcome is RunOutcome.APPLIED
    assert site.transition_minimum == "varies_by_storage_class"


def test_journal_has_previous_and_new_rules_before_they_are_written(
    site: MemorySite,
) -> None:
    records_before_write: list[list[str]] = []

    def read_journal() -> None:
        (path,) = Path().glob("journal-*.jsonl")
        records_before_write.append(
            [json.loads(line)["record"] for line in path.read_text().splitlines()]
        )

    site.proxy.call_before(*PUT, read_journal)
    run = LifecycleRun(site)
    assert records_before_write == [["header", "rules"]]
    intent = run.find_record("rules")
    assert intent["before"].encode() == FOREIGN
    assert {rule["prefix"] for rule in intent["rules"]} == {f"{name}/" for name in OLD_NAMES}
    assert run.find_record("rules-outcome")["outcome"] == "written"


def test_rules_of_a_versioned_bucket_keep_noncurrent_versions_for_30_days(site: MemorySite) -> None:
    site.enable_versioning()
    assert LifecycleRun(site).outcome is RunOutcome.APPLIED
    assert site.lifecycle.count(b"<NoncurrentDays>30</NoncurrentDays>") == 3


def test_plan_sends_no_writes(site: MemorySite) -> None:
    make_plan(site)
    assert all(request.method in ("GET", "HEAD") for request in site.proxy.requests)


def read_refusals(site: MemorySite, **settings: str) -> str:
    plan = make_plan(site, **settings)
    assert not plan.is_applyable
    assert {refusal.code for refusal in plan.refusals} <= {
        RefusalCode.LIFECYCLE,
        RefusalCode.VERSIONING_UNKNOWN,
    }
    return "\n".join(refusal.message for refusal in plan.refusals)


def test_rules_with_an_unknown_element_are_refused(site: MemorySite) -> None:
    site.lifecycle = config("<Rule><ID>a</ID><Status>Enabled</Status><Novelty/></Rule>")
    assert "<Novelty>" in read_refusals(site)


def test_bucket_with_mfa_delete_is_refused(site: MemorySite, assert_screen) -> None:
    site.enable_versioning()
    site._bucket.needs_mfa = True
    assert_screen(read_refusals(site))


def test_delete_versions_is_refused_on_a_versioned_bucket(site: MemorySite, assert_screen) -> None:
    assert make_plan(site, delete_versions="true").is_applyable
    site.enable_versioning()
    assert_screen(read_refusals(site, delete_versions="true"))


def test_unknown_versioning_is_refused(site: MemorySite) -> None:
    site.proxy.answer("GET", r"\?versioning", status=403)
    assert "s3:GetBucketVersioning" in read_refusals(site)


def test_incomplete_listing_of_kept_deployments_is_refused(site: MemorySite, assert_screen) -> None:
    for number in range(1001):
        site.put(f"new/{number:05}", days=1)
    assert_screen(read_refusals(site, age_from="first-object"))


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("status", "body"),
    [(403, ""), (501, ""), (404, ""), (200, ""), (200, "<html/>"), (200, FOREIGN[:99])],
    ids=["denied", "unsupported", "not found", "empty", "html", "cut off"],
)
def test_unreadable_configuration_is_refused(
    site: MemorySite, status: int, body: str | bytes, assert_screen
) -> None:
    site.proxy.answer(*GET, body, status=status)
    assert_screen(read_refusals(site))
    assert make_plan(site, engine="direct").is_applyable


def test_rules_over_the_limit_of_a_bucket_are_left_to_a_later_run(
    site: MemorySite, assert_screen
) -> None:
    site.lifecycle = config("".join(foreign_rule(f"r{number}") for number in range(998)))
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED
    assert run.result.expiring_names == {"old-2", "old-3"}
    assert run.plan.totals.delete == 2
    (warning,) = [warning for warning in run.plan.warnings if warning.code is WarningCode.LIFECYCLE]
    assert_screen(warning.message)
    assert len(rule_ids(site.lifecycle)) == 1000
