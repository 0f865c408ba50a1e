"""An S3 in memory that does next to nothing, so that a run's time is the client's own.

`python -m bench.memory_s3 PORT_FILE` serves on a free port of loopback and writes the port into the
file. A bucket's name is its layout, such as `200x500`; it is there as soon as it is asked for.
It checks no signature. Each answer waits for the delay that was set, many at once.

Beside S3 it answers `/-/reset?delay=30&bucket=200x500` (sets the delay, in milliseconds; brings
everything back; forgets the counts), `/-/counts` and `/-/left?bucket=200x500`.
"""

import asyncio
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from bench.layout import PAGE_SIZE, parse
from bench.listing import NAMESPACE, Asked, Content

_OBJECT = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_ETAG = re.compile(r"<ETag>([^<]*)</ETag>")
_QUIET = re.compile(r"<Quiet>\s*true\s*</Quiet>")
_SIDE = "-"
UNKNOWN = "Unknown"


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


@dataclass(slots=True)
class MemoryS3:
    """The buckets, the delay, and how often what was asked."""

    delay_seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    contents: dict[str, Content] = field(default_factory=dict)
    cpu_before: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    def content(self, bucket: str) -> Content:
        """Give a bucket's content; raises ValueError where its name is no layout."""
        if bucket not in self.contents:
            self.contents[bucket] = Content(parse(bucket))
        return self.contents[bucket]

    def answer(self, asked: Request) -> Answer:
        """Answer a request to S3."""
        operation = _operation(asked)
        self.counts[operation] += 1
        try:
            content = self.content(asked.bucket)
        except ValueError as exc:
            return _error("404 Not Found", "NoSuchBucket", str(exc))
        return _ANSWERS[operation](asked, content)

    def answer_aside(self, asked: Request) -> Answer:
        """Answer the harness."""
        if asked.key == "reset":
            self.delay_seconds = float(asked.query.get("delay", "0")) / 1000
            self.counts.clear()
            for content in self.contents.values():
                content.restore()
            if bucket := asked.query.get("bucket"):
                self.content(bucket).warm_up()
            self.cpu_before = time.process_time()
            self.most_at_once = 0
            said: dict[str, object] = {}
        elif asked.key == "left":
            said = {"left": self.content(asked.query["bucket"]).left}
        else:
            said = {
                "requests": dict(self.counts),
                "cpu_seconds": time.process_time() - self.cpu_before,
                "most_at_once": self.most_at_once,
            }
        return Answer(body=json.dumps(said).encode())


def _operation(asked: Request) -> str:  # noqa: PLR0911 - one line for each
    query = asked.query
    match asked.method, bool(asked.key):
        case "GET", False:
            for name, operation in _SUBRESOURCES.items():
                if name in query:
                    return operation
            if query.get("list-type") == "2":
                return "ListObjectsV2"
            return UNKNOWN if "delimiter" in query else "ListObjects"
        case "POST", False if "delete" in query:
            return "DeleteObjects"
        case "DELETE", True:
            return "DeleteObject"
        case "HEAD", False:
            return "HeadBucket"
        case "HEAD", True:
            return "HeadObject"
        case _:
            return UNKNOWN


_SUBRESOURCES = {
    "versioning": "GetBucketVersioning",
    "lifecycle": "GetBucketLifecycleConfiguration",
    "uploads": "ListMultipartUploads",
    "versions": "ListObjectVersions",
    "location": "GetBucketLocation",
}


def _list_objects(asked: Request, content: Content) -> Answer:
    query = asked.query
    page = content.page(
        Asked(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            after=query.get("marker") or query.get("start-after", ""),
            token=query.get("continuation-token", ""),
            max_keys=min(PAGE_SIZE, int(query.get("max-keys", str(PAGE_SIZE)))),
            is_encoded=query.get("encoding-type") == "url",
            is_older="list-type" not in query,
        )
    )
    return Answer(body=page)


def _list_versions(asked: Request, content: Content) -> Answer:
    query = asked.query
    limit = min(PAGE_SIZE, int(query.get("max-keys", str(PAGE_SIZE))))
    return Answer(
        body=content.versions_page(query.get("prefix", ""), query.get("key-marker", ""), limit)
    )


def _delete_objects(asked: Request, content: Content) -> Answer:
    text = asked.body.decode()
    is_quiet = _QUIET.search(text) is not None
    said = []
    for one in _OBJECT.findall(text):
        key = unescape(_KEY.search(one)[1])  # type: ignore[index]  # without a key it is no request
        condition = _ETAG.search(one)
        if condition and (code := _unmet(content, key, unescape(condition[1]))):
            said.append(
                f"<Error><Key>{escape(key)}</Key><Code>{code}</Code>"
                "<Message>The condition failed.</Message></Error>"
            )
            continue
        content.delete(key)
        if not is_quiet:
            said.append(f"<Deleted><Key>{escape(key)}</Key></Deleted>")
    return Answer(body=_document("DeleteResult", "".join(said)))


def _delete_object(asked: Request, content: Content) -> Answer:
    condition = asked.headers.get("if-match")
    if condition and (code := _unmet(content, asked.key, condition)):
        status = "404 Not Found" if code == "NoSuchKey" else "412 Precondition Failed"
        return _error(status, code, "The condition failed.")
    content.delete(asked.key)
    return Answer(status="204 No Content")


def _unmet(content: Content, key: str, condition: str) -> str:
    """Name the error of a condition that is not met."""
    there = content.etag(key)
    if there is None:
        return "NoSuchKey"
    return "" if condition.strip('"') in (there, "*") else "PreconditionFailed"


def _head_object(asked: Request, content: Content) -> Answer:
    etag = content.etag(asked.key)
    if etag is None:
        return Answer(status="404 Not Found")
    return Answer(headers=f'ETag: "{etag}"\r\n')


def _versioning(_: Request, __: Content) -> Answer:
    return Answer(body=_document("VersioningConfiguration"))


def _lifecycle(_: Request, __: Content) -> Answer:
    return _error("404 Not Found", "NoSuchLifecycleConfiguration", "There is none.")


def _uploads(_: Request, __: Content) -> Answer:
    return Answer(body=_document("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>"))


def _location(_: Request, __: Content) -> Answer:
    return Answer(body=_document("LocationConstraint"))


def _head_bucket(_: Request, __: Content) -> Answer:
    return Answer(headers="x-amz-bucket-region: us-east-1\r\n")


def _unknown(asked: Request, _: Content) -> Answer:
    return _error("501 Not Implemented", "NotImplemented", f"{asked.method} {asked.query}")


_ANSWERS: Mapping[str, Callable[[Request, Content], Answer]] = {
    "ListObjects": _list_objects,
    "ListObjectsV2": _list_objects,
    "ListObjectVersions": _list_versions,
    "DeleteObjects": _delete_objects,
    "DeleteObject": _delete_object,
    "HeadObject": _head_object,
    "HeadBucket": _head_bucket,
    "GetBucketVersioning": _versioning,
    "GetBucketLifecycleConfiguration": _lifecycle,
    "ListMultipartUploads": _uploads,
    "GetBucketLocation": _location,
    UNKNOWN: _unknown,
}


def _document(root: str, inner: str = "") -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<{root} xmlns="{NAMESPACE}">{inner}</{root}>'.encode()


def _error(status: str, code: str, message: str) -> Answer:
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
    return Answer(status=status, body=body.encode())


class Connection(asyncio.Protocol):
    """One client's connection: requests one after another, each answered after the delay."""

    def __init__(self, server: MemoryS3) -> None:
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
        server = self._server
        is_aside = asked.bucket == _SIDE
        said = server.answer_aside(asked) if is_aside else server.answer(asked)
        is_head = asked.method == "HEAD"
        payload = (
            f"HTTP/1.1 {said.status}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(said.body)}\r\nx-amz-request-id: 0\r\n{said.headers}\r\n"
        ).encode() + (b"" if is_head else said.body)
        delay = 0.0 if is_aside else server.delay_seconds
        if not delay:
            self._send(payload)
            return
        self._is_answering = True
        server.at_once += 1
        server.most_at_once = max(server.most_at_once, server.at_once)
        asyncio.get_running_loop().call_later(delay, self._send_late, payload)

    def _send_late(self, payload: bytes) -> None:
        self._server.at_once -= 1
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


async def serve(port_file: Path) -> None:
    """Serve until the process is ended."""
    state = MemoryS3()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", 0, backlog=1024)
    pending = port_file.with_suffix(".new")
    pending.write_text(str(server.sockets[0].getsockname()[1]))
    os.replace(pending, port_file)  # noqa: PTH105 - whole or not there
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
