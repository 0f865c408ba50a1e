"""Find a regular expression that most folder names match."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci3.constants import COMMIT_PREFIX_LENGTH

PATTERNS_TRIED: Final = 20
"""How many patterns are matched against all names, the most frequent first.

A bucket may have thousands of different patterns.
"""

_PARTS = re.compile(r"[0-9A-Za-z]+|[^0-9A-Za-z]+")
_FULL_COMMIT_LENGTH = 40
_MIN_SHARE_DIVISOR = 2
_MIN_NAMES = 2
_ANY_WORD = "[A-Za-z]+"
_DESCRIBED_COMMIT = re.compile("g(?=[a-f]*[0-9])[0-9a-f]{7,40}")
"""The commit in a name from `git describe`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePattern:
    """A pattern, the names that match it and the names that do not.

    `pattern` is empty if there is none; then no name is matching.
    """

    pattern: str
    matching: tuple[str, ...]
    outliers: tuple[str, ...]


def find_name_pattern(names: Sequence[str]) -> NamePattern:
    """Return the pattern of at least half of the names, if it contains a number or a commit hash.

    `site-1`, `site-22` and `assets` give `site-[0-9]+`, with `assets` as the outlier.
    """
    naming = find_frequent_pattern(names)
    if _MIN_SHARE_DIVISOR * len(naming.matching) < len(names):
        return NamePattern(pattern="", matching=(), outliers=tuple(names))
    return naming


def find_frequent_pattern(names: Sequence[str]) -> NamePattern:
    """Return the pattern that matches the most names, and at least two, however small its share."""
    counts: Counter[str] = Counter()
    for name in names:
        counts.update({generalize_name(name, keeps_words=True), generalize_name(name)})
    by_count = sorted(counts.items(), key=lambda item: (-item[1], _ANY_WORD in item[0], item[0]))
    candidates = [pattern for pattern, _ in by_count if "[0-9" in pattern]
    best, matching = "", tuple[str, ...]()
    for pattern in candidates[:PATTERNS_TRIED]:
        matches = tuple(name for name in names if re.fullmatch(pattern, name))
        if len(matches) > len(matching):
            best, matching = pattern, matches
        if len(matching) == len(names):
            break
    if len(matching) < _MIN_NAMES:
        return NamePattern(pattern="", matching=(), outliers=tuple(names))
    matching_names = set(matching)
    outliers = tuple(name for name in names if name not in matching_names)
    return NamePattern(pattern=best, matching=matching, outliers=outliers)


def generalize_name(name: str, *, keeps_words: bool = False) -> str:
    """Return a regular expression for similar names; words stay as they are or match any word."""
    return "".join(_generalize_part(part, keeps_words=keeps_words) for part in _PARTS.findall(name))


def _generalize_part(part: str, *, keeps_words: bool) -> str:
    if not (part[0].isascii() and part[0].isalnum()):
        return re.sub(r"([^\w\s~@=:,-])", r"\\\1", part)
    if pattern := _generalize_number(part):
        return pattern
    if keeps_words or part.isalpha():
        pattern = re.sub("[0-9]+", "[0-9]+", part)
        return pattern if keeps_words else _ANY_WORD
    return re.sub("[A-Za-z]+", _ANY_WORD, re.sub("[0-9]+", "0", part)).replace("0", "[0-9]+")


def _generalize_number(part: str) -> str:
    """Return the pattern of a number or commit hash, or an empty string for anything else."""
    is_hex = re.fullmatch("[0-9a-f]+", part) is not None
    if is_hex and len(part) == _FULL_COMMIT_LENGTH:
        return f"[0-9a-f]{{{_FULL_COMMIT_LENGTH}}}"
    if part.isdecimal():
        return "[0-9]+"
    if is_hex and len(part) >= COMMIT_PREFIX_LENGTH:
        return f"[0-9a-f]{{{COMMIT_PREFIX_LENGTH},{_FULL_COMMIT_LENGTH}}}"
    return "g[0-9a-f]{4,40}" if _DESCRIBED_COMMIT.fullmatch(part) else ""
