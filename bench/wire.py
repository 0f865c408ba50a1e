"""HTTP/1.1 as far as the bench's server needs it: connections that stay, answers that come late."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asks."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What it is answered."""

    status: str = "200 OK"
    body: bytes = b""
    headers: str = ""


class Answering(Protocol):
    """Who answers."""

    def answer(self, asked: Request) -> tuple[Answer, float]:
        """Answer a request, and say how many seconds later."""

    def note_waiting(self, change: int) -> None:
        """Learn that so many more answers wait."""


class Connection(asyncio.Protocol):
    """One client's connection: requests one after another, each answered after the delay."""

    def __init__(self, server: Answering) -> None:
        self._server = server
        self._received = b""
        self._is_answering = False
        self._was_told_to_go_on = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP gives
        transport.set_write_buffer_limits(high=1 << 22)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget where to answer."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take what came, and answer once a request is whole."""
        self._received += data
        if not self._is_answering:
            self._answer_next()

    def _answer_next(self) -> None:
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or self._transport is None:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            if headers.get("expect") and not self._was_told_to_go_on:
                self._was_told_to_go_on = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._was_told_to_go_on = False
        self._received = rest[length:]
        self._answer(_read(first, headers, rest[:length]))

    def _answer(self, asked: Request) -> None:
        said, delay_seconds = self._server.answer(asked)
        payload = (
            f"HTTP/1.1 {said.status}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(said.body)}\r\nx-amz-request-id: 0\r\n{said.headers}\r\n"
        ).encode() + (b"" if asked.method == "HEAD" else said.body)
        if not delay_seconds:
            self._send(payload)
            return
        self._is_answering = True
        self._server.note_waiting(1)
        asyncio.get_running_loop().call_later(delay_seconds, self._send_late, payload)

    def _send_late(self, payload: bytes) -> None:
        self._server.note_waiting(-1)
        self._is_answering = False
        self._send(payload)
        self._answer_next()

    def _send(self, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.write(payload)


def _read(first: str, headers: Mapping[str, str], body: bytes) -> Request:
    method, address, _ = first.split(" ")
    parts = urlsplit(address)
    bucket, _, key = parts.path.removeprefix("/").partition("/")
    return Request(
        method=method,
        bucket=unquote(bucket),
        key=unquote(key),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers,
        body=body,
    )
