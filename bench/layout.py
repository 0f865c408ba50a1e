"""The content of a benchmark bucket, computed by formula: ten million objects need no memory.

The layout `200x500` is 200 deployments of 500 objects; `1x1000000-20x50` combines two sizes.
Deployments are named after commit hashes and are ten minutes apart; the order of their names is
unrelated to their ages. The n-th file has the same name in every deployment.
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
INTERVAL = timedelta(minutes=10)
_PART = re.compile(r"(\d+)x(\d+)")
_FILE = re.compile(r"/assets/([0-9a-f]{3})/chunk-([0-9a-f]{3})\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeededDeployment:
    """A deployment: its commit hash, object count, and the minute of its upload."""

    name: str
    object_count: int
    minute: str

    def key(self, number: int) -> str:
        """Return the key of a file; keys are in the order of the numbers."""
        return f"{self.name}{file_name(number)}"

    def count_up_to(self, key: str) -> int:
        """Return the number of files whose keys are not greater than this key."""
        return bisect_right(range(self.object_count), key, key=self.key)

    def etag(self, number: int) -> str:
        """Return the ETag of a file, without quotes."""
        return f"{self.name[:24]}{number:08x}"


class Layout:
    """The deployments of a bucket, sorted by name; `text` is the layout's notation."""

    def __init__(self, text: str) -> None:
        matches = [_PART.fullmatch(part) for part in text.split("-")]
        if not all(matches):
            raise ValueError(f"{text!r} is no layout such as 200x500 or 1x100000-20x50")
        self.text = text
        counts = [int(match[2]) for match in matches if match for _ in range(int(match[1]))]
        random.Random(text).shuffle(counts)  # noqa: S311 - reproducible
        self.by_age = tuple(
            SeededDeployment(
                name=hashlib.sha1(f"{text} {number}".encode()).hexdigest(),  # noqa: S324 - a commit
                object_count=count,
                minute=f"{FIRST_DAY + number * INTERVAL:%Y-%m-%dT%H:%M}",
            )
            for number, count in enumerate(counts)
        )
        self.deployments = tuple(sorted(self.by_age, key=lambda deployment: deployment.name))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The sorted names."""
        return tuple(deployment.name for deployment in self.deployments)

    @cached_property
    def _indexes(self) -> dict[str, int]:
        """The index of each name in the sorted names."""
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def total(self) -> int:
        """The number of objects in the bucket."""
        return sum(deployment.object_count for deployment in self.deployments)

    @property
    def least_requests(self) -> int:
        """The minimum number of pages of a folder listing and a listing of all objects."""
        return max(1, ceil(len(self.deployments) / PAGE_SIZE)) + ceil(self.total / PAGE_SIZE)

    def oldest(self, count: int) -> tuple[SeededDeployment, ...]:
        """Return the oldest deployments."""
        return self.by_age[:count]

    def locate(self, key: str) -> tuple[int, int] | None:
        """Return the deployment's index and the file's number for a key, or None."""
        name, slash, file_path = key.partition("/")
        index = self._indexes.get(name)
        number = file_number(slash + file_path)
        if index is None or number is None or number >= self.deployments[index].object_count:
            return None
        return index, number

    def scaled(self, scale: float) -> "Layout":
        """Return a layout with the number of deployments and their objects scaled."""
        counts = [(int(match[1]), int(match[2])) for match in _PART.finditer(self.text)]
        scaled_counts = (
            (max(min(2, deployments), round(deployments * scale)), max(1, round(objects * scale)))
            for deployments, objects in counts
        )
        return Layout(
            "-".join(f"{deployments}x{objects}" for deployments, objects in scaled_counts)
        )


def file_name(number: int) -> str:
    """Return a file's path within its deployment, with a leading slash; all have one length."""
    digits = number * 2654435761 & 0xFFFFFFFF
    return f"/assets/{number // FOLDER_FILES:03x}/chunk-{number % FOLDER_FILES:03x}.{digits:08x}.js"


@lru_cache(maxsize=1 << 16)
def file_number(name: str) -> int | None:
    """Return the number of a file's path, or None: the inverse of `file_name`."""
    match = _FILE.match(name)
    if match is None:
        return None
    number = int(match[1], 16) * FOLDER_FILES + int(match[2], 16)
    return number if file_name(number) == name else None


def size_bytes(number: int) -> int:
    """Return a file's size in bytes, which has five digits."""
    return 10_000 + number * 7919 % 90_000


@lru_cache(maxsize=64)
def parse_layout(text: str) -> Layout:
    """Return the layout of a text; results are cached."""
    return Layout(text)
