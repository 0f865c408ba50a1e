"""Properties of the decisions for every inventory, policy, pin and clock."""

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
    determine_age,
    has_same_form,
    is_known_newer,
    is_overlapping,
    list_numbers,
)
from tests.unit.core.retention.strategies import DURATIONS, PINS, Situation, situations

LENGTHS = (None, *sorted(DURATIONS, key=lambda duration: duration.length))
PERIOD_RULES = ("keep_daily", "keep_weekly", "keep_monthly")


def with_rules(case, **changes):
    return replace(case, policy=replace(case.policy, **changes))


def with_few_rules(case):
    """Return a case whose rules keep only the newest, so that an added rule makes a difference."""
    few = with_rules(case, keep_count=1, keep_within=None, group_by=None)
    return replace(with_rules(few, keep_daily=0, keep_weekly=0, keep_monthly=0), minimum=1)


def get_needed_count(case):
    """Return how many complete deployments must be newer than a deployment to delete."""
    return max(case.policy.keep_count, case.minimum)


def list_groups(case):
    """Return the decisions of each group; a name that does not match is a separate group."""
    pattern = case.policy.group_by
    groups = defaultdict(list)
    for decision in case.decide():
        name = decision.deployment.name
        is_alone = pattern is not None and not pattern.fullmatch(name)
        groups[is_alone, name if is_alone else decision.group].append(decision)
    return list(groups.values())


def is_counted(decision):
    """Return True if a deployment counts for rules: complete, and not matched by `protect`."""
    codes = {reason.code for reason in decision.reasons}
    return decision.deployment.is_complete and ReasonCode.PROTECTED not in codes


def has_no_growth(sets):
    """Return True if each set is a subset of the one before."""
    return all(after <= before for before, after in pairwise(sets))


def find_newer(decision, group, age_from):
    """Return the counted decisions of a group whose deployment is known to be newer."""
    deployment = determine_age(decision.deployment, age_from)
    return [
        member
        for member in group
        if is_counted(member)
        and is_known_newer(determine_age(member.deployment, age_from), deployment)
    ]


def find_higher_names(decision, group):
    """Return the counted decisions of a group whose deployment has a higher name."""
    name = decision.deployment.name
    return [
        member
        for member in group
        if is_counted(member)
        and has_same_form(member.deployment.name, name)
        and list_numbers(member.deployment.name) > list_numbers(name)
    ]


@given(situations())
def test_keep_and_delete_partition_the_inventory(case):
    decisions = case.decide()

    assert len(decisions) == len(case.deployments)
    assert {decision.deployment for decision in decisions} == set(case.deployments)
    assert all(decision.is_delete is (decision.action is Action.DELETE) for decision in decisions)


@given(situations())
def test_every_decision_has_reasons_for_its_action(case):
    for decision in case.decide():
        codes = {reason.code for reason in decision.reasons}
        assert codes
        assert all(reason.message for reason in decision.reasons)
        assert (codes == {ReasonCode.SUPERSEDED}) is decision.is_delete
        assert (ReasonCode.SUPERSEDED in codes) is decision.is_delete


@given(situations())
def test_pin_is_never_deleted(case: Situation):
    for name in case.find_deleted():
        assert not any(pin.matches(name) for pin in case.resolve(case.pins))
    for pin in PINS:
        [resolved] = case.resolve([pin])
        assert not any(resolved.matches(name) for name in replace(case, pins=(pin,)).find_deleted())


@given(situations())
def test_added_pin_keeps_what_it_matches_and_deletes_nothing_more(case):
    before = case.find_deleted()

    for added in PINS:
        after = replace(case, pins=(*case.pins, added)).find_deleted()
        *_, resolved = case.resolve((*case.pins, added))
        not_pinned = {name for name in before if not resolved.matches(name)}
        # A protected deployment no longer counts for rules, so that they may keep more.
        is_protecting = added.code is ReasonCode.PROTECTED
        assert after <= not_pinned if is_protecting else after == not_pinned


@given(situations())
def test_protected_deployments_do_not_change_the_decisions_about_others(case):
    for pin in (None, *PINS):
        pinned = replace(case, pins=(*case.pins, pin) if pin else case.pins)
        protecting = [pin for pin in pinned.pins if pin.code is ReasonCode.PROTECTED]
        protected = {
            deployment.name
            for deployment in case.deployments
            if any(pin.matches(deployment.name) for pin in protecting)
        }

        not_protected = [
            decision for decision in pinned.decide() if decision.deployment.name not in protected
        ]

        assert not_protected == list(pinned.without(protected).decide())


@given(situations(), st.sampled_from(PERIOD_RULES))
def test_higher_period_count_never_deletes_more(case, rule):
    for rules in (case, with_few_rules(case)):
        assert has_no_growth(
            with_rules(rules, **{rule: count}).find_deleted() for count in range(5)
        )


@given(situations())
def test_longer_keep_within_never_deletes_more(case):
    for rules in (case, with_few_rules(case)):
        assert has_no_growth(
            with_rules(rules, keep_within=length).find_deleted() for length in LENGTHS
        )


@given(situations())
def test_higher_keep_count_never_deletes_more(case):
    assert has_no_growth(with_rules(case, keep_count=count).find_deleted() for count in range(5))


@given(situations())
def test_higher_minimum_never_deletes_more(case):
    assert has_no_growth(replace(case, minimum=minimum).find_deleted() for minimum in range(1, 5))


@given(
    situations().flatmap(
        lambda case: st.permutations(case.deployments).map(lambda deployments: (case, deployments))
    )
)
def test_order_of_the_inventory_is_irrelevant(case_and_permutation):
    case, permutation = case_and_permutation

    assert replace(case, deployments=tuple(permutation)).decide() == case.decide()


@given(situations())
def test_decisions_are_sorted_newest_first_regardless_of_groups(case):
    deployments = [decision.deployment for decision in case.decide()]

    dated = [deployment for deployment in deployments if deployment.newest_at is not None]
    assert deployments[: len(dated)] == dated
    for first, second in combinations(dated, 2):
        assert first.newest_at >= second.newest_at
        if first.newest_at == second.newest_at:
            assert first.oldest_at >= second.oldest_at
            assert first.oldest_at > second.oldest_at or first.name < second.name


@settings(max_examples=200)
@given(situations())
def test_at_least_the_minimum_of_complete_deployments_stays_in_each_group(case):
    for group in list_groups(case):
        counted = [decision for decision in group if is_counted(decision)]
        kept = [decision for decision in counted if not decision.is_delete]
        assert len(kept) >= min(len(counted), get_needed_count(case))


@settings(max_examples=200)
@given(situations())
def test_groups_are_decided_independently(case):
    for group in list_groups(case):
        alone = replace(case, deployments=tuple(decision.deployment for decision in group))

        assert list(alone.decide()) == group
        assert with_rules(alone, group_by=None).find_deleted() == alone.find_deleted()


@settings(max_examples=200)
@given(situations())
def test_deleted_deployment_is_older_than_enough_complete_kept_deployments(case):
    by_span = with_rules(case, age_from=AgeFrom.SPAN)
    for group in list_groups(by_span):
        kept = [
            decision.deployment
            for decision in group
            if is_counted(decision) and not decision.is_delete
        ]
        for deleted in (decision.deployment for decision in group if decision.is_delete):
            newer = [deployment for deployment in kept if deployment.oldest_at > deleted.newest_at]
            assert len(newer) >= get_needed_count(case)


@settings(max_examples=200)
@given(situations())
def test_deleted_deployment_is_older_than_enough_kept_deployments_for_each_age_setting(case):
    for group in list_groups(case):
        kept = [decision for decision in group if not decision.is_delete]
        for deleted in (decision for decision in group if decision.is_delete):
            newer = find_newer(deleted, kept, case.policy.age_from)
            assert len(newer) >= get_needed_count(case)
            if case.policy.age_from is AgeFrom.NAME:
                assert len(find_higher_names(deleted, kept)) >= get_needed_count(case)


@settings(max_examples=200)
@given(situations(), st.sampled_from([age for age in AgeFrom if age is not AgeFrom.NAME]))
def test_span_deletes_nothing_that_another_age_setting_keeps(case, age_from):
    by_span = with_rules(case, age_from=AgeFrom.SPAN)

    assert by_span.find_deleted() <= with_rules(case, age_from=age_from).find_deleted()


@settings(max_examples=200)
@given(situations())
def test_second_run_deletes_nothing_more(case):
    assert case.without(case.find_deleted()).find_deleted() == set()


@settings(max_examples=200)
@given(situations(), st.data())
def test_partly_finished_run_does_not_change_the_decisions_about_the_rest(case, data):
    before = case.find_deleted()
    deleted = set(data.draw(st.lists(st.sampled_from(sorted(before))))) if before else set()

    assert case.without(deleted).find_deleted() == before - deleted


@given(situations(), st.integers(0, 20000))
def test_deployment_to_delete_is_also_deleted_at_a_later_time(case, hours):
    later = replace(case, now=case.now + timedelta(hours=hours))

    assert later.find_deleted() >= case.find_deleted()


@given(situations(), st.integers(-20000, 20000))
def test_time_is_irrelevant_without_keep_within(case, hours):
    timeless = with_rules(case, keep_within=None)
    another_time = replace(timeless, now=case.now + timedelta(hours=hours))

    # An incomplete deployment may be uploading if it is younger than an hour or in the future.
    incomplete = {deployment.name for deployment in case.deployments if not deployment.is_complete}
    assert another_time.find_deleted() - incomplete == timeless.find_deleted() - incomplete


@given(situations(), st.integers(-20000, 20000))
def test_incomplete_deployment_with_a_young_object_is_kept_regardless_of_the_rules(case, minutes):
    for deployment in case.deployments:
        if deployment.is_complete or deployment.newest_at is None:
            continue
        now = deployment.newest_at + timedelta(minutes=min(minutes, 59))
        uploading = replace(case, now=now)

        assert deployment.name not in uploading.find_deleted()


@settings(max_examples=300)
@given(situations())
def test_reasons_name_the_deployments_that_the_second_implementation_finds(case):
    age_from = case.policy.age_from
    for group in list_groups(case):
        for decision in group:
            for reason in decision.reasons:
                if reason.code is ReasonCode.SUPERSEDED and age_from is not AgeFrom.NAME:
                    newer = find_newer(decision, group, age_from)
                    successor = min(
                        (member.deployment for member in newer),
                        key=lambda deployment: (deployment.newest_at, deployment.name),
                    )
                    assert len(newer) in numbers_in(reason.message)
                    assert successor.name in words_in(reason.message)
                if reason.code is ReasonCode.AMBIGUOUS_AGE:
                    deployment = determine_age(decision.deployment, age_from)
                    overlapping_names = [
                        member.deployment.name
                        for member in group
                        if is_counted(member)
                        and member is not decision
                        and is_overlapping(deployment, determine_age(member.deployment, age_from))
                    ]
                    assert words_in(reason.message) & set(overlapping_names)
