"""The order of keys: where a folder's keys begin and end, and which key may stand in a middle."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from operator import lt

_AFTER_SLASH = "0"
"""The character that follows the slash: `a0` stands behind all of `a/`, and before `a1`."""
_DIGITS = "0123456789"
_ALPHABETS = (
    _DIGITS,
    f"{_DIGITS}abcdef",
    f"{_DIGITS}ABCDEF",
    f"{_DIGITS}abcdefghijklmnopqrstuvwxyz",
    f"{_DIGITS}ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
)
_WORD = re.compile("[0-9A-Za-z]*[0-9][0-9A-Za-z]*")
_ATTEMPTS = 5
"""Attempts in one part of a key: each halves what may be there."""
_DEPTH = 8
"""Characters of a guess: enough to part a million keys of one digit more."""


def end_of(folder: str) -> str:
    """Give the key that all keys of a folder stand before; `folder` ends with its slash."""
    return folder[:-1] + _AFTER_SLASH


def is_sorted(keys: Sequence[str]) -> bool:
    """Say whether keys stand in the order of S3, each once."""
    return all(map(lt, keys, islice(keys, 1, None)))


def middle(keys: Sequence[str], end: str, *, folder: str = "", attempt: int = 0) -> str:
    """Guess a key half-way from the last of `keys` to `end`, or give nothing where none fits.

    The guess goes by the characters in which the keys, which stand in order, differ: numbers and
    hashes are spread evenly over those. The first attempts are made in the outermost part of the
    key below `folder` that is written in them alone, later ones further in. `end` is exclusive, and
    may lie far behind all real keys.
    """
    first, last = keys[0], keys[-1]
    pairs = enumerate(zip(first, last, strict=False))
    varying = next((place for place, (one, other) in pairs if one != other), len(first))
    seen = {key[place : place + 1] for key in keys for place in (varying, varying + 1)}
    alphabet = next((one for one in _ALPHABETS if seen <= {*one, ""}), _ALPHABETS[-1])
    begins = [
        part.start()
        for part in _WORD.finditer(last, len(folder), varying)
        if {*part[0]} <= {*alphabet}
    ]
    innermost = varying
    while innermost > len(folder) and last[innermost - 1] in alphabet:
        innermost -= 1
    begins = [begin for begin in begins if begin < innermost] + [innermost]
    begin = begins[min(attempt // _ATTEMPTS, len(begins) - 1)]
    high = end[begin:] if end.startswith(last[:begin]) else ""
    guess = last[:begin] + _between(last[begin:], high, alphabet)
    return guess if last < guess < end else ""


def _between(low: str, high: str, alphabet: str) -> str:
    """Give the text half-way between two, as numbers of an alphabet; empty, `high` is its end."""
    base = len(alphabet)
    one = _number(low, alphabet)
    other = _number(high, alphabet) if high else base**_DEPTH
    number = (one + other) // 2
    text = ""
    for _ in range(_DEPTH):
        number, digit = divmod(number, base)
        text = alphabet[digit] + text
    return text


def _number(text: str, alphabet: str) -> int:
    """Read the first characters as a number; one that is not of the alphabet counts as the next."""
    number = 0
    for place in range(_DEPTH):
        digit = bisect_left(alphabet, text[place]) if place < len(text) else 0
        number = number * len(alphabet) + min(digit, len(alphabet) - 1)
    return number
