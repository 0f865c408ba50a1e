"""Shards: the parts of a plan that several machines delete at once, and which part is whose."""

import heapq
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from ci3.constants import MAXIMUM_SHARDS


class _Ordered(Hashable, Protocol):
    def __lt__(self, other: Any, /) -> bool: ...  # noqa: ANN401 - as of any sort key


Key = TypeVar("Key", bound=_Ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One part of so many, counted from 1, such as `3/8`."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read which of how many; raises ValueError with words that follow the text."""
        found = re.fullmatch("(0|[1-9][0-9]{0,8})/(0|[1-9][0-9]{0,8})", text)
        if found is None:
            raise ValueError("is no shard; write which of how many: 3/8")
        number, count = int(found[1]), int(found[2])
        if not 1 <= count <= MAXIMUM_SHARDS:
            raise ValueError(f"has {count:,} parts; a plan is cut into 1 to {MAXIMUM_SHARDS}")
        if not 1 <= number <= count:
            raise ValueError(f"is none of {count}; they count from 1/{count} to {count}/{count}")
        return cls(number=number, count=count)

    @property
    def mark(self) -> str:
        """What tells its files from those of the other shards."""
        return f"{self.number}of{self.count}"

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of a plan one shard deletes: all that it dooms but for what the `others` delete."""

    shard: Shard
    others: frozenset[str]
    """The names of the deployments that are another shard's."""


def share_out(counts: Mapping[Key, int], shard_count: int) -> dict[Key, int]:
    """Give each its shard's number, by how many objects it has.

    The largest goes first, and each to the shard that has least so far; ties go by key, then by
    number: the same on every machine. So no shard has more than an even share and, beside it, the
    largest one (Graham, Bounds on multiprocessing timing anomalies, 1969).
    """
    loads = [(0, number) for number in range(1, shard_count + 1)]
    numbers: dict[Key, int] = {}
    for key in sorted(counts, key=lambda one: (-counts[one], one)):
        load, number = loads[0]
        numbers[key] = number
        heapq.heapreplace(loads, (load + counts[key], number))
    return numbers
