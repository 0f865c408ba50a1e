"""Order of deployments by the numbers in their names, for `age-from: name`.

    name       text around numbers   numbers   order
    build-9    "build-", ""          9         older than build-10
    build-10   "build-", ""          10        newer than build-9
    v1.9       "v", ".", ""          1, 9      not comparable with build-10
    v1.9.1     "v", ".", ".", ""     1, 9, 1   not comparable with v1.9

Names that are not comparable have no order: neither deployment supersedes the other.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from ci3.constants import COMMIT_PREFIX_LENGTH
from ci3.core.retention.age_order import DatedDeployment

_NUMBER = re.compile("([0-9]+)")
_YEAR = re.compile("(?:19|20)[0-9]{2}")
_COMPACT_DATE_LENGTH: Final = 8
_COMMIT = re.compile(rf"(?<![0-9a-z])g?[0-9a-f]{{{COMMIT_PREFIX_LENGTH},64}}(?![0-9a-z])")


@dataclass(frozen=True, slots=True)
class NameKey:
    """The texts around the numbers of a name, and the numbers.

    Two names are comparable if their texts are equal. Then the numbers are compared in turn.
    """

    texts: tuple[str, ...]
    numbers: tuple[int, ...]


def parse_name(name: str) -> NameKey | None:
    """Return the key of a name, or None if its numbers have no order in time.

    There is none without a number, and none where a date is not written year first:
    `02-11-2026` and `02112026`.
    """
    parts = _NUMBER.split(name)
    digits = parts[1::2]
    if not digits or any(map(_YEAR.fullmatch, digits[1:])) or any(map(_is_day_first, digits)):
        return None
    return NameKey(texts=tuple(parts[::2]), numbers=tuple(map(int, digits)))


def has_commit(name: str) -> bool:
    """Return True if a part of a name may be a commit hash, which has no order in time.

    `ab12cd3`, `main-ab12cd3` and `v1.2-3-gab12cd3` may have one. Digits alone are taken for a
    number, except after the `g` of `git describe`.
    """
    return any(not commit.isdecimal() for commit in _COMMIT.findall(name.lower()))


def _is_day_first(digits: str) -> bool:
    """Return True if eight digits are a date only when read as day and month before the year."""
    if len(digits) != _COMPACT_DATE_LENGTH or _is_date(digits[:4], digits[4:6], digits[6:]):
        return False
    first, second, year = digits[:2], digits[2:4], digits[4:]
    return _is_date(year, second, first) or _is_date(year, first, second)


def _is_date(year: str, month: str, day: str) -> bool:
    if not _YEAR.fullmatch(year):
        return False
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


class NameOrder:
    """The complete deployments of a group, searchable for those with a higher name."""

    def __init__(self, complete: Iterable[DatedDeployment]) -> None:
        self._names: set[str] = set()
        self._ascending: dict[tuple[str, ...], list[tuple[tuple[int, ...], DatedDeployment]]] = {}
        for dated in complete:
            self._names.add(dated.deployment.name)
            if key := parse_name(dated.deployment.name):
                self._ascending.setdefault(key.texts, []).append((key.numbers, dated))
        for entries in self._ascending.values():
            entries.sort(key=lambda entry: (entry[0], entry[1].deployment.name))

    def count_newer(self, name: str) -> int:
        """Count the deployments whose name is known to be higher."""
        return len(self._find_newer(name))

    def find_successor(self, name: str) -> DatedDeployment | None:
        """Return the deployment with the lowest of the higher names, if there is one."""
        newer = self._find_newer(name)
        return newer[0][1] if newer else None

    def count_comparable(self, name: str) -> int:
        """Count the complete deployments whose names have the same text, this one included."""
        key = parse_name(name)
        return len(self._ascending.get(key.texts, ())) if key else 0

    def count_incomparable(self, name: str) -> int:
        """Count the other complete deployments whose names can't be compared with this one."""
        if parse_name(name) is None:
            return len(self._names - {name})
        return len(self._names) - self.count_comparable(name)

    def _find_newer(self, name: str) -> Sequence[tuple[tuple[int, ...], DatedDeployment]]:
        key = parse_name(name)
        if key is None:
            return ()
        entries = self._ascending.get(key.texts, [])
        return entries[bisect_right(entries, key.numbers, key=lambda entry: entry[0]) :]
