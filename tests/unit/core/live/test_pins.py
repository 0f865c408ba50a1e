"""Which names a pin matches."""

from dataclasses import replace

import pytest

from ci3.core.live.pins import pin_protected, pin_run
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from tests.support.builders import live_pin, pin_commits
from tests.support.golden import assert_messages

COMMIT = "4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("release-1", ["release-1"], ["release-10", "Release-1", "a-release-1", "release-1 "]),
        ("release-*", ["release-", "release-1", "release-a/b"], ["release", "pre-release-1"]),
        ("v?", ["v1", "vx"], ["v", "v10"]),
        ("v[0-9]", ["v1", "v[0-9]"], ["vx"]),
        ("*", ["", "anything", "with\nbreak"], []),
        ("a.c", ["a.c"], ["abc"]),
        ("[", ["["], ["x"]),
    ],
)
def test_protected_pattern_matches_a_name_or_by_its_glob(pattern, matching, others):
    [pin] = pin_protected([pattern])

    assert [pin.matches(name) for name in (*matching, *others)] == [True] * len(matching) + [
        False
    ] * len(others)


@pytest.mark.parametrize(
    ("pattern", "is_glob"), [("v1", False), ("v*", True), ("v?", True), ("v[1]", True)]
)
def test_pattern_that_can_match_several_names_is_a_glob(pattern, is_glob):
    assert pin_protected([pattern])[0].is_glob is is_glob


def test_commit_is_never_a_glob():
    [pin] = pin_commits(["*"])

    assert not pin.is_glob
    assert not pin.matches("anything")


def test_protected_name_is_no_commit():
    [pin] = pin_protected([COMMIT])

    assert not pin.matches(COMMIT[:7])


def test_name_before_a_commit_is_kept_until_the_newest_are_determined():
    [pin] = pin_run([Reference(commits=(COMMIT,), pull_request=12, branches=("main",))])

    assert all(pin.matches(name) for name in ("pr-12-1111111", "main-2222222", "pr-12", "main"))
    resolved = replace(pin, newest_names=frozenset({"pr-12-1111111"}))
    assert [resolved.matches(name) for name in ("pr-12-1111111", "main-2222222", "main")] == [
        True,
        False,
        True,
    ]


def test_newest_name_that_does_not_match_the_reference_is_not_kept():
    [pin] = pin_run([Reference(commits=(COMMIT,), pull_request=12)])

    assert not replace(pin, newest_names=frozenset({"assets"})).matches("assets")


[RUN] = pin_run([Reference(commits=(COMMIT,), pull_request=12, branches=("main",))])
EVIDENCE = "pull request #12 is open at 4f1c2d3"
OPEN = replace(live_pin("x", EVIDENCE), reference=RUN.reference)
NEWEST = "pr-12-1111111"


@pytest.mark.parametrize(
    ("name", "pin", "code", "value"),
    [
        ("release-1", pin_protected(["release-*"])[0], ReasonCode.PROTECTED, "release-*"),
        (f"web-{COMMIT[:7]}", RUN, ReasonCode.CURRENT_COMMIT, "4f1c2d3e5a6b"),
        ("PR_12", RUN, ReasonCode.CURRENT_COMMIT, "#12"),
        ("main", RUN, ReasonCode.CURRENT_COMMIT, "main"),
        (NEWEST, RUN, ReasonCode.CURRENT_COMMIT, "#12"),
        ("mr-12-1111111", OPEN, ReasonCode.LIVE, EVIDENCE),
        ("preview-12", OPEN, ReasonCode.LIVE, EVIDENCE),
    ],
)
def test_reason_of_a_pin_has_the_matching_value(name, pin, code, value):
    reason = pin.build_reason(name)

    assert reason.code is code
    assert value in reason.message


def test_reason_names_a_folder_the_newest_of_a_pull_request():
    assert RUN.build_reason(NEWEST) != RUN.build_reason("PR_12")
    assert OPEN.build_reason(NEWEST) != OPEN.build_reason("preview-12")


def test_reasons_are_the_golden_ones():
    [protected] = pin_protected(["release-*"])
    cases = {
        "protected": protected.build_reason("release-1"),
        "commit of the run": RUN.build_reason(f"web-{COMMIT[:7]}"),
        "pull request of the run": RUN.build_reason("PR_12"),
        "branch of the run": RUN.build_reason("main"),
        "newest of the run's pull request": RUN.build_reason(NEWEST),
        "newest of a live pull request": OPEN.build_reason(NEWEST),
        "live": OPEN.build_reason("preview-12"),
        "not of the run": RUN.mismatch_message,
        "not live": OPEN.mismatch_message,
        "not protected": protected.mismatch_message,
    }
    assert_messages(__file__, cases.items())
