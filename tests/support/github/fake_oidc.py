"""A fake of GitHub's OIDC token service on loopback: a new token for each request.

Source: https://docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.support.web_site import WebSite, running_site

REQUEST_TOKEN = "request-t0ken"
ISSUER = "https://token.actions.githubusercontent.com"
SUBJECT = "repo:acme/storefront:ref:refs/heads/main"
_PATH = "/42/idtoken"


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def make_token(**claims: object) -> str:
    """Return an unsigned token with these claims."""
    return f"{_part({'alg': 'RS256'})}.{_part(claims)}.c2lnbmF0dXJl"


class FakeOidc:
    """Issues tokens to clients with the request token; `failures` replace the next answers."""

    def __init__(self, site: WebSite) -> None:
        self.site = site
        self.tokens: list[str] = []
        self.failures: list[tuple[int, bytes] | None] = []
        site.pages[_PATH] = self._answer

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a job that may request tokens."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.site.url}{_PATH}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
        }

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.failures:
            failure = self.failures.pop(0)
            if failure is None:
                handler.close_connection = True
                return
            self._send(handler, *failure)
            return
        query = parse_qs(urlsplit(handler.path).query)
        has_api_version = query.get("api-version") == ["2.0"]
        if handler.headers["Authorization"] != f"Bearer {REQUEST_TOKEN}" or not has_api_version:
            self._send(handler, 401, b'{"message": "who are you?"}')
            return
        [audience] = query.get("audience", ["https://github.com/acme"])
        number = len(self.tokens) + 1
        self.tokens.append(make_token(iss=ISSUER, aud=audience, sub=SUBJECT, jti=number))
        self._send(handler, 200, json.dumps({"value": self.tokens[-1]}).encode())

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def running_oidc() -> Iterator[FakeOidc]:
    """Run the service until the context ends."""
    with running_site() as site:
        yield FakeOidc(site)
