"""The plan ID, the totals, and the revalidation of an approved plan."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.lifecycle.rule_status import ExistingRule, RuleStatus
from ci3.core.model.decision import Action, Reason, ReasonCode
from ci3.core.model.deployment import IgnoredEntry, Versioning
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.objects import VersionSummary
from ci3.core.model.policy import DeleteLimit, Origin, PolicyEntry
from ci3.core.plan.plan import revalidate
from tests.support.builders import (
    NOW,
    days_ago,
    deployment,
    empty_deployment,
    kept,
    plan,
    target,
    to_delete,
)
from tests.support.golden import assert_messages
from tests.support.messages import words_in

NEW, OLD = deployment("new", 1), deployment("old", 9)
ENTRY = PolicyEntry(value=3, origin=Origin.INPUT)
REFUSAL = Refusal(code=RefusalCode.MAX_DELETE, message="too many")


def make_plan(**changes):
    decisions = changes.pop("decisions", (kept(NEW), to_delete(OLD)))
    return plan(*decisions, **({"policy": {"keep-count": ENTRY}} | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": days_ago(1)},
        {"ci3_version": "9.9.9"},
        {"decisions": (to_delete(OLD, "4 newer ones, told otherwise"), kept(NEW, message="first"))},
        {"policy": {"keep-count": PolicyEntry(value=3, origin=Origin.OPTION)}},
        {"ignored": (IgnoredEntry(name="x", reason="y"),)},
        {"warnings": (PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message="m"),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_plan_id_is_independent_of_times_wording_and_order(changes):
    assert make_plan(**changes).plan_id == make_plan().plan_id


def test_plan_id_is_independent_of_the_order_of_settings():
    first, second = {"keep-count": ENTRY}, {"match": ENTRY}

    assert make_plan(policy=first | second).plan_id == make_plan(policy=second | first).plan_id


def change_deployment(**changes):
    return {"decisions": (kept(NEW), to_delete(replace(OLD, **changes)))}


@pytest.mark.parametrize(
    "changes",
    [
        {"target": replace(target(), bucket="other")},
        {"target": replace(target(), region="us-east-1")},
        {"target": replace(target(), prefix="site/")},
        {"target": replace(target(), endpoint_url="https://minio.example.org")},
        {"target": replace(target(), versioning=Versioning.ENABLED)},
        {"policy": {}},
        {"policy": {"keep-count": PolicyEntry(value=4, origin=Origin.INPUT)}},
        {"policy": {"keep-count": PolicyEntry(value="3", origin=Origin.INPUT)}},
        {"policy": {"keep-within": ENTRY}},
        {"refusals": (REFUSAL,)},
        {"decisions": (to_delete(OLD),)},
        {"decisions": (kept(NEW),)},
        {"decisions": (kept(NEW), kept(OLD))},
        {"decisions": (kept(NEW), replace(to_delete(OLD), action=Action.KEEP))},
        {"decisions": (kept(NEW, ReasonCode.PROTECTED), to_delete(OLD))},
        {"decisions": (replace(kept(NEW), group="g"), to_delete(OLD))},
        change_deployment(name="older"),
        change_deployment(prefix="site/old/"),
        change_deployment(fingerprint="0" * 64),
        change_deployment(object_count=3),
        change_deployment(size_bytes=3),
        change_deployment(oldest_at=days_ago(10)),
        change_deployment(newest_at=days_ago(8)),
        change_deployment(is_complete=False),
    ],
    ids=str,
)
def test_plan_id_depends_on_target_policy_refusals_decisions_and_fingerprints(changes):
    assert make_plan(**changes).plan_id != make_plan().plan_id


def test_plan_id_depends_on_each_reason():
    second_reason = Reason(code=ReasonCode.PROTECTED, message="protected by new")
    first = kept(NEW)

    kept_twice = replace(first, reasons=(*first.reasons, second_reason))

    assert make_plan(decisions=(kept_twice, to_delete(OLD))).plan_id != make_plan().plan_id


def test_totals_count_kept_and_deleted_deployments():
    mixed_plan = plan(
        kept(NEW),
        to_delete(OLD),
        to_delete(deployment("older", 10, size_bytes=5)),
        kept(empty_deployment("e")),
    )

    totals = mixed_plan.totals
    assert (totals.found, totals.keep, totals.delete) == (4, 2, 2)
    assert (totals.objects_to_delete, totals.bytes_to_delete, totals.bytes_to_keep) == (
        4,
        2010,
        2000,
    )


def test_refusal_makes_a_plan_not_applyable_and_a_warning_does_not():
    warning = PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message="m")

    assert make_plan(warnings=(warning,)).is_applyable
    assert not make_plan(refusals=(REFUSAL,)).is_applyable


@pytest.mark.parametrize(
    ("amount", "is_percent", "delete_count", "found_count", "is_allowed"),
    [
        (2, False, 2, 2, True),
        (2, False, 3, 900, False),
        (0, False, 0, 9, True),
        (0, False, 1, 9, False),
        (50, True, 5, 10, True),
        (50, True, 6, 10, False),
        (50, True, 5, 9, False),
        (33, True, 1, 3, False),
        (34, True, 1, 3, True),
        (100, True, 9, 9, True),
        (0, True, 0, 9, True),
        (0, True, 1, 999, False),
        (10, True, 0, 0, True),
    ],
)
def test_limit_allows_up_to_its_value(amount, is_percent, delete_count, found_count, is_allowed):
    limit = DeleteLimit(amount=amount, is_percent=is_percent)

    assert limit.allows(delete_count, found_count) is is_allowed


# Revalidation of an approved plan.

APPROVED = (kept(NEW), to_delete(OLD))


def revalidate_with(*fresh, approved=None):
    later = NOW + timedelta(days=1)
    return revalidate(plan(*(approved or APPROVED)), plan(*fresh, created_at=later))


def test_unchanged_deployment_that_is_still_to_delete_is_deleted():
    revalidated = revalidate_with(kept(NEW), to_delete(OLD, "another-reason"))

    assert revalidated.to_delete == (to_delete(OLD, "another-reason"),)
    assert revalidated.withdrawn == {}


def test_deployment_decided_to_be_deleted_after_approval_is_kept():
    assert revalidate_with(to_delete(NEW), to_delete(OLD)).to_delete == (to_delete(OLD),)
    assert revalidate_with(to_delete(deployment("other", 20)), to_delete(OLD)).to_delete == (
        to_delete(OLD),
    )


def test_deployment_that_is_now_kept_is_withdrawn_with_every_reason():
    decision = kept(OLD, ReasonCode.PROTECTED, "first-reason")
    second_reason = Reason(code=ReasonCode.KEEP_COUNT, message="second-reason")

    revalidated = revalidate_with(replace(decision, reasons=(*decision.reasons, second_reason)))

    assert revalidated.to_delete == ()
    assert revalidated.withdrawn.keys() == {"old"}
    assert {"first-reason", "second-reason"} <= words_in(revalidated.withdrawn["old"])


def test_changed_deployment_is_withdrawn():
    revalidated = revalidate_with(kept(NEW), to_delete(replace(OLD, fingerprint="0" * 64)))

    assert revalidated.to_delete == ()
    assert revalidated.withdrawn.keys() == {"old"}


def test_absent_deployment_is_withdrawn():
    revalidated = revalidate_with(kept(NEW))

    assert revalidated.to_delete == ()
    assert revalidated.withdrawn.keys() == {"old"}


VERSIONS = VersionSummary(count=1, size_bytes=10, fingerprint="1" * 64)
MORE_VERSIONS = replace(VERSIONS, count=2)
CHANGED = replace(OLD, fingerprint="0" * 64)


WITHDRAWN = {
    "gone": (),
    "changed and kept": (kept(CHANGED),),
    "objects and versions changed": (to_delete(replace(CHANGED, versions=MORE_VERSIONS)),),
    "versions changed": (to_delete(replace(OLD, versions=MORE_VERSIONS)),),
    "versions changed and kept": (kept(replace(OLD, versions=MORE_VERSIONS)),),
}


def recheck_versions(*newer):
    return revalidate_with(*newer, approved=(to_delete(replace(OLD, versions=VERSIONS)),))


@pytest.mark.parametrize("newer", WITHDRAWN.values(), ids=WITHDRAWN)
def test_deployment_that_is_not_as_approved_is_withdrawn(newer):
    result = recheck_versions(*newer)

    assert (result.withdrawn.keys(), result.to_delete) == ({"old"}, ())


def test_deployment_with_the_approved_versions_is_deleted():
    result = recheck_versions(to_delete(replace(OLD, versions=VERSIONS)))

    assert (result.withdrawn, len(result.to_delete)) == ({}, 1)


def test_first_row_of_the_documented_table_that_applies_decides():
    """The golden file shows the reason of each row."""
    cases = [(case, recheck_versions(*newer).withdrawn["old"]) for case, newer in WITHDRAWN.items()]
    assert_messages(__file__, cases)


def test_each_approved_deletion_is_confirmed_or_withdrawn():
    absent, changed, now_kept, unchanged = (deployment(name, 9) for name in ("a", "b", "c", "d"))

    revalidated = revalidate_with(
        to_delete(replace(changed, fingerprint="0" * 64)),
        kept(now_kept),
        to_delete(unchanged),
        approved=tuple(map(to_delete, (absent, changed, now_kept, unchanged))),
    )

    assert [decision.deployment.name for decision in revalidated.to_delete] == ["d"]
    assert sorted(revalidated.withdrawn) == ["a", "b", "c"]


def make_existing_rule(*, expires_in_days: float, status=RuleStatus.ACTIVE, days=20):
    rule = ManagedRule(
        prefix="gone/",
        days=days,
        noncurrent_days=None,
        expires_at=NOW + timedelta(days=expires_in_days),
    )
    return ExistingRule(rule=rule, name="gone", status=status, message="m")


BY_RULE = replace(to_delete(OLD), expire_days=9)
FIRST_END = make_existing_rule(expires_in_days=2)


@pytest.mark.parametrize(
    ("decisions", "rules", "days"),
    [
        ((kept(NEW), to_delete(OLD)), (), None),
        ((kept(NEW), BY_RULE), (), 7),
        ((kept(NEW),), (make_existing_rule(expires_in_days=5), FIRST_END), 2),
        ((kept(NEW), BY_RULE), (FIRST_END,), 2),
        (
            (kept(NEW), BY_RULE),
            (make_existing_rule(expires_in_days=-1, status=RuleStatus.KEPT),),
            7,
        ),
        ((kept(NEW),), (make_existing_rule(expires_in_days=2, status=RuleStatus.COMPLETED),), None),
        ((kept(NEW),), (make_existing_rule(expires_in_days=2, days=None),), None),
    ],
    ids=[
        "none",
        "new",
        "existing",
        "both",
        "removed and new",
        "removed",
        "noncurrent versions only",
    ],
)
def test_next_run_is_needed_when_the_first_rule_ends(decisions, rules, days):
    expected = None if days is None else NOW + timedelta(days=days)

    assert make_plan(decisions=decisions, rules=rules).next_run_by == expected


def test_next_run_is_counted_from_the_full_second_in_a_new_rule():
    created_at = NOW + timedelta(milliseconds=999)

    planned = make_plan(decisions=(BY_RULE,), created_at=created_at)

    assert planned.next_run_by == NOW + timedelta(days=7)
