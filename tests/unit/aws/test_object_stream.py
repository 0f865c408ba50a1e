"""Streaming of large objects: complete or an error, even if connections break."""

from io import BytesIO

import pytest
from botocore.response import StreamingBody

from ci3.aws.client import MAX_ATTEMPTS
from ci3.aws.object_stream import CHUNK_BYTES, stream_object
from ci3.errors import AccessError, ListingError
from tests.support.messages import numbers_in

CONTENT = bytes(range(256)) * 10_000


class BreakingClient:
    """A client whose connections break after the numbers of bytes in `breaks_after`."""

    def __init__(self, content=CONTENT, breaks_after=(), ignores_range=False):
        self.content = content
        self.breaks_after = [*breaks_after]
        self.ignores_range = ignores_range
        self.ranges = []
        self.streams = []

    def get_object(self, **request):
        self.ranges.append((request.get("Range"), request.get("IfMatch")))
        start = int(request.get("Range", "bytes=0-")[6:-1])
        rest = self.content if self.ignores_range else self.content[start:]
        received = rest[: self.breaks_after.pop(0)] if self.breaks_after else rest
        stream = BytesIO(received)
        self.streams.append(stream)
        return {
            "ContentLength": len(rest),
            "ETag": '"e"',
            "Body": StreamingBody(stream, str(len(rest))),
        }


SIZE_BYTES = len(CONTENT)


def read(client, size_bytes=SIZE_BYTES):
    return b"".join(stream_object(client, "reports", "data.csv.gz", size_bytes))


def test_object_is_read_in_parts_with_one_request():
    client = BreakingClient()
    parts = [*stream_object(client, "reports", "data.csv.gz", len(CONTENT))]
    assert b"".join(parts) == CONTENT
    assert max(map(len, parts)) == CHUNK_BYTES
    assert client.ranges == [(None, None)]


def test_broken_download_continues_at_its_position_in_the_same_object():
    client = BreakingClient(breaks_after=(CHUNK_BYTES + 7, 11))
    assert read(client) == CONTENT
    assert client.ranges == [
        (None, None),
        (f"bytes={CHUNK_BYTES + 7}-", '"e"'),
        (f"bytes={CHUNK_BYTES + 18}-", '"e"'),
    ]


def test_connection_that_breaks_too_often_is_an_error():
    client = BreakingClient(breaks_after=[3] * MAX_ATTEMPTS)
    with pytest.raises(AccessError, match=r"s3://reports/data\.csv\.gz"):
        read(client)
    assert len(client.ranges) == MAX_ATTEMPTS


@pytest.mark.parametrize("size_bytes", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_object_of_another_size_is_an_error(size_bytes):
    client = BreakingClient()
    with pytest.raises(ListingError) as caught:
        read(client, size_bytes)
    assert {len(CONTENT), size_bytes} <= set(numbers_in(caught.value.message))
    assert [stream.closed for stream in client.streams] == [True]


def test_server_that_ignores_the_range_is_an_error():
    with pytest.raises(ListingError, match=r"s3://reports/data\.csv\.gz"):
        read(BreakingClient(breaks_after=(7,), ignores_range=True))
