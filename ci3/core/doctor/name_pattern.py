"""What folders' names have in common: a pattern for most of them, and those unlike the rest."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci3.constants import COMMIT_PREFIX_LENGTH

PATTERNS_TRIED: Final = 20
"""The most frequent patterns are tried on all names; a bucket may have thousands of them."""

_PARTS = re.compile(r"[0-9A-Za-z]+|[^0-9A-Za-z]+")
_FULL_COMMIT_LENGTH = 40
_HALF = 2
_FEWEST = 2
_ANY_WORD = "[A-Za-z]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How folders are named: `pattern` fits `fitting` of them, `unlike` are those left over.

    The pattern is empty where none fits at least half of them, and two: all are `unlike` then.
    """

    pattern: str
    fitting: tuple[str, ...]
    unlike: tuple[str, ...]


def find_naming(names: Sequence[str]) -> Naming:
    """Find the pattern that fits most of the names, if it has a number or a commit in it."""
    counted: Counter[str] = Counter()
    for name in names:
        counted.update({_pattern(name, says_words=True), _pattern(name)})
    by_count = sorted(counted.items(), key=lambda one: (-one[1], _ANY_WORD in one[0], one[0]))
    telling = [pattern for pattern, _ in by_count if "[0-9" in pattern]
    best, fitting = "", tuple[str, ...]()
    for pattern in telling[:PATTERNS_TRIED]:
        fits = tuple(name for name in names if re.fullmatch(pattern, name))
        if len(fits) > len(fitting):
            best, fitting = pattern, fits
    if _HALF * len(fitting) < max(len(names), _HALF * _FEWEST):
        return Naming(pattern="", fitting=(), unlike=tuple(names))
    alike = set(fitting)
    unlike = tuple(name for name in names if name not in alike)
    return Naming(pattern=best, fitting=fitting, unlike=unlike)


def _pattern(name: str, *, says_words: bool = False) -> str:
    """Write a name as a regular expression, with its words as they are or as any words."""
    return "".join(_part(part, says_words=says_words) for part in _PARTS.findall(name))


def _part(part: str, *, says_words: bool) -> str:
    if not part[0].isalnum():
        return re.sub(r"([^\w\s~@=:,-])", r"\\\1", part)
    is_hex = re.fullmatch("[0-9a-f]+", part) is not None
    if is_hex and len(part) == _FULL_COMMIT_LENGTH:
        return f"[0-9a-f]{{{_FULL_COMMIT_LENGTH}}}"
    if part.isdecimal():
        return "[0-9]+"
    if is_hex and len(part) >= COMMIT_PREFIX_LENGTH:
        return f"[0-9a-f]{{{COMMIT_PREFIX_LENGTH},{_FULL_COMMIT_LENGTH}}}"
    if says_words or part.isalpha():
        digits = re.sub("[0-9]+", "[0-9]+", part)
        return digits if says_words else _ANY_WORD
    return re.sub("[A-Za-z]+", _ANY_WORD, re.sub("[0-9]+", "0", part)).replace("0", "[0-9]+")
