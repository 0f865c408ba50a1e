"""What forbids applying a plan, and what only warns."""

import re
from dataclasses import replace

import pytest

from ci3.core.inventory.summary import summarize_folder
from ci3.core.live.pins import pin_protected
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.core.model.deployment import IgnoredEntry, NoncurrentExpiration, UnlistedFolder, Versioning
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.model.policy import DeleteLimit
from ci3.core.plan.checks import (
    Limits,
    find_limit_refusals,
    find_refusals,
    find_restore_period_warnings,
    find_warnings,
)
from ci3.core.units import ByteSize
from tests.support.builders import (
    days_ago,
    deployment,
    empty_deployment,
    inventory,
    kept,
    make_object,
    pin_commits,
    target,
    to_delete,
)

NEW, OLD = deployment("new", 1), deployment("old", 9)


def refusals(found, *, pins=(), decisions=(), readings=(), **limits):
    return [
        (refusal.code, refusal.message)
        for refusal in (
            *find_refusals(found, pins, readings),
            *find_limit_refusals(decisions, Limits(**limits)),
        )
    ]


def warnings(found, *, pins=(), readings=(), versioning=Versioning.ENABLED, **rules):
    return [
        (warning.code, warning.message)
        for warning in find_warnings(found, pins, readings, versioning, **rules)
    ]


def test_nothing_speaks_against_a_whole_inventory():
    found = inventory(NEW, OLD)
    live = LiveReading.from_names(LiveSource.parse("object:current"), ["new"], "current")
    rest = {"pins": pin_protected(["new"]), "readings": [live]}

    assert refusals(found, decisions=(kept(NEW), to_delete(OLD)), **rest) == []
    assert warnings(found, **rest) == []


# Folders that can't be read, and what protects nothing.


def test_each_hole_refuses():
    found = replace(
        inventory(NEW),
        unlisted=(
            UnlistedFolder(name="a", reason="denied"),
            UnlistedFolder(name="b", reason="cut off"),
        ),
    )

    assert refusals(found) == [
        (RefusalCode.UNREADABLE_DEPLOYMENT, "a could not be listed: denied"),
        (RefusalCode.UNREADABLE_DEPLOYMENT, "b could not be listed: cut off"),
    ]


def test_protected_name_that_is_nowhere_refuses_and_tells_the_nearest():
    [(code, message)] = refusals(
        inventory(deployment("release-1", 1)), pins=pin_protected(["relaese-1"])
    )

    assert code is RefusalCode.PROTECTED_NOT_FOUND
    assert message.startswith("protect names relaese-1, and there is no such folder")
    assert message.endswith(" Did you mean release-1?")


def test_protected_name_that_is_ignored_or_unreadable_is_no_typing_error():
    found = replace(
        inventory(NEW, ignored=(IgnoredEntry(name="assets/", reason="does not match"),)),
        unlisted=(UnlistedFolder(name="locked", reason="denied"),),
    )

    codes = [code for code, _ in refusals(found, pins=pin_protected(["assets", "locked", "new"]))]

    assert codes == [RefusalCode.UNREADABLE_DEPLOYMENT]


def test_glob_and_commit_that_match_nothing_do_not_refuse():
    assert refusals(inventory(NEW), pins=(*pin_protected(["v*"]), *pin_commits(["abcdef1"]))) == []


@pytest.mark.parametrize("glob", ["stable-*, release-*", "stable-*|v1", "a*;b", "[a-c]* d"])
def test_glob_that_may_be_several_refuses_if_it_matches_nothing(glob):
    codes = [code for code, _ in refusals(inventory(NEW), pins=pin_protected([glob]))]

    assert codes == [RefusalCode.PROTECTED_NOT_FOUND]
    assert warnings(inventory(NEW), pins=pin_protected([glob])) == []


def test_glob_with_a_set_of_characters_does_not_refuse():
    assert refusals(inventory(NEW), pins=pin_protected(["v[1,2]", "[ ;]x"])) == []


def test_glob_that_matches_nothing_warns_and_a_name_or_commit_does_not():
    pins = (*pin_protected(["v*", "n*", "nowhere"]), *pin_commits(["abcdef1"]))

    assert warnings(inventory(NEW), pins=pins) == [
        (WarningCode.PROTECTED_GLOB_UNMATCHED, "protect has v*, which matches no folder")
    ]


# Limits.

OLDER = deployment("older", 10, size_bytes=50)


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (DeleteLimit(amount=1, is_percent=False), "max-delete allows 1"),
        (DeleteLimit(amount=60, is_percent=True), "max-delete allows 60%"),
    ],
)
def test_more_than_max_delete_refuses(limit, told):
    decisions = (kept(NEW), to_delete(OLD), to_delete(OLDER))

    assert refusals(inventory(), decisions=decisions, max_delete=limit) == [
        (RefusalCode.MAX_DELETE, f"2 deployments of 3 would be deleted, and {told}")
    ]


def test_as_many_as_max_delete_is_not_refused():
    limit = DeleteLimit(amount=50, is_percent=True)

    assert refusals(inventory(), decisions=(kept(NEW), to_delete(OLD)), max_delete=limit) == []


@pytest.mark.parametrize(("limit", "is_refused"), [("2099B", True), ("2100B", False)])
def test_max_delete_bytes_allows_up_to_its_border_and_counts_only_what_goes(limit, is_refused):
    decisions = (
        kept(NEW),
        to_delete(OLD),
        to_delete(OLDER),
    )  # two objects of 1,000 bytes, two of 50

    found = refusals(
        inventory(NEW, OLD, OLDER), decisions=decisions, max_delete_bytes=ByteSize.parse(limit)
    )

    told = "2.1 kB (2,100 bytes) would be deleted, and max-delete-bytes allows 2099B"
    assert found == [(RefusalCode.MAX_DELETE_BYTES, told)] * is_refused


def test_both_limits_are_told():
    none = {
        "max_delete": DeleteLimit(amount=0, is_percent=False),
        "max_delete_bytes": ByteSize.parse("0B"),
    }

    assert [code for code, _ in refusals(inventory(), decisions=(to_delete(OLD),), **none)] == [
        RefusalCode.MAX_DELETE,
        RefusalCode.MAX_DELETE_BYTES,
    ]
    assert refusals(inventory(), decisions=(kept(NEW),), **none) == []


# What only warns.


@pytest.mark.parametrize("versioning", list(Versioning))
def test_versioning_that_could_not_be_read_warns(versioning):
    codes = [code for code, _ in warnings(inventory(NEW), versioning=versioning)]

    assert codes == [WarningCode.VERSIONING_UNKNOWN] * (versioning is Versioning.UNKNOWN)


HOUR = 1 / 24
SECOND = HOUR / 3600


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([], ""),
        ([0, HOUR / 2, HOUR], ""),
        ([HOUR + SECOND], "1 deployment was"),
        ([HOUR, 2 * HOUR, 30], "2 deployments were"),
    ],
)
def test_deployment_whose_own_span_is_over_an_hour_warns(spans, told):
    deployments = [deployment(f"d{place}", 40, 40 - days) for place, days in enumerate(spans)]
    long = {1: "d0 (an hour)", 3: "d1 (2 hours), d2 (30 days)"}.get(len(spans))

    assert warnings(inventory(*deployments, empty_deployment("e"))) == [
        (WarningCode.LONG_SPAN, f"{told} uploaded over more than an hour, or changed later: {long}")
    ] * bool(told)


def test_many_long_spans_are_cut_short():
    deployments = [deployment(f"d{place}", 40, 38) for place in range(7)]

    [(_, message)] = warnings(inventory(*deployments))

    assert message.endswith(
        ": d0 (2 days), d1 (2 days), d2 (2 days), d3 (2 days), d4 (2 days) and 2 more"
    )


@pytest.mark.parametrize(
    ("names", "counted", "told"),
    [
        ([], "", ""),
        (["pr-1-a", "pr-2-b"], "", ""),
        (["pr-1-a", "main"], "1 deployment does", "main"),
        (["pr-1", "main"], "2 deployments do", "pr-1, main"),
    ],
)
def test_deployment_that_group_by_does_not_match_warns(names, counted, told):
    there = inventory(*(deployment(name, 1) for name in names))

    found = warnings(there, group_by=re.compile(r"(pr-\d+)-.*"))

    what = f"{counted} not match group-by, and each is kept as a group of its own: {told}"
    assert found == [(WarningCode.UNGROUPED, what)] * bool(told)


def test_deployment_that_group_by_matches_only_in_part_warns():
    [(_, message)] = warnings(inventory(deployment("pr-1-a", 1)), group_by=re.compile(r"(pr-\d+)"))

    assert message.endswith(": pr-1-a")


def test_without_group_by_nothing_is_ungrouped():
    assert warnings(inventory(deployment("main", 1))) == []


def lacking(name):
    objects = [make_object(f"{name}/app.js", at=days_ago(1))]
    return summarize_folder(name, f"{name}/", objects, required_file="index.html")


def test_required_file_that_no_deployment_has_warns():
    found = inventory(lacking("d1"), lacking("d2"))

    assert warnings(found, required_file="index.html") == [
        (
            WarningCode.REQUIRED_FILE_UNFOUND,
            "no deployment has index.html, so none is complete, and all stay",
        )
    ]


def test_required_file_that_one_deployment_has_does_not_warn():
    assert warnings(inventory(lacking("d1"), NEW), required_file="index.html") == []
    assert warnings(inventory(), required_file="index.html") == []
    assert warnings(inventory(lacking("d1"))) == []


# Until when a deletion can be undone.


@pytest.mark.parametrize(
    ("term", "told"),
    [
        (None, []),
        (NoncurrentExpiration(), []),
        (NoncurrentExpiration(days=30), ["a lifecycle rule removes old versions 30 days after"]),
        (NoncurrentExpiration(days=1), ["a lifecycle rule removes old versions 1 day after"]),
        (NoncurrentExpiration(problem="denied"), ["could not be read: denied"]),
    ],
)
def test_end_of_the_undo_is_told_where_there_is_one(term, told):
    found = find_restore_period_warnings(term, target())

    assert [one.code for one in found] == [WarningCode.RESTORE_PERIOD] * len(told)
    assert all(part in one.message for part, one in zip(told, found, strict=True))
