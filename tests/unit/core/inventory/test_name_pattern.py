import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.name_pattern import find_name_pattern

FULL = ["a" * 39 + "1", "0" * 40, "9" * 20 + "b" * 20]
CASES = {
    "full commits next to other folders": ([*FULL, "assets", "images"], "[0-9a-f]{40}", 2),
    "full commits and as many others": ([FULL[0], FULL[1], "assets", "css"], "[0-9a-f]{40}", 2),
    "short commits": (["9c41e07", "1234567", "deadbee", "release-2"], "[0-9a-f]{7,40}", 1),
    "short and full commits": (["9c41e07", "5d2f8ab", *FULL, "img"], "[0-9a-f]{7,40}", 1),
    "one word and a number": (["site-1", "site-22", "assets"], "site-[0-9]+", 1),
    "words and commits": (
        ["web-ab12cd3", "api-ab12cd9", "x-1234567", "js"],
        "[A-Za-z]+-[0-9a-f]{7,40}",
        1,
    ),
    "versions": (["v1.2.3", "v1.10.0", "latest"], r"v[0-9]+\.[0-9]+\.[0-9]+", 1),
    "dates": (["2026-11-02", "2026-11-03"], "[0-9]+-[0-9]+-[0-9]+", 0),
    "words only": (["main", "next"], "", 2),
    "one folder": (["site-1"], "", 1),
    "git describe": (
        ["v1.2.3-1-g1111111", "v1.2.3-2-g22ab222", "v1.3.0-1-gabc1234", "assets"],
        r"v[0-9]+\.[0-9]+\.[0-9]+-[0-9]+-g[0-9a-f]{4,40}",
        1,
    ),
    "superscript digits": (["\u00b9)0", "\u00b9)1"], "\u00b9\\)[0-9]+", 0),
    "SHA-256 digests": (["a" * 63 + "1", "b" * 63 + "2", "assets"], "[0-9a-f]{64}", 1),
    "UUIDs": (
        ["3f2a9c1b-0d4e-4f5a-8b6c-7d8e9f0a1b2c", "00000000-1111-4222-8333-444444444444", "css"],
        "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        1,
    ),
    "upper-case commits": (["9C41E07", "AB12CD3", "1234567", "css"], "[0-9A-F]{7,40}", 1),
    "a backup": ([*(f"build-{n}" for n in range(1, 10)), "backup-2024"], "build-[0-9]+", 1),
    "fonts": (
        [*(f"v1.{n}.0" for n in range(9)), "fontawesome5.15.4"],
        r"v[0-9]+\.[0-9]+\.[0-9]+",
        1,
    ),
    "two applications": (["web-1", "web-2", "api-1", "api-2"], "[A-Za-z]+-[0-9]+", 0),
    "a quarter of another": (["web-1", "web-2", "web-3", "api-1"], "web-[0-9]+", 1),
    "none": ([], "", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_pattern_matches_most_names(name: str) -> None:
    names, pattern, outlier_count = CASES[name]
    result = find_name_pattern(names)
    assert (result.pattern, len(result.outliers)) == (pattern, outlier_count)


@given(st.lists(st.text(min_size=1, max_size=12), max_size=12))
def test_every_name_is_matched_or_an_outlier(names: list[str]) -> None:
    result = find_name_pattern(names)
    assert sorted((*result.matching, *result.outliers)) == sorted(names)
    for name in names:
        is_match = bool(result.pattern) and re.fullmatch(result.pattern, name) is not None
        assert (name in result.matching) == is_match
