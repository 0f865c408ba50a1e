"""The order of keys: the end of a folder, and a key near the middle of a range."""

import re
from bisect import bisect_left
from collections.abc import Sequence, Set
from itertools import islice
from operator import lt

_AFTER_SLASH = "0"
"""The character after the slash: `a0` sorts after all keys in `a/`, and before `a1`."""
_DIGITS = "0123456789"
_ALPHABETS = (
    _DIGITS,
    f"{_DIGITS}abcdef",
    f"{_DIGITS}ABCDEF",
    f"{_DIGITS}abcdefghijklmnopqrstuvwxyz",
    f"{_DIGITS}ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
)
_NUMBER = re.compile("[0-9A-Za-z]*[0-9][0-9A-Za-z]*")
"""A run of letters and digits with at least one digit: a number, or a hash."""
_ATTEMPTS_PER_NUMBER = 5
"""Guesses within one number of a key before the next one is tried: each halves the range."""
_GUESS_LENGTH = 8
"""Characters of a guess: enough to split a million keys that have one digit more."""


def end_of_folder(folder: str) -> str:
    """Return the smallest key after all keys of `folder`, which ends with a slash."""
    return folder[:-1] + _AFTER_SLASH


def is_sorted(keys: Sequence[str]) -> bool:
    """Return True if the keys are in the order of S3, without duplicates."""
    return all(map(lt, keys, islice(keys, 1, None)))


def guess_middle_key(keys: Sequence[str], end: str, *, folder: str = "", attempt: int = 0) -> str:
    """Guess a key half-way between the last of `keys` and `end`; empty if no guess fits.

    `keys` are sorted. `end` is exclusive, and may be far after the last existing key. The guess
    assumes that numbers and hashes are spread evenly over the characters in which the keys differ.
    The first attempts change the outermost number of the key below `folder` that is written in
    these characters, later ones a number further in.

    Example: `keys` from `d/2024/img-0100` to `d/2024/img-0199`, `folder` is `d/`.

    | `end`                 | `attempt` | guess                                          |
    |-----------------------|-----------|------------------------------------------------|
    | `d0`                  | 0 to 4    | `d/60120499`                                   |
    | `d0`                  | 5         | `d/2024/img-50995000`                          |
    | `d/2024/img-60000000` | 0         | empty: `d/20240999` is not before `end`        |
    | `d/2024/img-60000000` | 5         | `d/2024/img-30995000`                          |
    """
    first, last = keys[0], keys[-1]
    varying = _common_length(first, last)
    alphabet = _smallest_alphabet(
        {key[index : index + 1] for key in keys for index in (varying, varying + 1)}
    )
    starts = _number_starts(last, len(folder), varying, alphabet)
    start = starts[min(attempt // _ATTEMPTS_PER_NUMBER, len(starts) - 1)]
    high = end[start:] if end.startswith(last[:start]) else ""
    guess = last[:start] + _midpoint(last[start:], high, alphabet)
    return guess if last < guess < end else ""


def _common_length(first: str, last: str) -> int:
    pairs = enumerate(zip(first, last, strict=False))
    return next((index for index, (left, right) in pairs if left != right), len(first))


def _smallest_alphabet(characters: Set[str]) -> str:
    return next(
        (alphabet for alphabet in _ALPHABETS if characters <= {*alphabet, ""}), _ALPHABETS[-1]
    )


def _number_starts(key: str, folder_length: int, varying: int, alphabet: str) -> list[int]:
    """Return where the numbers of a key begin, from the outermost to that at index `varying`."""
    innermost = varying
    while innermost > folder_length and key[innermost - 1] in alphabet:
        innermost -= 1
    starts = [
        number.start()
        for number in _NUMBER.finditer(key, folder_length, varying)
        if {*number[0]} <= {*alphabet} and number.start() < innermost
    ]
    return [*starts, innermost]


def _midpoint(low: str, high: str, alphabet: str) -> str:
    """Return the text half-way between two, read as numbers; an empty `high` is the maximum."""
    base = len(alphabet)
    low_number = _to_number(low, alphabet)
    high_number = _to_number(high, alphabet) if high else base**_GUESS_LENGTH
    number = (low_number + high_number) // 2
    text = ""
    for _ in range(_GUESS_LENGTH):
        number, digit = divmod(number, base)
        text = alphabet[digit] + text
    return text


def _to_number(text: str, alphabet: str) -> int:
    """Read the first characters as a number in the base of the alphabet's length.

    A character outside the alphabet counts as the next one in it, or as the last.
    """
    number = 0
    for index in range(_GUESS_LENGTH):
        digit = bisect_left(alphabet, text[index]) if index < len(text) else 0
        number = number * len(alphabet) + min(digit, len(alphabet) - 1)
    return number
