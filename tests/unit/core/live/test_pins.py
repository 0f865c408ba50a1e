"""Which names a pin holds."""

import pytest

from ci3.core.live.pins import matches_commit, pin_commits, pin_protected
from ci3.core.model.decision import ReasonCode

COMMIT = "4f1c2d3e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"


@pytest.mark.parametrize(
    "name",
    [
        COMMIT,
        COMMIT[:7],
        COMMIT[:12],
        COMMIT.upper(),
        COMMIT[:8].upper(),
        f"{COMMIT}0123",
        f"web-{COMMIT}",
        f"{COMMIT[:7]}-web",
        f"2026.11.02_{COMMIT[:9]}",
        f"pr 12 ({COMMIT[:10]})",
        f"ü{COMMIT[:7]}",
        f"Web_{COMMIT[:7].upper()}!",
        f"a-{COMMIT[:7]}\n",
    ],
)
def test_name_stands_for_a_commit_when_it_or_a_part_begins_alike(name):
    assert matches_commit(name, COMMIT)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-",
        COMMIT[:6],
        COMMIT[1:],
        COMMIT[:7].replace("4", "5", 1),
        f"{COMMIT[:39]}c",
        f"{COMMIT[:7]}z",
        f"v{COMMIT}",
        f"{COMMIT[:4]}-{COMMIT[4:]}",
        f"web{COMMIT[:7]}",
        "latest",
    ],
)
def test_near_miss_is_no_commit(name):
    assert not matches_commit(name, COMMIT)


@pytest.mark.parametrize(
    ("name", "commit", "is_held"),
    [
        (COMMIT, COMMIT[:7], True),
        (COMMIT, COMMIT[:6], False),
        (COMMIT, "", False),
        ("", "", False),
        (COMMIT, COMMIT.upper(), True),
        ("release-1", "release-1", False),
        ("releases", "release", False),
    ],
)
def test_short_or_senseless_commit_matches_only_with_seven_hex_digits(name, commit, is_held):
    assert matches_commit(name, commit) is is_held


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


def test_pins_say_why_they_hold():
    reasons = [
        pin.build_reason() for pin in (*pin_protected(["release-*"]), *pin_commits([COMMIT]))
    ]

    assert [(reason.code, reason.message) for reason in reasons] == [
        (ReasonCode.PROTECTED, "protected by release-*"),
        (ReasonCode.CURRENT_COMMIT, "commit 4f1c2d3e5a6b of this run"),
    ]
