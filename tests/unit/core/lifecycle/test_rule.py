"""Managed rules: their content, which deployments get one, and when they are removed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

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


def standing_since(days: float, *, name: str = "old", of: int = 20) -> ManagedRule:
    """A rule that was made so many days ago."""
    return make_rule(f"{name}/", days=of, expires_at=days_ago(days) + timedelta(days=7))


def status_of(
    rule: ManagedRule,
    *decisions: Decision,
    engine: Engine = Engine.LIFECYCLE,
    non_deployments: Mapping[str, str] = MappingProxyType({}),
    live_problems: Sequence[str] = (),
    is_versioned: bool = False,
) -> RuleStatus:
    context = RuleContext(
        prefix="",
        engine=engine,
        now=NOW,
        decisions=decisions,
        non_deployments=non_deployments,
        live_problems=live_problems,
        is_versioned=is_versioned,
    )
    (existing,) = evaluate_rules([rule], context)
    return existing.status


def allotted(*decisions: Decision, others_count: int = 0, rules: tuple = ()) -> dict[str, Decision]:
    found = assign_rules(decisions, rules, now=NOW, other_rules_count=others_count)
    return {warning.deployment.name: warning for warning in found.decisions}


def codes(decision: Decision) -> set[ReasonCode]:
    return {warning.code for warning in decision.reasons}


# What a rule says.


@given(NAMES, NAMES, st.sampled_from((None, 20)), st.sampled_from((None, 30)))
def test_rule_is_known_again_whatever_its_folder_is_called(parent, name, days, noncurrent) -> None:
    made = make_rule(f"{parent}/{name}/", days=days, noncurrent_days=noncurrent)
    raw = ConfigurationText().with_rules([made.elements])
    (found,) = parse_configuration(raw).rules
    assert parse_managed_rule(found.rule) == made
    assert not describe_edited_rules([found], 1)
    assert made.rule_id.isascii()


def test_rule_names_one_folder_and_days_and_nothing_that_acts_at_once() -> None:
    (found,) = parse_configuration(
        ConfigurationText().with_rules([make_rule("a/b/").elements])
    ).rules
    assert found.rule_id == "ci3/a/b/20261202T100000Z"
    assert Element("Filter", "", (Element("Prefix", "a/b/"),)) in found.rule.children
    assert Element("Expiration", "", (Element("Days", "20"),)) in found.rule.children


@pytest.mark.parametrize(
    "changed",
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
def test_rule_that_somebody_has_changed_is_not_ours_any_more(changed) -> None:
    raw = ConfigurationText().with_rules([make_rule("a/b/").elements]).decode()
    assert changed[0] in raw
    (found,) = parse_configuration(raw.replace(*changed).encode()).rules
    assert parse_managed_rule(found.rule) is None
    assert describe_edited_rules([found], 1)


@pytest.mark.parametrize(
    ("prefix", "can"),
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
def test_name_that_does_not_fit_into_a_rule_gets_none(prefix: str, can: bool) -> None:
    assert can_express_prefix(prefix) is can
    assert not can or len(make_rule(prefix).rule_id) <= 255


# Which deployments get one: the first guard.


def test_old_ones_go_by_rule_and_younger_ones_directly() -> None:
    found = allotted(
        kept(deployment("new", 1)),
        to_delete(deployment("young", 8.9)),
        to_delete(deployment("old", 9.5, 9.1)),
    )
    assert found["old"].expire_days == 9
    assert ReasonCode.BY_RULE in codes(found["old"])
    assert found["young"].expire_days is None
    assert ReasonCode.NOT_BY_RULE in codes(found["young"])
    assert found["new"] == kept(deployment("new", 1))


@given(st.lists(st.tuples(st.floats(0, 99), st.floats(0, 20), st.booleans()), max_size=8))
def test_days_are_such_that_only_what_is_older_than_all_that_is_kept_goes(ages) -> None:
    decisions = [
        (kept if is_kept else to_delete)(deployment(f"d{number}", newest + span, newest))
        for number, (newest, span, is_kept) in enumerate(ages)
    ]
    oldest_kept = max((span + newest for newest, span, is_kept in ages if is_kept), default=0)
    for warning in allotted(*decisions).values():
        if warning.expire_days is None:
            continue
        newest_at = warning.deployment.newest_at
        assert warning.is_delete
        assert warning.expire_days >= oldest_kept - 1e-6  # nothing kept, ever, is as old as that
        assert warning.expire_days > 8  # the term, and a day
        assert newest_at + timedelta(days=warning.expire_days) <= NOW  # it is due at once


@pytest.mark.parametrize(("newest_days", "days"), [(25.9, 25), (20.9, None), (8.9, None)])
def test_rule_days_are_at_least_the_age_of_the_oldest_kept_object(newest_days, days) -> None:
    """The example of `rule_assignment`: the oldest object that is kept is 20.5 days old."""
    found = allotted(kept(deployment("new", 20.5, 1)), to_delete(deployment("old", newest_days)))
    assert found["old"].expire_days == days


def test_nothing_goes_by_rule_that_is_not_older_than_what_is_protected() -> None:
    found = allotted(kept(deployment("release", 400)), to_delete(deployment("old", 90)))
    assert found["old"].expire_days is None
    assert codes(found["old"]) == {ReasonCode.SUPERSEDED, ReasonCode.NOT_BY_RULE}


def test_oldest_go_first_where_rules_have_no_room_and_the_rest_stays_for_later() -> None:
    found = allotted(
        kept(deployment("new", 1)),
        *(to_delete(deployment(f"old-{age}", age)) for age in range(20, 25)),
        others_count=998,
    )
    by_rule = {name for name, warning in found.items() if warning.expire_days}
    assert by_rule == {"old-24", "old-23"}
    for name in ("old-20", "old-21", "old-22"):
        assert found[name].is_keep
        assert ReasonCode.NO_ROOM_FOR_RULE in codes(found[name])


def test_one_that_a_rule_stands_for_is_expiring_and_takes_no_second_rule() -> None:
    rules = evaluate_rules(
        [standing_since(1, name="old")],
        RuleContext(prefix="", engine=Engine.LIFECYCLE, now=NOW,
              decisions=(to_delete(deployment("old", 30)),), non_deployments={}, live_problems=(),
              is_versioned=False),
    )  # fmt: skip
    found = allotted(kept(deployment("new", 1)), to_delete(deployment("old", 30)), rules=rules)
    assert found["old"].action is Action.EXPIRING
    assert found["old"].reasons[0].code is ReasonCode.EXPIRING
    assert [*build_rules(found.values(), now=NOW, is_versioned=False)] == []


@pytest.mark.parametrize(
    "odd",
    [
        replace(to_delete(deployment("old", 30)), expire_days=31),
        replace(to_delete(deployment("old", 30)), expire_days=8),
        replace(to_delete(deployment("old", 30)), expire_days=1),
        replace(to_delete(replace(deployment("old", 30), prefix="")), expire_days=20),
        replace(to_delete(replace(deployment("old", 30), name="", prefix="/")), expire_days=20),
        replace(to_delete(replace(deployment("old", 30), newest_at=None)), expire_days=20),
    ],
)
def test_rule_that_a_guard_forbids_is_never_made(odd: Decision) -> None:
    with pytest.raises(ValueError, match=f"'{odd.deployment.prefix}'"):
        list(build_rules([odd], now=NOW, is_versioned=False))


def test_versions_are_kept_for_the_time_of_an_undo_where_there_are_any() -> None:
    due = replace(to_delete(deployment("old", 30)), expire_days=30)
    ((_, plain),) = build_rules([due], now=NOW, is_versioned=False)
    ((_, versioned),) = build_rules([due], now=NOW, is_versioned=True)
    assert (plain.noncurrent_days, versioned.noncurrent_days) == (None, 30)
    assert plain.expires_at == NOW + timedelta(days=7)


# When they go: the second guard.


@pytest.mark.parametrize(
    ("rule", "decision", "changes", "fate"),
    [
        pytest.param(standing_since(1), to_delete(deployment("old", 30)), {}, RuleStatus.ACTIVE,
                     id="still due"),
        pytest.param(standing_since(1), None, {}, RuleStatus.COMPLETED, id="nothing left"),
        pytest.param(standing_since(1), None, {"is_versioned": True}, RuleStatus.NONCURRENT_LEFT,
                     id="only old versions left"),
        pytest.param(standing_since(1), None,
                     {"is_versioned": True, "engine": Engine.DIRECT}, RuleStatus.NONCURRENT_LEFT,
                     id="only old versions left, and the engine is direct now"),
        pytest.param(replace(standing_since(1), noncurrent_days=30), None,
                     {"engine": Engine.DIRECT}, RuleStatus.NONCURRENT_LEFT,
                     id="only old versions left, and the bucket keeps no new ones"),
        pytest.param(standing_since(1), kept(deployment("old", 30)), {}, RuleStatus.KEPT,
                     id="kept, live or pinned by now"),
        pytest.param(standing_since(1), None, {"non_deployments": {"old": "match leaves it out"}},
                     RuleStatus.KEPT, id="no deployment any more"),
        pytest.param(standing_since(1), to_delete(deployment("old", 30, 0.5)), {},
                     RuleStatus.CHANGED, id="re-deployed in part"),
        pytest.param(standing_since(1), to_delete(deployment("old", 30, 18)), {},
                     RuleStatus.CHANGED, id="old, and younger than the rule allows"),
        pytest.param(standing_since(3), to_delete(deployment("old", 30, 5)), {}, RuleStatus.CHANGED,
                     id="younger than the rule allows"),
        pytest.param(standing_since(7), to_delete(deployment("old", 30)), {},
                     RuleStatus.LIFETIME_ENDED, id="its term is over"),
        pytest.param(standing_since(6.9), to_delete(deployment("old", 30)), {}, RuleStatus.ACTIVE,
                     id="its term is not over"),
        pytest.param(standing_since(1), to_delete(deployment("old", 30)),
            {"live_problems": ("down",)},
                     RuleStatus.LIVE_UNKNOWN, id="not known what is live"),
        pytest.param(standing_since(1), None, {"live_problems": ("down",)}, RuleStatus.LIVE_UNKNOWN,
                     id="not known, and nothing left"),
        pytest.param(standing_since(1), to_delete(deployment("old", 30)),
                     {"engine": Engine.DIRECT}, RuleStatus.OTHER_ENGINE, id="back to direct"),
        pytest.param(standing_since(1, of=None), None, {}, RuleStatus.ACTIVE,
                     id="follower of what is gone"),
        pytest.param(standing_since(1, of=None), to_delete(deployment("old", 30)), {},
                     RuleStatus.CHANGED, id="follower of what is back"),
        pytest.param(standing_since(8, of=None), None, {}, RuleStatus.LIFETIME_ENDED,
                     id="follower whose time is over"),
    ],
)  # fmt: skip
def test_rule_stands_only_while_all_is_as_it_was(rule, decision, changes, fate) -> None:
    assert status_of(rule, *([decision] if decision else []), **changes) is fate


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
def test_status_of_a_rule_with_20_days_made_a_day_ago(newest_days, condition, status) -> None:
    """The table of `rule_status`."""
    is_kept, is_over = condition == "kept now", condition == "7 days since the creation"
    decisions = []
    if newest_days is not None:
        decisions.append((kept if is_kept else to_delete)(deployment("old", newest_days)))
    assert status is status_of(
        standing_since(7 if is_over else 1, of=20),
        *decisions,
        engine=Engine.DIRECT if condition == "engine: direct" else Engine.LIFECYCLE,
        live_problems=("down",) if condition == "live unknown" else (),
        is_versioned=condition == "versioned-bucket",
    )


def test_rule_of_another_target_is_left_to_it() -> None:
    sight = RuleContext(prefix="site/", engine=Engine.LIFECYCLE, now=NOW, decisions=(),
        non_deployments={},
                  live_problems=(), is_versioned=False)  # fmt: skip
    rules = [make_rule("old/"), make_rule("site/a/b/"), make_rule("site/"), make_rule("sites/old/")]
    assert evaluate_rules(rules, sight) == ()
    (own,) = evaluate_rules([*rules, make_rule("site/old/")], sight)
    assert own.name == "old"


def test_follower_removes_old_versions_only_and_outlives_the_time_of_an_undo() -> None:
    hidden = evaluate_rules(
        [standing_since(1)],
        RuleContext(prefix="", engine=Engine.LIFECYCLE, now=NOW, decisions=(), non_deployments={},
            live_problems=(),
              is_versioned=True),
    )[0]  # fmt: skip
    made = replace(hidden, rule=replace(hidden.rule, noncurrent_days=30)).build_replacement(NOW)
    assert made.days is None
    assert made.expires_at == NOW + timedelta(days=37)
    assert (
        Element("Expiration", "", (Element("ExpiredObjectDeleteMarker", "true"),)) in made.elements
    )
    assert hidden.should_remove


# What a plan says of it.


def ruled(
    *decisions: Decision, seen: LifecycleSnapshot | None = None, **changes: object
) -> LifecyclePlan:
    sight = RuleContext(prefix="", engine=Engine.LIFECYCLE, now=NOW, decisions=decisions,
        non_deployments={},
                  live_problems=(), is_versioned=False)  # fmt: skip
    fields = {"versioning": Versioning.DISABLED}
    return plan_lifecycle(seen or LifecycleSnapshot(), sight, **(fields | changes))


@pytest.mark.parametrize(("is_reported", "refuses"), [(True, False), (False, True)])
def test_oldest_that_is_kept_may_be_known_by_a_report(is_reported: bool, refuses: bool) -> None:
    """A report may be old, and then what it tells of is no younger than it was."""
    partly = replace(
        deployment("new", 1), is_fully_listed=False, is_from_report=is_reported, fingerprint=""
    )
    found = ruled(kept(partly), to_delete(deployment("old", 30)))
    assert bool(found.refusals) is refuses
    assert any(warning.expire_days for warning in found.decisions) is not refuses


def test_refusal_leaves_the_decisions_as_they_were() -> None:
    decisions = (kept(deployment("new", 1)), to_delete(deployment("old", 30)))
    found = ruled(*decisions, needs_mfa=True)
    assert found.decisions == decisions
    assert [warning.code for warning in found.refusals] == [RefusalCode.LIFECYCLE]


@pytest.mark.parametrize("versioning", [*Versioning])
@pytest.mark.parametrize("is_lacking", [False, True])
def test_direct_run_tells_that_it_could_not_look_for_rules_left_behind(
    versioning: Versioning, is_lacking: bool
) -> None:
    sight = RuleContext(prefix="", engine=Engine.DIRECT, now=NOW, decisions=(),
        non_deployments={}, live_problems=(),
                  is_versioned=False)  # fmt: skip
    seen = LifecycleSnapshot(problem="a-problem", is_unsupported=is_lacking)
    found = plan_lifecycle(seen, sight, versioning=versioning)
    assert ["a-problem" in words_in(warning.message) for warning in found.warnings] == [True] * (
        not is_lacking
    )
