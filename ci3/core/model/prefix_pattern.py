"""Prefix patterns: a `prefix` with `*`, which means a folder of each app or team.

A `*` matches within one folder name. `.ci3` never matches, nor does a name that has a `*` in it,
which could not be distinguished from a pattern.

| pattern              | prefix                  | folder     |
|----------------------|-------------------------|------------|
| `*/`                 | `shop/`                 | `shop`     |
| `apps/*/production/` | `apps/shop/production/` | `shop`     |
| `team-*/`            | `team-web/`             | `team-web` |
| `*/apps/*/`          | `shop/apps/cart/`       | `shop/cart`|
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ci3.constants import JOURNAL_FOLDER

FOLDER_PLACEHOLDER: Final = "{folder}"
"""In a live source, means the names that the segments with `*` matched."""


def is_pattern(prefix: str) -> bool:
    """Return True if a prefix means several folders."""
    return "*" in prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternLevel:
    """One level to list: the folders in `parent`, relative to the level before, that match."""

    parent: str
    segment: str

    @property
    def beginning(self) -> str:
        """The text with which each matching name begins."""
        return self.segment.partition("*")[0]

    def matches(self, name: str) -> bool:
        """Return True if a folder name matches."""
        return re.fullmatch(_translate(self.segment), f"{name}/") is not None


@dataclass(frozen=True, slots=True)
class PrefixPattern:
    """A prefix pattern; its text ends with a slash."""

    text: str

    @property
    def levels(self) -> tuple[PatternLevel, ...]:
        """The levels to list, from the top. `a/*/b/c-*/d/` has two: `*` in `a/`, `c-*` in `b/`."""
        levels, parent = [], ""
        for segment in self.text.split("/")[:-1]:
            if is_pattern(segment):
                levels.append(PatternLevel(parent=parent, segment=segment))
                parent = ""
            else:
                parent += f"{segment}/"
        return tuple(levels)

    @property
    def suffix(self) -> str:
        """What follows the last segment with `*`: `production/`, or empty."""
        return self.text.rpartition("*")[2].partition("/")[2]

    def find_folder(self, prefix: str) -> str | None:
        """Return what the segments with `*` match in a prefix, joined by `/`, or None."""
        match = _compile(self.text).fullmatch(prefix)
        return "/".join(match.groups()) if match else None

    def find_prefix(self, path: str) -> str:
        """Return the beginning of a path that the pattern matches, with its slash, or ""."""
        match = _compile(self.text).match(path)
        return match[0] if match else ""


def is_above(folder: str, prefix: str) -> bool:
    """Return True if a prefix, or one that a pattern matches, begins with a folder.

    `folder` is empty for the root, or ends with a slash.
    """
    if not is_pattern(prefix):
        return prefix.startswith(folder)
    segments = prefix.split("/")[:-1][: folder.count("/")]
    beginning = "".join(f"{segment}/" for segment in segments)
    return _compile(beginning).fullmatch(folder) is not None


@lru_cache(maxsize=64)
def _compile(text: str) -> re.Pattern[str]:
    segments = text.split("/")[:-1]
    return re.compile(
        "".join(
            _translate(segment) if is_pattern(segment) else re.escape(f"{segment}/")
            for segment in segments
        )
    )


def _translate(segment: str) -> str:
    """Return the regular expression of a segment with `*` and its slash; its group is the name."""
    text = "[^/*]*".join(map(re.escape, segment.split("*")))
    return rf"(?!{re.escape(JOURNAL_FOLDER)}/|/)({text})/"
