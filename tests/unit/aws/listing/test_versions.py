"""Listing and removing versions: an invalid page is an error; a removal needs a version ID."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import ObjectOutcome
from ci3.errors import AccessError, DeniedError, GateError, ListingError
from tests.support.golden import assert_messages
from tests.support.s3.answers import HTML, NAMESPACE, TIME, delete_result, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def make_reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def list_versions(bucket: Bucket, prefix: str = "a/") -> list[StoredVersion]:
    return [version for page in make_reader(bucket).list_versions(prefix) for version in page]


def make_remover(bucket: Bucket) -> VersionRemover:
    return make_reader(bucket).open_version_remover()


def format_version(
    key: str, version_id: str, *, modified_at: str = TIME, latest: str = "false"
) -> str:
    return (
        f"<Version><Key>{key}</Key><VersionId>{version_id}</VersionId><IsLatest>{latest}</IsLatest>"
        f'<LastModified>{modified_at}</LastModified><ETag>"e"</ETag><Size>1</Size></Version>'
    )


def format_marker(
    key: str, version_id: str, *, modified_at: str = TIME, latest: str = "false"
) -> str:
    return (
        f"<DeleteMarker><Key>{key}</Key><VersionId>{version_id}</VersionId>"
        f"<IsLatest>{latest}</IsLatest><LastModified>{modified_at}</LastModified></DeleteMarker>"
    )


def format_page(
    *entries: str, is_truncated: str = "false", key: str = "", version_id: str = ""
) -> str:
    markers = f"<NextKeyMarker>{key}</NextKeyMarker>" if key else ""
    markers += f"<NextVersionIdMarker>{version_id}</NextVersionIdMarker>" if version_id else ""
    return (
        f"<ListVersionsResult {NAMESPACE}><IsTruncated>{is_truncated}</IsTruncated>{markers}"
        f"{''.join(entries)}</ListVersionsResult>"
    )


def list_folders(bucket: Bucket, prefix: str) -> list[frozenset[str]]:
    return [*make_reader(bucket).list_version_folders(prefix)]


def format_folders(*names: str) -> str:
    return "".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in names)


def test_folder_is_listed_even_if_all_its_objects_are_deleted(bucket: Bucket) -> None:
    bucket.enable_versioning()
    for key in ("app/a/x", "app/ab/x", "app/ab/y/z", "app/ab.txt", "app/b/x", "ab/x"):
        bucket.put(key)
    bucket.client.delete_object(Bucket=bucket.name, Key="app/a/x")
    assert list_folders(bucket, "app/a") == [{"app/a/", "app/ab/"}]
    assert list_folders(bucket, "app/") == [{"app/a/", "app/ab/", "app/b/"}]
    assert list_folders(bucket, "app/c") == [frozenset()]


def test_page_after_a_folder_is_requested_without_a_version_id_marker(
    site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer(
        "GET", "versions", format_page(format_folders("a1/"), is_truncated="true", key="a1/"), nth=1
    )
    second = format_page(format_version("a2", "v"), is_truncated="true", key="a2", version_id="v")
    proxy.answer("GET", "versions", second, nth=2)
    proxy.answer(
        "GET", "versions", format_page(format_folders("a3/"), is_truncated="true", key="a3/"), nth=3
    )
    proxy.answer("GET", "versions", format_page(format_folders("a4/")), nth=4)
    assert list_folders(site, "a") == [{"a1/"}, frozenset(), {"a3/"}, {"a4/"}]
    targets = [request.target for request in proxy.requests]
    assert ["version-id-marker" in target for target in targets] == [False, False, True, False]


def test_folders_are_listed_by_a_server_that_ignores_the_delimiter(
    site: Bucket, proxy: FaultProxy
) -> None:
    entries = [
        format_version("a1/x", "1"),
        format_marker("a1/y/z", "2"),
        format_marker("a2/x", "3"),
        format_version("a3", "4"),
    ]
    proxy.answer("GET", "versions", format_page(*entries))
    assert list_folders(site, "a") == [{"a1/", "a2/"}]


@pytest.mark.parametrize("name", ["b/", "a1", "a1/b/", "A1/", "a1//", ""])
def test_folder_outside_the_prefix_is_an_error(site: Bucket, proxy: FaultProxy, name: str) -> None:
    proxy.answer("GET", "versions", format_page(format_folders(name)))
    with pytest.raises(ListingError):
        list_folders(site, "a")


def test_every_version_and_marker_is_listed_with_its_attributes(bucket: Bucket) -> None:
    bucket.enable_versioning()
    bucket.put("a/x", body=b"one")
    bucket.put("a/x", body=b"three")
    bucket.client.delete_object(Bucket=bucket.name, Key="a/x")
    bucket.put("ab/x")
    newest, *older = list_versions(bucket)
    assert (newest.key, newest.is_delete_marker, newest.is_latest) == ("a/x", True, True)
    assert (newest.etag, newest.size_bytes) == ("", 0)
    assert {(version.is_delete_marker, version.is_latest) for version in older} == {(False, False)}
    assert {version.size_bytes for version in older} == {3, 5}
    assert all(version.etag and version.version_id for version in older)


@pytest.mark.parametrize("key", ["a/+", "a/b c", "a/%2F", "a/&<c>", "a/é", "a/😀", "a//b"])
def test_unusual_keys_are_listed_unchanged(bucket: Bucket, key: str) -> None:
    bucket.enable_versioning()
    bucket.put(key)
    assert [version.key for version in list_versions(bucket)] == [key]


def test_key_that_xml_cannot_carry_is_decoded(site: Bucket, proxy: FaultProxy) -> None:
    body = format_page("<EncodingType>url</EncodingType>", format_version("a/%01+%2B", "1"))
    proxy.answer("GET", "versions.*encoding-type=url", body)
    assert [version.key for version in list_versions(site)] == ["a/\x01 +"]


def test_every_page_is_read(bucket: Bucket) -> None:
    bucket.enable_versioning()
    bucket.deploy("a", days=1, files=1001)
    bucket.deploy("a", days=0, files=1001)
    assert len({(version.key, version.version_id) for version in list_versions(bucket)}) == 2002


def test_versions_and_markers_are_listed_from_newest_to_oldest(
    site: Bucket, proxy: FaultProxy
) -> None:
    entries = [
        format_marker("a/x", "5", latest="true"),
        format_version("a/x", "4", modified_at="2026-11-01T00:00:00Z"),
        format_marker("a/x", "3"),
        format_version("a/x", "2"),
        format_version("a/y", "1"),
    ]
    proxy.answer("GET", "versions", format_page(*entries))
    assert [version.version_id for version in list_versions(site)] == ["5", "4", "3", "2", "1"]


def test_versions_listed_apart_from_markers_are_ordered_by_time(
    site: Bucket, proxy: FaultProxy
) -> None:
    entries = [
        format_version("a/x", "1", modified_at="2026-11-01T00:00:00Z"),
        format_version("a/x", "3", modified_at="2026-11-03T00:00:00Z"),
        format_version("a/y", "6"),
        format_marker("a/x", "2", modified_at="2026-11-02T00:00:00Z"),
        format_marker("a/x", "4", modified_at="2026-11-03T00:00:00Z"),
        format_marker("a/x", "5", modified_at="2026-11-03T00:00:00Z", latest="true"),
    ]
    proxy.answer("GET", "versions", format_page(*entries))
    assert [version.version_id for version in list_versions(site)] == ["5", "4", "3", "2", "1", "6"]


WRONG_PAGES = {
    "a login page": HTML,
    "nothing at all": "",
    "JSON": "{}",
    "another listing": "<ListBucketResult/>",
    "no content": "<ListVersionsResult/>",
    "no marker": format_page(format_version("a/x", "1"), is_truncated="true"),
    "oddly more": format_page(format_version("a/x", "1"), is_truncated="yes"),
    "no more, yet": format_page(format_version("a/x", "1"), key="a/x"),
    "a loop": format_page(
        format_version("a/x", "1"), is_truncated="true", key="a/x", version_id="1"
    ),
    "outside": format_page(format_version("b/x", "1")),
    "nearly": format_page(format_marker("ab/x", "1")),
    "no version id": format_page(format_version("a/x", "")),
    "time": format_page(format_version("a/x", "1", modified_at="1970-01-01T00:00:00Z")),
    "time zone": format_page(format_marker("a/x", "1", modified_at=TIME[:-1])),
    "short": format_page("<Version><Key>a/x</Key></Version>"),
    "latest or not": format_page(
        format_version("a/x", "1").replace("<IsLatest>false</IsLatest>", "")
    ),
    "comment": format_page("<!--<Version >-->", format_version("a/x", "1")),
    "a comment alone": format_page("<!--<Version >-->"),
    "an entry of nothing": format_page("<Version/>"),
}


@pytest.mark.parametrize("body", WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_invalid_page_is_an_error_with_its_address(
    site: Bucket, proxy: FaultProxy, body: str
) -> None:
    proxy.answer("GET", "versions", body)
    with pytest.raises(ListingError) as caught:
        list_versions(site)
    assert f"s3://{site.name}/a/" in caught.value.message
    assert caught.value.hint


def test_messages_are_the_golden_ones(site: Bucket, proxy: FaultProxy) -> None:
    cases = []
    for case, body in WRONG_PAGES.items():
        proxy.forget_rules()
        proxy.answer("GET", "versions", body)
        with pytest.raises(ListingError) as caught:
            list_versions(site)
        cases.append((case, caught.value))
    assert_messages(__file__, cases)


def test_error_on_a_later_page_is_not_taken_for_the_end(site: Bucket, proxy: FaultProxy) -> None:
    site.enable_versioning()
    site.deploy("a", days=1, files=1001)
    proxy.answer("GET", "key-marker=a", error("AccessDenied"), status=403)
    with pytest.raises(DeniedError):
        list_versions(site)


def test_truncated_page_is_an_error(site: Bucket, proxy: FaultProxy, pauses: list[float]) -> None:
    site.deploy("a", days=1)
    proxy.rewrite("GET", "versions", lambda body: body[: len(body) // 2])
    with pytest.raises(AccessError):
        list_versions(site)


@pytest.mark.parametrize("key", ["a/x", "a/\x01"])
def test_removing_a_marker_restores_the_version_below(bucket: Bucket, key: str) -> None:
    bucket.enable_versioning()
    bucket.put(key, body=b"here")
    marker_id = bucket.client.delete_object(Bucket=bucket.name, Key=key)["VersionId"]
    (outcome,) = make_remover(bucket).remove_versions([(key, marker_id)]).values()
    assert (outcome.outcome, outcome.marker_version_id) == (ObjectOutcome.DELETED, "")
    assert bucket.content()[key][0] == b"here"


def test_marker_removed_alone_is_not_reported_as_created(site: Bucket, proxy: FaultProxy) -> None:
    removed = {"x-amz-delete-marker": "true", "x-amz-version-id": "m1"}
    proxy.answer("DELETE", "versionId=m1", status=204, headers=removed)
    (outcome,) = make_remover(site).remove_versions([("a/\x01", "m1")]).values()
    assert (outcome.outcome, outcome.marker_version_id) == (ObjectOutcome.DELETED, "")


def test_removing_a_version_removes_no_other(bucket: Bucket) -> None:
    bucket.enable_versioning()
    for body in (b"1", b"2", b"3"):
        bucket.put("a/x", body=body)
    before = list_versions(bucket)
    middle = before[1]
    make_remover(bucket).remove_versions([(middle.key, middle.version_id)])
    assert list_versions(bucket) == [version for version in before if version is not middle]


@pytest.mark.parametrize("version_id", ["", "null"])
def test_removal_without_a_version_id_sends_nothing(
    site: Bucket, proxy: FaultProxy, version_id: str
) -> None:
    with pytest.raises(GateError):
        make_remover(site).remove_versions([("a/x", "v1"), ("a/y", version_id)])
    assert proxy.requests == []


def test_null_version_is_removed_only_if_allowed(site: Bucket, proxy: FaultProxy) -> None:
    site.put("a/x")
    outcomes = make_remover(site).remove_versions([("a/x", "null")], is_null_allowed=True)
    assert outcomes["a/x", "null"].outcome is ObjectOutcome.DELETED
    assert b"<VersionId>null</VersionId>" in proxy.requests[0].body
    with pytest.raises(GateError):
        make_remover(site).remove_versions([("a/x", "")], is_null_allowed=True)


def format_result(key: str, version_id: str, kind: str = "Deleted", content: str = "") -> str:
    version_xml = f"<VersionId>{version_id}</VersionId>" if version_id else ""
    return f"<{kind}><Key>{key}</Key>{version_xml}{content}</{kind}>"


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        pytest.param(
            format_result("a/x", "1") + format_result("a/x", "2"), ["deleted", "deleted"], id="both"
        ),
        pytest.param(format_result("a/x", "1"), ["deleted", "unknown"], id="one missing"),
        pytest.param(format_result("a/x", "3"), ["unknown", "unknown"], id="another version"),
        pytest.param(format_result("a/x", ""), ["unknown", "unknown"], id="no version ID"),
        pytest.param(
            format_result("a/x", "", content="<DeleteMarkerVersionId>2</DeleteMarkerVersionId>"),
            ["unknown", "deleted"], id="only a marker ID",
        ),
        pytest.param(
            format_result("a/x", "1", "Error", "<Code>AccessDenied</Code>")
            + format_result("a/x", "2"),
            ["denied", "deleted"], id="one is locked",
        ),
        pytest.param(
            format_result("a/x", "", "Error", "<Code>AccessDenied</Code>")
            + format_result("a/x", "2"),
            ["denied", "denied"], id="locked, no version ID",
        ),
        pytest.param(
            format_result("a/x", "3", "Error", "<Code>AccessDenied</Code>"), ["unknown", "unknown"],
            id="another version is locked",
        ),
        pytest.param(
            format_result("a/x", "2", "Error", "<Code>NoSuchVersion</Code>"), ["unknown", "absent"],
            id="absent",
        ),
    ],
)  # fmt: skip
def test_response_is_matched_by_key_and_version(
    site: Bucket, proxy: FaultProxy, body: str, outcomes: list[str]
) -> None:
    proxy.answer("POST", "delete", delete_result().replace("></", f">{body}</"))
    removed = make_remover(site).remove_versions([("a/x", "1"), ("a/x", "2")])
    assert [outcome.outcome for outcome in removed.values()] == outcomes
    assert not any(outcome.marker_version_id for outcome in removed.values())


def test_bucket_with_mfa_delete_denies_all(site: Bucket, proxy: FaultProxy) -> None:
    text = "Mfa Authentication must be used for this request"
    proxy.answer("POST", "delete", error("AccessDenied", text), status=403)
    removed = make_remover(site).remove_versions([("a/x", "1"), ("a/y", "2")])
    assert {(outcome.outcome, outcome.message) for outcome in removed.values()} == {
        ("denied", f"AccessDenied: {text}")
    }
