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

_UUIDS = tuple(
    f"{digit}{{8}}(?:-{digit}{{4}}){{3}}-{digit}{{12}}" for digit in ("[0-9a-f]", "[0-9A-F]")
)
_PARTS = re.compile(f"(?:{'|'.join(_UUIDS)})(?![0-9A-Za-z])|[0-9A-Za-z]+|[^0-9A-Za-z]+")
_HEX = re.compile("[0-9a-f]+")
_UPPER_HEX = re.compile("[0-9A-F]+")
_FULL_COMMIT_LENGTH = 40
_EXACT_LENGTHS = (_FULL_COMMIT_LENGTH, 64)
"""Hex digits of a SHA-1 and of a SHA-256 digest."""
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

    @property
    def has_any_word(self) -> bool:
        """True if a part of the pattern matches any word, not only that of these names."""
        return _ANY_WORD in self.pattern


def find_name_pattern(names: Sequence[str]) -> NamePattern:
    """Return the pattern of at least half of the names, if it contains a number or a commit hash.

    `site-1`, `site-22` and `assets` give `site-[0-9]+`, with `assets` as the outlier.
    """
    naming = find_frequent_pattern(names)
    if _MIN_SHARE_DIVISOR * len(naming.matching) < len(names):
        return NamePattern(pattern="", matching=(), outliers=tuple(names))
    return naming


def find_frequent_pattern(names: Sequence[str]) -> NamePattern:
    """Return the pattern that matches the most names, and at least two, however small its share.

    A pattern with the words of the names is preferred to one with any word that matches more, as
    long as it matches more than two thirds of them: `build-1` to `build-10` and `backup-2024` give
    `build-[0-9]+`, but as many `web-9c41e07` as `api-ab12cd3` give `[A-Za-z]+-[0-9a-f]{7,40}`.
    """
    counts: Counter[str] = Counter()
    for name in names:
        counts.update({generalize_name(name, keeps_words=True), generalize_name(name)})
    by_count = sorted(counts.items(), key=lambda item: (-item[1], _ANY_WORD in item[0], item[0]))
    candidates = [pattern for pattern, _ in by_count if "[0-9" in pattern]
    best = best_with_words = NamePattern(pattern="", matching=(), outliers=tuple(names))
    for pattern in candidates[:PATTERNS_TRIED]:
        naming = _apply_pattern(pattern, names)
        if len(naming.matching) > len(best.matching):
            best = naming
        if not naming.has_any_word and len(naming.matching) > len(best_with_words.matching):
            best_with_words = naming
        if len(best_with_words.matching) == len(names):
            break
    is_part = {*best_with_words.matching} <= {*best.matching}
    if is_part and 3 * len(best_with_words.matching) > 2 * len(best.matching):
        best = best_with_words
    if len(best.matching) < _MIN_NAMES:
        return NamePattern(pattern="", matching=(), outliers=tuple(names))
    return best


def _apply_pattern(pattern: str, names: Sequence[str]) -> NamePattern:
    matching = tuple(name for name in names if re.fullmatch(pattern, name))
    matching_names = set(matching)
    outliers = tuple(name for name in names if name not in matching_names)
    return NamePattern(pattern=pattern, matching=matching, outliers=outliers)


def generalize_name(name: str, *, keeps_words: bool = False) -> str:
    """Return a regular expression for similar names; words stay as they are or match any word."""
    return "".join(_generalize_part(part, keeps_words=keeps_words) for part in _PARTS.findall(name))


def _generalize_part(part: str, *, keeps_words: bool) -> str:
    for uuid in _UUIDS:
        if re.fullmatch(uuid, part):
            return uuid
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
    digit = "[0-9a-f]" if _HEX.fullmatch(part) else "[0-9A-F]" if _UPPER_HEX.fullmatch(part) else ""
    if digit and len(part) in _EXACT_LENGTHS:
        return f"{digit}{{{len(part)}}}"
    if part.isdecimal():
        return "[0-9]+"
    if digit and len(part) >= COMMIT_PREFIX_LENGTH:
        return f"{digit}{{{COMMIT_PREFIX_LENGTH},{max(len(part), _FULL_COMMIT_LENGTH)}}}"
    return "g[0-9a-f]{4,40}" if _DESCRIBED_COMMIT.fullmatch(part) else ""
