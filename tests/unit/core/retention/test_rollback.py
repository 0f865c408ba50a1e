"""Rollback targets, where some deployments are protected or live."""

import re

from ci3.core.live.pins import pin_live, pin_protected
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.core.retention.decide import RetentionPolicy, decide
from ci3.core.retention.rollback import find_rollback_targets
from tests.support.builders import NOW, deployment, inventory, marker_only_deployment


def find_targets(*deployments, protect=(), live=(), keep_count=2, group_by=None):
    policy = RetentionPolicy(keep_count=keep_count, group_by=group_by)
    source = LiveSource.parse("object:current")
    reading = LiveReading.from_names(source, live, "s3://site/current")
    pins = (*pin_protected(protect), *pin_live([reading], ""))
    decisions = decide(inventory(*deployments), policy, pins, NOW, 1)
    return [decision.deployment.name for decision in find_rollback_targets(decisions)]


def test_protected_folder_that_is_the_newest_is_neither_current_nor_a_target():
    deployments = [deployment(name, days) for days, name in enumerate(("assets", "d3", "d2", "d1"))]

    assert find_targets(*deployments, protect=["assets"]) == ["d2"]


def test_protected_release_behind_the_newest_is_a_target():
    deployments = [deployment(name, days) for days, name in enumerate(("d3", "d2", "release-1"))]

    assert find_targets(*deployments, protect=["release-*"], keep_count=1) == ["release-1"]


def test_newest_deployment_is_current_if_all_are_protected():
    deployments = [deployment(name, days) for days, name in enumerate(("r3", "r2", "r1"))]

    assert find_targets(*deployments, protect=["r*"]) == ["r2", "r1"]


def test_incomplete_deployment_that_is_kept_is_neither_current_nor_a_target():
    deployments = [marker_only_deployment("torn", 0), deployment("d2", 1), deployment("d1", 2)]

    assert find_targets(*deployments) == ["d1"]


def test_incomplete_deployment_that_is_kept_behind_the_newest_is_not_a_target():
    deployments = [deployment("d2", 1), marker_only_deployment("partial", 2), deployment("d1", 3)]

    assert find_targets(*deployments) == ["d1"]


def test_deployments_newer_than_the_live_deployment_are_no_targets():
    deployments = [deployment(f"d{age}", age) for age in range(5)]

    assert find_targets(*deployments, live=["d2"], keep_count=5) == ["d3", "d4"]


def test_newer_of_two_live_deployments_is_current():
    deployments = [deployment(f"d{age}", age) for age in range(5)]

    assert find_targets(*deployments, live=["d3", "d1"], keep_count=3) == ["d2", "d3"]


def test_live_deployment_is_current_even_if_protected_or_incomplete():
    deployments = [deployment("d3", 0), marker_only_deployment("d2", 1), deployment("d1", 2)]

    assert find_targets(*deployments, live=["d2"]) == ["d1"]
    assert find_targets(*deployments, live=["d3"], protect=["d3"]) == ["d1"]


def test_live_deployment_is_current_only_in_its_group():
    deployments = [deployment(f"{group}-{age}", age) for age in range(3) for group in "ab"]

    names = find_targets(*deployments, live=["a-1"], keep_count=3, group_by=re.compile("([ab])-.*"))

    assert sorted(names) == ["a-2", "b-1", "b-2"]
