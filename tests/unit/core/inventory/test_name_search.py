"""Which names a typed text can mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.name_search import find_candidates, list_spellings

LETTERS = st.text(alphabet="ab1", max_size=4)


@pytest.mark.parametrize(
    ("text", "spellings"),
    [
        ("ab12", ("ab12", "AB12")),
        ("AB12", ("AB12", "ab12")),
        ("aB12", ("aB12", "ab12", "AB12")),
        ("1234", ("1234",)),
        ("Main", ("Main",)),
        ("ab12-", ("ab12-",)),
    ],
)
def test_only_hexadecimal_text_has_another_spelling(text, spellings) -> None:
    assert list_spellings(text) == spellings


@pytest.mark.parametrize(
    ("text", "names", "preferred", "candidates"),
    [
        ("ab12", {"ab12", "ab12cd"}, {"ab12cd"}, ("ab12",)),
        ("ab1", {"ab12", "ab12cd"}, {"ab12", "ab12cd"}, ("ab12", "ab12cd")),
        ("ab1", {"ab12cd", "ab1-assets"}, {"ab12cd"}, ("ab12cd",)),
        ("ab1", {"ab12cd", "ab1-assets"}, set(), ("ab1-assets", "ab12cd")),
        ("ab1", {"ab1-assets"}, set(), ("ab1-assets",)),
        ("ab1", {"cab1", "AB12", "ab"}, set(), ()),
        ("a.", {"ab", "a.b"}, {"ab", "a.b"}, ("a.b",)),
        ("a*", {"ab"}, {"ab"}, ()),
    ],
)
def test_candidates_begin_with_the_text(text, names, preferred, candidates) -> None:
    assert find_candidates(text, names, preferred) == candidates


@given(text=LETTERS, names=st.sets(LETTERS), preferred=st.sets(LETTERS))
def test_equal_name_is_the_only_candidate(text, names, preferred) -> None:
    candidates = find_candidates(text, names, preferred & names)

    assert {*candidates} <= {name for name in names if name.startswith(text)}
    assert bool(candidates) is any(name.startswith(text) for name in names)
    assert (candidates == (text,)) or text not in names
    if text not in names and {*candidates} & preferred:
        assert {*candidates} <= preferred


@given(text=LETTERS, names=st.sets(LETTERS), added=LETTERS)
def test_added_name_never_replaces_the_only_candidate(text, names, added) -> None:
    candidates = find_candidates(text, names, names)
    candidates_after = find_candidates(text, names | {added}, names | {added})

    assert candidates_after in (candidates, (added,)) or len(candidates_after) > 1
    if candidates_after == (added,) != candidates:
        assert not candidates or added == text
