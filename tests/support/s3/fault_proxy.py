"""A scripted proxy in front of the in-process S3: wrong, late or missing answers."""

import http.client
import re
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

from ci3.constants import PROBE_KEY_PREFIX

_NOT_FORWARDED = ("connection", "keep-alive", "transfer-encoding", "content-length", "host")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A received request; `target` is the path with its query, as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def is_probe(self) -> bool:
        """True for ci3's test of conditional deletes, which uses a key that does not exist."""
        return self.is_write and PROBE_KEY_PREFIX in f"{self.target}{self.body!r}"

    @property
    def batch_keys(self) -> list[str]:
        """The keys of a DeleteObjects request, XML-escaped."""
        return re.findall("<Key>(.*?)</Key>", self.body.decode(), re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Rule:
    """The effect on matching requests; `nth` counts them from 1, None means all."""

    method: str
    pattern: re.Pattern[str]
    nth: int | None
    before: Callable[[], object] | None = None
    canned: Answer | None = None
    reply: Callable[[Request], str | Answer | None] | None = None
    rewrite: Callable[[bytes], bytes] | None = None
    refused: Mapping[str, tuple[str, str]] | None = None
    drops_answer: bool = False
    late: bool = False
    match_count: int = 0

    def matches(self, method: str, target: str, *, is_applying: bool) -> bool:
        if self.late and not is_applying:
            return False
        if method != self.method or not self.pattern.search(target):
            return False
        self.match_count += 1
        return self.nth in (None, self.match_count)


class FaultProxy:
    """Forwards requests to an S3, except those that match a rule; the last rule added wins.

    Each rule names a method and a regular expression that is searched in path and query. Rules do
    not apply to probes unless `ignores_probes` is False. A `late` rule applies only while
    `is_applying` is True: after the plan was made, when the deletion starts.
    """

    def __init__(self, upstream: str | Callable[[Request], Answer]) -> None:
        self._upstream = upstream
        self._rules: list[_Rule] = []
        self._lock = Lock()
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self.url = ""
        self.ignores_probes = True
        self.is_applying = False
        self.on_request: Callable[[Request], object] | None = None
        """Called with each request before it is handled."""

    def answer(
        self,
        method: str,
        pattern: str,
        body: str | bytes = b"",
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        nth: int | None = None,
        late: bool = False,
        first: Callable[[], object] | None = None,
    ) -> None:
        """Answer without forwarding; call `first` before, if given."""
        content = body.encode() if isinstance(body, str) else body
        canned = Answer(status=status, body=content, headers=headers or {})
        self._add_rule(method, pattern, nth, canned=canned, late=late, before=first)

    def answer_with(
        self, method: str, pattern: str, make: Callable[[Request], str | Answer]
    ) -> None:
        """Answer without forwarding, with a body or an answer made from the request."""
        self._add_rule(method, pattern, None, reply=make)

    def drop(
        self, method: str, pattern: str, *, nth: int | None = None, is_forwarded: bool = True
    ) -> None:
        """Close the connection without an answer; forward the request before, or not at all."""
        if is_forwarded:
            self._add_rule(method, pattern, nth, drops_answer=True)
        else:
            self._add_rule(method, pattern, nth, reply=lambda _: None)

    def rewrite(
        self,
        method: str,
        pattern: str,
        change: Callable[[bytes], bytes],
        *,
        nth: int | None = None,
        late: bool = False,
    ) -> None:
        """Forward the request, and change the answer's body."""
        self._add_rule(method, pattern, nth, rewrite=change, late=late)

    def refuse(
        self, keys: Collection[str], code: str, *, nth: int | None = None, message: str = "no"
    ) -> None:
        """Remove keys from a batch before forwarding it, and answer with an error for each."""
        self._add_rule("POST", r"\?delete", nth, refused=dict.fromkeys(keys, (code, message)))

    def call_before(
        self,
        method: str,
        pattern: str,
        act: Callable[[], object],
        *,
        nth: int | None = None,
        late: bool = False,
    ) -> None:
        """Call `act`, then forward the request."""
        self._add_rule(method, pattern, nth, before=act, late=late)

    def forget_rules(self) -> None:
        """Forward all requests from now on."""
        self._rules.clear()

    def find_requests(self, method: str, pattern: str = "") -> list[Request]:
        """Return the matching requests that arrived."""
        return [
            request
            for request in self.requests
            if request.method == method and re.search(pattern, request.target)
        ]

    @property
    def deletions(self) -> list[Request]:
        """The requests that write, uploads included, except probes."""
        writes = [request for request in self.requests if request.is_write]
        return [request for request in writes if not (self.ignores_probes and request.is_probe)]

    def _add_rule(self, method: str, pattern: str, nth: int | None, **effects) -> None:
        self._rules.insert(0, _Rule(method=method, pattern=re.compile(pattern), nth=nth, **effects))

    def handle(self, request: Request) -> Answer | None:
        """Handle one request; None means that the connection is closed without an answer."""
        with self._lock:
            self.requests.append(request)
            if self.on_request is not None:
                self.on_request(request)
            if self.ignores_probes and request.is_probe:
                matching = []
            else:
                matching = [
                    rule
                    for rule in self._rules
                    if rule.matches(request.method, request.target, is_applying=self.is_applying)
                ]
        rule = matching[0] if matching else None
        if rule is None:
            return self._forward(request)
        if rule.before is not None:
            rule.before()
        if rule.canned is not None:
            return rule.canned
        if rule.reply is not None:
            reply = rule.reply(request)
            return Answer(status=200, body=reply.encode()) if isinstance(reply, str) else reply
        if rule.refused is not None:
            return self._refuse(request, rule.refused)
        answer = self._forward(request)
        if rule.rewrite is not None:
            return Answer(
                status=answer.status, body=rule.rewrite(answer.body), headers=answer.headers
            )
        return None if rule.drops_answer else answer

    def _refuse(self, request: Request, refused: Mapping[str, tuple[str, str]]) -> Answer:
        object_elements = re.findall("<Object>.*?</Object>", request.body.decode(), re.DOTALL)
        keys = dict(zip(request.batch_keys, object_elements, strict=True))
        deleted_xml = ""
        if remaining_xml := "".join(xml for key, xml in keys.items() if key not in refused):
            body = f"<Delete>{remaining_xml}</Delete>".encode()
            answer = self._forward(replace(request, body=body)).body.decode()
            deleted_xml = re.sub(
                r".*<DeleteResult[^>]*>|</DeleteResult>", "", answer, flags=re.DOTALL
            )
        errors = "".join(
            f"<Error><Key>{key}</Key><Code>{refused[key][0]}</Code>"
            f"<Message>{refused[key][1]}</Message></Error>"
            for key in keys
            if key in refused
        )
        return Answer(
            status=200, body=f"<DeleteResult>{deleted_xml}{errors}</DeleteResult>".encode()
        )

    def _forward(self, request: Request) -> Answer:
        if isinstance(self._upstream, str):
            return forward(request, self._upstream)
        return self._upstream(request)


def forward(request: Request, url: str) -> Answer:
    """Send a request to another server, and return its answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(
            request.method,
            request.target,
            request.body or None,
            {**request.headers, "Connection": "close"},
        )
        response = connection.getresponse()
        headers = {
            name: value
            for name, value in response.getheaders()
            if name.lower() not in _NOT_FORWARDED
        }
        return Answer(status=response.status, body=response.read(), headers=headers)
    finally:
        connection.close()


def ignore_if_none_match(proxy: FaultProxy) -> None:
    """Make the S3 behind the proxy overwrite objects despite `If-None-Match`."""
    forward = proxy._forward

    def forward_unconditionally(request: Request) -> Answer:
        kept = {name: value for name, value in request.headers.items() if name != "If-None-Match"}
        return forward(replace(request, headers=kept))

    proxy._forward = forward_unconditionally


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy

    def _handle_request(self) -> None:
        if self.headers.get("Expect") == "100-continue":  # botocore waits a second for it
            self.send_response_only(100)
            self.end_headers()
        length = int(self.headers.get("Content-Length", "0"))
        request = Request(
            method=self.command,
            target=self.path,
            headers={
                name: value for name, value in self.headers.items() if name.lower() != "connection"
            },
            body=self.rfile.read(length),
        )
        self.close_connection = True
        try:
            answer = self.proxy.handle(request)
        except BaseException as exc:  # noqa: BLE001 - raised again when the proxy ends
            self.proxy.failures.append(exc)
            answer = None
        if answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        with suppress(ConnectionError):  # the client may have been killed
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        length = str(len(answer.body))
        for name, value in answer.headers.items():
            if name != "Content-Length":
                self.send_header(name, value)
            elif self.command == "HEAD":  # the length of what a GET would return
                length = value
        self.send_header("Content-Length", length)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle_request  # noqa: N815 - http.server's names

    def log_message(self, *_) -> None:
        """Log nothing: the proxy records its requests."""


@contextmanager
def running_proxy(upstream: str | Callable[[Request], Answer]) -> Iterator[FaultProxy]:
    """Run a proxy on loopback until the context ends; then raise the first error of its script."""
    with serve_proxy(FaultProxy(upstream)) as proxy:
        yield proxy


@contextmanager
def serve_proxy(proxy: FaultProxy) -> Iterator[FaultProxy]:
    """Serve an existing proxy on loopback, like `running_proxy`."""
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
    if proxy.failures:
        raise proxy.failures[0]
