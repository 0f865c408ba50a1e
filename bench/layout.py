"""What a bucket of the bench holds, by formula, so that ten million objects take no room.

A layout reads `200x500`: 200 deployments of 500 objects. `1x1000000-20x50` holds both kinds.
Deployments have commits for names and lie ten minutes apart, in an order that their names don't
tell. A deployment's n-th file has the same name in all of them.
"""

import hashlib
import random
import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from math import ceil

PAGE_SIZE = 1000
FOLDER_FILES = 4096
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
APART = timedelta(minutes=10)
_PART = re.compile(r"(\d+)x(\d+)")
_FILE = re.compile(r"/assets/([0-9a-f]{3})/chunk-([0-9a-f]{3})\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """One deployment: its commit, its size, and when its first second was."""

    name: str
    count: int
    minute: str

    def key(self, number: int) -> str:
        """Name the file of a number; keys rise with the numbers."""
        return f"{self.name}{file_name(number)}"

    def after(self, key: str) -> int:
        """Count the files whose keys are not greater than this one."""
        return bisect_right(range(self.count), key, key=self.key)

    def etag(self, number: int) -> str:
        """Give the ETag of a file, without quotes."""
        return f"{self.name[:24]}{number:08x}"


class Layout:
    """The deployments of a bucket, by name; `text` is the layout as it is written."""

    def __init__(self, text: str) -> None:
        parts = [_PART.fullmatch(part) for part in text.split("-")]
        if not all(parts):
            raise ValueError(f"{text!r} is no layout such as 200x500 or 1x100000-20x50")
        self.text = text
        counts = [int(part[2]) for part in parts if part for _ in range(int(part[1]))]
        random.Random(text).shuffle(counts)  # noqa: S311 - the same at each run
        self.by_age = tuple(
            Seeded(
                name=hashlib.sha1(f"{text} {number}".encode()).hexdigest(),  # noqa: S324 - a commit
                count=count,
                minute=f"{FIRST_DAY + number * APART:%Y-%m-%dT%H:%M}",
            )
            for number, count in enumerate(counts)
        )
        self.deployments = tuple(sorted(self.by_age, key=lambda one: one.name))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(one.name for one in self.deployments)

    @cached_property
    def _places(self) -> dict[str, int]:
        """The deployments' places by their names."""
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def total(self) -> int:
        """Objects in the bucket."""
        return sum(one.count for one in self.deployments)

    @property
    def least_requests(self) -> int:
        """Pages that a listing of the folders and one of all objects can't do without."""
        return max(1, ceil(len(self.deployments) / PAGE_SIZE)) + ceil(self.total / PAGE_SIZE)

    def oldest(self, count: int) -> tuple[Seeded, ...]:
        """Give the oldest deployments."""
        return self.by_age[:count]

    def find(self, key: str) -> tuple[int, int] | None:
        """Tell which file a key names, as deployment and number, or None where it names none."""
        name, slash, rest = key.partition("/")
        index = self._places.get(name)
        number = number_of(slash + rest)
        if index is None or number is None or number >= self.deployments[index].count:
            return None
        return index, number

    def scaled(self, scale: float) -> "Layout":
        """Make one with so much fewer deployments, of so much fewer objects."""
        parts = [(int(part[1]), int(part[2])) for part in _PART.finditer(self.text)]
        factors = (
            (max(min(2, deployments), round(deployments * scale)), max(1, round(objects * scale)))
            for deployments, objects in parts
        )
        return Layout("-".join(f"{deployments}x{objects}" for deployments, objects in factors))


def file_name(number: int) -> str:
    """Name a file below its deployment, with a slash before; all names have one length."""
    digits = number * 2654435761 & 0xFFFFFFFF
    return f"/assets/{number // FOLDER_FILES:03x}/chunk-{number % FOLDER_FILES:03x}.{digits:08x}.js"


@lru_cache(maxsize=1 << 16)
def number_of(name: str) -> int | None:
    """Tell which file `file_name` gave this name, or None where it gave it to none."""
    found = _FILE.match(name)
    if found is None:
        return None
    number = int(found[1], 16) * FOLDER_FILES + int(found[2], 16)
    return number if file_name(number) == name else None


def size_bytes(number: int) -> int:
    """Give a file's size, of five digits."""
    return 10_000 + number * 7919 % 90_000


@lru_cache(maxsize=64)
def parse(text: str) -> Layout:
    """Read a layout, once."""
    return Layout(text)
