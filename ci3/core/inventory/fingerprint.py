"""The fingerprint of a deployment: a digest of its listing, made in one pass or in parts."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

from ci3.core.inventory.columns import Listed
from ci3.core.model.objects import StoredObject

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
