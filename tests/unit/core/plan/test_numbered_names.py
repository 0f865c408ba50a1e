"""Which names can be ordered by the numbers in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.plan.numbered_names import parse_names

COMMIT, DECIMAL_COMMIT = "ab12cd3", "1234567"


def parse(name: str, *others: str, **options: bool) -> tuple[str, tuple[int, ...]]:
    numbered = parse_names([name, *others], **options)[name]
    return numbered.text, numbered.numbers


@pytest.mark.parametrize(
    ("name", "text", "numbers"),
    [
        ("build-95", "build-#", (95,)),
        ("build_007", "build_#", (7,)),
        ("b95", "b#", (95,)),
        ("95", "#", (95,)),
        ("v1.10.0", "v#.#.#", (1, 10, 0)),
        ("v2.0.0-rc.1", "v#.#.#-rc.#", (2, 0, 0, 1)),
        ("v2.0.0-preview.3", "v#.#.#-preview.#", (2, 0, 0, 3)),
        ("2026-11-23", "#-#-#", (2026, 11, 23)),
        ("20261123", "#", (20261123,)),
        ("1796019899746946861", "#", (1796019899746946861,)),
        ("20261123T153000Z", "#T#Z", (20261123, 153000)),
        ("2026-nov-23", "#-nov-#", (2026, 23)),
        ("preview-20261123", "preview-#", (20261123,)),
        (f"build-104-{COMMIT}", "build-#-@", (104,)),
        (f"20261123-{COMMIT}", "#-@", (20261123,)),
        (f"v1.2.3-4-g{COMMIT}", "v#.#.#-#-@", (1, 2, 3, 4)),
        (f"v1.2.3-4-g{DECIMAL_COMMIT}", "v#.#.#-#-@", (1, 2, 3, 4)),
    ],
)
def test_numbers_of_builds_versions_and_dates_are_read(name, text, numbers):
    assert parse(name) == (text, numbers)


@pytest.mark.parametrize(
    "name",
    [
        *("main", "assets", COMMIT, f"main-{COMMIT}", COMMIT * 5, "1" * 40, f"sha-{COMMIT}"),
        *("pr-12", "pr12", "pull-12", "pull-request-12", "mr-12", "preview-12", "web-pr-12"),
        *("PR-12", "issue-12", "feature-12", "fix-12", f"pr-12-{COMMIT}", "JIRA-12"),
        *("23-11-2026", "11.23.2026", "23112026", "nov-23-2026", "23-nov-2026"),
        "٣٤",
    ],
)
def test_commits_pull_requests_branches_and_ambiguous_dates_have_no_numbers(name):
    assert parse(name)[1] == ()


def test_builds_of_a_pull_request_are_compared_with_one_another():
    assert parse("pr-12-build-3") == ("pr-12-build-#", (3,))
    assert parse("pr-12-build-3")[0] != parse("pr-13-build-3")[0]


def test_bare_numbers_are_pull_requests_if_those_are_live():
    assert parse("12", are_pull_requests=True)[1] == ()
    assert parse("build-12", are_pull_requests=True)[1] == (12,)


@pytest.mark.parametrize(
    ("name", "second_name", "numbers"),
    [
        (DECIMAL_COMMIT, COMMIT, ()),
        ("123456789", COMMIT, ()),
        ("123456", "3f2a9c", ()),
        ("12345", "3f2a9c", (12345,)),
        ("123456", "build-3f2a9c", (123456,)),
        ("20261123", COMMIT, (20261123,)),
        (f"20261123-{DECIMAL_COMMIT}", f"20261124-{COMMIT}", (20261123,)),
        (f"main-{DECIMAL_COMMIT}", f"main-{COMMIT}", ()),
    ],
)
def test_decimal_number_is_a_hash_if_another_name_has_a_hash_there(name, second_name, numbers):
    assert parse(name, second_name)[1] == numbers


@pytest.mark.parametrize(
    ("name", "is_updated"),
    [
        *((name, True) for name in ("main", "feature-a", "pr-12", "12", "build-12")),
        *((name, False) for name in (COMMIT, f"pr-12-{COMMIT}", "v1.2", "20261123", "2026-11-23")),
    ],
)
def test_names_of_branches_and_pull_requests_may_be_uploaded_to_again(name, is_updated):
    assert parse_names([name])[name].may_be_updated() is is_updated


@pytest.mark.parametrize(
    ("name", "is_sequence"),
    [
        *((name, True) for name in ("build-9", "b9", "9", "v1", "web-1.2", "x-20261123", "r-9")),
        *((name, True) for name in ("web-build-9", "pr-12-build-9", "9-stable", "release-2")),
        *((name, False) for name in ("web-9", "staging-2", "eu-west-1", "old-1")),
    ],
)
def test_builds_versions_and_dates_are_sequences(name, is_sequence):
    assert parse_names([name])[name].is_sequence is is_sequence


names = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[a-z0-9.@#-]{0,12}", fullmatch=True),
    st.from_regex(r"(build|v|pr)-?[0-9]{1,4}(\.[0-9]{1,3})?(-[0-9a-f]{7})?", fullmatch=True),
)


@given(st.lists(names, unique=True, max_size=8), st.randoms(use_true_random=False))
def test_names_are_parsed_the_same_in_any_order(distinct_names, random):
    shuffled = random.sample(distinct_names, len(distinct_names))
    parsed = parse_names(distinct_names)
    assert parse_names(shuffled) == parsed
    for name, numbered in parsed.items():
        digits = [int(number) for number in re.findall("[0-9]+", name.lower())]
        assert [number for number in numbered.numbers if number not in digits] == []
