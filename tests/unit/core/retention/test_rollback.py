"""Rollback targets, where some deployments are protected."""

from ci3.core.live.pins import pin_protected
from ci3.core.retention.decide import RetentionPolicy, decide
from ci3.core.retention.rollback import find_rollback_targets
from tests.support.builders import NOW, deployment, inventory, marker_only_deployment


def targets(*deployments, protect=(), keep_count=2):
    policy = RetentionPolicy(keep_count=keep_count)
    decisions = decide(inventory(*deployments), policy, pin_protected(protect), NOW, 1)
    return [decision.deployment.name for decision in find_rollback_targets(decisions)]


def test_protected_folder_that_is_the_newest_is_neither_current_nor_a_target():
    deployments = [deployment(name, days) for days, name in enumerate(("assets", "d3", "d2", "d1"))]

    assert targets(*deployments, protect=["assets"]) == ["d2"]


def test_protected_release_behind_the_newest_is_a_target():
    deployments = [deployment(name, days) for days, name in enumerate(("d3", "d2", "release-1"))]

    assert targets(*deployments, protect=["release-*"], keep_count=1) == ["release-1"]


def test_where_all_are_protected_the_newest_is_the_current_one():
    deployments = [deployment(name, days) for days, name in enumerate(("r3", "r2", "r1"))]

    assert targets(*deployments, protect=["r*"]) == ["r2", "r1"]


def test_incomplete_deployment_that_is_kept_is_neither_current_nor_a_target():
    deployments = [marker_only_deployment("torn", 0), deployment("d2", 1), deployment("d1", 2)]

    assert targets(*deployments) == ["d1"]


def test_incomplete_deployment_that_is_kept_behind_the_newest_is_not_a_target():
    deployments = [deployment("d2", 1), marker_only_deployment("partial", 2), deployment("d1", 3)]

    assert targets(*deployments) == ["d1"]
