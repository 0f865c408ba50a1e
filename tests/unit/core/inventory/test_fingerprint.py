"""The example of a fingerprint that is computed in parts."""

import hashlib
from zlib import crc32

from ci3.core.inventory.columns import ObjectColumns
from ci3.core.inventory.fingerprint import FingerprintBuilder, compute_fingerprint
from tests.support.builders import NOW, make_object

CHUNK_STARTS = "df"


def find_key(letter):
    """Return the first key with this letter that begins a chunk only if the letter should."""
    keys = (f"{letter}{number}" for number in range(100_000))
    return next(
        key for key in keys if (crc32(key.encode()) % 1024 == 0) == (letter in CHUNK_STARTS)
    )


KEYS = {letter: find_key(letter) for letter in "abcdefgh"}
OBJECTS = {
    letter: make_object(key, at=NOW, size_bytes=5, etag='"e"') for letter, key in KEYS.items()
}


def make_columns(letters):
    return ObjectColumns.from_objects([OBJECTS[letter] for letter in letters])


def format_records(letters):
    return b"".join(
        f'{KEYS[letter]}\0"e"\0005\x002026-11-23T12:00:00\0'.encode() for letter in letters
    )


def compute_digest(letters):
    return hashlib.sha256(format_records(letters)).digest()


def test_fingerprint_is_the_digest_of_the_digests_of_chunks():
    expected = hashlib.sha256(
        compute_digest("abc") + compute_digest("de") + compute_digest("fgh")
    ).hexdigest()
    assert compute_fingerprint(OBJECTS.values()) == expected


def test_parts_that_were_split_within_a_chunk_are_joined_as_in_the_example():
    builder, later = FingerprintBuilder(), FingerprintBuilder(is_first_part=False)

    builder.add_objects(make_columns("abcd"))
    assert (bytes(builder.leading_records), builder.chunk_digests) == (b"", [compute_digest("abc")])
    assert builder.open_chunk.digest() == compute_digest("d")

    later.add_objects(make_columns("efgh"))
    assert (bytes(later.leading_records), later.chunk_digests) == (format_records("e"), [])
    assert later.open_chunk.digest() == compute_digest("fgh")

    builder.append_part(later)
    assert (bytes(builder.leading_records), builder.chunk_digests) == (
        b"",
        [compute_digest("abc"), compute_digest("de")],
    )
    assert builder.open_chunk.digest() == compute_digest("fgh")
    assert builder.finish() == compute_fingerprint(OBJECTS.values())
