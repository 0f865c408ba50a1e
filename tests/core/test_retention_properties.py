"""What holds for every inventory, and a second, slow reading of the rules to compare with."""

from datetime import timedelta
from itertools import combinations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci3.core.model import Action, Deployment, Inventory, ReasonCode
from ci3.core.pins import pin_commits, protect
from ci3.core.retention import RetentionPolicy, decide
from tests.builders import NOW

NAMES = ("d1", "abcdef1", "release-1", "d3", "web-ABCDEF12-3", "d0", "abcdef", "d4", "d2")
PINS = (*protect(["d1", "d[3-5]", "release-*", "nothing"]), *pin_commits(["abcdef1234567890"]))


def deployment(name, kind, first, length):
    """One deployment within fourteen hours, so that many overlap or have equal times."""
    oldest_at = NOW - timedelta(hours=20 - first)
    is_empty = kind == EMPTY
    return Deployment(
        name=name,
        prefix=f"{name}/",
        object_count=0 if is_empty else 2,
        size_bytes=0,
        oldest_at=None if is_empty else oldest_at,
        newest_at=None if is_empty else oldest_at + timedelta(hours=length),
        complete=kind in COMPLETE,
        fingerprint=name,
    )


COMPLETE, EMPTY = range(5), 7
spans = st.builds(
    lambda number: (number % 8, number // 8 % 11, (0, 0, 1, 3)[number // 88]),
    st.integers(0, 8 * 11 * 4 - 1),
)
inventories = st.lists(spans, max_size=len(NAMES)).map(
    lambda made: tuple(deployment(name, *span) for name, span in zip(NAMES, made, strict=False))
)
counts = st.integers(1, 5)
some_pins = st.sampled_from([(), *combinations(PINS, 1), *combinations(PINS, 2)])


def decided(inventory, keep_count, pins, minimum):
    policy = RetentionPolicy(keep_count=keep_count)
    return decide(Inventory(deployments=inventory), policy, pins, NOW, minimum)


def doomed(*arguments):
    return {one.deployment.name for one in decided(*arguments) if one.is_delete}


@given(inventories, counts, some_pins, counts)
def test_keep_and_delete_partition_the_inventory(inventory, keep_count, pins, minimum):
    decisions = decided(inventory, keep_count, pins, minimum)

    assert len(decisions) == len(inventory)
    assert {one.deployment for one in decisions} == set(inventory)
    assert all(one.is_delete is (one.action is Action.DELETE) for one in decisions)


@given(inventories, counts, some_pins, counts)
def test_every_decision_has_reasons_that_fit_it(inventory, keep_count, pins, minimum):
    for decision in decided(inventory, keep_count, pins, minimum):
        codes = {reason.code for reason in decision.reasons}
        assert codes
        assert all(reason.message for reason in decision.reasons)
        assert (codes == {ReasonCode.SUPERSEDED}) is decision.is_delete
        assert (ReasonCode.SUPERSEDED in codes) is decision.is_delete


@given(inventories, counts, some_pins, counts)
def test_pin_is_never_deleted(inventory, keep_count, pins, minimum):
    for name in doomed(inventory, keep_count, pins, minimum):
        assert not any(pin.holds(name) for pin in pins)


@given(inventories, counts, some_pins, counts, st.sampled_from(PINS))
def test_another_pin_spares_what_it_holds_and_dooms_nothing(
    inventory, keep_count, pins, minimum, another
):
    before = doomed(inventory, keep_count, pins, minimum)
    after = doomed(inventory, keep_count, (*pins, another), minimum)

    assert after == {name for name in before if not another.holds(name)}


@given(inventories, counts, some_pins, counts, st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_higher_counts_never_delete_more(inventory, keep_count, pins, minimum, more):
    before = doomed(inventory, keep_count, pins, minimum)
    after = doomed(inventory, keep_count + more[0], pins, minimum + more[1])

    assert after <= before


@given(inventories.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))), counts)
def test_order_of_the_inventory_is_irrelevant(both, keep_count):
    inventory, shuffled = both

    assert decided(tuple(shuffled), keep_count, PINS, 1) == decided(inventory, keep_count, PINS, 1)


@given(inventories, counts, some_pins, counts)
def test_at_least_the_minimum_of_complete_deployments_stays(inventory, keep_count, pins, minimum):
    decisions = decided(inventory, keep_count, pins, minimum)

    found = sum(one.deployment.complete for one in decisions)
    stay = sum(one.deployment.complete and not one.is_delete for one in decisions)
    assert stay >= min(found, max(minimum, keep_count))


@given(inventories, counts, some_pins, counts)
def test_deleted_deployment_is_dominated_by_enough_complete_ones_that_stay_known_to_be_newer(
    inventory, keep_count, pins, minimum
):
    for name in doomed(inventory, keep_count, pins, minimum):
        gone = next(one for one in inventory if one.name == name)
        newer = [one for one in inventory if one.complete and one.oldest_at > gone.newest_at]
        assert len(newer) >= max(keep_count, minimum)


@given(inventories, counts)
def test_what_is_deleted_stays_doomed_when_another_doomed_one_is_gone(inventory, keep_count):
    before = doomed(inventory, keep_count, (), 1)

    for gone in before:
        rest = tuple(one for one in inventory if one.name != gone)
        assert doomed(rest, keep_count, (), 1) <= before - {gone}


def obvious_decision(one, inventory, keep_count, pins, minimum):
    """Decide from the rules' words, each deployment against each other one."""
    codes = [pin.code for pin in pins if pin.holds(one.name)]
    if one.newest_at is None:
        return [*codes, ReasonCode.NO_OBJECTS]
    complete = [other for other in inventory if other.complete]
    known_newer = [other for other in complete if other.oldest_at > one.newest_at]
    if one.complete:
        ahead = [other for other in complete if other is not one and stands_before(other, one)]
        if len(ahead) < keep_count:
            return [*codes, ReasonCode.KEEP_COUNT]
        if len(ahead) < minimum:
            return [*codes, ReasonCode.MINIMUM_KEEP_COUNT]
    elif not any(other.newest_at > one.newest_at for other in complete):
        return [*codes, ReasonCode.IN_PROGRESS]
    if len(known_newer) < max(keep_count, minimum):
        is_doubtful = any(overlap(one, other) for other in complete if other is not one)
        codes.append(ReasonCode.AMBIGUOUS_AGE if is_doubtful else ReasonCode.KEEP_COUNT)
    return codes or [ReasonCode.SUPERSEDED]


def stands_before(one, other):
    if one.newest_at != other.newest_at:
        return one.newest_at > other.newest_at
    if one.oldest_at != other.oldest_at:
        return one.oldest_at > other.oldest_at
    return one.name < other.name


def overlap(one, other):
    return one.oldest_at <= other.newest_at and other.oldest_at <= one.newest_at


@settings(max_examples=1000)
@given(inventories, counts, some_pins, counts)
@example((), 1, (), 1)
def test_decisions_are_those_of_the_obvious_reading(inventory, keep_count, pins, minimum):
    for decision in decided(inventory, keep_count, pins, minimum):
        expected = obvious_decision(decision.deployment, inventory, keep_count, pins, minimum)
        assert [reason.code for reason in decision.reasons] == expected


@settings(max_examples=300)
@given(inventories, counts)
def test_sentences_name_what_the_obvious_reading_finds(inventory, keep_count):
    for decision in decided(inventory, keep_count, (), 1):
        one, [reason] = decision.deployment, decision.reasons
        complete = [other for other in inventory if other.complete and other is not one]
        if reason.code is ReasonCode.SUPERSEDED:
            newer = [other for other in complete if other.oldest_at > one.newest_at]
            follower = min(newer, key=lambda other: (other.newest_at, other.name))
            assert reason.message.startswith(f"{len(newer)} newer one")
            assert f"; {follower.name} followed it on " in reason.message
        if reason.code is ReasonCode.AMBIGUOUS_AGE:
            doubtful = [other.name for other in complete if overlap(one, other)]
            named = reason.message.removeprefix("not known to be older than ").split(",")[0]
            assert named in doubtful


@given(inventories)
def test_decisions_stand_newest_first(inventory):
    ordered = [decision.deployment for decision in decided(inventory, 1, (), 1)]

    dated = [one for one in ordered if one.newest_at is not None]
    assert ordered[: len(dated)] == dated
    assert all(stands_before(one, other) for one, other in combinations(dated, 2))
