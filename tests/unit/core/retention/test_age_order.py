"""The age order: which deployments are known to be newer than another."""

from dataclasses import replace

import pytest

from ci3.core.retention.age_order import AgeFrom, AgeOrder, date_deployment
from tests.support.builders import deployment

# The worked example of the module: the days of each deployment's oldest and newest object.
DAYS = {"a": (1, 2), "b": (4, 6), "c": (5, 8), "d": (7, 9)}
DATED = {
    name: date_deployment(deployment(name, 10 - oldest, 10 - newest), AgeFrom.SPAN)
    for name, (oldest, newest) in DAYS.items()
}


@pytest.mark.parametrize(
    ("name", "newer_count", "successor", "overlapping"),
    [
        ("d", 0, None, None),
        ("c", 0, None, "d"),
        ("b", 1, "d", "c"),
        ("a", 3, "b", None),
    ],
)
def test_deployment_is_newer_only_if_it_starts_after_the_other_ends(
    name, newer_count, successor, overlapping
):
    order = AgeOrder(DATED.values())
    assert order.count_newer(DATED[name]) == newer_count
    assert order.find_successor(DATED[name]) == DATED.get(successor)
    assert order.find_overlapping(DATED[name]) == DATED.get(overlapping)
    assert [dated.deployment.name for dated in order.deployments] == ["d", "c", "b", "a"]


def test_values_of_the_setting():
    assert list(AgeFrom) == ["span", "oldest", "newest", "first-object", "name"]


@pytest.mark.parametrize("age_from", AgeFrom)
@pytest.mark.parametrize("missing", ["oldest_at", "newest_at"])
def test_deployment_with_an_unknown_time_has_no_age(missing, age_from):
    contradictory = replace(deployment("a", 2, 1), **{missing: None})

    assert date_deployment(contradictory, age_from) is None
