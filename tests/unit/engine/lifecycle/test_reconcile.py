"""Random histories: S3 expires no live object, and each of the guards is necessary."""

from random import Random

import pytest

from tests.unit.engine.lifecycle.site_history import SiteHistory, play_events

HISTORIES = 150


def play_histories(seeds: range, **guards: bool) -> list[SiteHistory]:
    return [play_events(make_history(seed, **guards)) for seed in seeds]


def make_history(seed: int, **guards: bool) -> SiteHistory:
    random = Random(seed)  # noqa: S311 - reproducible by its seed
    return SiteHistory(random=random, is_versioned=bool(seed % 2), **guards)


@pytest.mark.parametrize("part", range(4))
def test_no_live_or_pinned_object_is_lost_in_any_history(part: int) -> None:
    histories = play_histories(range(part * HISTORIES, (part + 1) * HISTORIES))
    assert [history.lost_objects for history in histories if history.lost_objects] == []
    # The histories must contain rules, expired objects, rollbacks and moved pointers.
    assert sum(history.rule_count for history in histories) > HISTORIES
    assert sum(history.expired_count for history in histories) > HISTORIES
    assert sum(history.rollback_count for history in histories) > HISTORIES
    assert sum(history.pointer_count for history in histories) > HISTORIES


def test_without_the_age_gate_live_objects_are_lost() -> None:
    assert any(history.lost_objects for history in play_histories(range(100), has_age_gate=False))


def test_without_removal_of_rules_live_objects_are_lost() -> None:
    assert any(history.lost_objects for history in play_histories(range(100), reconciles=False))


def test_without_the_last_gate_objects_that_go_live_during_a_run_are_lost() -> None:
    assert any(history.lost_objects for history in play_histories(range(100), has_last_gate=False))
