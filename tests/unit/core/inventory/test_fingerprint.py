"""The example of a fingerprint that is computed in parts."""

import hashlib

import pytest

from ci3.core.inventory import fingerprint as fingerprint_module
from ci3.core.inventory.columns import ObjectColumns
from ci3.core.inventory.fingerprint import FingerprintBuilder, compute_fingerprint
from tests.support.builders import NOW, make_object

OBJECTS = {key: make_object(key, at=NOW, size_bytes=5, etag='"e"') for key in "abcdefgh"}


@pytest.fixture(autouse=True)
def _chunks_begin_at_d_and_f(monkeypatch):
    """Let every 4th CRC on average begin a chunk: of the keys a to h those of d and f do."""
    monkeypatch.setattr(fingerprint_module, "_CHUNK_MASK", 3)


def columns(keys):
    return ObjectColumns.from_objects([OBJECTS[key] for key in keys])


def records(keys):
    return b"".join(f'{key}\0"e"\0005\x002026-11-23T12:00:00\0'.encode() for key in keys)


def digest(keys):
    return hashlib.sha256(records(keys)).digest()


def test_fingerprint_is_the_digest_of_the_digests_of_chunks():
    expected = hashlib.sha256(digest("abc") + digest("de") + digest("fgh")).hexdigest()
    assert compute_fingerprint(OBJECTS.values()) == expected


def test_parts_that_were_split_within_a_chunk_are_joined_as_in_the_example():
    builder, later = FingerprintBuilder(), FingerprintBuilder(is_first_part=False)

    builder.add_objects(columns("abcd"))
    assert (bytes(builder.leading_records), builder.chunk_digests) == (b"", [digest("abc")])
    assert builder.open_chunk.digest() == digest("d")

    later.add_objects(columns("efgh"))
    assert (bytes(later.leading_records), later.chunk_digests) == (records("e"), [])
    assert later.open_chunk.digest() == digest("fgh")

    builder.append_part(later)
    assert (bytes(builder.leading_records), builder.chunk_digests) == (
        b"",
        [digest("abc"), digest("de")],
    )
    assert builder.open_chunk.digest() == digest("fgh")
    assert builder.finish() == compute_fingerprint(OBJECTS.values())
