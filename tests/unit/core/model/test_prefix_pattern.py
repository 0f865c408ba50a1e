"""Prefix patterns: which prefixes match, what `{folder}` is, and which levels are listed."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.model.prefix_pattern import PrefixPattern, is_above

NAMES = st.text(st.characters(exclude_characters="/*", codec="utf-8"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("pattern", "prefix", "folder"),
    [
        ("*/", "shop/", "shop"),
        ("apps/*/production/", "apps/shop/production/", "shop"),
        ("team-*/", "team-web/", "team-web"),
        ("team-*/", "team-/", "team-"),
        ("*-app/", "shop-app/", "shop-app"),
        ("a*b*c/", "a1b2c/", "a1b2c"),
        ("*/apps/*/", "shop/apps/cart/", "shop/cart"),
        ("*/", "a b\n+é/", "a b\n+é"),
        ("a.c/*/", "a.c/x/", "x"),
        ("*/", ".ci3x/", ".ci3x"),
        # Not matched:
        ("*/", "", None),
        ("*/", "/", None),
        ("*/", "shop", None),
        ("*/", "shop/cart/", None),
        ("*/", ".ci3/", None),
        (".c*/", ".ci3/", None),
        ("*/apps/*/", "shop/apps/.ci3/", None),
        ("*/apps/*/", ".ci3/apps/x/", None),
        ("*/", "a*b/", None),
        ("a.c/*/", "abc/x/", None),
        ("team-*/", "Team-web/", None),
        ("apps/*/production/", "apps/shop/staging/", None),
        ("apps/*/production/", "apps//production/", None),
    ],
)
def test_folder_is_what_the_segments_with_a_star_match(
    pattern: str, prefix: str, folder: str | None
) -> None:
    assert PrefixPattern(pattern).find_folder(prefix) == folder


@pytest.mark.parametrize(
    ("pattern", "levels", "suffix"),
    [
        ("*/", [("", "", "*")], ""),
        ("apps/*/production/", [("apps/", "", "*")], "production/"),
        ("a/b/team-*/", [("a/b/", "team-", "team-*")], ""),
        ("*/x/y/c-*d/z/", [("", "", "*"), ("x/y/", "c-", "c-*d")], "z/"),
    ],
)
def test_only_segments_with_a_star_are_levels_to_list(
    pattern: str, levels: list[tuple[str, str, str]], suffix: str
) -> None:
    parsed = PrefixPattern(pattern)
    assert [(level.parent, level.beginning, level.segment) for level in parsed.levels] == levels
    assert parsed.suffix == suffix


@given(first=NAMES, second=NAMES)
def test_levels_match_what_the_pattern_matches(first: str, second: str) -> None:
    pattern = PrefixPattern("*/apps/a*/")
    upper, lower = pattern.levels
    is_listed = upper.matches(first) and lower.matches(second)
    folder = pattern.find_folder(f"{first}/apps/{second}/")
    assert folder == (f"{first}/{second}" if is_listed else None)


SHORT_TEXTS = st.text("ab.", max_size=8)


@given(parts=st.lists(SHORT_TEXTS, min_size=2, max_size=5), name=SHORT_TEXTS, filling=SHORT_TEXTS)
def test_segment_matches_as_a_glob_does(parts: list[str], name: str, filling: str) -> None:
    segment = "*".join(parts)
    for text in (name, filling.join(parts), filling.join(parts)[:-1]):
        is_match = bool(text) and fnmatchcase(text, segment)
        assert (PrefixPattern(f"{segment}/").find_folder(f"{text}/") == text) is is_match
        [level] = PrefixPattern(f"{segment}/").levels
        assert level.matches(text) is is_match


def test_long_name_is_matched_without_backtracking() -> None:
    pattern = PrefixPattern(f"{'*a' * 40}*b/")
    assert pattern.find_folder(f"{'a' * 900}/") is None
    assert pattern.find_folder(f"{'a' * 900}b/") == f"{'a' * 900}b"


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("apps/shop/production/abc/index.html", "apps/shop/production/"),
        ("apps/shop/production/", "apps/shop/production/"),
        ("apps/shop/production", ""),
        ("apps/.ci3/production/abc", ""),
        ("other/apps/shop/production/abc", ""),
    ],
)
def test_path_begins_with_the_prefix_of_its_target(path: str, prefix: str) -> None:
    assert PrefixPattern("apps/*/production/").find_prefix(path) == prefix


@pytest.mark.parametrize(
    ("folder", "is_beginning"),
    [
        ("", True),
        ("apps/", True),
        ("apps/shop/", True),
        ("apps/shop/production/", True),
        ("apps/shop/staging/", False),
        ("apps/shop/production/abc/", False),
        ("other/", False),
    ],
)
def test_folder_is_above_a_pattern_if_a_target_can_be_in_it(
    folder: str, *, is_beginning: bool
) -> None:
    assert is_above(folder, "apps/*/production/") is is_beginning
    assert is_above(folder, "apps/shop/production/") is is_beginning
