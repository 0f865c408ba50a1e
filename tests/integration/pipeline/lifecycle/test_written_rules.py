"""What is written for deployments that are left to S3, and what forbids leaving them to it."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.model.result import RunOutcome
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
from tests.support.s3.lifecycle_texts import config, configurations, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite, intercept_requests


def test_each_old_deployment_gets_a_rule_and_nothing_is_deleted(site: MemorySite) -> None:
    before = site.content()
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED
    assert written(site) == ["logs", *OURS]
    assert ran.result.expiring_names == set(DOOMED)
    assert (ran.result.deployments_deleted, ran.result.bytes_deleted) == (0, 0)
    assert ran.account.outputs["deployments-expiring"] == 3
    assert ran.account.outputs["objects-deleted"] == 0
    assert site.content() == before
    assert [one.method for one in site.proxy.requests if one.is_write] == ["PUT"]
    assert "<Days>20</Days>" in site.lifecycle.decode()


def test_younger_ones_are_deleted_directly_in_the_same_run(site: MemorySite) -> None:
    site.deploy("young", days=3)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED
    assert ran.result.deployments_deleted == 1
    assert ran.result.expiring_names == set(DOOMED)
    assert "young" not in site.folders()
    assert [one["record"] for one in ran.records] == [
        "header", "rules", "rules-outcome", "intent", "outcome", "end",
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(configurations())
def test_rules_of_others_stay_byte_for_byte_through_apply_and_reconcile(raw: bytes) -> None:
    site = MemorySite()
    site.deploy("new", days=1)
    site.deploy("old-1", days=20)
    site.lifecycle = raw
    with intercept_requests(site.proxy.handle):
        ran = Ran(site)
        assert ran.result.expiring_names == {"old-1"}, ran.stop_reason
        rest = re.sub(rb"<((?:s3:|a:)?)Rule><\1ID>ci3/.*?</\1Rule>", b"", site.lifecycle)
        assert rest == raw
        assert site.lifecycle != raw
        for key in [key for key in site.content() if key.startswith("old-1/")]:
            site.remove(key)
        (account,) = apply(make_context(site, engine="lifecycle"))
        assert [one.name for one in account.reconciled.removed] == ["old-1"]
        assert site.lifecycle == raw


def test_bucket_without_rules_has_none_again_when_all_is_done(site: MemorySite) -> None:
    site.lifecycle = b""
    assert Ran(site).outcome is RunOutcome.APPLIED
    assert len(rule_ids(site.lifecycle)) == 3
    for key in [key for key in site.content() if key.startswith("old-")]:
        site.remove(key)
    (account,) = apply(make_context(site, engine="lifecycle"))
    assert account.outcome is RunOutcome.NOTHING_TO_DELETE
    assert site.lifecycle == b""
    assert site.proxy.find_requests("DELETE", r"\?lifecycle")


def test_default_minimum_size_for_transitions_is_echoed(site: MemorySite) -> None:
    site.transition_minimum = "varies_by_storage_class"
    assert Ran(site).outcome is RunOutcome.APPLIED
    assert site.transition_minimum == "varies_by_storage_class"


def test_journal_has_what_stood_there_and_the_rules_before_they_are_written(
    site: MemorySite,
) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        (path,) = Path().glob("journal-*.jsonl")
        seen.append([json.loads(line)["record"] for line in path.read_text().splitlines()])

    site.proxy.call_before(*PUT, look)
    ran = Ran(site)
    assert seen == [["header", "rules"]]
    intent = ran.record("rules")
    assert intent["before"].encode() == FOREIGN
    assert {one["prefix"] for one in intent["rules"]} == {f"{name}/" for name in DOOMED}
    assert ran.record("rules-outcome")["outcome"] == "written"


def test_versioned_bucket_keeps_what_is_hidden_for_the_time_of_an_undo(site: MemorySite) -> None:
    site.enable_versioning()
    assert Ran(site).outcome is RunOutcome.APPLIED
    assert site.lifecycle.count(b"<NoncurrentDays>30</NoncurrentDays>") == 3


def test_plan_alone_writes_nothing(site: MemorySite) -> None:
    plan_of(site)
    assert all(one.method in ("GET", "HEAD") for one in site.proxy.requests)


def refused(site: MemorySite, **changes: str) -> str:
    plan = plan_of(site, **changes)
    assert not plan.is_applyable
    assert {refusal.code for refusal in plan.refusals} <= {
        RefusalCode.LIFECYCLE,
        RefusalCode.VERSIONING_UNKNOWN,
    }
    return "\n".join(refusal.message for refusal in plan.refusals)


def test_unknown_element_refuses(site: MemorySite) -> None:
    site.lifecycle = config("<Rule><ID>a</ID><Status>Enabled</Status><Novelty/></Rule>")
    assert "<Novelty>" in refused(site)


def test_mfa_delete_refuses(site: MemorySite, assert_screen) -> None:
    site.enable_versioning()
    site._bucket.needs_mfa = True
    assert_screen(refused(site))


def test_delete_versions_refuses_where_there_are_any(site: MemorySite, assert_screen) -> None:
    assert plan_of(site, delete_versions="true").is_applyable
    site.enable_versioning()
    assert_screen(refused(site, delete_versions="true"))


def test_unknown_versioning_refuses(site: MemorySite) -> None:
    site.proxy.answer("GET", r"\?versioning", status=403)
    assert "s3:GetBucketVersioning" in refused(site)


def test_not_knowing_all_that_is_kept_refuses(site: MemorySite, assert_screen) -> None:
    for number in range(1001):
        site.put(f"new/{number:05}", days=1)
    assert_screen(refused(site, age_from="first-object"))


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("status", "body"),
    [(403, ""), (501, ""), (404, ""), (200, ""), (200, "<html/>"), (200, FOREIGN[:99])],
    ids=["denied", "unsupported", "not found", "empty", "html", "cut off"],
)
def test_configuration_that_cannot_be_read_refuses(
    site: MemorySite, status: int, body: str | bytes, assert_screen
) -> None:
    site.proxy.answer(*GET, body, status=status)
    assert_screen(refused(site))
    assert plan_of(site, engine="direct").is_applyable


def test_rules_beyond_what_a_bucket_holds_wait_for_a_later_run(
    site: MemorySite, assert_screen
) -> None:
    site.lifecycle = config("".join(foreign_rule(f"r{number}") for number in range(998)))
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED
    assert ran.result.expiring_names == {"old-2", "old-3"}
    assert ran.plan.totals.delete == 2
    (warning,) = [one for one in ran.plan.warnings if one.code is WarningCode.LIFECYCLE]
    assert_screen(warning.message)
    assert len(rule_ids(site.lifecycle)) == 1000
