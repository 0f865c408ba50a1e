"""Listing unfinished uploads: an invalid page is an error, and keys are decoded correctly."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.model.objects import UnfinishedUpload
from ci3.core.model.result import ObjectOutcome
from ci3.errors import DeniedError, ListingError
from tests.support.golden import assert_messages
from tests.support.s3.answers import HTML, NAMESPACE, TIME, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def make_reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def list_uploads(bucket: Bucket, prefix: str = "a/") -> list[UnfinishedUpload]:
    return [upload for page in make_reader(bucket).list_uploads(prefix) for upload in page]


def format_upload(key: str, upload_id: str = "u1", *, initiated_at: str = TIME) -> str:
    return (
        f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId><Initiated>{initiated_at}</Initiated>"
        "</Upload>"
    )


def format_page(
    *entries: str,
    is_truncated: str = "false",
    key: str = "",
    upload_id: str = "",
    encoding: str = "",
) -> str:
    markers = f"<NextKeyMarker>{key}</NextKeyMarker>" if key else ""
    markers += f"<NextUploadIdMarker>{upload_id}</NextUploadIdMarker>" if upload_id else ""
    encoded = f"<EncodingType>{encoding}</EncodingType>" if encoding else ""
    return (
        f"<ListMultipartUploadsResult {NAMESPACE}><IsTruncated>{is_truncated}</IsTruncated>"
        f"{markers}{encoded}{''.join(entries)}</ListMultipartUploadsResult>"
    )


def start_upload(bucket: Bucket, key: str) -> str:
    return bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)["UploadId"]


def test_upload_is_listed_and_aborted_and_then_absent(bucket: Bucket) -> None:
    upload_id = start_upload(bucket, "a/b c+é")
    start_upload(bucket, "ab/x")
    bucket.put("a/b c+é")
    (upload,) = list_uploads(bucket)
    assert (upload.key, upload.upload_id) == ("a/b c+é", upload_id)
    bucket_writer = make_reader(bucket).open_writer()
    assert bucket_writer.abort_upload(upload.key, upload.upload_id).outcome is ObjectOutcome.DELETED
    assert bucket_writer.abort_upload(upload.key, upload.upload_id).outcome is ObjectOutcome.ABSENT
    assert list_uploads(bucket) == []
    assert len(list_uploads(bucket, "ab/")) == 1
    assert bucket.keys() == {"a/b c+é"}


@pytest.mark.parametrize(
    ("listed_key", "encoding", "key"),
    [
        ("a/b+c%2Bd%C3%A9", "url", "a/b c+dé"),
        ("a/%01", "url", "a/\x01"),
        ("a/b+c%2B", "", "a/b+c%2B"),
        ("a/b c+é", "url", "a/b c+é"),
        ("a/100%", "url", "a/100%"),
    ],
)
def test_keys_are_decoded_only_if_they_are_encoded(
    site: Bucket, proxy: FaultProxy, listed_key: str, encoding: str, key: str
) -> None:
    proxy.answer(
        "GET",
        "uploads.*encoding-type=url",
        format_page(format_upload(listed_key), encoding=encoding),
    )
    assert [upload.key for upload in list_uploads(site)] == [key]


@pytest.mark.parametrize("encoding", ["url", ""])
@pytest.mark.parametrize(
    ("listed_key", "name"),
    [
        ("a/v1+2/x", "v1+2"),
        ("a/v1+2/x", "v1 2"),
        ("a/v1+2%20b/x", "v1+2 b"),
        ("a/v1%2B2/x", "v1%2B2"),
        ("a/v1%2B2/x", "v1+2"),
    ],
)
def test_upload_may_belong_to_every_deployment_that_its_key_can_mean(
    site: Bucket, proxy: FaultProxy, listed_key: str, name: str, encoding: str
) -> None:
    """Whether a server has encoded a key, and how it encodes `+`, cannot be seen from the key."""
    proxy.answer("GET", "uploads", format_page(format_upload(listed_key), encoding=encoding))
    (unfinished,) = list_uploads(site)
    assert unfinished.may_be_under(f"a/{name}/")
    assert not unfinished.may_be_under("a/v1/")


def test_next_page_starts_at_the_markers_of_the_last_one(site: Bucket, proxy: FaultProxy) -> None:
    pages = format_page(
        format_upload("a/x"), is_truncated="true", key="a/%26", upload_id="u1", encoding="url"
    )
    proxy.answer("GET", "uploads", pages)
    proxy.answer(
        "GET", "key-marker=a%2F%26.*upload-id-marker=u1", format_page(format_upload("a/y", "u2"))
    )
    assert [(upload.key, upload.upload_id) for upload in list_uploads(site)] == [
        ("a/x", "u1"),
        ("a/y", "u2"),
    ]


def test_last_page_may_have_markers(site: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", "uploads", format_page(format_upload("a/x"), key="a/x", upload_id="u1"))
    assert [upload.key for upload in list_uploads(site)] == ["a/x"]
    assert len(proxy.requests) == 1


WRONG_PAGES = {
    "a login page": HTML,
    "another listing": "<ListVersionsResult/>",
    "no content": "<ListMultipartUploadsResult/>",
    "no marker": format_page(format_upload("a/x"), is_truncated="true"),
    "oddly more": format_page(format_upload("a/x"), is_truncated="TRUE"),
    "a loop": format_page(format_upload("a/x"), is_truncated="true", key="a/x", upload_id="u1"),
    "outside": format_page(format_upload("b/x")),
    "no time zone": format_page(format_upload("a/x", initiated_at=TIME[:-1])),
    "time": format_page(format_upload("a/x", initiated_at="1999-01-01T00:00:00Z")),
    "no id": format_page("<Upload><Key>a/x</Key></Upload>"),
}


@pytest.mark.parametrize("body", WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_invalid_page_is_an_error_with_its_address(
    site: Bucket, proxy: FaultProxy, body: str
) -> None:
    proxy.answer("GET", "uploads", body)
    with pytest.raises(ListingError) as caught:
        list_uploads(site)
    assert f"s3://{site.name}/a/" in caught.value.message


def test_messages_are_the_golden_ones(site: Bucket, proxy: FaultProxy) -> None:
    cases = []
    for case, body in WRONG_PAGES.items():
        proxy.forget_rules()
        proxy.answer("GET", "uploads", body)
        with pytest.raises(ListingError) as caught:
            list_uploads(site)
        cases.append((case, caught.value))
    assert_messages(__file__, cases)


def test_truncated_page_without_a_key_marker_is_an_error(site: Bucket, proxy: FaultProxy) -> None:
    proxy.answer(
        "GET", "uploads", format_page(format_upload("a/x"), is_truncated="true", upload_id="u1")
    )
    with pytest.raises(ListingError, match=f"s3://{site.name}/a/"):
        list_uploads(site)
    assert len(proxy.requests) == 1


def test_denied_listing_is_an_error(site: Bucket, proxy: FaultProxy) -> None:
    proxy.answer("GET", "uploads", error("AccessDenied"), status=403)
    with pytest.raises(DeniedError):
        list_uploads(site)
