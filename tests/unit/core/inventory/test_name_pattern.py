import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.name_pattern import find_name_pattern

FULL = ["a" * 39 + "1", "0" * 40, "9" * 20 + "b" * 20]
CASES = {
    "full commits beside other folders": ([*FULL, "assets", "images"], "[0-9a-f]{40}", 2),
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
    "none": ([], "", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_pattern_fits_what_most_names_have_in_common(name: str) -> None:
    names, pattern, unlike = CASES[name]
    found = find_name_pattern(names)
    assert (found.pattern, len(found.outliers)) == (pattern, unlike)


@given(st.lists(st.text(min_size=1, max_size=12), max_size=12))
def test_every_name_is_told_once_and_the_pattern_matches_as_match_would(names: list[str]) -> None:
    found = find_name_pattern(names)
    assert sorted((*found.matching, *found.outliers)) == sorted(names)
    for name in names:
        fits = bool(found.pattern) and re.fullmatch(found.pattern, name) is not None
        assert (name in found.matching) == fits
