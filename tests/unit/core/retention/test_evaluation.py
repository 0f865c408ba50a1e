"""What follows from the checks of one deployment: delete, keep, counted or not."""

from dataclasses import replace

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.decision import Action
from ci3.core.retention.decide import RetentionPolicy, evaluate
from tests.support.builders import NOW, deployment, inventory, live_pin, marker_only_deployment

LIVE = live_pin("old", "version.json names old")


def evaluation_of_old(*, pins=(), is_complete=True):
    """Evaluate a deployment that a newer complete one supersedes."""
    old = deployment("old", 2) if is_complete else marker_only_deployment("old", 2)
    found = inventory(deployment("new", 1), old)
    _, evaluation = evaluate(found, RetentionPolicy(keep_count=1), pins, NOW, 1)
    return evaluation


@pytest.mark.parametrize(
    ("pins", "is_complete", "is_protected", "is_counted"),
    [
        ((), True, False, True),
        ((), False, False, False),
        ((LIVE,), True, False, True),
        (pin_protected(["old"]), True, True, False),
        ((*pin_protected(["old"]), LIVE), True, True, False),
        (pin_protected(["new"]), True, False, True),
        (pin_protected(["old"]), False, True, False),
    ],
)
def test_complete_deployment_is_counted_unless_protected_whatever_else_keeps_it(
    pins, is_complete, is_protected, is_counted
):
    evaluation = evaluation_of_old(pins=pins, is_complete=is_complete)

    assert evaluation.is_protected is is_protected
    assert evaluation.is_counted is is_counted


def test_deployment_that_nothing_keeps_is_deleted():
    evaluation = evaluation_of_old()

    assert (evaluation.is_delete, evaluation.is_keep) == (True, False)
    assert evaluation.decision.action is Action.DELETE


@pytest.mark.parametrize("has_checks", [True, False])
def test_deployment_without_a_successor_is_kept_even_if_no_check_keeps_it(has_checks):
    evaluation = evaluation_of_old()
    checks = evaluation.checks if has_checks else ()

    alone = replace(evaluation, successor=None, checks=checks)

    assert (alone.is_delete, alone.is_keep) == (False, True)
    assert alone.decision.action is Action.KEEP
