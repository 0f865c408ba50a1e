"""How groups, completeness and `age-from` affect decisions, as tables."""

import re
from dataclasses import replace

import pytest

from ci3.core.inventory.summary import summarize_folder
from ci3.core.live.pins import pin_protected
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.decide import RetentionPolicy, decide
from tests.support.builders import (
    NOW,
    days_ago,
    deployment,
    inventory,
    make_object,
    marker_only_deployment,
)
from tests.unit.core.retention.tables import Case, decide_case, keep_within, list_expected


def group_by(pattern, **rules):
    return {"group_by": re.compile(pattern), **rules}


def without_index(name, days):
    """Return a deployment without its required file."""
    objects = [make_object(f"{name}/app.js", at=days_ago(days))]
    return summarize_folder(name, f"{name}/", objects, required_file="index.html")


def partly_listed(name, first_days, newest_days):
    """Return a deployment of which only the first page of objects was listed."""
    return replace(
        deployment(name, first_days, newest_days),
        is_fully_listed=False,
        size_bytes=0,
        fingerprint="",
    )


PR = r"(pr-\d+)-.*"

GROUPS = {
    "each group is decided separately": Case(
        rules=group_by(PR),
        rows=(
            (deployment("pr-2-b", 1), "keep: keep-count"),
            (deployment("pr-1-b", 2), "keep: keep-count"),
            (deployment("pr-2-a", 3), "delete: superseded"),
            (deployment("pr-1-a", 4), "delete: superseded"),
        ),
    ),
    "the newest complete deployment of each group is kept at any age": Case(
        rules=group_by(PR),
        rows=(
            (deployment("pr-9-b", 1), "keep: keep-count"),
            (deployment("pr-9-a", 2), "delete: superseded"),
            (marker_only_deployment("pr-3-b", 300), "keep: in-progress"),
            (deployment("pr-3-a", 400), "keep: keep-count"),
            (deployment("pr-10-a", 500), "keep: keep-count"),
        ),
    ),
    "keep-count and the minimum apply to each group": Case(
        keep_count=1,
        minimum=2,
        rules=group_by(PR),
        rows=(
            (deployment("pr-2-c", 1), "keep: keep-count"),
            (deployment("pr-1-c", 2), "keep: keep-count"),
            (deployment("pr-2-b", 3), "keep: minimum-keep-count"),
            (deployment("pr-1-b", 4), "keep: minimum-keep-count"),
            (deployment("pr-2-a", 5), "delete: superseded"),
            (deployment("pr-1-a", 6), "delete: superseded"),
        ),
    ),
    "a name that does not match is a separate group and is kept": Case(
        rules=group_by(PR),
        rows=(
            (deployment("pr-1-a", 1), "keep: keep-count"),
            (deployment("main-2", 2), "keep: keep-count"),
            (deployment("main-1", 3), "keep: keep-count"),
        ),
    ),
    "a name that does not match is not in the group that has this name": Case(
        rules=group_by(PR),
        rows=(
            (deployment("pr-1", 1), "keep: keep-count"),  # no match
            (deployment("pr-1-b", 2), "keep: keep-count"),
            (deployment("pr-1-a", 3), "delete: superseded"),
        ),
    ),
    "a name must match in full": Case(
        rules=group_by(r"(pr-\d+)"),
        rows=(
            (deployment("pr-1-b", 1), "keep: keep-count"),
            (deployment("pr-1-a", 2), "keep: keep-count"),
        ),
    ),
    "a different notation is another group": Case(
        rules=group_by(r"(?i)(pr-\d+)-.*"),
        rows=(
            (deployment("PR-1-b", 1), "keep: keep-count"),
            (deployment("pr-1-b", 2), "keep: keep-count"),
            (deployment("pr-01-b", 3), "keep: keep-count"),
        ),
    ),
    "names that match without text in the group are one group": Case(
        rules=group_by(rf"{PR}|.*"),
        rows=(
            (deployment("pr-1-b", 1), "keep: keep-count"),
            (deployment("main-2", 2), "keep: keep-count"),
            (deployment("pr-1-a", 3), "delete: superseded"),
            (deployment("main-1", 4), "delete: superseded"),
            (deployment("f00ba47", 5), "delete: superseded"),
        ),
    ),
    "several groups of the expression make one group from all their texts": Case(
        rules=group_by(r"(web|api)-(?:(pr-\d+)-)?\w+"),
        rows=(
            (deployment("web-pr-1-b", 1), "keep: keep-count"),
            (deployment("api-pr-1-b", 2), "keep: keep-count"),
            (deployment("web-b", 3), "keep: keep-count"),
            (deployment("api-b", 4), "keep: keep-count"),
            (deployment("web-pr-1-a", 5), "delete: superseded"),
            (deployment("web-a", 6), "delete: superseded"),
            (deployment("api-a", 7), "delete: superseded"),
        ),
    ),
    "each group has separate successors, days and overlaps": Case(
        rules=group_by(PR, keep_daily=2) | keep_within("7d"),
        rows=(
            (deployment("pr-2-c", 3, 1), "keep: keep-count keep-within keep-daily"),
            (deployment("pr-1-c", 2), "keep: keep-count keep-within keep-daily"),
            (deployment("pr-1-b", 9), "keep: keep-within keep-daily"),
            (deployment("pr-1-a", 10), "delete: superseded"),  # superseded by pr-1-b 9 days ago
            (deployment("pr-2-b", 20), "keep: keep-within keep-daily"),
            (deployment("pr-2-a", 30), "delete: superseded"),
        ),
    ),
    "a pin keeps a deployment in any group": Case(
        rules=group_by(PR),
        pins=pin_protected(["pr-1-a"]),
        rows=(
            (deployment("pr-1-c", 1), "keep: keep-count"),
            (deployment("pr-1-b", 2), "delete: superseded"),
            (deployment("pr-1-a", 3), "keep: protected"),
        ),
    ),
}

COMPLETENESS = {
    "the newest deployment, if incomplete, may be uploading and is not counted": Case(
        rows=(
            (marker_only_deployment("d3", 1), "keep: in-progress"),
            (deployment("d2", 2), "keep: keep-count"),
            (deployment("d1", 3), "delete: superseded"),
        ),
    ),
    "an incomplete deployment as new as the newest complete one may be uploading": Case(
        rows=(
            (deployment("d2", 2), "keep: keep-count"),
            (marker_only_deployment("d3", 2), "keep: in-progress"),
            (deployment("d1", 3), "delete: superseded"),
        ),
    ),
    "without a complete deployment, each incomplete one may be uploading": Case(
        rows=(
            (marker_only_deployment("d2", 1), "keep: in-progress"),
            (marker_only_deployment("d1", 900), "keep: in-progress"),
        ),
    ),
    "the same rules apply to an older incomplete deployment": Case(
        keep_count=2,
        rows=(
            (deployment("d4", 1), "keep: keep-count"),
            (marker_only_deployment("m3", 2), "keep: keep-count"),  # only one is known to be newer
            (deployment("d2", 3), "keep: keep-count"),
            (marker_only_deployment("m1", 4), "delete: superseded"),
        ),
    ),
    "an incomplete deployment during the upload of a complete one has an ambiguous age": Case(
        rows=(
            (deployment("d2", 5, 1), "keep: keep-count"),
            (marker_only_deployment("m1", 3), "keep: ambiguous-age"),
        ),
    ),
    "a deployment without its required file is incomplete, and is deleted if superseded": Case(
        keep_count=1,
        rows=(
            (without_index("d5", 1), "keep: in-progress"),
            (deployment("d4", 2), "keep: keep-count"),
            (without_index("d3", 3), "delete: superseded"),
            (deployment("d2", 4), "delete: superseded"),
        ),
    ),
    "deployments without their required file are all kept if none is complete": Case(
        rows=(
            (without_index("d3", 1), "keep: in-progress"),
            (without_index("d2", 20), "keep: in-progress"),
            (without_index("d1", 300), "keep: in-progress"),
        ),
    ),
    "each group has a newest complete deployment": Case(
        rules=group_by(PR),
        rows=(
            (deployment("pr-2-b", 1), "keep: keep-count"),
            (without_index("pr-1-b", 2), "keep: in-progress"),
            (without_index("pr-2-a", 3), "delete: superseded"),
            (deployment("pr-1-a", 4), "keep: keep-count"),
        ),
    ),
}

UPDATED = deployment("updated", 10, 1)
"""Uploaded 10 days ago; one file was changed yesterday."""

AGES = {
    AgeFrom.SPAN: Case(
        rows=(
            (UPDATED, "keep: keep-count"),
            (deployment("d5", 5), "keep: ambiguous-age"),
            (deployment("d7", 7), "delete: superseded"),  # d5 is known to be newer
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
    AgeFrom.OLDEST: Case(
        rows=(
            (UPDATED, "delete: superseded"),
            (deployment("d5", 5), "keep: keep-count"),
            (deployment("d7", 7), "delete: superseded"),
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
    AgeFrom.NEWEST: Case(
        rows=(
            (UPDATED, "keep: keep-count"),
            (deployment("d5", 5), "delete: superseded"),
            (deployment("d7", 7), "delete: superseded"),
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
    # A fully listed deployment is not considered to be as old as its first object.
    AgeFrom.FIRST_OBJECT: Case(
        rows=(
            (UPDATED, "keep: keep-count"),
            (deployment("d5", 5), "keep: ambiguous-age"),
            (deployment("d7", 7), "delete: superseded"),
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
}

FIRST_OBJECT = {
    "of a partly listed deployment, only the first object counts": Case(
        rows=(
            (partly_listed("updated", 10, 1), "delete: superseded"),
            (partly_listed("d5", 5, 4), "keep: keep-count"),
            (partly_listed("d7", 7, 6), "delete: superseded"),
        ),
    ),
    "a deployment may be newer by its first object than one that overlaps with its span": Case(
        rows=(
            (replace(deployment("d2", 9, 1), first_object_at=days_ago(3)), "keep: keep-count"),
            (deployment("d1", 5), "delete: superseded"),
        ),
    ),
    "a partly listed deployment is compared with a fully listed one by what is known": Case(
        rows=(
            (deployment("d2", 8, 1), "keep: keep-count"),
            (partly_listed("d1", 9, 5), "delete: superseded"),
        ),
    ),
    "deployments with first objects of equal times are both kept": Case(
        rows=(
            (partly_listed("d2", 5, 1), "keep: ambiguous-age"),
            (partly_listed("d1", 5, 3), "keep: keep-count"),
        ),
    ),
}

CASES = GROUPS | COMPLETENESS
CASES["an upload that is in progress is kept with any age-from"] = Case(
    rules={"age_from": AgeFrom.OLDEST},
    rows=(
        (replace(deployment("upload", 3, 1), is_complete=False), "keep: in-progress"),
        (deployment("d2", 2), "keep: keep-count"),
    ),
)
CASES |= {f"age-from {age}": replace(case, rules={"age_from": age}) for age, case in AGES.items()}
CASES |= {
    name: replace(case, rules={"age_from": AgeFrom.FIRST_OBJECT})
    for name, case in FIRST_OBJECT.items()
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_decisions_are_those_of_the_table(case):
    assert decide_case(case) == list_expected(case)


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (None, ["", ""]),
        (PR, ["pr-12", "main"]),
        (rf"{PR}|.*", ["pr-12", ""]),
        (r"(pr)-(\d+)-(x)?.*|(\w+)", ["pr/12//", "///main"]),
    ],
)
def test_group_has_the_name_of_its_text_or_of_the_deployment_that_does_not_match(pattern, groups):
    policy = RetentionPolicy(keep_count=1, group_by=pattern and re.compile(pattern))

    decisions = decide(
        inventory(deployment("pr-12-ab12cd3", 1), deployment("main", 2)), policy, (), NOW, 1
    )

    assert [decision.group for decision in decisions] == groups


def test_decisions_are_sorted_by_the_times_of_all_objects_with_any_age_from():
    for age_from in AgeFrom:
        policy = RetentionPolicy(keep_count=1, age_from=age_from)
        decisions = decide(inventory(deployment("d5", 5), UPDATED), policy, (), NOW, 1)
        assert [decision.deployment.name for decision in decisions] == ["updated", "d5"]
