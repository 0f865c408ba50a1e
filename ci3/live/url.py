"""Read what a web page names as live.

Only `ci3.github` and this module may import requests.
"""

from concurrent.futures import Future
from threading import Event, Thread
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from ci3.core.formatting import escape_control_chars
from ci3.core.live.pointer import POINTER_LIMIT_BYTES, PointerError, decode_pointer, parse_pointer
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.errors import AccessError
from ci3.github.tls import find_tls_hint, trust_ca_bundle

DEADLINE_SECONDS: Final = 15.0
"""For everything together: DNS, connections, redirects and the page."""

REDIRECT_LIMIT: Final = 5
REDIRECTS: Final = (301, 302, 303, 307, 308)
_CHUNK_BYTES: Final = 1024
"""Read at once: few enough that a slow page is soon given up after the deadline."""
HEADERS: Final = {"User-Agent": "ci3", "Accept-Encoding": "identity"}


class _PageError(Exception):
    """The page can't be read; the message follows the URL and must not contain it."""


def read_page(
    source: LiveSource,
    *,
    bucket: str,
    prefix: str,
    ca_bundle: str = "",
    deadline_seconds: float = DEADLINE_SECONDS,
) -> LiveReading:
    """Read the names on a page; messages omit the query of its URL, which may be a secret.

    `ca_bundle` is the path of a file with more authorities to trust, or empty.
    """
    displayed_url = _redact(source.argument)
    try:
        text = decode_pointer(_fetch_before_deadline(deadline_seconds, source.argument, ca_bundle))
        names = parse_pointer(text, field=source.field, bucket=bucket, prefix=prefix)
    except (_PageError, PointerError) as exc:
        return LiveReading(source=source, problem=f"{displayed_url} {exc}")
    except AccessError as exc:
        return LiveReading(source=source, problem=exc.full_message)
    return LiveReading.from_names(source, names, displayed_url, prefix)


def _redact(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the URL"
    return escape_control_chars(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")


def _fetch_before_deadline(deadline_seconds: float, url: str, ca_bundle: str) -> bytes:
    """Read a page in its own thread, which is abandoned at the deadline.

    requests' timeout starts again with every byte, so it can't enforce the deadline; it only ends
    the thread.
    """
    page: Future[bytes] = Future()
    is_over = Event()

    def read() -> None:
        try:
            page.set_result(_fetch(url, 2 * deadline_seconds, is_over, ca_bundle))
        except Exception as exc:  # noqa: BLE001 - raised again by page.result()
            page.set_exception(exc)

    Thread(target=read, name="page", daemon=True).start()
    try:
        return page.result(timeout=deadline_seconds)
    except TimeoutError as exc:
        raise _PageError(
            f"did not send a full response within {deadline_seconds:g} seconds"
        ) from exc
    except (OSError, ValueError) as exc:
        # The message would contain the URL with its query.
        problem = f"cannot be read: {type(exc).__name__}"
        hint = find_tls_hint(exc)
        raise _PageError(f"{problem}. {hint}" if hint else problem) from None
    finally:
        is_over.set()


def _fetch(url: str, timeout_seconds: float, is_over: Event, ca_bundle: str) -> bytes:
    for _ in range(REDIRECT_LIMIT + 1):
        _validate(url)
        with (
            trust_ca_bundle(_NoRedirectSession(), ca_bundle) as session,
            session.get(
                url, headers=HEADERS, auth=_no_auth, stream=True, timeout=timeout_seconds
            ) as response,
        ):
            if response.status_code not in REDIRECTS:
                return _read_body(response, is_over)
            url = _resolve_redirect(url, response)
    raise _PageError(f"redirects more than {REDIRECT_LIMIT} times")


class _NoRedirectSession(requests.Session):
    """Follows no redirect, and so does not read the body of one, however long it is."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request unchanged; without this, requests would send the password of a .netrc."""
    return request


def _validate(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise _PageError(f"leads to a {parts.scheme}: URL, which is not supported")
    if "@" in parts.netloc:
        raise _PageError("leads to a URL with credentials, which is not supported")


def _resolve_redirect(url: str, response: requests.Response) -> str:
    location = response.headers.get("Location")
    if not location:
        raise _PageError(f"returned {response.status_code} without a Location")
    target = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
        raise _PageError("redirects from https to http, which is not secure")
    return target


def _read_body(response: requests.Response, is_over: Event) -> bytes:
    if response.status_code != requests.codes.ok:
        raise _PageError(f"returned {response.status_code}")
    content = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        content += chunk
        if is_over.is_set() or len(content) > POINTER_LIMIT_BYTES:
            break
    return bytes(content)
