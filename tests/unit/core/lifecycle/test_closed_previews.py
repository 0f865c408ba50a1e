"""Previews of closed pull requests get no lifecycle rule, and existing ones are removed."""

from dataclasses import replace
from datetime import timedelta

from ci3.core.lifecycle.rule_assignment import assign_rules
from ci3.core.lifecycle.rule_status import RuleContext, RuleStatus, evaluate_rules
from ci3.core.model.decision import Action, Decision, Engine, Reason, ReasonCode
from tests.support.builders import NOW, days_ago, deployment, kept, to_delete
from tests.support.s3.lifecycle_texts import make_rule

NEW = kept(deployment("new", 1))
SUPERSEDED = to_delete(deployment("pr-12", 30))
EXPIRED = replace(
    SUPERSEDED, reasons=(Reason(code=ReasonCode.EXPIRE_CLOSED, message="closed 4 days ago"),)
)


def assign(decision: Decision) -> Decision:
    return assign_rules([NEW, decision], [], now=NOW, other_rules_count=0).decisions[1]


def test_expired_preview_is_deleted_directly_and_a_superseded_one_by_a_rule():
    assert assign(SUPERSEDED).expire_days == 30
    assert assign(EXPIRED).is_direct_delete
    assert assign(EXPIRED).has_reason(ReasonCode.NOT_BY_RULE)


def test_existing_rule_of_an_expired_preview_is_removed():
    rule = make_rule("pr-12/", days=20, expires_at=days_ago(1) + timedelta(days=7))
    statuses = []
    for decision in (SUPERSEDED, EXPIRED):
        context = RuleContext(
            prefix="",
            engine=Engine.LIFECYCLE,
            now=NOW,
            decisions=(NEW, decision),
            non_deployments={},
            live_problems=(),
            is_versioned=False,
        )
        [existing] = evaluate_rules([rule], context)
        statuses.append(existing.status)
    assert statuses == [RuleStatus.ACTIVE, RuleStatus.OTHER_ENGINE]


def test_only_a_deletion_is_of_an_expired_preview():
    assert EXPIRED.is_expired
    assert not EXPIRED.is_counted
    assert not replace(EXPIRED, action=Action.KEEP).is_expired
    assert not SUPERSEDED.is_expired
