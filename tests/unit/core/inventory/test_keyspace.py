"""The order of keys: ends of folders, and guesses of a key in the middle."""

import pytest

from ci3.core.inventory.keyspace import end_of_folder, guess_middle_key, is_sorted

KEYS = ("d/2024/img-0100", "d/2024/img-0150", "d/2024/img-0199")


@pytest.mark.parametrize(
    ("end", "attempt", "guess"),
    [
        ("d0", 0, "d/60120499"),
        ("d0", 4, "d/60120499"),
        ("d0", 5, "d/2024/img-50995000"),
        ("d0", 99, "d/2024/img-50995000"),
        ("d/2024/img-60000000", 0, ""),
        ("d/2024/img-60000000", 5, "d/2024/img-30995000"),
    ],
)
def test_guess_is_half_way_between_the_last_key_and_the_end(end, attempt, guess):
    assert guess_middle_key(KEYS, end, folder="d/", attempt=attempt) == guess


@pytest.mark.parametrize(
    ("first", "last", "guess"),
    [
        ("d/000", "d/099", "d/54950000"),
        ("d/000", "d/09f", "d/84f80000"),
        ("d/000", "d/09F", "d/84F80000"),
        ("d/000", "d/09z", "d/i4zi0000"),
    ],
)
def test_guess_has_only_characters_in_which_the_keys_differ(first, last, guess):
    assert guess_middle_key((first, last), "d0", folder="d/") == guess


def test_end_of_a_folder_is_after_its_keys_and_before_the_next_folder():
    assert "a/\U0010ffff" < end_of_folder("a/") < "a1"
    assert end_of_folder("a/") == "a0"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [((), True), (("a",), True), (("a", "b"), True), (("a", "a"), False), (("b", "a"), False)],
)
def test_keys_are_sorted_only_if_each_is_after_the_one_before(keys, expected):
    assert is_sorted(keys) is expected
