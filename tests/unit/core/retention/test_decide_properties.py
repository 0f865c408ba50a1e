"""What holds for every inventory, policy, pin and clock."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ci3.core.model.decision import Action, ReasonCode
from ci3.core.retention.decide import AgeFrom
from tests.support.messages import numbers_in, words_in
from tests.unit.core.retention.reference import (
    aged,
    has_same_form,
    is_known_newer,
    numbers_of,
    overlap,
)
from tests.unit.core.retention.strategies import DURATIONS, PINS, Situation, situations

LENGTHS = (None, *sorted(DURATIONS, key=lambda duration: duration.length))
PERIOD_RULES = ("keep_daily", "keep_weekly", "keep_monthly")


def with_rules(case, **changes):
    return replace(case, policy=replace(case.policy, **changes))


def with_few_rules(case):
    """The same with nothing in force but the newest, so that another rule has work to do."""
    few = with_rules(case, keep_count=1, keep_within=None, group_by=None)
    return replace(with_rules(few, keep_daily=0, keep_weekly=0, keep_monthly=0), minimum=1)


def needed(case):
    """How many complete deployments must be newer before one may go."""
    return max(case.policy.keep_count, case.minimum)


def groups_of(case):
    """The decisions of each group; a name that does not match is a group of its own."""
    pattern = case.policy.group_by
    groups = defaultdict(list)
    for decision in case.decisions():
        name = decision.deployment.name
        is_alone = pattern is not None and not pattern.fullmatch(name)
        groups[is_alone, name if is_alone else decision.group].append(decision)
    return list(groups.values())


def counts(decision):
    """Say whether a deployment takes a place: it is complete, and `protect` does not match."""
    codes = {reason.code for reason in decision.reasons}
    return decision.deployment.is_complete and ReasonCode.PROTECTED not in codes


def never_grow(sets):
    return all(after <= before for before, after in pairwise(sets))


def newer_complete_ones(decision, group, age_from):
    """The counted ones of a group that are known to be newer."""
    one = aged(decision.deployment, age_from)
    return [
        other
        for other in group
        if counts(other) and is_known_newer(aged(other.deployment, age_from), one)
    ]


def higher_complete_ones(decision, group):
    """The counted ones of a group whose name is higher."""
    name = decision.deployment.name
    return [
        other
        for other in group
        if counts(other)
        and has_same_form(other.deployment.name, name)
        and numbers_of(other.deployment.name) > numbers_of(name)
    ]


@given(situations())
def test_keep_and_delete_partition_the_inventory(case):
    decisions = case.decisions()

    assert len(decisions) == len(case.deployments)
    assert {one.deployment for one in decisions} == set(case.deployments)
    assert all(one.is_delete is (one.action is Action.DELETE) for one in decisions)


@given(situations())
def test_every_decision_has_reasons_that_fit_it(case):
    for decision in case.decisions():
        codes = {reason.code for reason in decision.reasons}
        assert codes
        assert all(reason.message for reason in decision.reasons)
        assert (codes == {ReasonCode.SUPERSEDED}) is decision.is_delete
        assert (ReasonCode.SUPERSEDED in codes) is decision.is_delete


@given(situations())
def test_pin_is_never_deleted(case: Situation):
    for name in case.doomed():
        assert not any(pin.matches(name) for pin in case.resolve(case.pins))
    for pin in PINS:
        [resolved] = case.resolve([pin])
        assert not any(resolved.matches(name) for name in replace(case, pins=(pin,)).doomed())


@given(situations())
def test_another_pin_spares_what_it_holds_and_dooms_nothing(case):
    before = case.doomed()

    for another in PINS:
        after = replace(case, pins=(*case.pins, another)).doomed()
        *_, resolved = case.resolve((*case.pins, another))
        spared = {name for name in before if not resolved.matches(name)}
        # What is protected takes no place any more, so that more may stay.
        assert after <= spared if another.code is ReasonCode.PROTECTED else after == spared


@given(situations())
def test_what_is_decided_about_others_is_the_same_as_if_protected_ones_did_not_exist(case):
    for pin in (None, *PINS):
        pinned = replace(case, pins=(*case.pins, pin) if pin else case.pins)
        protecting = [pin for pin in pinned.pins if pin.code is ReasonCode.PROTECTED]
        protected = {
            one.name for one in case.deployments if any(pin.matches(one.name) for pin in protecting)
        }

        others = [one for one in pinned.decisions() if one.deployment.name not in protected]

        assert others == list(pinned.without(protected).decisions())


@given(situations(), st.sampled_from(PERIOD_RULES))
def test_a_rule_for_periods_and_more_periods_never_delete_more(case, rule):
    for rules in (case, with_few_rules(case)):
        assert never_grow(with_rules(rules, **{rule: count}).doomed() for count in range(5))


@given(situations())
def test_keep_within_and_a_longer_one_never_delete_more(case):
    for rules in (case, with_few_rules(case)):
        assert never_grow(with_rules(rules, keep_within=length).doomed() for length in LENGTHS)


@given(situations())
def test_higher_keep_count_never_deletes_more(case):
    assert never_grow(with_rules(case, keep_count=count).doomed() for count in range(5))


@given(situations())
def test_higher_minimum_never_deletes_more(case):
    assert never_grow(replace(case, minimum=minimum).doomed() for minimum in range(1, 5))


@given(
    situations().flatmap(
        lambda case: st.permutations(case.deployments).map(lambda one: (case, one))
    )
)
def test_order_of_the_inventory_is_irrelevant(both):
    case, shuffled = both

    assert replace(case, deployments=tuple(shuffled)).decisions() == case.decisions()


@given(situations())
def test_decisions_stand_newest_first_whatever_the_groups(case):
    ordered = [decision.deployment for decision in case.decisions()]

    dated = [one for one in ordered if one.newest_at is not None]
    assert ordered[: len(dated)] == dated
    for one, other in combinations(dated, 2):
        assert one.newest_at >= other.newest_at
        if one.newest_at == other.newest_at:
            assert one.oldest_at >= other.oldest_at
            assert one.oldest_at > other.oldest_at or one.name < other.name


@settings(max_examples=200)
@given(situations())
def test_at_least_the_minimum_of_complete_deployments_stays_in_each_group(case):
    for group in groups_of(case):
        found = sum(counts(one) for one in group)
        stay = sum(counts(one) and not one.is_delete for one in group)
        assert stay >= min(found, needed(case))


@settings(max_examples=200)
@given(situations())
def test_groups_are_decided_alone_as_if_the_others_were_not_there(case):
    for group in groups_of(case):
        alone = replace(case, deployments=tuple(one.deployment for one in group))

        assert list(alone.decisions()) == group
        assert with_rules(alone, group_by=None).doomed() == alone.doomed()


@settings(max_examples=200)
@given(situations())
def test_deleted_deployment_is_dominated_by_enough_complete_ones_that_stay(case):
    by_span = with_rules(case, age_from=AgeFrom.SPAN)
    for group in groups_of(by_span):
        staying = [one.deployment for one in group if counts(one) and not one.is_delete]
        for gone in (one.deployment for one in group if one.is_delete):
            newer = [one for one in staying if one.oldest_at > gone.newest_at]
            assert len(newer) >= needed(case)


@settings(max_examples=200)
@given(situations())
def test_enough_complete_ones_that_stay_are_known_to_be_newer_by_any_age(case):
    for group in groups_of(case):
        staying = [one for one in group if not one.is_delete]
        for gone in (one for one in group if one.is_delete):
            newer = newer_complete_ones(gone, staying, case.policy.age_from)
            assert len(newer) >= needed(case)
            if case.policy.age_from is AgeFrom.NAME:
                assert len(higher_complete_ones(gone, staying)) >= needed(case)


@settings(max_examples=200)
@given(situations(), st.sampled_from([age for age in AgeFrom if age is not AgeFrom.NAME]))
def test_span_deletes_nothing_that_another_age_would_keep(case, age_from):
    by_span = with_rules(case, age_from=AgeFrom.SPAN)

    assert by_span.doomed() <= with_rules(case, age_from=age_from).doomed()


@settings(max_examples=200)
@given(situations())
def test_nothing_more_is_due_after_the_doomed_ones_are_gone(case):
    assert case.without(case.doomed()).doomed() == set()


@settings(max_examples=200)
@given(situations(), st.data())
def test_what_stayed_still_stays_when_only_some_of_the_doomed_ones_are_gone(case, data):
    before = case.doomed()
    gone = set(data.draw(st.lists(st.sampled_from(sorted(before))))) if before else set()

    assert case.without(gone).doomed() == before - gone


@given(situations(), st.integers(0, 20000))
def test_time_alone_spares_nothing_that_was_due(case, hours):
    later = replace(case, now=case.now + timedelta(hours=hours))

    assert later.doomed() >= case.doomed()


@given(situations(), st.integers(-20000, 20000))
def test_time_is_irrelevant_without_keep_within(case, hours):
    timeless = with_rules(case, keep_within=None)
    another_time = replace(timeless, now=case.now + timedelta(hours=hours))

    # An incomplete deployment that is younger than an hour, or of the future, may be uploading.
    incomplete = {one.name for one in case.deployments if not one.is_complete}
    assert another_time.doomed() - incomplete == timeless.doomed() - incomplete


@given(situations(), st.integers(-20000, 20000))
def test_incomplete_deployment_with_a_young_object_is_kept_whatever_the_rules_say(case, minutes):
    for one in case.deployments:
        if one.is_complete or one.newest_at is None:
            continue
        uploading = replace(case, now=one.newest_at + timedelta(minutes=min(minutes, 59)))

        assert one.name not in uploading.doomed()


@settings(max_examples=300)
@given(situations())
def test_reasons_name_what_the_obvious_reading_finds(case):
    age_from = case.policy.age_from
    for group in groups_of(case):
        for decision in group:
            for reason in decision.reasons:
                if reason.code is ReasonCode.SUPERSEDED and age_from is not AgeFrom.NAME:
                    newer = newer_complete_ones(decision, group, age_from)
                    follower = min(
                        (one.deployment for one in newer),
                        key=lambda one: (one.newest_at, one.name),
                    )
                    assert len(newer) in numbers_in(reason.message)
                    assert follower.name in words_in(reason.message)
                if reason.code is ReasonCode.AMBIGUOUS_AGE:
                    one = aged(decision.deployment, age_from)
                    doubtful = [
                        other.deployment.name
                        for other in group
                        if counts(other)
                        and other is not decision
                        and overlap(one, aged(other.deployment, age_from))
                    ]
                    assert words_in(reason.message) & set(doubtful)
