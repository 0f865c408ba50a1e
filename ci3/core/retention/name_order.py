"""Order of deployments by the numbers in their names, for `age-from: name`.

    name       text around numbers   numbers   order
    build-9    "build-", ""          9         older than build-10
    build-10   "build-", ""          10        newer than build-9
    v1.9       "v", ".", ""          1, 9      not comparable with build-10
    v1.9.1     "v", ".", ".", ""     1, 9, 1   not comparable with v1.9

Names that are not comparable have no order: neither deployment supersedes the other.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci3.core.inventory.name_numbers import PartKind, has_unordered_date, is_year, split_name
from ci3.core.retention.age_order import DatedDeployment


@dataclass(frozen=True, slots=True)
class NameKey:
    """The texts around the numbers of a name, and the numbers.

    Two names are comparable if their texts are equal. Then the numbers are compared in turn.
    """

    texts: tuple[str, ...]
    numbers: tuple[int, ...]


def parse_name(name: str) -> NameKey | None:
    """Return the key of a name, or None if its numbers have no order in time.

    There is none without a number, with a commit, or where a date is not written year first
    (`has_unordered_date`). Nor is there one if any number but the first may be a year: what is
    before it may restart each year, as in `build-400-2026`.
    """
    parts = tuple(split_name(name))
    if has_unordered_date(parts):
        return None
    texts, digits = [""], list[str]()
    for part in parts:
        if part.kind is PartKind.COMMIT:
            return None
        if part.kind is PartKind.NUMBER:
            digits.append(part.text)
            texts.append("")
        else:
            texts[-1] += part.text
    if not digits or any(map(is_year, digits[1:])):
        return None
    return NameKey(texts=tuple(texts), numbers=tuple(map(int, digits)))


class NameOrder:
    """The complete deployments of a group, searchable for those with a higher name."""

    def __init__(self, complete: Iterable[DatedDeployment]) -> None:
        self._keys: dict[str, NameKey | None] = {}
        self._ascending: dict[tuple[str, ...], list[tuple[tuple[int, ...], DatedDeployment]]] = {}
        for dated in complete:
            name = dated.deployment.name
            key = self._keys[name] = parse_name(name)
            if key:
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
        key = self._get_key(name)
        return len(self._ascending.get(key.texts, ())) if key else 0

    def count_incomparable(self, name: str) -> int:
        """Count the other complete deployments whose names can't be compared with this one."""
        if self._get_key(name) is None:
            return len(self._keys) - (name in self._keys)
        return len(self._keys) - self.count_comparable(name)

    def _find_newer(self, name: str) -> Sequence[tuple[tuple[int, ...], DatedDeployment]]:
        key = self._get_key(name)
        if key is None:
            return ()
        entries = self._ascending.get(key.texts, [])
        return entries[bisect_right(entries, key.numbers, key=lambda entry: entry[0]) :]

    def _get_key(self, name: str) -> NameKey | None:
        return self._keys[name] if name in self._keys else parse_name(name)
