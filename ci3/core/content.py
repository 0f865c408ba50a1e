"""What stands in a deployment, summed up while its listing passes, in whatever parts it comes."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from ci3.core.listed import Listed, moment_of
from ci3.core.model import Deployment, StoredObject

if TYPE_CHECKING:
    from hashlib import _Hash

_CUT_MASK = 0x3FF
"""A chunk begins where the CRC of a key has none of these bits: every 1,024th on the average."""
_ESCAPES = str.maketrans({"\0": "\1\1", "\1": "\1\2"})


def fingerprint(objects: Iterable[StoredObject]) -> str:
    """Name the exact content of a deployment, in hex; the order of the objects is no part of it.

    Each object counts with key, ETag, size in bytes and last modification, so that an upload of
    the same bytes changes it too.
    """
    fingerprinting = Fingerprinting()
    fingerprinting.add(sorted_by_key(objects))
    return fingerprinting.finish()


def describe(
    name: str,
    prefix: str,
    objects: Iterable[StoredObject],
    *,
    required_file: str = "",
    is_whole: bool = True,
) -> Deployment:
    """Sum up a listing of one folder.

    It is complete when it has the required file, or where none is required any object with
    content of its own.
    """
    content = Content(prefix, required_file)
    content.add(sorted_by_key(objects))
    return content.describe(name, is_whole=is_whole)


def sorted_by_key(objects: Iterable[StoredObject]) -> Listed:
    """Return objects as columns, in the order in which S3 lists them."""
    return Listed.of(sorted(objects, key=lambda one: one.key))


class Fingerprinting:
    """A fingerprint in the making: SHA-256 over the SHA-256 of chunks of records.

    A record is key, ETag, size and time, each ended by a NUL, which no other of them can hold and
    which is escaped in keys. A key's own CRC says whether a chunk begins there, so that parts
    that were made apart join to the same fingerprint wherever they were parted.
    """

    def __init__(self, *, is_first: bool = True) -> None:
        """Begin; a part that is not the first keeps what belongs to a chunk begun before it."""
        self.head = bytearray()
        self.digests: list[bytes] = []
        self.open: _Hash | None = hashlib.sha256() if is_first else None

    def add(self, run: Listed) -> None:
        """Take the next objects, in the order of their keys."""
        begin = 0
        for cut in _cuts(run.keys):
            self._take(_records(run, begin, cut))
            if self.open is not None:
                self.digests.append(self.open.digest())
            self.open = hashlib.sha256()
            begin = cut
        self._take(_records(run, begin, len(run.keys)))

    def join(self, later: "Fingerprinting") -> None:
        """Take a part that was made apart and follows this one."""
        self._take(bytes(later.head))
        if later.open is not None:
            if self.open is not None:
                self.digests.append(self.open.digest())
            self.digests += later.digests
            self.open = later.open

    def finish(self) -> str:
        """Give the fingerprint of all that was taken, from the first object on."""
        last = self.open.digest() if self.open is not None else b""
        return hashlib.sha256(b"".join(self.digests) + last).hexdigest()

    def _take(self, records: bytes) -> None:
        if self.open is not None:
            self.open.update(records)
        else:
            self.head += records


def _cuts(keys: Sequence[str]) -> list[int]:
    """Find where chunks begin."""
    try:
        encoded = list(map(str.encode, keys))
    except UnicodeEncodeError:  # half a surrogate pair, as some servers let pass
        encoded = [key.encode("utf-8", "surrogatepass") for key in keys]
    marks = list(map(_CUT_MASK.__and__, map(crc32, encoded)))
    return [place for place, mark in enumerate(marks) if not mark] if 0 in marks else []


def _records(run: Listed, start: int, end: int) -> bytes:
    if start == end:
        return b""
    part = run.run(start, end)
    keys = part.keys
    joined = "".join(keys)
    if "\0" in joined or "\1" in joined:
        keys = [key.translate(_ESCAPES) for key in keys]
    fields = zip(keys, part.etags, part.sizes, part.times, strict=True)
    text = "\0".join(chain.from_iterable(fields))
    return f"{text}\0".encode("utf-8", "surrogatepass")


class Sum(NamedTuple):
    """What a deployment's objects come to; the times are texts as `time_text` writes them."""

    object_count: int
    size_bytes: int
    oldest: str
    newest: str
    first: str
    is_complete: bool
    fingerprint: str

    def describe(self, name: str, prefix: str, *, is_whole: bool = True) -> Deployment:
        """Describe the deployment; one that is not whole has no count, size or fingerprint."""
        return Deployment(
            name=name,
            prefix=prefix,
            object_count=self.object_count if is_whole else 0,
            size_bytes=self.size_bytes if is_whole else 0,
            oldest_at=moment_of(self.oldest) if self.oldest else None,
            newest_at=moment_of(self.newest) if self.newest else None,
            complete=self.is_complete,
            fingerprint=self.fingerprint if is_whole else "",
            is_whole=is_whole,
            first_at=moment_of(self.first) if self.first else None,
        )


@dataclass(slots=True)
class Content:
    """The objects of one deployment as they were listed so far, or of a part that was listed apart.

    Objects are taken in the order of their keys; a part that `is_first` has the first of them.
    """

    prefix: str
    required_file: str = ""
    is_first: bool = True
    object_count: int = 0
    size_bytes: int = 0
    oldest: str = ""
    newest: str = ""
    first: str = ""
    is_complete: bool = False
    fingerprinting: Fingerprinting = field(init=False)

    def __post_init__(self) -> None:
        self.fingerprinting = Fingerprinting(is_first=self.is_first)

    def add(self, run: Listed) -> None:
        """Take the next objects."""
        if not run.keys:
            return
        self.object_count += len(run.keys)
        self.size_bytes += sum(map(int, run.sizes))
        self._date(min(run.times), max(run.times), run.times[0])
        self.is_complete = self.is_complete or self._completes(run)
        self.fingerprinting.add(run)

    def join(self, later: "Content") -> None:
        """Take a part that was listed apart and follows this one."""
        if not later.object_count:
            return
        self.object_count += later.object_count
        self.size_bytes += later.size_bytes
        self._date(later.oldest, later.newest, later.first)
        self.is_complete = self.is_complete or later.is_complete
        self.fingerprinting.join(later.fingerprinting)

    def sum_up(self) -> Sum:
        """Sum up what was taken."""
        return Sum(
            self.object_count,
            self.size_bytes,
            self.oldest,
            self.newest,
            self.first,
            self.is_complete,
            self.fingerprinting.finish(),
        )

    def describe(self, name: str, *, is_whole: bool = True) -> Deployment:
        """Sum up what was taken as a deployment; see there."""
        return self.sum_up().describe(name, self.prefix, is_whole=is_whole)

    def _date(self, oldest: str, newest: str, first: str) -> None:
        self.oldest = min(self.oldest or oldest, oldest)
        self.newest = max(self.newest, newest)
        self.first = self.first or first

    def _completes(self, run: Listed) -> bool:
        if self.required_file:
            wanted = f"{self.prefix}{self.required_file}"
            place = bisect_left(run.keys, wanted)
            return place < len(run.keys) and run.keys[place] == wanted
        pairs = zip(run.keys, run.sizes, strict=True)
        return any(size != "0" or not key.endswith("/") for key, size in pairs)
