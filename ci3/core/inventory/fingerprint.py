"""The fingerprint of a deployment: a digest of its listing, computed in one pass or in parts."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

from ci3.core.inventory.columns import ObjectColumns
from ci3.core.model.objects import StoredObject

if TYPE_CHECKING:
    from hashlib import _Hash


_CHUNK_MASK = 0x3FF
"""A chunk begins at each key whose CRC has none of these bits set: on average every 1,024th key."""
_ESCAPES = str.maketrans({"\0": "\1\1", "\1": "\1\2"})


def compute_fingerprint(objects: Iterable[StoredObject]) -> str:
    """Return the fingerprint of a deployment's content in hex, independent of the objects' order.

    It covers the key, ETag, size in bytes and modification time of each object, so that an upload
    of the same bytes changes it too.
    """
    builder = FingerprintBuilder()
    builder.add_objects(to_sorted_columns(objects))
    return builder.finish()


def to_sorted_columns(objects: Iterable[StoredObject]) -> ObjectColumns:
    """Return objects as columns, in the order in which S3 lists them."""
    return ObjectColumns.from_objects(sorted(objects, key=lambda stored: stored.key))


class FingerprintBuilder:
    """Computes a fingerprint: the SHA-256 of the concatenated SHA-256 digests of chunks.

    A chunk is the records of consecutive objects. A record is key, ETag, size and time, each
    terminated by a NUL; only keys may contain a NUL, which is escaped there. The CRC of a key
    alone decides whether a chunk begins with that object. So the chunks, and the fingerprint, are
    the same no matter where a listing was split into parts.

    Example: objects a to h, where chunks begin at d and f, so that the fingerprint is
    H(H(abc) + H(de) + H(fgh)). The listing was split after d:

    | part             | records before a chunk | completed chunks | open chunk |
    |------------------|------------------------|------------------|------------|
    | 1: a b c d       |                        | H(abc)           | d          |
    | 2: e f g h       | e                      |                  | f g h      |
    | 2 appended to 1  |                        | H(abc), H(de)    | f g h      |
    """

    def __init__(self, *, is_first_part: bool = True) -> None:
        """Start with no objects; only the part that `is_first_part` begins with a chunk."""
        self.leading_records = bytearray()
        """Records before the first chunk of this part: they end a chunk of the part before."""
        self.chunk_digests: list[bytes] = []
        """The digests of the completed chunks."""
        self.open_chunk: _Hash | None = hashlib.sha256() if is_first_part else None
        """The chunk that the last object belongs to; None before the first chunk."""

    def add_objects(self, columns: ObjectColumns) -> None:
        """Add the next objects, in the order of their keys."""
        start = 0
        for chunk_start in _chunk_starts(columns.keys):
            self._add_records(_records(columns, start, chunk_start))
            if self.open_chunk is not None:
                self.chunk_digests.append(self.open_chunk.digest())
            self.open_chunk = hashlib.sha256()
            start = chunk_start
        self._add_records(_records(columns, start, len(columns.keys)))

    def append_part(self, later: "FingerprintBuilder") -> None:
        """Append the part that follows this one."""
        self._add_records(bytes(later.leading_records))
        if later.open_chunk is not None:
            if self.open_chunk is not None:
                self.chunk_digests.append(self.open_chunk.digest())
            self.chunk_digests += later.chunk_digests
            self.open_chunk = later.open_chunk

    def finish(self) -> str:
        """Return the fingerprint of all objects; the first part must be included."""
        last = self.open_chunk.digest() if self.open_chunk is not None else b""
        return hashlib.sha256(b"".join(self.chunk_digests) + last).hexdigest()

    def _add_records(self, records: bytes) -> None:
        if self.open_chunk is not None:
            self.open_chunk.update(records)
        else:
            self.leading_records += records


def _chunk_starts(keys: Sequence[str]) -> list[int]:
    """Return the indexes of the keys at which a chunk begins."""
    try:
        encoded = list(map(str.encode, keys))
    except UnicodeEncodeError:  # a lone surrogate, which some servers allow in a key
        encoded = [key.encode("utf-8", "surrogatepass") for key in keys]
    masked = list(map(_CHUNK_MASK.__and__, map(crc32, encoded)))
    return [index for index, bits in enumerate(masked) if not bits] if 0 in masked else []


def _records(columns: ObjectColumns, start: int, end: int) -> bytes:
    if start == end:
        return b""
    part = columns.slice_rows(start, end)
    keys = part.keys
    joined = "".join(keys)
    if "\0" in joined or "\1" in joined:
        keys = [key.translate(_ESCAPES) for key in keys]
    fields = zip(keys, part.etags, part.sizes, part.times, strict=True)
    text = "\0".join(chain.from_iterable(fields))
    return f"{text}\0".encode("utf-8", "surrogatepass")
