"""Managed rules: their content, which deployments get one, and when they are removed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.lifecycle.configuration import ConfigurationText, Element, parse_configuration
from ci3.core.lifecycle.planning import LifecyclePlan, LifecycleSnapshot, plan_lifecycle
from ci3.core.lifecycle.rule import (
    ManagedRule,
    can_express_prefix,
    describe_edited_rules,
    parse_managed_rule,
)
from ci3.core.lifecycle.rule_assignment import assign_rules, build_rules
from ci3.core.lifecycle.rule_status import RuleContext, RuleStatus, evaluate_rules
from ci3.core.model.decision import Action, Decision, Engine, ReasonCode
from ci3.core.model.deployment import Versioning
from ci3.core.model.issues import RefusalCode
from tests.support.builders import NOW, days_ago, deployment, kept, to_delete
from tests.support.messages import words_in
from tests.support.s3.lifecycle_texts import make_rule

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1).filter(
    lambda name: "/" not in name
)


def make_old_rule(days: float, *, name: str = "old", expire_days: int = 20) -> ManagedRule:
    """Return a rule that was created `days` days ago and expires objects after `expire_days`."""
    return make_rule(f"{name}/", days=expire_days, expires_at=days_ago(days) + timedelta(days=7))


def make_context(*decisions: Decision, **changes: object) -> RuleContext:
    fields = {
        "prefix": "",
        "engine": Engine.LIFECYCLE,
        "now": NOW,
        "decisions": decisions,
        "non_deployments": {},
        "live_problems": (),
        "is_versioned": False,
    }
    return RuleContext(**(fields | changes))


def evaluate_status(rule: ManagedRule, *decisions: Decision, **changes: object) -> RuleStatus:
    (existing,) = evaluate_rules([rule], make_context(*decisions, **changes))
    return existing.status


def assign_by_name(
    *decisions: Decision, others_count: int = 0, rules: tuple = ()
) -> dict[str, Decision]:
    assignment = assign_rules(decisions, rules, now=NOW, other_rules_count=others_count)
    return {decision.deployment.name: decision for decision in assignment.decisions}


def list_codes(decision: Decision) -> set[ReasonCode]:
    return {reason.code for reason in decision.reasons}


# The content of a rule.


@given(NAMES, NAMES, st.sampled_from((None, 20)), st.sampled_from((None, 30)))
def test_rule_is_recognized_for_any_folder_name(parent, name, days, noncurrent) -> None:
    rule = make_rule(f"{parent}/{name}/", days=days, noncurrent_days=noncurrent)
    raw = ConfigurationText().with_rules([rule.elements])
    (parsed,) = parse_configuration(raw).rules
    assert parse_managed_rule(parsed.rule) == rule
    assert not describe_edited_rules([parsed], 1)
    assert rule.rule_id.isascii()


def test_rule_has_one_folder_and_the_days_to_expiration() -> None:
    (parsed,) = parse_configuration(
        ConfigurationText().with_rules([make_rule("a/b/").elements])
    ).rules
    assert parsed.rule_id == "ci3/a/b/20261202T100000Z"
    assert Element("Filter", "", (Element("Prefix", "a/b/"),)) in parsed.rule.children
    assert Element("Expiration", "", (Element("Days", "20"),)) in parsed.rule.children


@pytest.mark.parametrize(
    "edit",
    [
        ("<Status>Enabled</Status>", "<Status>Disabled</Status>"),
        ("<Days>20</Days>", "<Date>2027-01-01</Date>"),
        ("<Prefix>a/b/</Prefix>", "<Prefix>a/b</Prefix>"),
        ("<Prefix>a/b/</Prefix>", "<Prefix></Prefix>"),
        ("<Prefix>a/b/</Prefix>", "<Prefix>a/c/</Prefix>"),
        ("20261202T100000Z", "never"),
        ("</Rule>", "<Transition><Days>1</Days></Transition></Rule>"),
        ("<Days>20</Days>", "<Days>many</Days>"),
    ],
)
def test_edited_rule_is_no_managed_rule(edit) -> None:
    raw = ConfigurationText().with_rules([make_rule("a/b/").elements]).decode()
    assert edit[0] in raw
    (parsed,) = parse_configuration(raw.replace(*edit).encode()).rules
    assert parse_managed_rule(parsed.rule) is None
    assert describe_edited_rules([parsed], 1)


@pytest.mark.parametrize(
    ("prefix", "is_expressible"),
    [
        ("a/", True),
        (f"{'x' * 234}/", True),
        (f"{'x' * 235}/", False),
        ("é" * 39 + "/", True),
        ("é" * 40 + "/", False),
        ("a\rb/", False),
        ("a\x01b/", False),
        ("a\tb/", False),
        ("a<&>'\"b/", True),
    ],
)
def test_prefix_that_a_rule_cannot_express_gets_no_rule(prefix: str, is_expressible: bool) -> None:
    assert can_express_prefix(prefix) is is_expressible
    assert not is_expressible or len(make_rule(prefix).rule_id) <= 255


# Which deployments get a rule.


def test_older_deployment_gets_a_rule_and_a_younger_one_does_not() -> None:
    assigned = assign_by_name(
        kept(deployment("new", 1)),
        to_delete(deployment("young", 8.9)),
        to_delete(deployment("old", 9.5, 9.1)),
    )
    assert assigned["old"].expire_days == 9
    assert ReasonCode.BY_RULE in list_codes(assigned["old"])
    assert assigned["young"].expire_days is None
    assert ReasonCode.NOT_BY_RULE in list_codes(assigned["young"])
    assert assigned["new"] == kept(deployment("new", 1))


@given(st.lists(st.tuples(st.floats(0, 99), st.floats(0, 20), st.booleans()), max_size=8))
def test_rule_expires_only_objects_older_than_all_kept_ones(ages) -> None:
    decisions = [
        (kept if is_kept else to_delete)(deployment(f"d{number}", newest + span, newest))
        for number, (newest, span, is_kept) in enumerate(ages)
    ]
    oldest_kept = max((span + newest for newest, span, is_kept in ages if is_kept), default=0)
    for decision in assign_by_name(*decisions).values():
        if decision.expire_days is None:
            continue
        newest_at = decision.deployment.newest_at
        assert decision.is_delete
        assert decision.expire_days >= oldest_kept - 1e-6  # no kept object is that old
        assert decision.expire_days > 8  # the lifetime of a rule, and a day
        assert newest_at + timedelta(days=decision.expire_days) <= NOW  # expires immediately


@pytest.mark.parametrize(("newest_days", "days"), [(25.9, 25), (20.9, None), (8.9, None)])
def test_rule_days_are_at_least_the_age_of_the_oldest_kept_object(newest_days, days) -> None:
    """The example of `rule_assignment`: the oldest kept object is 20.5 days old."""
    assigned = assign_by_name(
        kept(deployment("new", 20.5, 1)), to_delete(deployment("old", newest_days))
    )
    assert assigned["old"].expire_days == days


def test_deployment_younger_than_a_protected_one_gets_no_rule() -> None:
    assigned = assign_by_name(kept(deployment("release", 400)), to_delete(deployment("old", 90)))
    assert assigned["old"].expire_days is None
    assert list_codes(assigned["old"]) == {ReasonCode.SUPERSEDED, ReasonCode.NOT_BY_RULE}


def test_oldest_deployments_get_the_free_rules_and_others_are_kept() -> None:
    assigned = assign_by_name(
        kept(deployment("new", 1)),
        *(to_delete(deployment(f"old-{age}", age)) for age in range(20, 25)),
        others_count=998,
    )
    by_rule = {name for name, decision in assigned.items() if decision.expire_days}
    assert by_rule == {"old-24", "old-23"}
    for name in ("old-20", "old-21", "old-22"):
        assert assigned[name].is_keep
        assert ReasonCode.NO_ROOM_FOR_RULE in list_codes(assigned[name])


def test_deployment_with_a_rule_is_expiring_and_gets_no_second_rule() -> None:
    rules = evaluate_rules(
        [make_old_rule(1, name="old")],
        make_context(to_delete(deployment("old", 30))),
    )
    assigned = assign_by_name(
        kept(deployment("new", 1)), to_delete(deployment("old", 30)), rules=rules
    )
    assert assigned["old"].action is Action.EXPIRING
    assert assigned["old"].reasons[0].code is ReasonCode.EXPIRING
    assert [*build_rules(assigned.values(), now=NOW, is_versioned=False)] == []


@pytest.mark.parametrize(
    "decision",
    [
        replace(to_delete(deployment("old", 30)), expire_days=31),
        replace(to_delete(deployment("old", 30)), expire_days=8),
        replace(to_delete(deployment("old", 30)), expire_days=1),
        replace(to_delete(replace(deployment("old", 30), prefix="")), expire_days=20),
        replace(to_delete(replace(deployment("old", 30), name="", prefix="/")), expire_days=20),
        replace(to_delete(replace(deployment("old", 30), newest_at=None)), expire_days=20),
    ],
)
def test_invalid_rule_is_never_built(decision: Decision) -> None:
    with pytest.raises(ValueError, match=f"'{decision.deployment.prefix}'"):
        list(build_rules([decision], now=NOW, is_versioned=False))


def test_rule_keeps_noncurrent_versions_only_in_a_versioned_bucket() -> None:
    decision = replace(to_delete(deployment("old", 30)), expire_days=30)
    ((_, plain),) = build_rules([decision], now=NOW, is_versioned=False)
    ((_, versioned),) = build_rules([decision], now=NOW, is_versioned=True)
    assert (plain.noncurrent_days, versioned.noncurrent_days) == (None, 30)
    assert plain.expires_at == NOW + timedelta(days=7)


# When rules are removed.


@pytest.mark.parametrize(
    ("rule", "decision", "changes", "status"),
    [
        pytest.param(make_old_rule(1), to_delete(deployment("old", 30)), {}, RuleStatus.ACTIVE,
                     id="still to delete"),
        pytest.param(make_old_rule(1), None, {}, RuleStatus.COMPLETED, id="no objects"),
        pytest.param(make_old_rule(1), None, {"is_versioned": True}, RuleStatus.NONCURRENT_LEFT,
                     id="only noncurrent versions"),
        pytest.param(make_old_rule(1), None,
                     {"is_versioned": True, "engine": Engine.DIRECT}, RuleStatus.NONCURRENT_LEFT,
                     id="only noncurrent versions, engine direct"),
        pytest.param(replace(make_old_rule(1), noncurrent_days=30), None,
                     {"engine": Engine.DIRECT}, RuleStatus.NONCURRENT_LEFT,
                     id="only noncurrent versions, versioning off"),
        pytest.param(make_old_rule(1), kept(deployment("old", 30)), {}, RuleStatus.KEPT,
                     id="now kept, live or pinned"),
        pytest.param(make_old_rule(1), None, {"non_deployments": {"old": "match leaves it out"}},
                     RuleStatus.KEPT, id="not a deployment"),
        pytest.param(make_old_rule(1), to_delete(deployment("old", 30, 0.5)), {},
                     RuleStatus.CHANGED, id="partly redeployed"),
        pytest.param(make_old_rule(1), to_delete(deployment("old", 30, 18)), {},
                     RuleStatus.CHANGED, id="old, and younger than the rule allows"),
        pytest.param(make_old_rule(3), to_delete(deployment("old", 30, 5)), {}, RuleStatus.CHANGED,
                     id="younger than the rule allows"),
        pytest.param(make_old_rule(7), to_delete(deployment("old", 30)), {},
                     RuleStatus.LIFETIME_ENDED, id="lifetime ended"),
        pytest.param(make_old_rule(6.9), to_delete(deployment("old", 30)), {}, RuleStatus.ACTIVE,
                     id="lifetime not ended"),
        pytest.param(make_old_rule(1), to_delete(deployment("old", 30)),
            {"live_problems": ("down",)},
                     RuleStatus.LIVE_UNKNOWN, id="live unknown"),
        pytest.param(make_old_rule(1), None, {"live_problems": ("down",)}, RuleStatus.LIVE_UNKNOWN,
                     id="live unknown, no objects"),
        pytest.param(make_old_rule(1), to_delete(deployment("old", 30)),
                     {"engine": Engine.DIRECT}, RuleStatus.OTHER_ENGINE, id="engine direct"),
        pytest.param(make_old_rule(1, expire_days=None), None, {}, RuleStatus.ACTIVE,
                     id="replacement rule, no objects"),
        pytest.param(make_old_rule(1, expire_days=None), to_delete(deployment("old", 30)), {},
                     RuleStatus.CHANGED, id="replacement rule, redeployed"),
        pytest.param(make_old_rule(8, expire_days=None), None, {}, RuleStatus.LIFETIME_ENDED,
                     id="replacement rule, lifetime ended"),
    ],
)  # fmt: skip
def test_rule_is_active_only_while_nothing_has_changed(rule, decision, changes, status) -> None:
    assert evaluate_status(rule, *([decision] if decision else []), **changes) is status


@pytest.mark.parametrize(
    ("newest_days", "condition", "status"),
    [
        (30, "to delete", RuleStatus.ACTIVE),
        (21, "to delete", RuleStatus.ACTIVE),
        (20.9, "to delete", RuleStatus.CHANGED),
        (0.5, "to delete", RuleStatus.CHANGED),
        (30, "kept now", RuleStatus.KEPT),
        (30, "live unknown", RuleStatus.LIVE_UNKNOWN),
        (30, "7 days since the creation", RuleStatus.LIFETIME_ENDED),
        (30, "engine: direct", RuleStatus.OTHER_ENGINE),
        (None, "unversioned bucket", RuleStatus.COMPLETED),
        (None, "versioned-bucket", RuleStatus.NONCURRENT_LEFT),
        (None, "live unknown", RuleStatus.LIVE_UNKNOWN),
    ],
)
def test_status_of_a_rule_with_20_days_created_a_day_ago(newest_days, condition, status) -> None:
    """The table of `rule_status`."""
    is_kept, is_over = condition == "kept now", condition == "7 days since the creation"
    decisions = []
    if newest_days is not None:
        decisions.append((kept if is_kept else to_delete)(deployment("old", newest_days)))
    assert status is evaluate_status(
        make_old_rule(7 if is_over else 1, expire_days=20),
        *decisions,
        engine=Engine.DIRECT if condition == "engine: direct" else Engine.LIFECYCLE,
        live_problems=("down",) if condition == "live unknown" else (),
        is_versioned=condition == "versioned-bucket",
    )


def test_rule_of_another_target_is_not_evaluated() -> None:
    context = make_context(prefix="site/")
    rules = [make_rule("old/"), make_rule("site/a/b/"), make_rule("site/"), make_rule("sites/old/")]
    assert evaluate_rules(rules, context) == ()
    (evaluated,) = evaluate_rules([*rules, make_rule("site/old/")], context)
    assert evaluated.name == "old"


def test_replacement_rule_expires_only_noncurrent_versions_and_lasts_longer() -> None:
    existing = evaluate_rules(
        [make_old_rule(1)],
        make_context(is_versioned=True),
    )[0]
    replacement = replace(
        existing, rule=replace(existing.rule, noncurrent_days=30)
    ).build_replacement(NOW)
    assert replacement.days is None
    assert replacement.expires_at == NOW + timedelta(days=37)
    assert (
        Element("Expiration", "", (Element("ExpiredObjectDeleteMarker", "true"),))
        in replacement.elements
    )
    assert existing.should_remove


# What a plan reports.


def plan_rules(
    *decisions: Decision, snapshot: LifecycleSnapshot | None = None, **changes: object
) -> LifecyclePlan:
    context = make_context(*decisions)
    fields = {"versioning": Versioning.DISABLED}
    return plan_lifecycle(snapshot or LifecycleSnapshot(), context, **(fields | changes))


@pytest.mark.parametrize(("is_reported", "is_refused"), [(True, False), (False, True)])
def test_age_of_the_oldest_kept_deployment_may_come_from_a_report(
    is_reported: bool, is_refused: bool
) -> None:
    """Objects in an outdated report are at least as old as reported."""
    reported = replace(
        deployment("new", 1), is_fully_listed=False, is_from_report=is_reported, fingerprint=""
    )
    planned = plan_rules(kept(reported), to_delete(deployment("old", 30)))
    assert bool(planned.refusals) is is_refused
    assert any(decision.expire_days for decision in planned.decisions) is not is_refused


def test_refusal_leaves_the_decisions_unchanged() -> None:
    decisions = (kept(deployment("new", 1)), to_delete(deployment("old", 30)))
    planned = plan_rules(*decisions, needs_mfa=True)
    assert planned.decisions == decisions
    assert [refusal.code for refusal in planned.refusals] == [RefusalCode.LIFECYCLE]


@pytest.mark.parametrize("versioning", [*Versioning])
@pytest.mark.parametrize("is_unsupported", [False, True])
def test_direct_run_warns_if_it_cannot_read_the_rules(
    versioning: Versioning, is_unsupported: bool
) -> None:
    context = make_context(engine=Engine.DIRECT)
    snapshot = LifecycleSnapshot(problem="a-problem", is_unsupported=is_unsupported)
    planned = plan_lifecycle(snapshot, context, versioning=versioning)
    assert ["a-problem" in words_in(warning.message) for warning in planned.warnings] == [True] * (
        not is_unsupported
    )
