"""A web site on loopback whose pages a test defines, including faulty ones."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebSite:
    """Pages by path, and the requests received; `sent_bytes` counts what endless pages sent."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()
        self.sent_bytes = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.requests.append((self.path, headers))
                site.pages[self.path.partition("?")[0]](self)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in ({"Content_Length": str(len(body))} | headers).items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        self.pages[path] = page

    def redirect(self, path: str, target: str, status: int = 302) -> None:
        self.answer(path, b"", status, Location=target)

    def send(self, path: str, head: bytes, endless: bytes, pause_seconds: float = 0) -> None:
        """Serve `head`, and then `endless` repeatedly, with pauses."""

        def page(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            try:
                handler.wfile.write(head)
                while endless and not self.closing.wait(pause_seconds):
                    handler.wfile.write(endless)
                    self.sent_bytes += len(endless)
            except OSError:
                return
            self.closing.wait()

        self.pages[path] = page


@contextmanager
def running_site() -> Iterator[WebSite]:
    """Run an empty site until the context ends."""
    site = WebSite()
    try:
        yield site
    finally:
        site.close()
