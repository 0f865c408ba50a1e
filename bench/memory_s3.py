"""An in-memory S3 that does almost no work, so that a run's time is the client's own.

`python -m bench.memory_s3 PORT_FILE` serves on a free loopback port and writes the port into the
file. A bucket's name is its layout, such as `200x500`; it is created on the first request for it.
Signatures are not checked. Each response waits for the configured delay, many concurrently.

Control requests are `/-/reset?delay=30&bucket=200x500` (sets the delay, in milliseconds; undoes
deletions; clears the counts), `/-/counts` and `/-/objects?bucket=200x500`.
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
from html import unescape
from pathlib import Path

from bench.layout import PAGE_SIZE, parse_layout
from bench.listing import BucketContent, PageRequest, Position
from bench.s3_protocol import UNKNOWN, format_document, format_error, name_operation
from bench.wire import Connection, Request, Response

_OBJECT = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_KEY = re.compile(r"<Key>([^<]*)</Key>")
_ETAG = re.compile(r"<ETag>([^<]*)</ETag>")
_QUIET = re.compile(r"<Quiet>\s*true\s*</Quiet>")
_CONTROL_BUCKET = "-"


@dataclass(slots=True)
class MemoryS3:
    """The buckets, the delay, and the number of requests by operation."""

    delay_seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    contents: dict[str, BucketContent] = field(default_factory=dict)
    cpu_seconds_at_reset: float = 0.0
    waiting_count: int = 0
    max_waiting_count: int = 0

    def content(self, bucket: str) -> BucketContent:
        """Return a bucket's content; raise ValueError if its name is not a layout."""
        if bucket not in self.contents:
            self.contents[bucket] = BucketContent(parse_layout(bucket))
        return self.contents[bucket]

    def respond(self, request: Request) -> tuple[Response, float]:
        """Return the response to a request, and the seconds to delay it."""
        if request.bucket == _CONTROL_BUCKET:
            return self._answer_control(request), 0.0
        return self._answer_s3(request), self.delay_seconds

    def change_waiting(self, change: int) -> None:
        """Count the responses that wait for the delay to pass."""
        self.waiting_count += change
        self.max_waiting_count = max(self.max_waiting_count, self.waiting_count)

    def _answer_s3(self, request: Request) -> Response:
        operation = _find_operation(request)
        self.counts[operation] += 1
        try:
            content = self.content(request.bucket)
        except ValueError as exc:
            return _error_response("404 Not Found", "NoSuchBucket", str(exc))
        return _HANDLERS[operation](request, content)

    def _answer_control(self, request: Request) -> Response:
        if request.key == "reset":
            self.delay_seconds = float(request.query.get("delay", "0")) / 1000
            self.counts.clear()
            for content in self.contents.values():
                content.reset()
            if bucket := request.query.get("bucket"):
                self.content(bucket).warm_up()
            self.cpu_seconds_at_reset = time.process_time()
            self.max_waiting_count = 0
            response: dict[str, object] = {}
        elif request.key == "objects":
            response = {"objects": self.content(request.query["bucket"]).object_count}
        else:
            response = {
                "requests": dict(self.counts),
                "cpu_seconds": time.process_time() - self.cpu_seconds_at_reset,
                "most_at_once": self.max_waiting_count,
            }
        return Response(body=json.dumps(response).encode())


def _find_operation(request: Request) -> str:
    """Return the operation that is served, or UNKNOWN: a run with an UNKNOWN operation fails."""
    operation = name_operation(request.method, request.key, request.query)
    if operation == "ListObjects" and "delimiter" in request.query:
        return UNKNOWN
    return operation if operation in _HANDLERS else UNKNOWN


def _list_objects(request: Request, content: BucketContent) -> Response:
    query = request.query
    page = content.render_page(
        PageRequest(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            start_after=query.get("marker") or query.get("start-after", ""),
            token=query.get("continuation-token", ""),
            max_keys=min(PAGE_SIZE, int(query.get("max-keys", str(PAGE_SIZE)))),
            is_encoded=query.get("encoding-type") == "url",
            is_list_objects_v1="list-type" not in query,
        )
    )
    return Response(body=page)


def _list_versions(request: Request, content: BucketContent) -> Response:
    query = request.query
    limit = min(PAGE_SIZE, int(query.get("max-keys", str(PAGE_SIZE))))
    return Response(
        body=content.render_versions_page(
            query.get("prefix", ""), query.get("key-marker", ""), limit
        )
    )


def _delete_objects(request: Request, content: BucketContent) -> Response:
    text = request.body.decode()
    is_quiet = _QUIET.search(text) is not None
    elements = []
    for object_xml in _OBJECT.findall(text):
        escaped_key = _KEY.search(object_xml)[1]  # type: ignore[index]  # required
        position = content.find_object(unescape(escaped_key) if "&" in escaped_key else escaped_key)
        etag_match = _ETAG.search(object_xml)
        if etag_match and (code := _failed_condition(content, position, unescape(etag_match[1]))):
            elements.append(
                f"<Error><Key>{escaped_key}</Key><Code>{code}</Code>"
                "<Message>The condition failed.</Message></Error>"
            )
            continue
        if position is not None:
            content.delete(position)
        if not is_quiet:
            elements.append(f"<Deleted><Key>{escaped_key}</Key></Deleted>")
    return _document_response("DeleteResult", "".join(elements))


def _delete_object(request: Request, content: BucketContent) -> Response:
    position = content.find_object(request.key)
    condition = request.headers.get("if-match")
    if condition and (code := _failed_condition(content, position, condition)):
        status = "404 Not Found" if code == "NoSuchKey" else "412 Precondition Failed"
        return _error_response(status, code, "The condition failed.")
    if position is not None:
        content.delete(position)
    return Response(status="204 No Content")


def _failed_condition(content: BucketContent, position: Position | None, condition: str) -> str:
    """Return the error code of a failed condition, or an empty string."""
    if position is None:
        return "NoSuchKey"
    return "" if condition.strip('"') in (content.etag(position), "*") else "PreconditionFailed"


def _head_object(request: Request, content: BucketContent) -> Response:
    position = content.find_object(request.key)
    if position is None:
        return Response(status="404 Not Found")
    return Response(headers=f'ETag: "{content.etag(position)}"\r\n')


def _put_object(request: Request, content: BucketContent) -> Response:
    content.uploaded[request.key] = request.body
    return Response(
        headers=f'ETag: "{hashlib.md5(request.body, usedforsecurity=False).hexdigest()}"\r\n'
    )


def _get_object(request: Request, content: BucketContent) -> Response:
    if request.key not in content.uploaded:
        return _error_response(
            "404 Not Found", "NoSuchKey", "The key does not exist, or has no content."
        )
    return Response(body=content.uploaded[request.key])


def _get_versioning(_: Request, __: BucketContent) -> Response:
    return _document_response("VersioningConfiguration")


def _get_lifecycle(_: Request, __: BucketContent) -> Response:
    return _error_response(
        "404 Not Found",
        "NoSuchLifecycleConfiguration",
        "The bucket has no lifecycle configuration.",
    )


def _list_uploads(_: Request, __: BucketContent) -> Response:
    return _document_response("ListMultipartUploadsResult", "<IsTruncated>false</IsTruncated>")


def _get_location(_: Request, __: BucketContent) -> Response:
    return _document_response("LocationConstraint")


def _head_bucket(_: Request, __: BucketContent) -> Response:
    return Response(headers="x-amz-bucket-region: us-east-1\r\n")


def _refuse_unknown(request: Request, _: BucketContent) -> Response:
    return _error_response(
        "501 Not Implemented", "NotImplemented", f"{request.method} {request.query}"
    )


_HANDLERS: Mapping[str, Callable[[Request, BucketContent], Response]] = {
    "ListObjects": _list_objects,
    "ListObjectsV2": _list_objects,
    "ListObjectVersions": _list_versions,
    "DeleteObjects": _delete_objects,
    "DeleteObject": _delete_object,
    "GetObject": _get_object,
    "HeadObject": _head_object,
    "PutObject": _put_object,
    "HeadBucket": _head_bucket,
    "GetBucketVersioning": _get_versioning,
    "GetBucketLifecycleConfiguration": _get_lifecycle,
    "ListMultipartUploads": _list_uploads,
    "GetBucketLocation": _get_location,
    UNKNOWN: _refuse_unknown,
}


def _document_response(root: str, inner: str = "") -> Response:
    return Response(body=format_document(root, inner).encode())


def _error_response(status: str, code: str, message: str) -> Response:
    return Response(status=status, body=format_error(code, message).encode())


async def serve(port_file: Path) -> None:
    """Serve until the process is terminated."""
    state = MemoryS3()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", 0, backlog=1024)
    pending = port_file.with_suffix(".new")
    pending.write_text(str(server.sockets[0].getsockname()[1]))
    os.replace(pending, port_file)  # noqa: PTH105 - atomic
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
