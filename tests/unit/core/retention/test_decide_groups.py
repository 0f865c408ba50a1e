"""What groups, completeness and the choice of ages change, as tables."""

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


def by(pattern, **rules):
    return {"group_by": re.compile(pattern), **rules}


def without_index(name, days):
    """A deployment that lacks its required file."""
    objects = [make_object(f"{name}/app.js", at=days_ago(days))]
    return summarize_folder(name, f"{name}/", objects, required_file="index.html")


def begun(name, first_days, newest_days):
    """A deployment of which only the first page of objects was listed."""
    return replace(
        deployment(name, first_days, newest_days),
        is_fully_listed=False,
        size_bytes=0,
        fingerprint="",
    )


PR = r"(pr-\d+)-.*"

GROUPS = {
    "each group is decided alone": Case(
        rules=by(PR),
        rows=(
            (deployment("pr-2-b", 1), "keep: keep-count"),
            (deployment("pr-1-b", 2), "keep: keep-count"),
            (deployment("pr-2-a", 3), "delete: superseded"),
            (deployment("pr-1-a", 4), "delete: superseded"),
        ),
    ),
    "the last complete one of each group stays, however old": Case(
        rules=by(PR),
        rows=(
            (deployment("pr-9-b", 1), "keep: keep-count"),
            (deployment("pr-9-a", 2), "delete: superseded"),
            (marker_only_deployment("pr-3-b", 300), "keep: in-progress"),
            (deployment("pr-3-a", 400), "keep: keep-count"),
            (deployment("pr-10-a", 500), "keep: keep-count"),
        ),
    ),
    "keep-count and the minimum count in each group": Case(
        keep_count=1,
        minimum=2,
        rules=by(PR),
        rows=(
            (deployment("pr-2-c", 1), "keep: keep-count"),
            (deployment("pr-1-c", 2), "keep: keep-count"),
            (deployment("pr-2-b", 3), "keep: minimum-keep-count"),
            (deployment("pr-1-b", 4), "keep: minimum-keep-count"),
            (deployment("pr-2-a", 5), "delete: superseded"),
            (deployment("pr-1-a", 6), "delete: superseded"),
        ),
    ),
    "what does not match is a group of its own, and stays": Case(
        rules=by(PR),
        rows=(
            (deployment("pr-1-a", 1), "keep: keep-count"),
            (deployment("main-2", 2), "keep: keep-count"),
            (deployment("main-1", 3), "keep: keep-count"),
        ),
    ),
    "it stays even where a group has its name, and that group does not count it": Case(
        rules=by(PR),
        rows=(
            (deployment("pr-1", 1), "keep: keep-count"),  # no match
            (deployment("pr-1-b", 2), "keep: keep-count"),
            (deployment("pr-1-a", 3), "delete: superseded"),
        ),
    ),
    "a name must match in full": Case(
        rules=by(r"(pr-\d+)"),
        rows=(
            (deployment("pr-1-b", 1), "keep: keep-count"),
            (deployment("pr-1-a", 2), "keep: keep-count"),
        ),
    ),
    "text that reads differently is another group": Case(
        rules=by(r"(?i)(pr-\d+)-.*"),
        rows=(
            (deployment("PR-1-b", 1), "keep: keep-count"),
            (deployment("pr-1-b", 2), "keep: keep-count"),
            (deployment("pr-01-b", 3), "keep: keep-count"),
        ),
    ),
    "what matches without the group's text is one group together": Case(
        rules=by(rf"{PR}|.*"),
        rows=(
            (deployment("pr-1-b", 1), "keep: keep-count"),
            (deployment("main-2", 2), "keep: keep-count"),
            (deployment("pr-1-a", 3), "delete: superseded"),
            (deployment("main-1", 4), "delete: superseded"),
            (deployment("f00ba47", 5), "delete: superseded"),
        ),
    ),
    "several groups in the expression make one of all their texts": Case(
        rules=by(r"(web|api)-(?:(pr-\d+)-)?\w+"),
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
    "each group has its own followers, days and overlaps": Case(
        rules=by(PR, keep_daily=2) | keep_within("7d"),
        rows=(
            (deployment("pr-2-c", 3, 1), "keep: keep-count keep-within keep-daily"),
            (deployment("pr-1-c", 2), "keep: keep-count keep-within keep-daily"),
            (deployment("pr-1-b", 9), "keep: keep-within keep-daily"),
            (deployment("pr-1-a", 10), "delete: superseded"),  # pr-1-b followed it, 9 days ago
            (deployment("pr-2-b", 20), "keep: keep-within keep-daily"),
            (deployment("pr-2-a", 30), "delete: superseded"),
        ),
    ),
    "a pin keeps in any group": Case(
        rules=by(PR),
        pins=pin_protected(["pr-1-a"]),
        rows=(
            (deployment("pr-1-c", 1), "keep: keep-count"),
            (deployment("pr-1-b", 2), "delete: superseded"),
            (deployment("pr-1-a", 3), "keep: protected"),
        ),
    ),
}

COMPLETENESS = {
    "an incomplete one newer than every complete one may be uploading, and fills no slot": Case(
        rows=(
            (marker_only_deployment("d3", 1), "keep: in-progress"),
            (deployment("d2", 2), "keep: keep-count"),
            (deployment("d1", 3), "delete: superseded"),
        ),
    ),
    "an incomplete one as new as the newest complete one may be uploading": Case(
        rows=(
            (deployment("d2", 2), "keep: keep-count"),
            (marker_only_deployment("d3", 2), "keep: in-progress"),
            (deployment("d1", 3), "delete: superseded"),
        ),
    ),
    "without a complete one every incomplete one may be uploading": Case(
        rows=(
            (marker_only_deployment("d2", 1), "keep: in-progress"),
            (marker_only_deployment("d1", 900), "keep: in-progress"),
        ),
    ),
    "an older incomplete one goes by the same rules": Case(
        keep_count=2,
        rows=(
            (deployment("d4", 1), "keep: keep-count"),
            (marker_only_deployment("m3", 2), "keep: keep-count"),  # only one is known to be newer
            (deployment("d2", 3), "keep: keep-count"),
            (marker_only_deployment("m1", 4), "delete: superseded"),
        ),
    ),
    "an incomplete one within the upload of a complete one is in doubt": Case(
        rows=(
            (deployment("d2", 5, 1), "keep: keep-count"),
            (marker_only_deployment("m1", 3), "keep: ambiguous-age"),
        ),
    ),
    "without its required file a deployment is incomplete, and goes once one is newer": Case(
        keep_count=1,
        rows=(
            (without_index("d5", 1), "keep: in-progress"),
            (deployment("d4", 2), "keep: keep-count"),
            (without_index("d3", 3), "delete: superseded"),
            (deployment("d2", 4), "delete: superseded"),
        ),
    ),
    "without their required file all stay, however many": Case(
        rows=(
            (without_index("d3", 1), "keep: in-progress"),
            (without_index("d2", 20), "keep: in-progress"),
            (without_index("d1", 300), "keep: in-progress"),
        ),
    ),
    "each group has its own newest complete one": Case(
        rules=by(PR),
        rows=(
            (deployment("pr-2-b", 1), "keep: keep-count"),
            (without_index("pr-1-b", 2), "keep: in-progress"),
            (without_index("pr-2-a", 3), "delete: superseded"),
            (deployment("pr-1-a", 4), "keep: keep-count"),
        ),
    ),
}

MENDED = deployment("mended", 10, 1)
"""Uploaded ten days ago; yesterday one file of it was changed."""

AGES = {
    AgeFrom.SPAN: Case(
        rows=(
            (MENDED, "keep: keep-count"),
            (deployment("d5", 5), "keep: ambiguous-age"),
            (deployment("d7", 7), "delete: superseded"),  # d5 is known to be newer
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
    AgeFrom.OLDEST: Case(
        rows=(
            (MENDED, "delete: superseded"),
            (deployment("d5", 5), "keep: keep-count"),
            (deployment("d7", 7), "delete: superseded"),
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
    AgeFrom.NEWEST: Case(
        rows=(
            (MENDED, "keep: keep-count"),
            (deployment("d5", 5), "delete: superseded"),
            (deployment("d7", 7), "delete: superseded"),
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
    # Known in full, it is not taken for as old as its first object.
    AgeFrom.FIRST_OBJECT: Case(
        rows=(
            (MENDED, "keep: keep-count"),
            (deployment("d5", 5), "keep: ambiguous-age"),
            (deployment("d7", 7), "delete: superseded"),
            (deployment("d12", 12), "delete: superseded"),
        ),
    ),
}

FIRST_OBJECT = {
    "of one that is begun to be listed only the first object counts": Case(
        rows=(
            (begun("mended", 10, 1), "delete: superseded"),
            (begun("d5", 5, 4), "keep: keep-count"),
            (begun("d7", 7, 6), "delete: superseded"),
        ),
    ),
    "by its first object it is newer than what overlaps with all of it": Case(
        rows=(
            (replace(deployment("d2", 9, 1), first_object_at=days_ago(3)), "keep: keep-count"),
            (deployment("d1", 5), "delete: superseded"),
        ),
    ),
    "one that is begun and one that is known in full are compared with what is known": Case(
        rows=(
            (deployment("d2", 8, 1), "keep: keep-count"),
            (begun("d1", 9, 5), "delete: superseded"),
        ),
    ),
    "equal first objects keep both": Case(
        rows=(
            (begun("d2", 5, 1), "keep: ambiguous-age"),
            (begun("d1", 5, 3), "keep: keep-count"),
        ),
    ),
}

CASES = GROUPS | COMPLETENESS
CASES["an upload that is still running is kept whatever the age is from"] = Case(
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
def test_decision_is_as_the_table_says(case):
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
def test_group_is_called_by_its_text_and_one_alone_by_its_name(pattern, groups):
    policy = RetentionPolicy(keep_count=1, group_by=pattern and re.compile(pattern))

    decisions = decide(
        inventory(deployment("pr-12-ab12cd3", 1), deployment("main", 2)), policy, (), NOW, 1
    )

    assert [one.group for one in decisions] == groups


def test_times_that_are_shown_are_those_of_all_objects_whatever_the_age_is_from():
    for age_from in AgeFrom:
        policy = RetentionPolicy(keep_count=1, age_from=age_from)
        decisions = decide(inventory(deployment("d5", 5), MENDED), policy, (), NOW, 1)
        assert [one.deployment.name for one in decisions] == ["mended", "d5"]
