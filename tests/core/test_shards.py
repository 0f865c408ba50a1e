"""A plan is cut into shards that are disjoint, cover it, weigh about the same, and are the same."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.constants import MAXIMUM_SHARDS
from ci3.core.model import AllVersions
from ci3.core.parting import cut
from ci3.core.plan import Plan
from ci3.core.shards import Shard, share_out
from tests.builders import deployment, doomed, kept, plan

COUNTS = st.dictionaries(
    st.text("ab1-é", min_size=1, max_size=6),
    st.one_of(st.integers(1, 9), st.integers(1, 10**9)),
    max_size=30,
)
SHARD_COUNTS = st.one_of(st.integers(1, 9), st.integers(1, MAXIMUM_SHARDS))


def plan_of(counts: dict[str, int], *more) -> Plan:
    """A plan that keeps one and dooms deployments of so many objects."""
    made = [replace(deployment(name, 9), object_count=count) for name, count in counts.items()]
    return plan(kept(deployment("new", 1)), *more, *(doomed(one) for one in made))


def shards_of(plans: list[Plan], count: int) -> list[tuple[Plan, ...]]:
    numbers = range(1, count + 1)
    return [cut(plans, Shard(number=number, count=count)) for number in numbers]


def names(part: Plan) -> list[str]:
    return [one.deployment.name for one in part.doomed]


@given(counts=COUNTS, more=COUNTS, shard_count=SHARD_COUNTS)
def test_shards_are_disjoint_and_cover_the_plans(counts, more, shard_count):
    plans = [plan_of(counts), plan_of(more)]

    parts = shards_of(plans, shard_count)

    for number, whole in enumerate(plans):
        found = [name for shard in parts for name in names(shard[number])]
        assert sorted(found) == sorted(names(whole))
        for shard in parts:
            assert shard[number].kept == whole.kept
            assert shard[number].all_doomed == whole.doomed
            elsewhere = {one for one in found if one not in names(shard[number])}
            assert shard[number].part.others == elsewhere


@given(counts=COUNTS, shard_count=SHARD_COUNTS)
def test_no_shard_has_more_than_an_even_share_and_the_largest_deployment_beside(
    counts, shard_count
):
    numbers = share_out(counts, shard_count)

    loads = [0] * shard_count
    for name, number in numbers.items():
        loads[number - 1] += counts[name]
    largest = max(counts.values(), default=0)
    assert max(loads) * shard_count <= sum(counts.values()) + (shard_count - 1) * largest
    assert max(loads) - min(loads) <= largest


@given(counts=COUNTS, shard_count=SHARD_COUNTS, random=st.randoms(use_true_random=False))
def test_shards_do_not_depend_on_the_order_in_which_deployments_stand(counts, shard_count, random):
    shuffled = list(counts.items())
    random.shuffle(shuffled)

    assert share_out(dict(shuffled), shard_count) == share_out(counts, shard_count)


def test_shards_are_what_they_are_on_every_machine_and_in_every_version():
    counts = {"a": 5, "b": 5, "c": 3, "d": 9, "e": 1, "f": 1}

    assert share_out(counts, 3) == {"d": 1, "a": 2, "b": 3, "c": 2, "e": 3, "f": 3}


def test_one_shard_of_one_is_the_whole_plan():
    whole = plan_of({"a": 5, "b": 1})
    (part,) = cut([whole], Shard(number=1, count=1))
    assert (part.doomed, part.totals, part.plan_id) == (whole.doomed, whole.totals, whole.plan_id)


def test_part_counts_what_it_deletes_and_keeps_the_plans_name_and_what_is_found():
    whole = plan_of({"a": 5, "b": 3, "c": 2})

    (part,) = cut([whole], Shard(number=2, count=2))

    totals = part.totals
    assert (totals.found, totals.keep, totals.delete) == (4, 1, 2)
    assert totals.objects_to_delete == 5
    assert part.plan_id == whole.plan_id


def test_versions_count_where_they_go_too():
    heavy = replace(
        deployment("few", 9), versions=AllVersions(count=100, size_bytes=1, fingerprint="f" * 64)
    )
    parts = shards_of([plan_of({"a": 9, "b": 9}, doomed(heavy))], 2)
    assert [names(part) for (part,) in parts] == [["few"], ["a", "b"]]


@pytest.mark.parametrize(
    ("text", "number", "count"), [("3/8", 3, 8), ("1/1", 1, 1), ("256/256", 256, 256)]
)
def test_shard_is_read_and_written_the_same(text, number, count):
    shard = Shard.parse(text)
    assert (shard.number, shard.count) == (number, count)
    assert str(shard) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3", "is no shard"),
        ("", "is no shard"),
        ("/8", "is no shard"),
        ("3/", "is no shard"),
        ("3/8/9", "is no shard"),
        ("-1/8", "is no shard"),
        ("3 / 8", "is no shard"),
        ("a/8", "is no shard"),
        ("٣/٨", "is no shard"),
        ("1/99999999999999999999", "is no shard"),
        ("03/8", "is no shard"),
        ("0/8", "is none of 8; they count from 1/8 to 8/8"),
        ("9/8", "is none of 8"),
        ("3/0", "has 0 parts"),
        ("0/0", "has 0 parts"),
        ("1/257", "has 257 parts; a plan is cut into 1 to 256"),
    ],
)
def test_what_is_no_shard_is_refused(text, told):
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        Shard.parse(text)
