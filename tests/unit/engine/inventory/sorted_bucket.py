"""A bucket of keys in memory that lists as S3 does, with a page size of the test's choice."""

import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zlib import crc32

from ci3.aws.listing.pages import Page
from ci3.core.inventory.columns import ObjectColumns
from ci3.core.model.objects import StoredObject

_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_LAG_SECONDS = 0.0003


def make_object(key: str) -> StoredObject:
    """Return the object of a key; equal keys give equal objects."""
    number = crc32(key.encode())
    return StoredObject(
        key=key,
        etag=f'"{number:x}"',
        size_bytes=number % 7,
        modified_at=_DAY + timedelta(seconds=number % 100_000),
    )


class SortedBucket:
    """Lists as a `BucketReader` does, with random delays that vary the order of threads."""

    bucket = "sorted"

    def __init__(self, keys: Iterable[str], page_size: int, seed: int) -> None:
        self.keys = sorted(keys)
        self.page_size = page_size
        self.requests: list[tuple[str, str]] = []
        self._random = random.Random(seed)  # noqa: S311 - reproducible by its seed

    def list_pages(
        self, prefix: str, *, delimiter: str = "", start_after: str = ""
    ) -> Iterator[Page]:
        after = start_after
        while True:
            self.requests.append((prefix, start_after))
            if self._random.random() < 0.2:
                time.sleep(_LAG_SECONDS)
            position = max(bisect_right(self.keys, after), bisect_left(self.keys, prefix))
            keys, folders = [], []
            while self._is_under(position, prefix) and len(keys) + len(folders) < self.page_size:
                rest = self.keys[position].removeprefix(prefix)
                if delimiter and delimiter in rest:
                    folders.append(f"{prefix}{rest.partition(delimiter)[0]}{delimiter}")
                    while self._is_under(position, folders[-1]):
                        position += 1
                else:
                    keys.append(self.keys[position])
                    position += 1
            after = self.keys[position - 1] if position else ""
            is_last = not self._is_under(position, prefix)
            yield Page(
                columns=ObjectColumns.from_objects(map(make_object, keys)),
                folders=tuple(folders),
                is_last=is_last,
            )
            if is_last:
                return

    def _is_under(self, position: int, prefix: str) -> bool:
        return position < len(self.keys) and self.keys[position].startswith(prefix)
