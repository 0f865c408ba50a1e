"""Short forms of names in tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.short_names import shorten_names

HASH = "5d2f8ab019c3d4e5f60718293a4b5c6d7e8f9012"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (HASH, "5d2f8ab"),
        (f"pr-12-{HASH}", "pr-12-5d2f8ab"),
        (f"v1.2-14-g{HASH}", "v1.2-14-g5d2f8ab"),
        (HASH[:13], "5d2f8ab"),
        (HASH[:12], HASH[:12]),
        ("5d2f8ab", "5d2f8ab"),
        (f"{HASH}-prod", f"{HASH}-prod"),
        (f"x{HASH}", f"x{HASH}"),
        ("release-2.4", "release-2.4"),
        ("a-branch-name-without-a-hash", "a-branch-name-without-a-hash"),
        (HASH.upper(), HASH.upper()),
        ("", ""),
    ],
)
def test_hash_at_the_end_is_cut(name, short):
    assert shorten_names([name]) == {name: short}


@pytest.mark.parametrize(
    ("shared_length", "length"), [(0, 7), (6, 7), (7, 8), (8, 9), (11, 12), (12, 40), (39, 40)]
)
def test_short_forms_are_long_enough_to_be_distinct(shared_length, length):
    second_hash = HASH[:shared_length] + "".join(
        "1" if digit != "1" else "2" for digit in HASH[shared_length:]
    )
    assert shorten_names([HASH, second_hash]) == {
        HASH: HASH[:length],
        second_hash: second_hash[:length],
    }


def test_name_that_begins_another_name_is_kept():
    assert shorten_names(["5d2f8ab", HASH]) == {"5d2f8ab": "5d2f8ab", HASH: "5d2f8ab0"}


NAMES = st.lists(
    st.builds(
        lambda prefix, digits: prefix + digits,
        st.sampled_from(["", "pr-1-", "pr-12-", "main-"]),
        st.text("0a", min_size=1, max_size=40),
    ),
    unique=True,
)


@given(NAMES)
def test_short_form_begins_only_its_own_name(names):
    for name, short in shorten_names(names).items():
        assert name.startswith(short)
        assert short == name or [
            candidate for candidate in names if candidate.startswith(short)
        ] == [name]
