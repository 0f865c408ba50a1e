"""Which names a pin holds."""

from dataclasses import replace

import pytest

from ci3.core.live.pins import pin_protected, pin_run
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from tests.support.builders import live_pin, pin_commits

COMMIT = "4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"


@pytest.mark.parametrize(
    ("pattern", "held", "free"),
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
def test_protected_pattern_holds_a_name_or_what_its_glob_matches(pattern, held, free):
    [pin] = pin_protected([pattern])

    assert [pin.matches(name) for name in (*held, *free)] == [True] * len(held) + [False] * len(
        free
    )


@pytest.mark.parametrize(
    ("pattern", "is_glob"), [("v1", False), ("v*", True), ("v?", True), ("v[1]", True)]
)
def test_pattern_is_a_glob_when_it_may_stand_for_several_names(pattern, is_glob):
    assert pin_protected([pattern])[0].is_glob is is_glob


def test_commit_is_never_a_glob():
    [pin] = pin_commits(["*"])

    assert not pin.is_glob
    assert not pin.matches("anything")


def test_protected_name_is_no_commit():
    [pin] = pin_protected([COMMIT])

    assert not pin.matches(COMMIT[:7])


def test_folder_before_a_commit_is_kept_until_it_is_determined_which_are_the_newest():
    [pin] = pin_run([Reference(commits=(COMMIT,), pull_request=12, branches=("main",))])

    assert all(pin.matches(name) for name in ("pr-12-1111111", "main-2222222", "pr-12", "main"))
    resolved = replace(pin, newest_names=frozenset({"pr-12-1111111"}))
    assert [resolved.matches(name) for name in ("pr-12-1111111", "main-2222222", "main")] == [
        True,
        False,
        True,
    ]


def test_name_that_is_newest_and_has_nothing_of_the_reference_is_not_kept():
    [pin] = pin_run([Reference(commits=(COMMIT,), pull_request=12)])

    assert not replace(pin, newest_names=frozenset({"assets"})).matches("assets")


def test_pins_say_why_they_hold():
    [run] = pin_run([Reference(commits=(COMMIT,), pull_request=12, branches=("main",))])
    live = replace(live_pin("x", "pull request #12 is open at 4f1c2d3"), reference=run.reference)
    cases = {
        "release-1": pin_protected(["release-*"])[0],
        f"web-{COMMIT[:7]}": run,
        "PR_12": run,
        "main": run,
        "pr-12-1111111": run,
        "mr-12-1111111": live,
        "preview-12": live,
    }

    newest = "no complete deployment has that commit, and this is the newest of pull request #12"
    said = "live: pull request #12 is open at 4f1c2d3"
    reasons = [pin.build_reason(name) for name, pin in cases.items()]

    assert [(reason.code, reason.message) for reason in reasons] == [
        (ReasonCode.PROTECTED, "protected by release-*"),
        (ReasonCode.CURRENT_COMMIT, "commit 4f1c2d3e5a6b of this run"),
        (ReasonCode.CURRENT_COMMIT, "pull request #12 of this run"),
        (ReasonCode.CURRENT_COMMIT, "branch main of this run"),
        (ReasonCode.CURRENT_COMMIT, "the newest of pull request #12 of this run"),
        (ReasonCode.LIVE, f"{said}; {newest}"),
        (ReasonCode.LIVE, said),
    ]
    assert run.mismatch_message == (
        "not commit 4f1c2d3e5a6b, pull request #12 or branch main of this run"
    )
