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


def refusals(found, *, pins=(), readings=()):
    return list(find_refusals(found, pins, readings))


def warnings(found, *, readings=()):
    return list(find_warnings(found, (), readings, Versioning.ENABLED))


def codes(issues):
    return [issue.code for issue in issues]


def reading(source, *names, problem=""):
    sightings = tuple(LiveReference(name=name, evidence=f"it says {name}") for name in names)
    return LiveReading(source=LiveSource.parse(source), references=sightings, problem=problem)


@pytest.mark.parametrize("source", [*MUST_BE_FOUND, *NEED_ONLY_ANSWER])
def test_live_source_that_cannot_be_read_refuses(source):
    unread = reading(source, problem="it did not answer")

    [issue] = refusals(inventory(NEW), readings=[unread])

    assert issue.code is RefusalCode.LIVE_SOURCE_UNREADABLE
    assert source in words_in(issue.message)
    assert unread.problem in issue.message


def test_problem_refuses_even_beside_what_was_found():
    half_read = reading("branches", "new", problem="page 2 did not come")

    assert codes(refusals(inventory(NEW), readings=[half_read])) == [
        RefusalCode.LIVE_SOURCE_UNREADABLE
    ]


@pytest.mark.parametrize("source", MUST_BE_FOUND)
def test_live_source_that_names_nothing_refuses(source):
    [issue] = refusals(inventory(NEW), readings=[reading(source)])

    assert issue.code is RefusalCode.LIVE_SOURCE_UNREADABLE
    assert source in words_in(issue.message)


@pytest.mark.parametrize("source", MUST_BE_FOUND)
def test_live_source_that_names_only_what_is_not_there_refuses_with_the_nearest(source):
    elsewhere = reading(source, "nwe", "ab12cd3")

    [issue] = refusals(inventory(NEW), readings=[elsewhere])

    assert issue.code is RefusalCode.LIVE_NOT_FOUND
    assert {source, "nwe", "ab12cd3", "new?"} <= words_in(issue.message)
    assert warnings(inventory(NEW), readings=[elsewhere]) == []


@pytest.mark.parametrize("source", MUST_BE_FOUND)
def test_live_source_that_also_names_what_is_not_there_warns(source):
    some = reading(source, "new", "gone-1", "gone-2")

    assert refusals(inventory(NEW), readings=[some]) == []
    [issue] = warnings(inventory(NEW), readings=[some])
    assert issue.code is WarningCode.LIVE_NOT_FOUND
    assert {source, "gone-1", "gone-2"} <= words_in(issue.message)
    assert "new" not in words_in(issue.message)


@pytest.mark.parametrize("source", NEED_ONLY_ANSWER)
@pytest.mark.parametrize("names", [(), ("dead123",), ("new", "dead123")])
def test_branches_and_pull_requests_need_only_answer(source, names):
    answered = [reading(source, *names)]
    found = inventory(NEW, deployment("ab12cd3", 2))

    assert refusals(found, readings=answered) == []
    if "dead123" not in names or "new" in names:
        assert warnings(found, readings=answered) == []


@pytest.mark.parametrize("source", NEED_ONLY_ANSWER)
def test_branches_and_pull_requests_that_keep_nothing_are_warned_of(source):
    answered = [reading(source, "gone-1", "gone-2")]

    [issue] = warnings(inventory(NEW), readings=answered)

    assert issue.code is WarningCode.LIVE_NOT_FOUND
    assert source in words_in(issue.message)
    assert numbers_in(issue.message) == [2]


def test_text_of_a_pointer_that_names_nothing_is_not_quoted():
    secret = LiveReference(name="s3cr3t", evidence="live.txt says s3cr3t", location="live.txt")
    answered = [LiveReading(source=LiveSource.parse("object:live.txt"), references=(secret,))]

    [issue] = refusals(inventory(NEW), readings=answered)

    assert "s3cr3t" not in issue.message
    assert "live.txt" in words_in(issue.message)


def test_deployment_on_its_way_does_not_stand_for_the_live_one():
    live = LiveReference(name="gone", evidence="it says gone")
    coming = LiveReference(name="new", evidence="it is coming", is_required=False)
    source = LiveSource.parse("github-deployments")
    answered = [LiveReading(source=source, references=(coming, live))]

    assert codes(refusals(inventory(NEW), readings=answered)) == [RefusalCode.LIVE_NOT_FOUND]


def test_file_of_the_same_name_is_no_folder():
    found = inventory(NEW, ignored=(IgnoredEntry(name="release-1", reason="a file"),))
    answered = [reading("object:live.txt", "release-1")]

    issues = refusals(found, readings=answered, pins=pin_protected(["release-1"]))

    assert codes(issues) == [RefusalCode.PROTECTED_NOT_FOUND, RefusalCode.LIVE_NOT_FOUND]


def test_each_live_source_must_name_something_by_itself():
    readings = [reading("object:current", "new"), reading("cloudfront", "gone")]

    assert codes(refusals(inventory(NEW), readings=readings)) == [RefusalCode.LIVE_NOT_FOUND]


def test_live_commit_is_found_in_a_part_of_a_name():
    commit = "ab12cd3" + "0" * 33
    found = inventory(deployment("web-ab12cd3", 1))

    assert refusals(found, readings=[reading("github-deployments", commit)]) == []


def test_live_folder_that_is_no_deployment_or_unreadable_is_there():
    found = replace(
        inventory(NEW, ignored=(IgnoredEntry(name="assets/", reason="does not match"),)),
        unlisted=(UnlistedFolder(name="locked", reason="denied"),),
    )
    readings = [reading("object:current", "assets"), reading("cloudfront", "locked")]

    assert codes(refusals(found, readings=readings)) == [RefusalCode.UNREADABLE_DEPLOYMENT]


def test_many_missing_names_are_cut_short():
    [issue] = refusals(inventory(), readings=[reading("cloudfront", *"abcdefgh")])

    assert words_in(issue.message) & set("bcdefgh") == set("bcde")
    assert numbers_in(issue.message) == [3]


def test_readings_are_held_against_the_names_of_all_folders():
    there = reading("object:current", "new")

    assert find_live_refusals([there], ["new"]) == ()
    assert [one.code for one in find_live_refusals([there], ["old"])] == [
        RefusalCode.LIVE_NOT_FOUND
    ]
    assert [one.code for one in find_live_refusals([there], [])] == [RefusalCode.LIVE_NOT_FOUND]


# Open pull requests and branches.

OPEN = Reference(commits=(COMMIT,), pull_request=12, branches=("feature/login",))
BRANCH = Reference(commits=(COMMIT,), branches=("main",))
SOURCES = {"open-pull-requests": OPEN, "branches": BRANCH}


def reference_reading(source, *references):
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
def test_pull_requests_and_branches_that_no_folder_could_be_named_after_refuse(source, names):
    found = inventory(*(deployment(name, days) for days, name in enumerate(names, 1)))

    [issue] = refusals(found, readings=[reference_reading(source, SOURCES[source])])

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
def test_pull_requests_and_branches_that_are_not_deployed_warn_if_folders_could_be_theirs(
    source, name
):
    found = inventory(NEW, deployment(name, 2))
    readings = [reference_reading(source, SOURCES[source])]

    assert refusals(found, readings=readings) == []
    assert codes(warnings(found, readings=readings)) == [WarningCode.LIVE_NOT_FOUND]


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
    found = inventory(NEW, deployment(name, 2))
    readings = [reference_reading(source, SOURCES[source])]

    assert (refusals(found, readings=readings), warnings(found, readings=readings)) == ([], [])


@pytest.mark.parametrize("source", NEED_ONLY_ANSWER)
def test_nothing_open_is_an_answer_and_where_there_is_no_folder_nothing_is_refused(source):
    assert refusals(inventory(NEW), readings=[reference_reading(source)]) == []
    assert warnings(inventory(NEW), readings=[reference_reading(source)]) == []
    assert refusals(inventory(), readings=[reference_reading(source, SOURCES[source])]) == []


def test_deployment_record_whose_commit_and_ref_are_missing_refuses():
    record = Reference.from_git_ref("main", COMMIT)
    readings = [reference_reading("github-deployments", record)]

    issues = refusals(inventory(deployment("main-1111111", 1)), readings=readings)

    assert codes(issues) == [RefusalCode.LIVE_NOT_FOUND]
    assert refusals(inventory(deployment("main", 1)), readings=readings) == []


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
def test_folder_of_a_branch_that_is_cut_off_is_not_surely_the_live_one(ref, name, is_refused):
    live = LiveReference(
        name=COMMIT,
        evidence="GitHub has it deployed",
        reference=Reference(commits=(COMMIT,), branches=(ref,)),
    )
    deployed = LiveReading(
        source=LiveSource.parse("github-deployments:production"), references=(live,)
    )

    codes = [refusal.code for refusal in find_live_refusals((deployed,), [name, "other"])]

    assert codes == ([RefusalCode.LIVE_NOT_FOUND] if is_refused else [])


TARGETS = TargetNames(prefix="apps/shop/", by_prefix={"apps/blog/": ["old"], "apps/shop/": ["new"]})
ROOT_TARGETS = TargetNames(prefix="shop/", by_prefix={"blog/": ["old"], "shop/": ["new"]})


def path_reading(source, prefix, *, location="live.txt"):
    """A source that names a deployment of the target, and one in the folder `prefix`."""
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
        issue.code for issue in find_live_refusals([path_reading(source, prefix)], ["new"], TARGETS)
    ]

    assert codes == ([RefusalCode.LIVE_NOT_FOUND] if is_refused else [])


@pytest.mark.parametrize(
    ("prefix", "targets", "is_quoted"),
    [("apps/Blog/", TARGETS, True), ("s3cr3t/", ROOT_TARGETS, False)],
)
def test_folder_that_is_no_target_is_quoted_only_if_it_is_like_one(prefix, targets, is_quoted):
    [issue] = find_live_refusals([path_reading("object:live.txt", prefix)], ["new"], targets)

    assert (prefix in issue.message, "live.txt" in issue.message) == (is_quoted, True)


def test_messages_are_the_golden_ones():
    secret = LiveReference(name="s3cr3t", evidence="live.txt says s3cr3t", location="live.txt")
    pointer = LiveReading(source=LiveSource.parse("object:live.txt"), references=(secret,))
    unlike = inventory(deployment("build-95", 1))
    branches = [reading("branches", "gone-1", "gone-2")]
    cases = {
        "unreadable": refusals(
            inventory(NEW), readings=[reading("cloudfront", problem="it did not answer")]
        ),
        "names nothing": refusals(inventory(NEW), readings=[reading("cloudfront")]),
        "names a missing folder": refusals(
            inventory(NEW), readings=[reading("cloudfront", "nwe", "ab12cd3")]
        ),
        "names many missing folders": refusals(
            inventory(), readings=[reading("cloudfront", *"abcdefgh")]
        ),
        "a pointer names a missing folder": refusals(inventory(NEW), readings=[pointer]),
        "also names missing folders": warnings(
            inventory(NEW), readings=[reading("cloudfront", "new", "gone-1", "gone-2")]
        ),
        "names a folder that is no target": find_live_refusals(
            [path_reading("object:live.txt", "apps/Blog/")], ["new"], TARGETS
        ),
        "branches keep nothing": warnings(inventory(NEW), readings=branches),
        "no folder could be named after them": refusals(
            unlike, readings=[reference_reading("branches", BRANCH)]
        ),
    }
    assert_messages(__file__, cases.items())
