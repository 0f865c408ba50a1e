"""Text, numbers, commits and dates in the name of a deployment.

`age-from: name` and the check `names-contradict-times` read names with these functions.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from ci3.core.inventory.name_forms import is_commit_word

_WORDS: Final = re.compile(r"[0-9A-Za-z]+|[^0-9A-Za-z]+")
_RUNS: Final = re.compile(r"[0-9]+|[^0-9]+")
_DIGITS: Final = frozenset("0123456789")
_YEAR: Final = "(?:19|20)[0-9]{2}"
_MONTH: Final = "(?:0[1-9]|1[0-2])"
_DAY: Final = "(?:0[1-9]|[12][0-9]|3[01])"
_DATE: Final = re.compile(_YEAR + _MONTH + _DAY)
_DAY_FIRST_DATE: Final = re.compile(
    rf"(?<![0-9])(?:{_DAY}|[1-9])([-._/])(?:{_DAY}|[1-9])\1{_YEAR}(?![0-9])"
)
_YEAR_LAST_DATE: Final = re.compile(
    # A day, month, quarter or week before a year, unless that begins a date: app1-2026-11-23.
    r"(?<![0-9])(?:0?[1-9]|[1-4][0-9]|5[0-3])[^0-9A-Za-z]+"
    rf"{_YEAR}(?![0-9])(?![-._]{_MONTH}[-._]{_DAY}(?![0-9]))"
)
_SHORT_DATE: Final = re.compile(
    # Not a version: v10.11.12, 1.10.11.12.
    rf"(?<![0-9Vv])(?<![0-9]\.)(?:{_MONTH}([-._/]){_DAY}\1|{_DAY}([-._/]){_MONTH}\2)"
    "[0-9]{2}(?![0-9])"
)
_MONTH_NAME: Final = re.compile(
    "(?<![a-z])(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    "sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])",
    re.IGNORECASE,
)
_UNORDERED_DATES: Final = (_DAY_FIRST_DATE, _YEAR_LAST_DATE, _SHORT_DATE, _MONTH_NAME)
_FIRST_YEAR: Final = 1900


class PartKind(Enum):
    """Kind of a part of a name."""

    TEXT = auto()
    NUMBER = auto()
    COMMIT = auto()


class NamePart(NamedTuple):
    """A part of a name.

    With `is_word`, no letter or digit precedes or follows it: a number that is no word may be part
    of a hash.
    """

    text: str
    kind: PartKind
    is_word: bool = False


def split_name(name: str) -> Iterator[NamePart]:
    """Yield the parts of a name in order; joined, their texts are the name.

    A number has the digits 0 to 9. A commit is one as in `has_commit`: other digits may be a
    commit, too, if the names of other deployments have commits there.

        build-95               build-, number 95
        20261123-AB12CD3       number 20261123, -, commit AB12CD3
    """
    if is_commit_word(name):  # most names, and much faster
        yield NamePart(name, PartKind.COMMIT, is_word=True)
        return
    for word in split_words(name):
        if is_commit_word(word):
            yield NamePart(word, PartKind.COMMIT, is_word=True)
            continue
        for run in split_numbers(word):
            kind = PartKind.NUMBER if is_number(run) else PartKind.TEXT
            yield NamePart(run, kind, is_word=run == word)


def split_words(name: str) -> list[str]:
    """Return runs of letters and digits and what separates them: `v1.2-b` is `v1`, `.`, `2`, …"""
    return _WORDS.findall(name)


def split_numbers(word: str) -> list[str]:
    """Return runs of digits and of other characters: `v1` is `v`, `1`."""
    return _RUNS.findall(word)


def is_number(run: str) -> bool:
    """Return True for a run of digits that `split_numbers` returns."""
    return run[0] in _DIGITS


def is_year(digits: str) -> bool:
    """Return True if the digits are a year from 1900 to 2099."""
    return re.fullmatch(_YEAR, digits) is not None


def is_date(digits: str) -> bool:
    """Return True if the digits are a date without separators, year first: `20261123`."""
    return _DATE.fullmatch(digits) is not None


def starts_with_date(digits: str) -> bool:
    """Return True if the digits are a date, year first, and perhaps a time: `202611231530`."""
    return _DATE.match(digits) is not None


def has_unordered_date(parts: Sequence[NamePart]) -> bool:
    """Return True if a name, in parts, has a date, month, quarter or week not written year first.

    Its numbers, compared from left to right, are then not in the order of time:

        23-11-2026, 11/23/2026, 23112026         day or month first
        q4-2025, 11-2026, v1-2026                a year after a number that restarts each year
        23-11-26, 26-11-02                       may be day, month or year first
        nov-23, 23-nov-26                        a month's name, without a year before it
        2026-11-23, 20261123, 2026-nov-23        False
        app1-2026-11-23, v10.11.12, marketing-9  False
    """
    numbers = [part.text for part in parts if part.kind is PartKind.NUMBER]
    if any(map(_is_day_first, numbers)):
        return True
    if not numbers or int(numbers[0]) >= _FIRST_YEAR:
        return False
    name = "".join("@" if part.kind is PartKind.COMMIT else part.text for part in parts)
    return any(pattern.search(name) for pattern in _UNORDERED_DATES)


def _is_day_first(digits: str) -> bool:
    """Return True if eight digits are a date only when read as day and month before the year."""
    if len(digits) != len("ddmmyyyy") or is_date(digits):
        return False
    first, second, year = digits[:2], digits[2:4], digits[4:]
    return is_date(year + second + first) or is_date(year + first + second)
