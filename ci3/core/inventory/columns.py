"""Objects as a page of a listing names them, column by column: a million pass through here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from typing import Final, Self

from ci3.core.model.objects import StoredObject

_make: Final = partial(tuple.__new__, StoredObject)


@dataclass(frozen=True, slots=True)
class Listed:
    """The objects of one page, or a run of them, in the order of the listing.

    All columns are of one length. `sizes` are bytes in decimal digits; `times` are texts that
    `time_text` writes, which sort as the times do.
    """

    keys: list[str]
    etags: list[str]
    sizes: list[str]
    times: list[str]

    @classmethod
    def of(cls, objects: Iterable[StoredObject]) -> Self:
        """Write objects in columns."""
        rows = list(objects)
        return cls(
            [one.key for one in rows],
            [one.etag for one in rows],
            [str(one.size_bytes) for one in rows],
            [time_text(one.modified_at) for one in rows],
        )

    def run(self, start: int, end: int) -> "Listed":
        """Give the objects from one place up to another."""
        if start == 0 and end >= len(self.keys):
            return self
        return Listed(
            self.keys[start:end],
            self.etags[start:end],
            self.sizes[start:end],
            self.times[start:end],
        )

    def objects(self) -> tuple[StoredObject, ...]:
        """Give each object as one."""
        moments = {text: moment_of(text) for text in set(self.times)}
        sizes, times = map(int, self.sizes), map(moments.__getitem__, self.times)
        # Half the time of calling StoredObject.
        return tuple(map(_make, zip(self.keys, self.etags, sizes, times, repeat(""))))


def join_runs(runs: Sequence[Listed]) -> Listed:
    """Put runs one behind the other."""
    if len(runs) == 1:
        return runs[0]
    return Listed(
        [key for run in runs for key in run.keys],
        [etag for run in runs for etag in run.etags],
        [size for run in runs for size in run.sizes],
        [time for run in runs for time in run.times],
    )


def time_text(at: datetime) -> str:
    """Write a time in UTC without its zone: a fraction only where there is one, of 3 or 6 digits.

    Texts of one year's length sort as their times do.
    """
    spec = "seconds"
    if at.microsecond:
        spec = "microseconds" if at.microsecond % 1000 else "milliseconds"
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec)


def moment_of(text: str) -> datetime:
    """Read what `time_text` wrote; raises ValueError for what is no time."""
    return datetime.fromisoformat(f"{text}+00:00")
