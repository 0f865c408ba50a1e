"""Listings: what can't be trusted is an error, never an empty bucket."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.errors import AccessError, DeniedError, ListingError
from tests.support.s3.answers import HTML, TIME, entry, error, listing
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

ODD_NAMES = (
    "a+b", "a b", "a%2Fb", "a&b<c>", "é", "😀", "a\nb", "a\tb", "a\x01b", "a//b", " lead", "trail ",
    "'\"", "a?b#c", "..", "a\\b", "\u2028", "%", "~", "ünïcode/./x",
)  # fmt: skip


def reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def list_keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [stored.key for page in reader(bucket).list_pages(prefix) for stored in page.objects]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(HTML, "<html>", id="a login page"),
        pytest.param("<html><head/></html>", "<html>", id="a login page that is XML"),
        pytest.param("<!DOCTYPE html><html><br><p>Sign in", "<html>", id="an untidy login page"),
        pytest.param("", "<nothing>", id="nothing at all"),
        pytest.param(f"<!--{' ' * 5000}-->", "<nothing>", id="a comment alone"),
        pytest.param("{}", "no XML", id="JSON"),
        pytest.param("<ListAllMyBucketsResult/>", "<ListAllMyBucketsResult>", id="another answer"),
        pytest.param("<a:ListBucketResults xmlns:a='u'/>", "<ListBucketResults>", id="nearly it"),
        pytest.param("<ListBucketResult/>", "does not say whether more follow", id="no content"),
        pytest.param(
            listing(entry("a/x"), is_truncated="true"), "no token", id="cut off, no token"
        ),
        pytest.param(
            listing(entry("a/x"), is_truncated="True"), "IsTruncated is b'True'", id="oddly more"
        ),
        pytest.param(
            listing(entry("a/x")).replace("<IsTruncated>false</IsTruncated>", "<IsTruncated />"),
            "IsTruncated is b''",
            id="more or not, in short",
        ),
        pytest.param(listing(entry("a/x"), token="t"), "gives a token", id="no more, and a token"),
        pytest.param(
            listing(entry("a/x", modified_at="1970-01-01T00:00:00Z")),
            "older than S3",
            id="made-up time",
        ),
        pytest.param(
            listing(entry("a/x"), is_truncated=""), "IsTruncated is b''", id="more or not"
        ),
        pytest.param(listing("<Contents><Size>1</Size></Contents>"), "no Key", id="no key"),
        pytest.param(
            listing(f"<Contents><Key>a/x</Key><LastModified>{TIME}</LastModified></Contents>"),
            "no Size",
            id="no size",
        ),
        pytest.param(
            listing("<Contents><Key>a/x</Key><Size>1</Size></Contents>"),
            "no LastModified",
            id="no time",
        ),
        pytest.param(
            listing(entry("a/x", modified_at="2026-11-02T14:03:00")), "time zone", id="no time zone"
        ),
        pytest.param(listing(entry("b/x")), "'b/x', which is not there", id="outside"),
        pytest.param(listing(entry("ab/x")), "'ab/x', which is not there", id="nearly inside"),
        pytest.param(listing(folders=["b/"]), "'b/', which is not there", id="folder outside"),
        pytest.param(listing("<CommonPrefixes/>"), "no Prefix", id="folder without a name"),
    ],
)
def test_page_that_cannot_be_trusted_is_an_error_that_says_where(
    site: Bucket, proxy: FaultProxy, body: str, told: str
) -> None:
    site.deploy("a", days=1)
    proxy.answer("GET", "list-type=2", body)
    with pytest.raises(ListingError) as caught:
        list_keys(site, "a/")
    assert told in caught.value.message
    assert f"s3://{site.name}/a/" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "body", [listing(entry("a/x", size="many")), listing(entry("a/x", modified_at=""))]
)
def test_number_or_time_that_is_none_is_an_error(
    site: Bucket, proxy: FaultProxy, body: str
) -> None:
    proxy.answer("GET", "list-type=2", body)
    with pytest.raises(AccessError):
        list_keys(site, "a/")


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda body: body[: len(body) // 2], id="cut off in its middle"),
        pytest.param(lambda _: b"<Error><Code/></Error>", id="an error without a code"),
    ],
)
def test_page_that_is_no_whole_xml_is_asked_again_and_then_an_error(
    site: Bucket, proxy: FaultProxy, pauses: list[float], cut
) -> None:
    site.deploy("a", days=1)
    proxy.rewrite("GET", "list-type=2", cut)
    with pytest.raises(AccessError, match=f"s3://{site.name}/a/"):
        list_keys(site, "a/")
    assert len(pauses) == 4


def test_same_token_twice_is_an_error_not_a_loop(site: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", "list-type=2", listing(entry("a/x"), is_truncated="true", token="t"))
    with pytest.raises(ListingError, match="same token twice"):
        list_keys(site, "a/")
    assert len(proxy.requests) == 2


def test_error_on_a_later_page_is_not_the_end_of_the_listing(
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


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_come_back_as_they_are(bucket: Bucket, name: str) -> None:
    bucket.put(f"{name}/{name}")
    assert list_keys(bucket) == [f"{name}/{name}"]
    assert list_keys(bucket, f"{name}/") == [f"{name}/{name}"]
    folders = [one for page in reader(bucket).list_pages("", delimiter="/") for one in page.folders]
    assert folders == [f"{name}/".partition("/")[0] + "/"]


def test_prefix_lists_its_folder_and_no_longer_name(bucket: Bucket) -> None:
    for name in ("a", "ab", "a-b", "a."):
        bucket.put(f"{name}/x")
    assert list_keys(bucket, "a/") == ["a/x"]


def test_internal_error_in_a_200_is_asked_again(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    site.put("a/x")
    proxy.answer("GET", "list-type=2", error("InternalError"), nth=1)
    assert list_keys(site) == ["a/x"]
    assert len(pauses) == 1
