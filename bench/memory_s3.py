"""An S3 in memory that does next to nothing, so that a run's time is the client's own.

`python -m bench.memory_s3 PORT_FILE` serves on a free port of loopback and writes the port into the
file. A bucket's name is its layout, such as `200x500`; it is there as soon as it is asked for.
It checks no signature. Each answer waits for the delay that was set, many at once.

Beside S3 it answers `/-/reset?delay=30&bucket=200x500` (sets the delay, in milliseconds; brings
everything back; forgets the counts), `/-/counts` and `/-/left?bucket=200x500`.
"""

import asyncio
import hashlib
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

from bench.layout import PAGE_SIZE, parse
from bench.listing import NAMESPACE, Asked, Content, Position
from bench.wire import Answer, Connection, Request

_OBJECT = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_ETAG = re.compile(r"<ETag>([^<]*)</ETag>")
_QUIET = re.compile(r"<Quiet>\s*true\s*</Quiet>")
_SIDE = "-"
UNKNOWN = "Unknown"


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

    def answer(self, asked: Request) -> tuple[Answer, float]:
        """Answer a request, and say how many seconds later."""
        if asked.bucket == _SIDE:
            return self._answer_aside(asked), 0.0
        return self._answer_s3(asked), self.delay_seconds

    def note_waiting(self, change: int) -> None:
        """Count the answers that wait for the delay to pass."""
        self.at_once += change
        self.most_at_once = max(self.most_at_once, self.at_once)

    def _answer_s3(self, asked: Request) -> Answer:
        operation = _operation(asked)
        self.counts[operation] += 1
        try:
            content = self.content(asked.bucket)
        except ValueError as exc:
            return _error("404 Not Found", "NoSuchBucket", str(exc))
        return _ANSWERS[operation](asked, content)

    def _answer_aside(self, asked: Request) -> Answer:
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


def _operation(asked: Request) -> str:
    query = asked.query
    if asked.method == "POST" and "delete" in query:
        return "DeleteObjects"
    if asked.method != "GET" or asked.key:
        return _OPERATIONS.get((asked.method, bool(asked.key)), UNKNOWN)
    for name, operation in _SUBRESOURCES.items():
        if name in query:
            return operation
    if query.get("list-type") == "2":
        return "ListObjectsV2"
    return UNKNOWN if "delimiter" in query else "ListObjects"


_OPERATIONS = {
    ("DELETE", True): "DeleteObject",
    ("GET", True): "GetObject",
    ("HEAD", False): "HeadBucket",
    ("HEAD", True): "HeadObject",
    ("PUT", True): "PutObject",
}
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
        written = _KEY.search(one)[1]  # type: ignore[index]  # without a key it is no request
        place = content.locate(unescape(written) if "&" in written else written)
        condition = _ETAG.search(one)
        if condition and (code := _unmet(content, place, unescape(condition[1]))):
            said.append(
                f"<Error><Key>{written}</Key><Code>{code}</Code>"
                "<Message>The condition failed.</Message></Error>"
            )
            continue
        if place is not None:
            content.delete(place)
        if not is_quiet:
            said.append(f"<Deleted><Key>{written}</Key></Deleted>")
    return Answer(body=_document("DeleteResult", "".join(said)))


def _delete_object(asked: Request, content: Content) -> Answer:
    place = content.locate(asked.key)
    condition = asked.headers.get("if-match")
    if condition and (code := _unmet(content, place, condition)):
        status = "404 Not Found" if code == "NoSuchKey" else "412 Precondition Failed"
        return _error(status, code, "The condition failed.")
    if place is not None:
        content.delete(place)
    return Answer(status="204 No Content")


def _unmet(content: Content, place: Position | None, condition: str) -> str:
    """Name the error of a condition that is not met."""
    if place is None:
        return "NoSuchKey"
    return "" if condition.strip('"') in (content.etag(place), "*") else "PreconditionFailed"


def _head_object(asked: Request, content: Content) -> Answer:
    place = content.locate(asked.key)
    if place is None:
        return Answer(status="404 Not Found")
    return Answer(headers=f'ETag: "{content.etag(place)}"\r\n')


def _put_object(asked: Request, content: Content) -> Answer:
    content.aside[asked.key] = asked.body
    return Answer(
        headers=f'ETag: "{hashlib.md5(asked.body, usedforsecurity=False).hexdigest()}"\r\n'
    )


def _get_object(asked: Request, content: Content) -> Answer:
    if asked.key not in content.aside:
        return _error("404 Not Found", "NoSuchKey", "There is none, or it has no content here.")
    return Answer(body=content.aside[asked.key])


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
    "GetObject": _get_object,
    "HeadObject": _head_object,
    "PutObject": _put_object,
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
