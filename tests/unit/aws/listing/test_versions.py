"""Versions: a listing that can't be trusted is an error, and only what has an id is removed."""

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


def reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def listed(bucket: Bucket, prefix: str = "a/") -> list[StoredVersion]:
    return [one for page in reader(bucket).list_versions(prefix) for one in page]


def remover(bucket: Bucket) -> VersionRemover:
    return reader(bucket).open_version_remover()


def version(key: str, number: str, *, when: str = TIME, latest: str = "false") -> str:
    return (
        f"<Version><Key>{key}</Key><VersionId>{number}</VersionId><IsLatest>{latest}</IsLatest>"
        f'<LastModified>{when}</LastModified><ETag>"e"</ETag><Size>1</Size></Version>'
    )


def marker(key: str, number: str, *, when: str = TIME, latest: str = "false") -> str:
    return (
        f"<DeleteMarker><Key>{key}</Key><VersionId>{number}</VersionId>"
        f"<IsLatest>{latest}</IsLatest><LastModified>{when}</LastModified></DeleteMarker>"
    )


def listing(*entries: str, more: str = "false", key: str = "", number: str = "") -> str:
    markers = f"<NextKeyMarker>{key}</NextKeyMarker>" if key else ""
    markers += f"<NextVersionIdMarker>{number}</NextVersionIdMarker>" if number else ""
    return (
        f"<ListVersionsResult {NAMESPACE}><IsTruncated>{more}</IsTruncated>{markers}"
        f"{''.join(entries)}</ListVersionsResult>"
    )


def list_folders(bucket: Bucket, prefix: str) -> list[frozenset[str]]:
    return [*reader(bucket).list_version_folders(prefix)]


def folders(*names: str) -> str:
    return "".join(f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in names)


def test_folders_that_begin_so_are_listed_if_all_in_them_is_deleted(bucket: Bucket) -> None:
    bucket.enable_versioning()
    for key in ("app/a/x", "app/ab/x", "app/ab/y/z", "app/ab.txt", "app/b/x", "ab/x"):
        bucket.put(key)
    bucket.client.delete_object(Bucket=bucket.name, Key="app/a/x")
    assert list_folders(bucket, "app/a") == [{"app/a/", "app/ab/"}]
    assert list_folders(bucket, "app/") == [{"app/a/", "app/ab/", "app/b/"}]
    assert list_folders(bucket, "app/c") == [frozenset()]


def test_page_that_ends_with_a_folder_is_followed_by_its_name_alone(
    site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("GET", "versions", listing(folders("a1/"), more="true", key="a1/"), nth=1)
    proxy.answer("GET", "versions", listing(version("a2", "v"), more="true", key="a2", number="v"),
                 nth=2)  # fmt: skip
    proxy.answer("GET", "versions", listing(folders("a3/"), more="true", key="a3/"), nth=3)
    proxy.answer("GET", "versions", listing(folders("a4/")), nth=4)
    assert list_folders(site, "a") == [{"a1/"}, frozenset(), {"a3/"}, {"a4/"}]
    targets = [request.target for request in proxy.requests]
    assert ["version-id-marker" in target for target in targets] == [False, False, True, False]


def test_folders_are_listed_by_a_server_that_ignores_the_delimiter(
    site: Bucket, proxy: FaultProxy
) -> None:
    entries = [version("a1/x", "1"), marker("a1/y/z", "2"), marker("a2/x", "3"), version("a3", "4")]
    proxy.answer("GET", "versions", listing(*entries))
    assert list_folders(site, "a") == [{"a1/", "a2/"}]


@pytest.mark.parametrize("name", ["b/", "a1", "a1/b/", "A1/", "a1//", ""])
def test_folder_that_is_not_there_is_an_error(site: Bucket, proxy: FaultProxy, name: str) -> None:
    proxy.answer("GET", "versions", listing(folders(name)))
    with pytest.raises(ListingError):
        list_folders(site, "a")


def test_every_version_and_marker_is_listed_with_what_it_is(bucket: Bucket) -> None:
    bucket.enable_versioning()
    bucket.put("a/x", body=b"one")
    bucket.put("a/x", body=b"three")
    bucket.client.delete_object(Bucket=bucket.name, Key="a/x")
    bucket.put("ab/x")
    newest, *older = listed(bucket)
    assert (newest.key, newest.is_delete_marker, newest.is_latest) == ("a/x", True, True)
    assert (newest.etag, newest.size_bytes) == ("", 0)
    assert {(one.is_delete_marker, one.is_latest) for one in older} == {(False, False)}
    assert {one.size_bytes for one in older} == {3, 5}
    assert all(one.etag and one.version_id for one in older)


@pytest.mark.parametrize("key", ["a/+", "a/b c", "a/%2F", "a/&<c>", "a/é", "a/😀", "a//b"])
def test_odd_keys_come_back_as_they_are(bucket: Bucket, key: str) -> None:
    bucket.enable_versioning()
    bucket.put(key)
    assert [one.key for one in listed(bucket)] == [key]


def test_key_that_xml_cannot_carry_is_decoded(site: Bucket, proxy: FaultProxy) -> None:
    body = listing("<EncodingType>url</EncodingType>", version("a/%01+%2B", "1"))
    proxy.answer("GET", "versions.*encoding-type=url", body)
    assert [one.key for one in listed(site)] == ["a/\x01 +"]


def test_every_page_is_read(bucket: Bucket) -> None:
    bucket.enable_versioning()
    bucket.deploy("a", days=1, files=1001)
    bucket.deploy("a", days=0, files=1001)
    assert len({(one.key, one.version_id) for one in listed(bucket)}) == 2002


def test_order_of_versions_and_markers_is_the_one_that_they_were_stored_in(
    site: Bucket, proxy: FaultProxy
) -> None:
    entries = [
        marker("a/x", "5", latest="true"),
        version("a/x", "4", when="2026-11-01T00:00:00Z"),
        marker("a/x", "3"),
        version("a/x", "2"),
        version("a/y", "1"),
    ]
    proxy.answer("GET", "versions", listing(*entries))
    assert [one.version_id for one in listed(site)] == ["5", "4", "3", "2", "1"]


def test_server_that_parts_versions_from_markers_is_read_by_time(
    site: Bucket, proxy: FaultProxy
) -> None:
    entries = [
        version("a/x", "1", when="2026-11-01T00:00:00Z"),
        version("a/x", "3", when="2026-11-03T00:00:00Z"),
        version("a/y", "6"),
        marker("a/x", "2", when="2026-11-02T00:00:00Z"),
        marker("a/x", "4", when="2026-11-03T00:00:00Z"),
        marker("a/x", "5", when="2026-11-03T00:00:00Z", latest="true"),
    ]
    proxy.answer("GET", "versions", listing(*entries))
    assert [one.version_id for one in listed(site)] == ["5", "4", "3", "2", "1", "6"]


WRONG_PAGES = {
    "a login page": HTML,
    "nothing at all": "",
    "JSON": "{}",
    "another listing": "<ListBucketResult/>",
    "no content": "<ListVersionsResult/>",
    "no marker": listing(version("a/x", "1"), more="true"),
    "oddly more": listing(version("a/x", "1"), more="yes"),
    "no more, yet": listing(version("a/x", "1"), key="a/x"),
    "a loop": listing(version("a/x", "1"), more="true", key="a/x", number="1"),
    "outside": listing(version("b/x", "1")),
    "nearly": listing(marker("ab/x", "1")),
    "no version id": listing(version("a/x", "")),
    "time": listing(version("a/x", "1", when="1970-01-01T00:00:00Z")),
    "time zone": listing(marker("a/x", "1", when=TIME[:-1])),
    "short": listing("<Version><Key>a/x</Key></Version>"),
    "latest or not": listing(version("a/x", "1").replace("<IsLatest>false</IsLatest>", "")),
    "comment": listing("<!--<Version >-->", version("a/x", "1")),
    "a comment alone": listing("<!--<Version >-->"),
    "an entry of nothing": listing("<Version/>"),
}


@pytest.mark.parametrize("body", WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_page_that_cannot_be_trusted_is_an_error_that_says_where(
    site: Bucket, proxy: FaultProxy, body: str
) -> None:
    proxy.answer("GET", "versions", body)
    with pytest.raises(ListingError) as caught:
        listed(site)
    assert f"s3://{site.name}/a/" in caught.value.message
    assert caught.value.hint


def test_messages_are_the_golden_ones(site: Bucket, proxy: FaultProxy) -> None:
    cases = []
    for case, body in WRONG_PAGES.items():
        proxy.forget_rules()
        proxy.answer("GET", "versions", body)
        with pytest.raises(ListingError) as caught:
            listed(site)
        cases.append((case, caught.value))
    assert_messages(__file__, cases)


def test_error_on_a_later_page_is_not_the_end(site: Bucket, proxy: FaultProxy) -> None:
    site.enable_versioning()
    site.deploy("a", days=1, files=1001)
    proxy.answer("GET", "key-marker=a", error("AccessDenied"), status=403)
    with pytest.raises(DeniedError):
        listed(site)


def test_cut_off_page_is_an_error(site: Bucket, proxy: FaultProxy, pauses: list[float]) -> None:
    site.deploy("a", days=1)
    proxy.rewrite("GET", "versions", lambda body: body[: len(body) // 2])
    with pytest.raises(AccessError):
        listed(site)


@pytest.mark.parametrize("key", ["a/x", "a/\x01"])
def test_removing_a_marker_brings_back_the_version_below(bucket: Bucket, key: str) -> None:
    bucket.enable_versioning()
    bucket.put(key, body=b"here")
    made = bucket.client.delete_object(Bucket=bucket.name, Key=key)["VersionId"]
    (said,) = remover(bucket).remove_versions([(key, made)]).values()
    assert (said.outcome, said.marker_version_id) == (ObjectOutcome.DELETED, "")
    assert bucket.content()[key][0] == b"here"


def test_marker_removed_alone_is_not_told_as_one_that_was_made(
    site: Bucket, proxy: FaultProxy
) -> None:
    removed = {"x-amz-delete-marker": "true", "x-amz-version-id": "m1"}
    proxy.answer("DELETE", "versionId=m1", status=204, headers=removed)
    (said,) = remover(site).remove_versions([("a/\x01", "m1")]).values()
    assert (said.outcome, said.marker_version_id) == (ObjectOutcome.DELETED, "")


def test_removing_a_version_takes_that_one_alone(bucket: Bucket) -> None:
    bucket.enable_versioning()
    for body in (b"1", b"2", b"3"):
        bucket.put("a/x", body=body)
    before = listed(bucket)
    middle = before[1]
    remover(bucket).remove_versions([(middle.key, middle.version_id)])
    assert listed(bucket) == [one for one in before if one is not middle]


@pytest.mark.parametrize("version_id", ["", "null"])
def test_removal_that_names_no_version_is_refused_whole(
    site: Bucket, proxy: FaultProxy, version_id: str
) -> None:
    with pytest.raises(GateError):
        remover(site).remove_versions([("a/x", "v1"), ("a/y", version_id)])
    assert proxy.requests == []


def test_null_version_may_be_named_on_purpose(site: Bucket, proxy: FaultProxy) -> None:
    site.put("a/x")
    outcomes = remover(site).remove_versions([("a/x", "null")], is_null_allowed=True)
    assert outcomes["a/x", "null"].outcome is ObjectOutcome.DELETED
    assert b"<VersionId>null</VersionId>" in proxy.requests[0].body
    with pytest.raises(GateError):
        remover(site).remove_versions([("a/x", "")], is_null_allowed=True)


def entry(key: str, number: str, kind: str = "Deleted", more: str = "") -> str:
    named = f"<VersionId>{number}</VersionId>" if number else ""
    return f"<{kind}><Key>{key}</Key>{named}{more}</{kind}>"


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        pytest.param(entry("a/x", "1") + entry("a/x", "2"), ["deleted", "deleted"], id="both"),
        pytest.param(entry("a/x", "1"), ["deleted", "unknown"], id="one left out"),
        pytest.param(entry("a/x", "3"), ["unknown", "unknown"], id="another version"),
        pytest.param(entry("a/x", ""), ["unknown", "unknown"], id="which version?"),
        pytest.param(
            entry("a/x", "", more="<DeleteMarkerVersionId>2</DeleteMarkerVersionId>"),
            ["unknown", "deleted"], id="a marker's id alone",
        ),
        pytest.param(
            entry("a/x", "1", "Error", "<Code>AccessDenied</Code>") + entry("a/x", "2"),
            ["denied", "deleted"], id="one is locked",
        ),
        pytest.param(
            entry("a/x", "", "Error", "<Code>AccessDenied</Code>") + entry("a/x", "2"),
            ["denied", "denied"], id="which is locked?",
        ),
        pytest.param(
            entry("a/x", "3", "Error", "<Code>AccessDenied</Code>"), ["unknown", "unknown"],
            id="another version is locked",
        ),
        pytest.param(
            entry("a/x", "2", "Error", "<Code>NoSuchVersion</Code>"), ["unknown", "absent"],
            id="gone",
        ),
    ],
)  # fmt: skip
def test_answer_is_matched_by_key_and_version(
    site: Bucket, proxy: FaultProxy, body: str, outcomes: list[str]
) -> None:
    proxy.answer("POST", "delete", delete_result().replace("></", f">{body}</"))
    said = remover(site).remove_versions([("a/x", "1"), ("a/x", "2")])
    assert [one.outcome for one in said.values()] == outcomes
    assert not any(one.marker_version_id for one in said.values())


def test_bucket_that_wants_mfa_denies_all(site: Bucket, proxy: FaultProxy) -> None:
    told = "Mfa Authentication must be used for this request"
    proxy.answer("POST", "delete", error("AccessDenied", told), status=403)
    said = remover(site).remove_versions([("a/x", "1"), ("a/y", "2")])
    assert {(one.outcome, one.message) for one in said.values()} == {
        ("denied", f"AccessDenied: {told}")
    }
