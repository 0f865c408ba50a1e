"""A proxy in front of the in-process S3 that answers wrongly, late or not at all, as scripted."""

import http.client
import re
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

from ci3.aws.deletion.conditional_probe import PROBE_NAME

_NOT_PASSED_ON = ("connection", "keep-alive", "transfer-encoding", "content-length", "host")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it arrived; `target` is the path with its query, as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def is_probe(self) -> bool:
        """Whether it only tries what this S3 honours, on a key that nobody has."""
        return self.is_write and PROBE_NAME in f"{self.target}{self.body!r}"

    @property
    def batch_keys(self) -> list[str]:
        """The keys of a DeleteObjects request, as XML has them."""
        return re.findall("<Key>(.*?)</Key>", self.body.decode(), re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Rule:
    """What happens to the requests that match; `nth` counts them from 1, None means each."""

    method: str
    pattern: re.Pattern[str]
    nth: int | None
    before: Callable[[], object] | None = None
    canned: Answer | None = None
    reply: Callable[[Request], str | Answer] | None = None
    rewrite: Callable[[bytes], bytes] | None = None
    refused: Mapping[str, tuple[str, str]] | None = None
    drops: bool = False
    late: bool = False
    seen: int = 0

    def matches(self, method: str, target: str, *, is_late: bool) -> bool:
        if self.late and not is_late:
            return False
        if method != self.method or not self.pattern.search(target):
            return False
        self.seen += 1
        return self.nth in (None, self.seen)


class FaultProxy:
    """Passes requests on to an S3, but for those that a rule speaks of; the last rule goes first.

    Each rule names a method and a regular expression that is searched in path and query. What only
    probes passes by the rules, unless `spares_probes` is taken away. A rule that is `late` is about
    requests after `is_late` was set: when the plan is made and the deletion begins.
    """

    def __init__(self, upstream: str | Callable[[Request], Answer]) -> None:
        self._upstream = upstream
        self._rules: list[_Rule] = []
        self._lock = Lock()
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self.url = ""
        self.spares_probes = True
        self.is_late = False
        self.watch: Callable[[Request], object] | None = None
        """Shown each request before anything becomes of it."""

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
        """Answer without asking S3; if need be after something else."""
        content = body.encode() if isinstance(body, str) else body
        canned = Answer(status=status, body=content, headers=headers or {})
        self._add(method, pattern, nth, canned=canned, late=late, before=first)

    def reply(self, method: str, pattern: str, make: Callable[[Request], str | Answer]) -> None:
        """Answer without asking S3, with a body or an answer made of the request."""
        self._add(method, pattern, None, reply=make)

    def drop(self, method: str, pattern: str, *, nth: int | None = None) -> None:
        """Pass the request on, and close the connection without an answer."""
        self._add(method, pattern, nth, drops=True)

    def rewrite(
        self,
        method: str,
        pattern: str,
        change: Callable[[bytes], bytes],
        *,
        nth: int | None = None,
        late: bool = False,
    ) -> None:
        """Pass the request on, and change the answer's body."""
        self._add(method, pattern, nth, rewrite=change, late=late)

    def refuse(
        self, keys: Collection[str], code: str, *, nth: int | None = None, message: str = "no"
    ) -> None:
        """Leave keys out of a batch, and answer of each of them with an error."""
        self._add("POST", r"\?delete", nth, refused=dict.fromkeys(keys, (code, message)))

    def before(
        self,
        method: str,
        pattern: str,
        act: Callable[[], object],
        *,
        nth: int | None = None,
        late: bool = False,
    ) -> None:
        """Do something else first, then pass the request on."""
        self._add(method, pattern, nth, before=act, late=late)

    def forget_rules(self) -> None:
        """Pass on whatever comes from now on."""
        self._rules.clear()

    def sent(self, method: str, pattern: str = "") -> list[Request]:
        """List the requests that arrived."""
        return [
            one for one in self.requests if one.method == method and re.search(pattern, one.target)
        ]

    @property
    def deletions(self) -> list[Request]:
        """The requests that delete, batches and single ones."""
        writes = [one for one in self.requests if one.is_write]
        return [one for one in writes if not (self.spares_probes and one.is_probe)]

    def _add(self, method: str, pattern: str, nth: int | None, **what) -> None:
        self._rules.insert(0, _Rule(method=method, pattern=re.compile(pattern), nth=nth, **what))

    def take(self, request: Request) -> Answer | None:
        """Play one request; None means that the connection is to be closed."""
        with self._lock:
            self.requests.append(request)
            if self.watch is not None:
                self.watch(request)
            if self.spares_probes and request.is_probe:
                matching = []
            else:
                matching = [
                    one
                    for one in self._rules
                    if one.matches(request.method, request.target, is_late=self.is_late)
                ]
        rule = matching[0] if matching else None
        if rule is None:
            return self._pass_on(request)
        if rule.before is not None:
            rule.before()
        if rule.canned is not None:
            return rule.canned
        if rule.reply is not None:
            said = rule.reply(request)
            return Answer(status=200, body=said.encode()) if isinstance(said, str) else said
        if rule.refused is not None:
            return self._refuse(request, rule.refused)
        answer = self._pass_on(request)
        if rule.rewrite is not None:
            return Answer(
                status=answer.status, body=rule.rewrite(answer.body), headers=answer.headers
            )
        return None if rule.drops else answer

    def _refuse(self, request: Request, refused: Mapping[str, tuple[str, str]]) -> Answer:
        asked = re.findall("<Object>.*?</Object>", request.body.decode(), re.DOTALL)
        keys = dict(zip(request.batch_keys, asked, strict=True))
        done = ""
        if left := "".join(one for key, one in keys.items() if key not in refused):
            body = f"<Delete>{left}</Delete>".encode()
            answered = self._pass_on(replace(request, body=body)).body.decode()
            done = re.sub(r".*<DeleteResult[^>]*>|</DeleteResult>", "", answered, flags=re.DOTALL)
        errors = "".join(
            f"<Error><Key>{key}</Key><Code>{refused[key][0]}</Code>"
            f"<Message>{refused[key][1]}</Message></Error>"
            for key in keys
            if key in refused
        )
        return Answer(status=200, body=f"<DeleteResult>{done}{errors}</DeleteResult>".encode())

    def _pass_on(self, request: Request) -> Answer:
        if not isinstance(self._upstream, str):
            return self._upstream(request)
        connection = http.client.HTTPConnection(urlsplit(self._upstream).netloc, timeout=30)
        try:
            connection.request(
                request.method,
                request.target,
                request.body or None,
                {**request.headers, "Connection": "close"},
            )
            got = connection.getresponse()
            headers = {
                name: value
                for name, value in got.getheaders()
                if name.lower() not in _NOT_PASSED_ON
            }
            return Answer(status=got.status, body=got.read(), headers=headers)
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy

    def _play(self) -> None:
        if self.headers.get("Expect") == "100-continue":  # or botocore waits a second for it
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
            answer = self.proxy.take(request)
        except BaseException as exc:  # noqa: BLE001 - told by the fixture that made the proxy
            self.proxy.failures.append(exc)
            answer = None
        if answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        with suppress(ConnectionError):  # a client that was killed takes no answer
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _play  # noqa: N815 - http.server's names

    def log_message(self, *_) -> None:
        """Say nothing; `FaultProxy.requests` tells."""


@contextmanager
def running_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a proxy on loopback; what went wrong in its script is raised at the end."""
    with served(FaultProxy(upstream)) as proxy:
        yield proxy


@contextmanager
def served(proxy: FaultProxy) -> Iterator[FaultProxy]:
    """Serve a proxy on loopback, as above."""
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
