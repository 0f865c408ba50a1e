"""Numbers, commits and dates in names: `age-from: name` and `names-contradict-times` agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.name_forms import has_commit
from ci3.core.inventory.name_numbers import PartKind, has_unordered_date, split_name
from ci3.core.plan.numbered_names import parse_names
from ci3.core.retention.name_order import NameKey, parse_name

UNORDERED = [
    *("q4-2025", "Q4_2025", "11-2026", "v1-2026", "w40-2026", "53.2026", "build-40-2026"),
    *("23-11-2026", "11.23.2026", "11/02/2026", "2-11-2026", "02-11-2026-10-30", "23112026"),
    *("28-11-26", "01-11-26", "26-11-02", "11.23.26", "28_11_26", "app2-web-28-11-26"),
    *("28-11-26-1530", "release-28-11-26", "nov-23", "23-nov-26", "23Nov26"),
    "build-104-23-11-2026",
]
COMMITS = [
    *("AB12CD3", "ab12cd3", "g1234567", "main-g1234567", "v1.2.3-4-gab12cd3", "Main_AB12CD3"),
    *("1" * 40, "1" * 64, "a" * 64, f"build-{'0' * 40}"),
]
ORDERED = [
    *("build-9", "Build-9", "v1.10.0", "2026-11-23", "20261123", "2026-nov-23", "2026-w40"),
    *("20261123T153000Z", "20261123-103015", "2026-11-23-10-30-15", "20261123153000123456"),
    *("v10.11.12", "1.10.11.12", "1.11.26", "99-12-31", "40-11-26", "31-31-26", "build-2026"),
    *("marketing-9", "decoder-12", "mayor-3", "02002026", "1234567", "123456", "release-2.4"),
    *("us-east-1-build-7", "november-2026", "7-20261123"),
]
ORDERED_BY_CHECK_ONLY = [
    *("app1-2026-11-23", "us-east-1-2026-11-23", "build-400-2026", "v1.0.2003", "20261123-1930"),
]


def list_check_numbers(name: str) -> tuple[int, ...]:
    return parse_names([name])[name].numbers


@pytest.mark.parametrize("name", UNORDERED)
def test_name_with_a_date_that_is_not_year_first_has_no_order(name):
    assert has_unordered_date(tuple(split_name(name)))
    assert parse_name(name) is None
    assert list_check_numbers(name) == ()


@pytest.mark.parametrize("name", COMMITS)
def test_commit_is_no_number(name):
    assert has_commit(name)
    assert parse_name(name) is None
    assert PartKind.COMMIT in [part.kind for part in split_name(name)]
    assert parse_names([name])[name].has_commit


@pytest.mark.parametrize("name", ORDERED)
def test_other_numbers_are_the_same_for_both_modules(name):
    key = parse_name(name)
    numbered = parse_names([name])[name]
    assert key == NameKey(texts=tuple(numbered.text.split("#")), numbers=numbered.numbers)


@pytest.mark.parametrize("name", ORDERED_BY_CHECK_ONLY)
def test_number_before_a_year_is_only_checked_and_does_not_order(name):
    assert parse_name(name) is None
    assert list_check_numbers(name)


def test_upper_and_lower_case_are_not_compared():
    parsed = parse_names(["Build-9", "build-10"])
    assert parsed["Build-9"].text != parsed["build-10"].text


@pytest.mark.parametrize("name", ["build-5-2026abc", "build-5-a02112026b"])
def test_date_within_a_commit_does_not_count(name):
    assert not has_unordered_date(tuple(split_name(name)))
    assert list_check_numbers(name) == (5,)


names = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[A-Za-z0-9._/#@-]{0,16}", fullmatch=True),
    st.from_regex(r"(build|q|pr)?-?[0-9]{1,2}[-._][0-9]{2,4}([-._][0-9]{2,4})?", fullmatch=True),
    st.from_regex(r"(main-)?g?[0-9A-Fa-f]{6,8}(-[0-9]{4})?", fullmatch=True),
)


@given(names)
def test_order_by_name_is_at_least_as_strict_as_the_check(name):
    parts = tuple(split_name(name))
    assert "".join(part.text for part in parts) == name
    is_commit = any(part.kind is PartKind.COMMIT for part in parts)
    assert has_commit(name) is is_commit
    if (key := parse_name(name)) is not None:
        assert not is_commit
        assert not has_unordered_date(parts)
        numbers = list_check_numbers(name)  # without the number of a pull request
        assert numbers == key.numbers[len(key.numbers) - len(numbers) :]
