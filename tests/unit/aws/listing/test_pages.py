"""Listings: an invalid page is an error, never an empty bucket."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.errors import AccessError, DeniedError, ListingError
from tests.support.golden import assert_messages
from tests.support.s3.answers import HTML, TIME, entry, error, listing
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

UNUSUAL_NAMES = (
    "a+b", "a b", "a%2Fb", "a&b<c>", "é", "😀", "a\nb", "a\tb", "a\x01b", "a//b", " lead", "trail ",
    "'\"", "a?b#c", "..", "a\\b", "\u2028", "%", "~", "ünïcode/./x",
)  # fmt: skip


def make_reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def list_keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [
        stored.key for page in make_reader(bucket).list_pages(prefix) for stored in page.objects
    ]


WRONG_PAGES = {
    "a login page": HTML,
    "a login page that is XML": "<html><head/></html>",
    "an untidy login page": "<!DOCTYPE html><html><br><p>Sign in",
    "nothing at all": "",
    "a comment alone": f"<!--{' ' * 5000}-->",
    "JSON": "{}",
    "another answer": "<ListAllMyBucketsResult/>",
    "nearly it": "<a:ListBucketResults xmlns:a='u'/>",
    "no content": "<ListBucketResult/>",
    "cut off, no token": listing(entry("a/x"), is_truncated="true"),
    "oddly more": listing(entry("a/x"), is_truncated="True"),
    "more or not, in short": listing(entry("a/x")).replace(
        "<IsTruncated>false</IsTruncated>", "<IsTruncated />"
    ),
    "no more, and a token": listing(entry("a/x"), token="t"),
    "made-up time": listing(entry("a/x", modified_at="1970-01-01T00:00:00Z")),
    "more or not": listing(entry("a/x"), is_truncated=""),
    "no key": listing("<Contents><Size>1</Size></Contents>"),
    "no size": listing(f"<Contents><Key>a/x</Key><LastModified>{TIME}</LastModified></Contents>"),
    "no time": listing("<Contents><Key>a/x</Key><Size>1</Size></Contents>"),
    "no time zone": listing(entry("a/x", modified_at="2026-11-02T14:03:00")),
    "outside": listing(entry("b/x")),
    "nearly inside": listing(entry("ab/x")),
    "folder outside": listing(folders=["b/"]),
    "folder without a name": listing("<CommonPrefixes/>"),
}


@pytest.mark.parametrize("body", WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_invalid_page_is_an_error_with_its_address(
    site: Bucket, proxy: FaultProxy, body: str
) -> None:
    site.deploy("a", days=1)
    proxy.answer("GET", "list-type=2", body)
    with pytest.raises(ListingError) as caught:
        list_keys(site, "a/")
    assert f"s3://{site.name}/a/" in caught.value.message
    assert caught.value.hint


def test_messages_are_the_golden_ones(site: Bucket, proxy: FaultProxy) -> None:
    cases = []
    for case, body in WRONG_PAGES.items():
        proxy.forget_rules()
        proxy.answer("GET", "list-type=2", body)
        with pytest.raises(ListingError) as caught:
            list_keys(site, "a/")
        cases.append((case, caught.value))
    assert_messages(__file__, cases)


@pytest.mark.parametrize(
    "body", [listing(entry("a/x", size="many")), listing(entry("a/x", modified_at=""))]
)
def test_invalid_number_or_time_is_an_error(site: Bucket, proxy: FaultProxy, body: str) -> None:
    proxy.answer("GET", "list-type=2", body)
    with pytest.raises(AccessError):
        list_keys(site, "a/")


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda body: body[: len(body) // 2], id="truncated"),
        pytest.param(lambda _: b"<Error><Code/></Error>", id="an error without a code"),
    ],
)
def test_truncated_page_is_retried_and_then_an_error(
    site: Bucket, proxy: FaultProxy, pauses: list[float], cut
) -> None:
    site.deploy("a", days=1)
    proxy.rewrite("GET", "list-type=2", cut)
    with pytest.raises(AccessError, match=f"s3://{site.name}/a/"):
        list_keys(site, "a/")
    assert len(pauses) == 4


def test_same_token_twice_is_an_error_not_a_loop(site: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", "list-type=2", listing(entry("a/x"), is_truncated="true", token="t"))
    with pytest.raises(ListingError, match=f"s3://{site.name}/a/"):
        list_keys(site, "a/")
    assert len(proxy.requests) == 2


def test_error_on_a_later_page_is_not_taken_for_the_end_of_the_listing(
    site: Bucket, proxy: FaultProxy
) -> None:
    site.deploy("a", days=1, files=1001)
    proxy.answer("GET", "continuation-token", error("AccessDenied"), status=403)
    with pytest.raises(DeniedError):
        list_keys(site, "a/")


@pytest.mark.parametrize("file_count", [0, 1, 999, 1000, 1001, 2001])
def test_every_page_is_read_with_as_few_requests_as_there_are_pages(
    site: Bucket, proxy: FaultProxy, file_count: int
) -> None:
    site.deploy("a", days=1, files=file_count)
    assert list_keys(site, "a/") == [f"a/file-{number:05}" for number in range(file_count)]
    assert len(proxy.requests) == max(1, -(-file_count // 1000))


@pytest.mark.parametrize("name", UNUSUAL_NAMES)
def test_unusual_names_are_listed_unchanged(bucket: Bucket, name: str) -> None:
    bucket.put(f"{name}/{name}")
    assert list_keys(bucket) == [f"{name}/{name}"]
    assert list_keys(bucket, f"{name}/") == [f"{name}/{name}"]
    folders = [
        folder
        for page in make_reader(bucket).list_pages("", delimiter="/")
        for folder in page.folders
    ]
    assert folders == [f"{name}/".partition("/")[0] + "/"]


def test_prefix_does_not_list_folders_with_longer_names(bucket: Bucket) -> None:
    for name in ("a", "ab", "a-b", "a."):
        bucket.put(f"{name}/x")
    assert list_keys(bucket, "a/") == ["a/x"]


def test_internal_error_in_a_200_is_retried(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    site.put("a/x")
    proxy.answer("GET", "list-type=2", error("InternalError"), nth=1)
    assert list_keys(site) == ["a/x"]
    assert len(pauses) == 1
