"""What a page on the web says is live.

It stands beside GitHub because only this folder may import requests.
"""

from concurrent.futures import Future
from threading import Event, Thread
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from ci3.core.formatting import visible
from ci3.core.live.pointer import POINTER_LIMIT_BYTES, PointerError, pointed_names, pointer_text
from ci3.core.live.sources import LiveSource, Reading, Sighting

DEADLINE_SECONDS: Final = 15.0
"""For all of it: the host's name, connections, redirects and the page."""

REDIRECT_LIMIT: Final = 5
REDIRECTS: Final = (301, 302, 303, 307, 308)
HEADERS: Final = {"User-Agent": "ci3", "Accept-Encoding": "identity"}


class _PageError(Exception):
    """The page can't be had; the words follow its address, and hold no address themselves."""


def read_page(
    source: LiveSource, *, bucket: str, prefix: str, deadline_seconds: float = DEADLINE_SECONDS
) -> Reading:
    """Read what a page names; messages leave out its address's query, which may be a secret."""
    where = _shown(source.argument)
    try:
        text = pointer_text(_read_within(deadline_seconds, source.argument))
        names = pointed_names(text, field=source.field, bucket=bucket, prefix=prefix)
    except (_PageError, PointerError) as exc:
        return Reading(source=source, problem=f"{where} {exc}")
    return Reading(
        source=source,
        sightings=tuple(
            Sighting(name=name, evidence=f"{where} says {name}", place=where)
            for name in dict.fromkeys(names)
        ),
    )


def _shown(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "the address"
    return visible(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")


def _read_within(deadline_seconds: float, address: str) -> bytes:
    """Read a page in a thread of its own, which is left alone when the time is up.

    A connection's timeout begins anew with every byte: it only ends the thread.
    """
    page: Future[bytes] = Future()
    is_over = Event()

    def read() -> None:
        try:
            page.set_result(_read(address, 2 * deadline_seconds, is_over))
        except Exception as exc:  # noqa: BLE001 - it is raised where the page is awaited
            page.set_exception(exc)

    Thread(target=read, name="page", daemon=True).start()
    try:
        return page.result(timeout=deadline_seconds)
    except TimeoutError as exc:
        raise _PageError(f"did not answer in full within {deadline_seconds:g} seconds") from exc
    except (requests.RequestException, ValueError) as exc:
        # Its own words would name the address with its query.
        raise _PageError(f"can't be read: {type(exc).__name__}") from None
    finally:
        is_over.set()


def _read(address: str, timeout_seconds: float, is_over: Event) -> bytes:
    for _ in range(REDIRECT_LIMIT + 1):
        _check(address)
        with (
            _OneStep() as session,
            session.get(
                address, headers=HEADERS, auth=_unsigned, stream=True, timeout=timeout_seconds
            ) as response,
        ):
            if response.status_code not in REDIRECTS:
                return _body(response, is_over)
            address = _next_address(address, response)
    raise _PageError(f"redirects more than {REDIRECT_LIMIT} times")


class _OneStep(requests.Session):
    """Follows no redirect, and so does not read the body of one either, however long it is."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Sign with nothing, so that requests does not take the password of a .netrc."""
    return request


def _check(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        raise _PageError(f"leads to a {parts.scheme}: address, which is not read")
    if "@" in parts.netloc:
        raise _PageError("leads to an address with credentials in it, which is not read")


def _next_address(address: str, response: requests.Response) -> str:
    location = response.headers.get("Location")
    if not location:
        raise _PageError(f"answered {response.status_code} without saying where it moved")
    target = urljoin(address, location)
    if urlsplit(address).scheme == "https" and urlsplit(target).scheme == "http":
        raise _PageError("redirects from https to http, where anybody could answer")
    return target


def _body(response: requests.Response, is_over: Event) -> bytes:
    if response.status_code != requests.codes.ok:
        raise _PageError(f"answered {response.status_code}")
    content = bytearray()
    for byte in response.iter_content(1):
        content += byte
        if is_over.is_set() or len(content) > POINTER_LIMIT_BYTES:
            break
    return bytes(content)
