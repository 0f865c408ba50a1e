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

from dataclasses import dataclass
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
        return _matches_segment(self.segment, name)


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
        names = self._match_names(prefix)
        if names is None or self.find_prefix(prefix) != prefix:
            return None
        segments = self.text.split("/")
        return "/".join(
            name for segment, name in zip(segments, names, strict=False) if is_pattern(segment)
        )

    def find_prefix(self, path: str) -> str:
        """Return the beginning of a path that the pattern matches, with its slash, or ""."""
        return "".join(f"{name}/" for name in self._match_names(path) or ())

    def _match_names(self, path: str) -> list[str] | None:
        """Return the first names of a path, each of which matches a segment, or None."""
        segments = self.text.split("/")[:-1]
        names = path.split("/", len(segments))[:-1]
        is_match = len(names) == len(segments) and all(map(_matches_segment, segments, names))
        return names if is_match else None


def is_above(folder: str, prefix: str) -> bool:
    """Return True if a prefix, or one that a pattern matches, begins with a folder.

    `folder` is empty for the root, or ends with a slash.
    """
    if not is_pattern(prefix):
        return prefix.startswith(folder)
    segments = prefix.split("/")[:-1][: folder.count("/")]
    beginning = "".join(f"{segment}/" for segment in segments)
    return PrefixPattern(beginning).find_prefix(folder) == folder


def _matches_segment(segment: str, name: str) -> bool:
    """Return True if a segment of a pattern, with `*` or without, matches a folder name.

    The texts between the `*` are searched from the left, each after the one before: no name needs a
    second try, however many `*` there are.
    """
    if not is_pattern(segment):
        return name == segment
    if name in ("", JOURNAL_FOLDER) or is_pattern(name) or "/" in name:
        return False
    first, *middle, last = segment.split("*")
    if len(name) < len(first) + len(last):
        return False
    if not (name.startswith(first) and name.endswith(last)):
        return False
    position, end = len(first), len(name) - len(last)
    for text in middle:
        position = name.find(text, position, end)
        if position < 0:
            return False
        position += len(text)
    return True
