"""Refusals and warnings about what live sources name."""

from dataclasses import replace

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveReading, LiveReference, LiveSource
from ci3.core.model.deployment import IgnoredEntry, UnlistedFolder, Versioning
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.plan.checks import find_refusals, find_warnings
from ci3.core.plan.live_checks import find_live_refusals
from ci3.core.plan.target_names import TargetNames
from tests.support.builders import deployment, inventory
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in

NEW = deployment("new", 1)
COMMIT = "4f1c2d3" + "0" * 33
MUST_BE_FOUND = (
    "github-deployments:production",
    "cloudfront",
    "ssm:/my-site/live",
    "object:current",
    "url:https://www.example.org/version.json#commit",
)
NEED_ONLY_ANSWER = ("open-pull-requests", "branches")


def list_refusals(target_inventory, *, pins=(), readings=()):
    return list(find_refusals(target_inventory, pins, readings))


def list_warnings(target_inventory, *, readings=()):
    return list(find_warnings(target_inventory, (), readings, Versioning.ENABLED))


def list_codes(issues):
    return [issue.code for issue in issues]


def make_reading(source, *names, problem=""):
    references = tuple(LiveReference(name=name, evidence=f"it says {name}") for name in names)
    return LiveReading(source=LiveSource.parse(source), references=references, problem=problem)


@pytest.mark.parametrize("source", [*MUST_BE_FOUND, *NEED_ONLY_ANSWER])
def test_live_source_that_cannot_be_read_refuses(source):
    unavailable = make_reading(source, problem="it did not answer")

    [issue] = list_refusals(inventory(NEW), readings=[unavailable])

    assert issue.code is RefusalCode.LIVE_SOURCE_UNREADABLE
    assert source in words_in(issue.message)
    assert unavailable.problem in issue.message


def test_problem_refuses_even_if_some_references_were_read():
    partial_reading = make_reading("branches", "new", problem="page 2 did not come")

    assert list_codes(list_refusals(inventory(NEW), readings=[partial_reading])) == [
        RefusalCode.LIVE_SOURCE_UNREADABLE
    ]


@pytest.mark.parametrize("source", MUST_BE_FOUND)
def test_live_source_that_names_nothing_refuses(source):
    [issue] = list_refusals(inventory(NEW), readings=[make_reading(source)])

    assert issue.code is RefusalCode.LIVE_SOURCE_UNREADABLE
    assert source in words_in(issue.message)


@pytest.mark.parametrize("source", MUST_BE_FOUND)
def test_live_source_that_names_only_missing_folders_refuses_with_the_nearest(source):
    missing_reading = make_reading(source, "nwe", "ab12cd3")

    [issue] = list_refusals(inventory(NEW), readings=[missing_reading])

    assert issue.code is RefusalCode.LIVE_NOT_FOUND
    assert {source, "nwe", "ab12cd3", "new?"} <= words_in(issue.message)
    assert list_warnings(inventory(NEW), readings=[missing_reading]) == []


@pytest.mark.parametrize("source", MUST_BE_FOUND)
def test_live_source_that_also_names_missing_folders_warns(source):
    partial_reading = make_reading(source, "new", "gone-1", "gone-2")

    assert list_refusals(inventory(NEW), readings=[partial_reading]) == []
    [issue] = list_warnings(inventory(NEW), readings=[partial_reading])
    assert issue.code is WarningCode.LIVE_NOT_FOUND
    assert {source, "gone-1", "gone-2"} <= words_in(issue.message)
    assert "new" not in words_in(issue.message)


@pytest.mark.parametrize("source", NEED_ONLY_ANSWER)
@pytest.mark.parametrize("names", [(), ("dead123",), ("new", "dead123")])
def test_branches_and_pull_requests_may_name_missing_folders(source, names):
    readings = [make_reading(source, *names)]
    target_inventory = inventory(NEW, deployment("ab12cd3", 2))

    assert list_refusals(target_inventory, readings=readings) == []
    if "dead123" not in names or "new" in names:
        assert list_warnings(target_inventory, readings=readings) == []


@pytest.mark.parametrize("source", NEED_ONLY_ANSWER)
def test_branches_and_pull_requests_that_keep_nothing_warn(source):
    readings = [make_reading(source, "gone-1", "gone-2")]

    [issue] = list_warnings(inventory(NEW), readings=readings)

    assert issue.code is WarningCode.LIVE_NOT_FOUND
    assert source in words_in(issue.message)
    assert numbers_in(issue.message) == [2]


def test_text_of_a_pointer_that_names_nothing_is_not_quoted():
    secret = LiveReference(name="s3cr3t", evidence="live.txt says s3cr3t", location="live.txt")
    readings = [LiveReading(source=LiveSource.parse("object:live.txt"), references=(secret,))]

    [issue] = list_refusals(inventory(NEW), readings=readings)

    assert "s3cr3t" not in issue.message
    assert "live.txt" in words_in(issue.message)


def test_deployment_in_progress_does_not_replace_the_live_one():
    live = LiveReference(name="gone", evidence="it says gone")
    coming = LiveReference(name="new", evidence="it is coming", is_required=False)
    source = LiveSource.parse("github-deployments")
    readings = [LiveReading(source=source, references=(coming, live))]

    assert list_codes(list_refusals(inventory(NEW), readings=readings)) == [
        RefusalCode.LIVE_NOT_FOUND
    ]


def test_file_of_the_same_name_is_no_folder():
    target_inventory = inventory(NEW, ignored=(IgnoredEntry(name="release-1", reason="a file"),))
    readings = [make_reading("object:live.txt", "release-1")]

    issues = list_refusals(target_inventory, readings=readings, pins=pin_protected(["release-1"]))

    assert list_codes(issues) == [RefusalCode.PROTECTED_NOT_FOUND, RefusalCode.LIVE_NOT_FOUND]


def test_each_live_source_must_name_something_by_itself():
    readings = [make_reading("object:current", "new"), make_reading("cloudfront", "gone")]

    assert list_codes(list_refusals(inventory(NEW), readings=readings)) == [
        RefusalCode.LIVE_NOT_FOUND
    ]


def test_live_commit_is_found_in_a_part_of_a_name():
    commit = "ab12cd3" + "0" * 33
    target_inventory = inventory(deployment("web-ab12cd3", 1))

    assert (
        list_refusals(target_inventory, readings=[make_reading("github-deployments", commit)]) == []
    )


def test_live_folder_that_is_no_deployment_or_unreadable_is_not_missing():
    target_inventory = replace(
        inventory(NEW, ignored=(IgnoredEntry(name="assets/", reason="does not match"),)),
        unlisted=(UnlistedFolder(name="locked", reason="denied"),),
    )
    readings = [make_reading("object:current", "assets"), make_reading("cloudfront", "locked")]

    assert list_codes(list_refusals(target_inventory, readings=readings)) == [
        RefusalCode.UNREADABLE_DEPLOYMENT
    ]


def test_list_of_many_missing_names_is_shortened():
    [issue] = list_refusals(inventory(), readings=[make_reading("cloudfront", *"abcdefgh")])

    assert words_in(issue.message) & set("bcdefgh") == set("bcde")
    assert numbers_in(issue.message) == [3]


def test_live_names_are_compared_with_the_names_of_all_folders():
    reading = make_reading("object:current", "new")

    assert find_live_refusals([reading], ["new"]) == ()
    assert [refusal.code for refusal in find_live_refusals([reading], ["old"])] == [
        RefusalCode.LIVE_NOT_FOUND
    ]
    assert [refusal.code for refusal in find_live_refusals([reading], [])] == [
        RefusalCode.LIVE_NOT_FOUND
    ]


# Open pull requests and branches.

OPEN = Reference(commits=(COMMIT,), pull_request=12, branches=("feature/login",))
BRANCH = Reference(commits=(COMMIT,), branches=("main",))
SOURCES = {"open-pull-requests": OPEN, "branches": BRANCH}


def make_reference_reading(source, *references):
    return LiveReading(
        source=LiveSource.parse(source),
        references=tuple(
            LiveReference(name=COMMIT, evidence=f"it names {reference}", reference=reference)
            for reference in references
        ),
    )


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("open-pull-requests", ["build-95", "build-96"]),
        ("open-pull-requests", ["20261122", "20261123"]),
        ("open-pull-requests", ["v1.2.0", "main", "feature-logout"]),
        ("branches", ["build-95", "build-96"]),
        ("branches", ["pr-1", "pr-2", "12"]),
        ("branches", ["2026-11-22", "mainline"]),
    ],
)
def test_pull_requests_and_branches_refuse_if_no_folder_can_have_their_names(source, names):
    target_inventory = inventory(*(deployment(name, days) for days, name in enumerate(names, 1)))

    [issue] = list_refusals(
        target_inventory, readings=[make_reference_reading(source, SOURCES[source])]
    )

    assert issue.code is RefusalCode.LIVE_MATCHES_NOTHING
    assert source in words_in(issue.message)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("open-pull-requests", "pr-7"),
        ("open-pull-requests", "web-ab12cd3"),
        ("open-pull-requests", "pr-7-1111111"),
        ("branches", "v1.2.3-2-gab12cd3"),
        ("branches", "develop-ab12cd3"),
    ],
)
def test_undeployed_pull_requests_and_branches_warn_if_folders_can_have_their_names(source, name):
    target_inventory = inventory(NEW, deployment(name, 2))
    readings = [make_reference_reading(source, SOURCES[source])]

    assert list_refusals(target_inventory, readings=readings) == []
    assert list_codes(list_warnings(target_inventory, readings=readings)) == [
        WarningCode.LIVE_NOT_FOUND
    ]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("open-pull-requests", "pr-12"),
        ("open-pull-requests", "feature-login"),
        ("open-pull-requests", "feature_login-1111111"),
        ("branches", "main"),
        ("branches", "main-1111111"),
        ("branches", COMMIT[:8]),
    ],
)
def test_pull_requests_and_branches_that_have_a_folder_do_not_warn(source, name):
    target_inventory = inventory(NEW, deployment(name, 2))
    readings = [make_reference_reading(source, SOURCES[source])]

    assert (
        list_refusals(target_inventory, readings=readings),
        list_warnings(target_inventory, readings=readings),
    ) == ([], [])


@pytest.mark.parametrize("source", NEED_ONLY_ANSWER)
def test_source_without_references_and_target_without_folders_do_not_refuse(source):
    assert list_refusals(inventory(NEW), readings=[make_reference_reading(source)]) == []
    assert list_warnings(inventory(NEW), readings=[make_reference_reading(source)]) == []
    assert (
        list_refusals(inventory(), readings=[make_reference_reading(source, SOURCES[source])]) == []
    )


def test_deployment_record_whose_commit_and_ref_are_missing_refuses():
    record = Reference.from_git_ref("main", COMMIT)
    readings = [make_reference_reading("github-deployments", record)]

    issues = list_refusals(inventory(deployment("main-1111111", 1)), readings=readings)

    assert list_codes(issues) == [RefusalCode.LIVE_NOT_FOUND]
    assert list_refusals(inventory(deployment("main", 1)), readings=readings) == []


@pytest.mark.parametrize(
    ("ref", "name", "is_refused"),
    [
        ("release-2026-11-30-build-51", "release-2026-11-30-build-5", True),
        ("feature/checkout-redesign-v2", "feature-checkout-redesign", True),
        ("feature/checkout-redesign-v2", "feature-checkout-redesign-v2", False),
        ("release-2026-11-30-build-51", "Release_2026.11.30-build-51", False),
        ("release-2026-11-30-build-51", f"web-{COMMIT[:7]}", False),
    ],
)
def test_folder_with_a_truncated_branch_name_may_not_be_the_live_one(ref, name, is_refused):
    live = LiveReference(
        name=COMMIT,
        evidence="GitHub has it deployed",
        reference=Reference(commits=(COMMIT,), branches=(ref,)),
    )
    reading = LiveReading(
        source=LiveSource.parse("github-deployments:production"), references=(live,)
    )

    codes = [refusal.code for refusal in find_live_refusals((reading,), [name, "other"])]

    assert codes == ([RefusalCode.LIVE_NOT_FOUND] if is_refused else [])


TARGETS = TargetNames(prefix="apps/shop/", by_prefix={"apps/blog/": ["old"], "apps/shop/": ["new"]})
ROOT_TARGETS = TargetNames(prefix="shop/", by_prefix={"blog/": ["old"], "shop/": ["new"]})


def make_path_reading(source, prefix, *, location="live.txt"):
    """Return a reading with a deployment of the target and one in the folder `prefix`."""
    evidence = f"live.txt says {prefix}old"
    return LiveReading(
        source=LiveSource.parse(source),
        references=(
            LiveReference(name="new", evidence="live.txt says new"),
            LiveReference(name="old", evidence=evidence, location=location, prefix=prefix),
        ),
    )


@pytest.mark.parametrize(
    ("source", "prefix", "is_refused"),
    [
        ("object:live.txt", "apps/Blog/", True),
        ("ssm:/live", "apps/Blog/", True),
        ("object:live.txt", "apps/blog/", False),
        ("cloudfront", "apps/Blog/", False),
    ],
)
def test_path_to_a_folder_that_is_no_target_refuses(source, prefix, is_refused):
    codes = [
        issue.code
        for issue in find_live_refusals([make_path_reading(source, prefix)], ["new"], TARGETS)
    ]

    assert codes == ([RefusalCode.LIVE_NOT_FOUND] if is_refused else [])


@pytest.mark.parametrize(
    ("prefix", "targets", "is_quoted"),
    [("apps/Blog/", TARGETS, True), ("s3cr3t/", ROOT_TARGETS, False)],
)
def test_folder_that_is_no_target_is_quoted_only_if_similar_to_one(prefix, targets, is_quoted):
    [issue] = find_live_refusals([make_path_reading("object:live.txt", prefix)], ["new"], targets)

    assert (prefix in issue.message, "live.txt" in issue.message) == (is_quoted, True)


def test_messages_are_the_golden_ones():
    secret = LiveReference(name="s3cr3t", evidence="live.txt says s3cr3t", location="live.txt")
    pointer = LiveReading(source=LiveSource.parse("object:live.txt"), references=(secret,))
    builds = inventory(deployment("build-95", 1))
    branches = [make_reading("branches", "gone-1", "gone-2")]
    cases = {
        "unreadable": list_refusals(
            inventory(NEW), readings=[make_reading("cloudfront", problem="it did not answer")]
        ),
        "names nothing": list_refusals(inventory(NEW), readings=[make_reading("cloudfront")]),
        "names a missing folder": list_refusals(
            inventory(NEW), readings=[make_reading("cloudfront", "nwe", "ab12cd3")]
        ),
        "names many missing folders": list_refusals(
            inventory(), readings=[make_reading("cloudfront", *"abcdefgh")]
        ),
        "a pointer names a missing folder": list_refusals(inventory(NEW), readings=[pointer]),
        "also names missing folders": list_warnings(
            inventory(NEW), readings=[make_reading("cloudfront", "new", "gone-1", "gone-2")]
        ),
        "names a folder that is no target": find_live_refusals(
            [make_path_reading("object:live.txt", "apps/Blog/")], ["new"], TARGETS
        ),
        "branches keep nothing": list_warnings(inventory(NEW), readings=branches),
        "no folder could be named after them": list_refusals(
            builds, readings=[make_reference_reading("branches", BRANCH)]
        ),
    }
    assert_messages(__file__, cases.items())
