"""Web pages as live sources, on a loopback server with scripted responses."""

import time
from collections.abc import Iterator

import pytest
import requests

from ci3.core.live.sources import LiveReading, LiveSource
from ci3.live import url as web
from ci3.live.url import read_page
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in
from tests.support.web_site import WebSite, running_site

SECRET = "s3cr3t"
GIGABYTE = 1 << 30


@pytest.fixture
def site() -> Iterator[WebSite]:
    with running_site() as site:
        yield site


def read_live_page(site: WebSite, path: str, *, deadline_seconds: float = 10) -> LiveReading:
    source = LiveSource.parse(f"url:{site.url}{path}")
    return read_page(source, bucket="my-site", prefix="", deadline_seconds=deadline_seconds)


def test_text_of_a_page_is_a_name(site):
    site.answer("/live.txt", b"\xef\xbb\xbfab12cd3\r\n")
    [reference] = read_live_page(site, "/live.txt").references

    assert reference.name == "ab12cd3"
    assert {f"{site.url}/live.txt", "ab12cd3"} <= words_in(reference.evidence)


def test_field_of_a_json_page_is_a_list_of_names(site):
    site.answer("/version.json", b'{"web": {"live": ["ab12cd3", "release-1"]}}')
    reading = read_live_page(site, "/version.json#web.live")

    assert [reference.name for reference in reading.references] == ["ab12cd3", "release-1"]


WRONG_PAGES = {
    "empty": b"",
    "HTML": b"<!doctype html><title>Sign in</title>",
    "JSON": b'{"commit": "ab12cd3"}',
    "two names in a line": b"release 1\nab12cd4",
    "not UTF-8": b"\xff\xfe",
    "too large": b"x" * ((1 << 20) + 1),
}


@pytest.mark.parametrize("body", WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_page_with_invalid_content_is_a_problem(site, body):
    site.answer("/live", body)
    reading = read_live_page(site, "/live")

    assert reading.references == ()
    assert reading.problem.startswith(f"{site.url}/live ")


def test_page_of_a_mebibyte_is_read(site):
    head = b'{"live": "ab12cd3", "padding": "'
    site.answer("/live", head + b"x" * ((1 << 20) - len(head) - 2) + b'"}')

    assert [reference.name for reference in read_live_page(site, "/live#live").references] == [
        "ab12cd3"
    ]


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410, 500, 503])
def test_status_other_than_200_is_a_problem(site, status):
    site.answer("/live", b"" if status in (204, 304) else b"ab12cd3", status)
    reading = read_live_page(site, "/live")

    assert reading.references == ()
    assert {f"{site.url}/live", str(status)} <= words_in(reading.problem)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(site, status):
    site.redirect("/live", "/there/live", status)
    site.answer("/there/live", b"ab12cd3")

    assert [reference.name for reference in read_live_page(site, "/live").references] == ["ab12cd3"]


def test_five_redirects_are_followed_and_no_more(site):
    for number in range(6):
        site.redirect(f"/{number}", f"/{number + 1}")
    site.answer("/6", b"ab12cd3")

    assert read_live_page(site, "/1").problem == ""
    site.requests.clear()
    assert numbers_in(read_live_page(site, "/0").problem) == [5]
    assert len(site.requests) == 6


WRONG_REDIRECTS = [
    "file:///etc/hostname",
    "ftp://127.0.0.1/live",
    "data:text/plain,ab12cd3",
    "http://me:hidden@127.0.0.1/live",
    "http://[::1/live",
    "https://.x/live",
    "",
]


@pytest.mark.parametrize("target", WRONG_REDIRECTS)
def test_redirect_to_an_invalid_address_is_a_problem(site, target):
    site.redirect("/live", target)
    reading = read_live_page(site, "/live")

    assert reading.references == ()
    assert f"{site.url}/live" in words_in(reading.problem)
    assert "hidden" not in reading.problem
    assert len(site.requests) == 1


def test_redirect_from_https_to_http_is_a_problem():
    response = requests.Response()
    response.headers["Location"] = "http://www.example.org/live"

    with pytest.raises(web._PageError, match=r"\bhttps\b.*\bhttp\b"):
        web._resolve_redirect("https://www.example.org/live", response)
    assert (
        web._resolve_redirect("http://www.example.org/", response) == "http://www.example.org/live"
    )


def test_page_of_a_gigabyte_is_closed_after_the_limit(site):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode()
    site.send("/live", head, b"x" * 65536)
    reading = read_live_page(site, "/live")

    assert numbers_in(reading.problem) == [1 << 20]
    assert site.sent_bytes < GIGABYTE / 20


def test_body_of_a_redirect_is_not_read_at_all(site):
    head = f"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode()
    site.send("/live", head, b"x" * 65536)
    site.answer("/there", b"ab12cd3")

    assert [reference.name for reference in read_live_page(site, "/live").references] == ["ab12cd3"]
    assert site.sent_bytes < GIGABYTE / 20


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        pytest.param(b"", b"", id="never answers"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"x", id="a header without end, slowly"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b"", id="no body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nab12cd3", b" ", id="slowly"),
    ],
)
def test_page_that_exceeds_the_deadline_is_a_problem(site, head, endless):
    site.send("/live", head, endless, pause_seconds=0.02)
    start = time.monotonic()
    reading = read_live_page(site, "/live", deadline_seconds=0.2)

    assert time.monotonic() - start < 5
    assert reading.references == ()
    assert {f"{site.url}/live", "0.2"} <= words_in(reading.problem)


def test_truncated_page_is_a_problem(site):
    site.answer("/live", b"release-1", Content_Length="10")
    reading = read_live_page(site, "/live")

    assert reading.references == ()
    assert {f"{site.url}/live", "ChunkedEncodingError"} <= words_in(reading.problem)


def test_unreachable_host_is_a_problem(closed_port_url):
    source = LiveSource.parse(f"url:{closed_port_url}/live")

    assert "ConnectionError" in read_page(source, bucket="my-site", prefix="").problem


@pytest.mark.parametrize("address", ["https://", "http://[::1", "http://host:port/", "https://.x"])
def test_invalid_address_is_a_problem(address):
    source = LiveSource.parse(f"url:{address}")

    reading = read_page(source, bucket="my-site", prefix="")
    assert (reading.references, bool(reading.problem)) == ((), True)


def test_query_is_sent_and_is_in_no_message(site, closed_port_url):
    site.answer("/live", b"ab12cd3")
    site.answer("/gone", b"", 404)
    site.redirect("/moved", f"{closed_port_url}/x?key={SECRET}")
    query = f"?key={SECRET}"
    readings = [read_live_page(site, f"{path}{query}") for path in ("/live", "/gone", "/moved")]
    unreachable = read_page(
        LiveSource.parse(f"url:{closed_port_url}/{query}"), bucket="my-site", prefix=""
    )

    assert site.requests[0][0] == f"/live{query}"
    readings.append(unreachable)
    assert [bool(reading.references) for reading in readings] == [True, False, False, False]
    messages = [reading.problem for reading in readings] + [readings[0].references[0].evidence]
    assert SECRET not in "".join(messages)


def test_credentials_in_an_address_are_neither_sent_nor_shown(site):
    address = site.url.replace("http://", f"http://me:{SECRET}@")
    reading = read_page(LiveSource.parse(f"url:{address}/live"), bucket="my-site", prefix="")

    assert "credentials" in reading.problem
    assert SECRET not in reading.problem
    assert site.requests == []


def test_netrc_password_and_cookies_are_not_sent(site, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login somebody password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    site.answer("/live", b"", 302, Location="/there", Set_Cookie="a=b; Path=/")
    site.answer("/there", b"ab12cd3")

    assert read_live_page(site, "/live").problem == ""
    assert len(site.requests) == 2
    for _, headers in site.requests:
        assert headers.keys().isdisjoint({"authorization", "cookie"})


def test_messages_are_the_golden_ones(site):
    site.answer("/live", b"ab12cd3")
    cases = {"live": read_live_page(site, "/live").references[0].evidence}
    for case, body in WRONG_PAGES.items():
        site.answer("/live", body)
        cases[case] = read_live_page(site, "/live").problem
    site.answer("/live", b"", 404)
    cases["status 404"] = read_live_page(site, "/live").problem
    for target in WRONG_REDIRECTS:
        site.redirect("/live", target)
        cases[f"redirect to {target}"] = read_live_page(site, "/live").problem
    site.redirect("/live", "/live")
    cases["too many redirects"] = read_live_page(site, "/live").problem
    site.answer("/live", b"release-1", Content_Length="10")
    cases["cut off"] = read_live_page(site, "/live").problem
    site.send("/live", b"", b"", pause_seconds=0.02)
    cases["no answer"] = read_live_page(site, "/live", deadline_seconds=0.2).problem
    assert_messages(__file__, cases.items())
