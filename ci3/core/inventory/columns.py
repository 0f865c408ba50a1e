"""Listed objects in columns, which is faster than one value per object: there may be millions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from typing import Final, Self

from ci3.core.model.objects import StoredObject

_new_stored_object: Final = partial(tuple.__new__, StoredObject)


@dataclass(frozen=True, slots=True)
class ObjectColumns:
    """The objects of one page, or a slice of them, in the order of the listing.

    All columns have the same length. `sizes` are bytes in decimal digits; `times` are texts in the
    format of `format_listing_time`, which sort chronologically.
    """

    keys: list[str]
    etags: list[str]
    sizes: list[str]
    times: list[str]

    @classmethod
    def from_objects(cls, objects: Iterable[StoredObject]) -> Self:
        """Return objects as columns, in the same order."""
        rows = list(objects)
        return cls(
            [row.key for row in rows],
            [row.etag for row in rows],
            [str(row.size_bytes) for row in rows],
            [format_listing_time(row.modified_at) for row in rows],
        )

    def slice_rows(self, start: int, end: int) -> "ObjectColumns":
        """Return the rows from index `start` up to, but not including, `end`."""
        if start == 0 and end >= len(self.keys):
            return self
        return ObjectColumns(
            self.keys[start:end],
            self.etags[start:end],
            self.sizes[start:end],
            self.times[start:end],
        )

    def to_objects(self) -> tuple[StoredObject, ...]:
        """Return the rows as objects."""
        time_by_text = {text: parse_listing_time(text) for text in set(self.times)}
        sizes, times = map(int, self.sizes), map(time_by_text.__getitem__, self.times)
        rows = zip(self.keys, self.etags, sizes, times, repeat(""))
        return tuple(map(_new_stored_object, rows))  # half the time of calling StoredObject


def concatenate_columns(parts: Sequence[ObjectColumns]) -> ObjectColumns:
    """Concatenate columns."""
    if len(parts) == 1:
        return parts[0]
    return ObjectColumns(
        [key for part in parts for key in part.keys],
        [etag for part in parts for etag in part.etags],
        [size for part in parts for size in part.sizes],
        [time for part in parts for time in part.times],
    )


def format_listing_time(time: datetime) -> str:
    """Format a time in UTC without an offset: `2026-11-02T14:03:00`.

    A fraction is included only if it is not zero, with 3 or 6 digits. The texts sort
    chronologically as long as their years have the same number of digits.
    """
    spec = "seconds"
    if time.microsecond:
        spec = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec)


def parse_listing_time(text: str) -> datetime:
    """Parse the output of `format_listing_time`; raises ValueError for anything else."""
    return datetime.fromisoformat(f"{text}+00:00")
