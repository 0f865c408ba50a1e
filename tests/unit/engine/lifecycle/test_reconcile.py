"""Hundreds of histories under S3's lifecycle: what is live is never lost, and why both guards."""

from random import Random

import pytest

from tests.unit.engine.lifecycle.lifecycle_world import LifecycleWorld, live_through

HISTORIES = 150


def histories(seeds: range, **changes: bool) -> list[LifecycleWorld]:
    return [live_through(world(seed, **changes)) for seed in seeds]


def world(seed: int, **changes: bool) -> LifecycleWorld:
    random = Random(seed)  # noqa: S311 - no secret
    return LifecycleWorld(random=random, is_versioned=bool(seed % 2), **changes)


@pytest.mark.parametrize("part", range(4))
def test_no_live_or_pinned_object_is_lost_in_any_history(part: int) -> None:
    worlds = histories(range(part * HISTORIES, (part + 1) * HISTORIES))
    assert [one.lost for one in worlds if one.lost] == []
    # The histories must be about something: rules are written, S3 deletes, people go back.
    assert sum(one.rules_written for one in worlds) > HISTORIES
    assert sum(one.expired for one in worlds) > HISTORIES
    assert sum(one.rolled_back for one in worlds) > HISTORIES
    assert sum(one.pointed_back for one in worlds) > HISTORIES


def test_without_the_age_gate_live_objects_are_lost() -> None:
    assert any(one.lost for one in histories(range(100), has_age_gate=False))


def test_without_taking_rules_away_live_objects_are_lost() -> None:
    assert any(one.lost for one in histories(range(100), reconciles=False))


def test_without_the_last_gate_what_goes_live_during_a_run_is_lost() -> None:
    assert any(one.lost for one in histories(range(100), has_last_gate=False))
