"""The subset of HTTP/1.1 that the in-memory server needs: keep-alive and delayed responses."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request from a client."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response to a request."""

    status: str = "200 OK"
    body: bytes = b""
    headers: str = ""


class Responder(Protocol):
    """The server behind the connections."""

    def respond(self, request: Request) -> tuple[Response, float]:
        """Return the response to a request, and the seconds to delay it."""

    def change_waiting(self, change: int) -> None:
        """Change the number of responses that wait for their delay."""


class Connection(asyncio.Protocol):
    """A client's connection: one request at a time, each answered after the delay."""

    def __init__(self, server: Responder) -> None:
        self._server = server
        self._received = b""
        self._is_responding = False
        self._has_sent_continue = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP transports are
        transport.set_write_buffer_limits(high=1 << 22)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Drop the transport."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Buffer the data, and respond when a request is complete."""
        self._received += data
        if not self._is_responding:
            self._respond_next()

    def _respond_next(self) -> None:
        head, has_head, rest = self._received.partition(b"\r\n\r\n")
        if not has_head or self._transport is None:
            return
        request_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            if headers.get("expect") and not self._has_sent_continue:
                self._has_sent_continue = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._has_sent_continue = False
        self._received = rest[length:]
        self._respond(_parse_request(request_line, headers, rest[:length]))

    def _respond(self, request: Request) -> None:
        response, delay_seconds = self._server.respond(request)
        payload = (
            f"HTTP/1.1 {response.status}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(response.body)}\r\nx-amz-request-id: 0\r\n{response.headers}\r\n"
        ).encode() + (b"" if request.method == "HEAD" else response.body)
        if not delay_seconds:
            self._send(payload)
            return
        self._is_responding = True
        self._server.change_waiting(1)
        asyncio.get_running_loop().call_later(delay_seconds, self._send_late, payload)

    def _send_late(self, payload: bytes) -> None:
        self._server.change_waiting(-1)
        self._is_responding = False
        self._send(payload)
        self._respond_next()

    def _send(self, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.write(payload)


def _parse_request(request_line: str, headers: Mapping[str, str], body: bytes) -> Request:
    method, address, _ = request_line.split(" ")
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
