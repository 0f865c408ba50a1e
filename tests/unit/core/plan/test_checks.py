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
    to_delete,
)
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in

NEW, OLD = deployment("new", 1), deployment("old", 9)


def list_refusals(target_inventory, *, pins=(), decisions=(), readings=(), **limits):
    return [
        *find_refusals(target_inventory, pins, readings),
        *find_limit_refusals(decisions, Limits(**limits)),
    ]


def list_warnings(
    target_inventory, *, pins=(), readings=(), versioning=Versioning.ENABLED, **rules
):
    return list(find_warnings(target_inventory, pins, readings, versioning, **rules))


def list_codes(issues):
    return [issue.code for issue in issues]


def test_complete_inventory_has_no_refusal_or_warning():
    target_inventory = inventory(NEW, OLD)
    live = LiveReading.from_names(LiveSource.parse("object:current"), ["new"], "current")
    options = {"pins": pin_protected(["new"]), "readings": [live]}

    assert list_refusals(target_inventory, decisions=(kept(NEW), to_delete(OLD)), **options) == []
    assert list_warnings(target_inventory, **options) == []


# Unreadable folders, and pins without a match.


UNREADABLE = (
    UnlistedFolder(name="a", reason="denied"),
    UnlistedFolder(name="b", reason="cut off"),
)


def test_each_folder_that_could_not_be_listed_refuses_with_the_reason():
    issues = list_refusals(replace(inventory(NEW), unlisted=UNREADABLE))

    assert list_codes(issues) == [RefusalCode.UNREADABLE_DEPLOYMENT] * 2
    for folder, issue in zip(UNREADABLE, issues, strict=True):
        assert folder.name in words_in(issue.message)
        assert issue.message.endswith(folder.reason)


def test_protected_name_that_does_not_exist_refuses_with_the_nearest():
    [issue] = list_refusals(
        inventory(deployment("release-1", 1)), pins=pin_protected(["relaese-1"])
    )

    assert issue.code is RefusalCode.PROTECTED_NOT_FOUND
    assert {"relaese-1", "release-1?"} <= {word.strip(",.") for word in issue.message.split()}


def test_protected_name_of_an_ignored_or_unreadable_folder_is_accepted():
    target_inventory = replace(
        inventory(NEW, ignored=(IgnoredEntry(name="assets/", reason="does not match"),)),
        unlisted=(UnlistedFolder(name="locked", reason="denied"),),
    )

    issues = list_refusals(target_inventory, pins=pin_protected(["assets", "locked", "new"]))

    assert list_codes(issues) == [RefusalCode.UNREADABLE_DEPLOYMENT]


def test_glob_and_commit_that_match_nothing_do_not_refuse():
    assert (
        list_refusals(inventory(NEW), pins=(*pin_protected(["v*"]), *pin_commits(["abcdef1"])))
        == []
    )


@pytest.mark.parametrize("glob", ["stable-*, release-*", "stable-*|v1", "a*;b", "[a-c]* d"])
def test_glob_that_looks_like_a_list_refuses_if_it_matches_nothing(glob):
    issues = list_refusals(inventory(NEW), pins=pin_protected([glob]))

    assert list_codes(issues) == [RefusalCode.PROTECTED_NOT_FOUND]
    assert list_warnings(inventory(NEW), pins=pin_protected([glob])) == []


def test_glob_with_a_set_of_characters_does_not_refuse():
    assert list_refusals(inventory(NEW), pins=pin_protected(["v[1,2]", "[ ;]x"])) == []


def test_glob_that_matches_nothing_warns_and_a_name_or_commit_does_not():
    pins = (*pin_protected(["v*", "n*", "nowhere"]), *pin_commits(["abcdef1"]))

    [issue] = list_warnings(inventory(NEW), pins=pins)

    assert issue.code is WarningCode.PROTECTED_GLOB_UNMATCHED
    assert "v*" in words_in(issue.message)


# Limits.

OLDER = deployment("older", 10, size_bytes=50)


@pytest.mark.parametrize(
    ("limit", "shown_limit"),
    [
        (DeleteLimit(amount=1, is_percent=False), "1"),
        (DeleteLimit(amount=60, is_percent=True), "60%"),
    ],
)
def test_more_than_max_delete_refuses(limit, shown_limit):
    decisions = (kept(NEW), to_delete(OLD), to_delete(OLDER))

    [issue] = list_refusals(inventory(), decisions=decisions, max_delete=limit)

    assert issue.code is RefusalCode.MAX_DELETE
    assert {"2", "3", "max-delete", shown_limit} <= words_in(issue.message)


def test_exactly_max_delete_is_not_refused():
    limit = DeleteLimit(amount=50, is_percent=True)

    assert list_refusals(inventory(), decisions=(kept(NEW), to_delete(OLD)), max_delete=limit) == []


@pytest.mark.parametrize(("limit", "is_refused"), [("2099B", True), ("2100B", False)])
def test_max_delete_bytes_counts_only_deletions_and_includes_the_limit(limit, is_refused):
    decisions = (
        kept(NEW),
        to_delete(OLD),
        to_delete(OLDER),
    )  # two objects of 1,000 bytes, two of 50

    issues = list_refusals(
        inventory(NEW, OLD, OLDER), decisions=decisions, max_delete_bytes=ByteSize.parse(limit)
    )

    assert list_codes(issues) == [RefusalCode.MAX_DELETE_BYTES] * is_refused
    for issue in issues:
        assert {"2.1", "2,100", "2099B"} <= words_in(issue.message)


def test_both_limits_are_reported():
    limits = {
        "max_delete": DeleteLimit(amount=0, is_percent=False),
        "max_delete_bytes": ByteSize.parse("0B"),
    }

    assert list_codes(list_refusals(inventory(), decisions=(to_delete(OLD),), **limits)) == [
        RefusalCode.MAX_DELETE,
        RefusalCode.MAX_DELETE_BYTES,
    ]
    assert list_refusals(inventory(), decisions=(kept(NEW),), **limits) == []


# Warnings.


@pytest.mark.parametrize("versioning", list(Versioning))
def test_versioning_that_could_not_be_read_warns(versioning):
    issues = list_warnings(inventory(NEW), versioning=versioning)

    assert list_codes(issues) == [WarningCode.VERSIONING_UNKNOWN] * (
        versioning is Versioning.UNKNOWN
    )


HOUR = 1 / 24
SECOND = HOUR / 3600


@pytest.mark.parametrize(
    ("spans", "long_spans"),
    [
        ([], []),
        ([0, HOUR / 2, HOUR], []),
        ([HOUR + SECOND], ["d0 (an hour)"]),
        ([HOUR, 2 * HOUR, 30], ["d1 (2 hours)", "d2 (30 days)"]),
    ],
)
def test_deployment_with_a_span_over_an_hour_warns(spans, long_spans):
    deployments = [deployment(f"d{index}", 40, 40 - days) for index, days in enumerate(spans)]

    issues = list_warnings(inventory(*deployments, empty_deployment("e")))

    assert list_codes(issues) == [WarningCode.LONG_SPAN] * bool(long_spans)
    for issue in issues:
        assert numbers_in(issue.message)[0] == len(long_spans)
        assert ", ".join(long_spans) in issue.message


def test_list_of_many_long_spans_is_shortened():
    deployments = [deployment(f"d{index}", 40, 38) for index in range(7)]

    [issue] = list_warnings(inventory(*deployments))

    assert [index for index in range(7) if f"d{index}" in issue.message] == [0, 1, 2, 3, 4]
    assert numbers_in(issue.message)[-1] == 2


@pytest.mark.parametrize(
    ("names", "ungrouped"),
    [
        ([], []),
        (["pr-1-a", "pr-2-b"], []),
        (["pr-1-a", "main"], ["main"]),
        (["pr-1", "main"], ["pr-1", "main"]),
    ],
)
def test_deployment_that_group_by_does_not_match_warns(names, ungrouped):
    deployments = inventory(*(deployment(name, 1) for name in names))

    issues = list_warnings(deployments, group_by=re.compile(r"(pr-\d+)-.*"))

    assert list_codes(issues) == [WarningCode.UNGROUPED] * bool(ungrouped)
    for issue in issues:
        assert numbers_in(issue.message)[0] == len(ungrouped)
        assert ", ".join(ungrouped) in issue.message


def test_deployment_that_group_by_matches_only_partly_warns():
    [issue] = list_warnings(inventory(deployment("pr-1-a", 1)), group_by=re.compile(r"(pr-\d+)"))

    assert "pr-1-a" in words_in(issue.message)


def test_without_group_by_nothing_is_ungrouped():
    assert list_warnings(inventory(deployment("main", 1))) == []


def make_incomplete(name):
    objects = [make_object(f"{name}/app.js", at=days_ago(1))]
    return summarize_folder(name, f"{name}/", objects, required_file="index.html")


def test_required_file_that_no_deployment_has_warns():
    target_inventory = inventory(make_incomplete("d1"), make_incomplete("d2"))

    [issue] = list_warnings(target_inventory, required_file="index.html")

    assert issue.code is WarningCode.REQUIRED_FILE_UNFOUND
    assert "index.html" in words_in(issue.message)


def test_required_file_that_one_deployment_has_does_not_warn():
    assert list_warnings(inventory(make_incomplete("d1"), NEW), required_file="index.html") == []
    assert list_warnings(inventory(), required_file="index.html") == []
    assert list_warnings(inventory(make_incomplete("d1"))) == []


# How long a deletion can be restored.


TERMS = {
    "unknown": (None, []),
    "none": (NoncurrentExpiration(), []),
    "30 days": (NoncurrentExpiration(days=30), []),
    "denied": (NoncurrentExpiration(problem="denied"), ["denied"]),
}


@pytest.mark.parametrize(("term", "values"), TERMS.values(), ids=TERMS)
def test_only_an_unknown_restore_period_warns(term, values):
    issues = find_restore_period_warnings(term)

    assert list_codes(issues) == [WarningCode.RESTORE_PERIOD] * len(values)
    assert all(
        value in words_in(issue.message) for value, issue in zip(values, issues, strict=True)
    )


def test_messages_are_the_golden_ones():
    decisions = (kept(NEW), to_delete(OLD), to_delete(OLDER))
    hour_long = [deployment(f"d{index}", 40, 38) for index in range(7)]
    group_by = re.compile(r"(pr-\d+)-.*")
    everything = inventory(NEW, OLD, OLDER)
    cases = {
        "unreadable folders": list_refusals(replace(inventory(NEW), unlisted=UNREADABLE)),
        "protected name": list_refusals(
            inventory(deployment("release-1", 1)), pins=pin_protected(["relaese-1"])
        ),
        "protected list in one line": list_refusals(inventory(NEW), pins=pin_protected(["a*;b"])),
        "protected glob": list_warnings(inventory(NEW), pins=pin_protected(["v*"])),
        "max-delete, a count": list_refusals(
            everything, decisions=decisions, max_delete=DeleteLimit(amount=1, is_percent=False)
        ),
        "max-delete, a percentage": list_refusals(
            everything, decisions=decisions, max_delete=DeleteLimit(amount=60, is_percent=True)
        ),
        "max-delete-bytes": list_refusals(
            everything, decisions=decisions, max_delete_bytes=ByteSize.parse("2099B")
        ),
        "versioning": list_warnings(inventory(NEW), versioning=Versioning.UNKNOWN),
        "1 long span": list_warnings(inventory(hour_long[0])),
        "7 long spans": list_warnings(inventory(*hour_long)),
        "1 ungrouped": list_warnings(inventory(deployment("main", 1)), group_by=group_by),
        "2 ungrouped": list_warnings(
            inventory(deployment("pr-1", 1), deployment("main", 1)), group_by=group_by
        ),
        "required-file": list_warnings(
            inventory(make_incomplete("d1")), required_file="index.html"
        ),
        "restore period": list(find_restore_period_warnings(TERMS["denied"][0])),
    }
    assert_messages(__file__, cases.items())
