"""Rules that the tests' S3 in memory, moto and a real server follow, with moto's exceptions."""

import itertools
from dataclasses import dataclass

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.s3 import memory_site
from tests.support.s3.bucket import make_client
from tests.support.s3.memory_s3 import MemoryS3
from tests.system.real_s3.conftest import UNUSUAL_KEYS

_numbers = itertools.count(1)
MOTO_IS_WRONG = {
    "test_condition_in_a_batch_keeps_a_changed_object": "it deletes whatever the ETag says",
    "test_condition_on_a_missing_key_is_an_error_in_a_batch": "as above",
}
ONLY_IN_MEMORY = {
    "test_delete_with_suspended_versioning_replaces_only_the_null_version": (
        "moto removes real versions, SeaweedFS gives its markers other ids"
    ),
    "test_key_invalid_in_xml_fails_its_batch_and_is_deleted_singly": (
        "moto accepts it in a batch, SeaweedFS accepts it in none"
    ),
}


@dataclass(frozen=True, kw_only=True)
class ServerBucket:
    """A new bucket on one of the servers, and a boto3 client for it."""

    client: object
    name: str

    def put(self, *keys: str, body: bytes = b"x") -> None:
        for key in keys:
            self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def call(self, operation: str, **parameters):
        return getattr(self.client, operation)(Bucket=self.name, **parameters)

    def list_keys(self, **parameters) -> list[str]:
        page = self.call("list_objects_v2", **parameters)
        return [entry["Key"] for entry in page.get("Contents", ())]

    def read_etag(self, key: str) -> str:
        return next(
            entry["ETag"]
            for entry in self.call("list_objects_v2", Prefix=key)["Contents"]
            if entry["Key"] == key
        )

    def enable_versioning(self) -> None:
        self.call("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})

    def delete(self, *objects: dict) -> dict:
        return self.call("delete_objects", Delete={"Objects": list(objects)})

    def list_versions(self) -> list[tuple[str, str, bool, bool]]:
        """Return key, version id, whether it is the latest, whether it is a delete marker."""
        page = self.call("list_object_versions")
        return sorted(
            (entry["Key"], entry["VersionId"], entry["IsLatest"], kind == "DeleteMarkers")
            for kind in ("Versions", "DeleteMarkers")
            for entry in page.get(kind, ())
        )


@pytest.fixture(params=["memory", "moto", "seaweedfs"])
def bucket(request):
    name, test = f"contract-{next(_numbers)}", request.node.originalname
    reason = MOTO_IS_WRONG.get(test)
    if request.param != "memory" and test in ONLY_IN_MEMORY:
        pytest.skip(ONLY_IN_MEMORY[test])
    if request.param == "moto" and reason:
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    if request.param == "memory":
        with memory_site.intercept_requests(MemoryS3().answer):
            client = make_client(memory_site.URL)
            client.create_bucket(Bucket=name)
            yield ServerBucket(client=client, name=name)
        return
    if request.param == "moto":
        client = boto3.client(
            "s3",
            endpoint_url=request.getfixturevalue("moto_url"),
            config=Config(s3={"addressing_style": "path"}),
        )
    else:
        client = request.getfixturevalue("seaweedfs").client
    client.create_bucket(Bucket=name)
    yield ServerBucket(client=client, name=name)


def get_error_code(error) -> str:
    return error.value.response["Error"]["Code"]


def test_listing_is_sorted_and_limited_to_its_prefix(bucket):
    bucket.put("b/x", "a/y", "a/x", "ab/x", "a")
    assert bucket.list_keys() == ["a", "a/x", "a/y", "ab/x", "b/x"]
    assert bucket.list_keys(Prefix="a/") == ["a/x", "a/y"]
    assert bucket.list_keys(StartAfter="a/x") == ["a/y", "ab/x", "b/x"]
    assert bucket.list_keys(Prefix="nowhere/") == []


def test_next_page_continues_after_the_previous_page(bucket):
    bucket.put("a/1", "a/2", "b/1", "c")
    listed, token = [], {}
    while True:
        page = bucket.call("list_objects_v2", MaxKeys=1, Delimiter="/", **token)
        listed += [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
        listed += [entry["Key"] for entry in page.get("Contents", ())]
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert listed == ["a/", "b/", "c"]


def test_flat_pages_hold_every_key_once(bucket):
    keys = [f"a/{number}" for number in range(5)]
    bucket.put(*keys)
    first = bucket.call("list_objects_v2", MaxKeys=3)
    token = first["NextContinuationToken"]
    second = bucket.call("list_objects_v2", MaxKeys=3, ContinuationToken=token)
    assert (first["IsTruncated"], second["IsTruncated"]) == (True, False)
    assert [entry["Key"] for page in (first, second) for entry in page["Contents"]] == keys


def test_metadata_and_length_are_those_of_the_upload(bucket):
    bucket.put("a")
    bucket.call("put_object", Key="b", Body=b"12345", Metadata={"writer": "run-1"})
    for operation in ("get_object", "head_object"):
        response = bucket.call(operation, Key="b")
        assert (response["Metadata"], response["ContentLength"]) == ({"writer": "run-1"}, 5)
        assert bucket.call(operation, Key="a")["Metadata"] == {}


def test_unusual_keys_are_listed_unchanged(bucket):
    bucket.put(*(f"a/{key}" for key in UNUSUAL_KEYS))
    assert bucket.list_keys() == sorted(f"a/{key}" for key in UNUSUAL_KEYS)


def test_entry_has_size_time_and_the_bytes_md5(bucket):
    bucket.put("a", body=b"12345")
    (entry,) = bucket.call("list_objects_v2")["Contents"]
    assert (entry["Size"], entry["ETag"]) == (5, '"827ccb0eea8a706c4c34a16891f84e7b"')
    assert entry["LastModified"].tzinfo is not None
    assert bucket.call("get_object", Key="a")["Body"].read() == b"12345"


def test_batch_reports_every_key_as_deleted_even_a_missing_one(bucket):
    bucket.put("a", "b")
    response = bucket.delete({"Key": "a"}, {"Key": "nowhere"})
    assert sorted(entry["Key"] for entry in response["Deleted"]) == ["a", "nowhere"]
    assert "Errors" not in response
    assert bucket.list_keys() == ["b"]


def test_condition_in_a_batch_keeps_a_changed_object(bucket):
    bucket.put("a", "b")
    etag = bucket.read_etag("a")
    bucket.put("b", body=b"other")
    response = bucket.delete({"Key": "a", "ETag": etag}, {"Key": "b", "ETag": etag})
    assert [entry["Key"] for entry in response["Deleted"]] == ["a"]
    assert [(entry["Key"], entry["Code"]) for entry in response["Errors"]] == [
        ("b", "PreconditionFailed")
    ]
    assert bucket.list_keys() == ["b"]


def test_condition_on_a_missing_key_is_an_error_in_a_batch(bucket):
    response = bucket.delete({"Key": "nowhere", "ETag": f'"{"0" * 32}"'})
    assert response["Errors"][0]["Code"] in ("NoSuchKey", "PreconditionFailed")
    assert "Deleted" not in response


def test_condition_on_a_single_deletion_keeps_a_changed_object(bucket):
    bucket.put("a")
    etag = bucket.read_etag("a")
    bucket.put("a", body=b"other")
    with pytest.raises(ClientError) as error:
        bucket.call("delete_object", Key="a", IfMatch=etag)
    assert get_error_code(error) == "PreconditionFailed"
    assert bucket.list_keys() == ["a"]
    bucket.call("delete_object", Key="a", IfMatch=bucket.read_etag("a"))
    assert bucket.list_keys() == []


def test_delete_creates_a_marker_and_removing_it_restores_the_version(bucket):
    bucket.enable_versioning()
    bucket.put("a", body=b"1")
    bucket.put("a", body=b"2")
    before = bucket.list_versions()
    (deleted,) = bucket.delete({"Key": "a"})["Deleted"]
    marker = deleted["DeleteMarkerVersionId"]
    assert deleted["DeleteMarker"]
    assert bucket.list_keys() == []
    assert ("a", marker, True, True) in bucket.list_versions()
    assert [is_latest for _, _, is_latest, _ in bucket.list_versions()].count(True) == 1
    bucket.delete({"Key": "a", "VersionId": marker})
    assert bucket.list_versions() == before
    assert bucket.call("get_object", Key="a")["Body"].read() == b"2"


def test_each_delete_adds_a_marker(bucket):
    bucket.enable_versioning()
    bucket.put("a")
    marker_ids = [bucket.call("delete_object", Key="a")["VersionId"] for _ in range(2)]
    is_latest_by_id = {
        version_id: is_latest
        for _, version_id, is_latest, is_marker in bucket.list_versions()
        if is_marker
    }
    assert is_latest_by_id == {marker_ids[0]: False, marker_ids[1]: True}


def test_versions_of_a_key_are_listed_newest_first_across_pages(bucket):
    bucket.enable_versioning()
    for number in range(3):
        bucket.put("a", "b", body=str(number).encode())
    listed, marker = [], {}
    while True:
        page = bucket.call("list_object_versions", MaxKeys=2, **marker)
        listed += [(entry["Key"], entry["IsLatest"]) for entry in page["Versions"]]
        if not page["IsTruncated"]:
            break
        marker = {
            "KeyMarker": page["NextKeyMarker"],
            "VersionIdMarker": page["NextVersionIdMarker"],
        }
    assert listed == [(key, number == 0) for key in "ab" for number in range(3)]


def test_versioning_status_is_returned(bucket):
    assert "Status" not in bucket.call("get_bucket_versioning")
    bucket.enable_versioning()
    assert bucket.call("get_bucket_versioning")["Status"] == "Enabled"


def test_delete_with_suspended_versioning_replaces_only_the_null_version(bucket):
    bucket.enable_versioning()
    bucket.put("a")
    (kept,) = bucket.list_versions()
    bucket.call("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"})
    bucket.put("a", body=b"null version")
    bucket.call("delete_object", Key="a")
    assert bucket.list_versions() == [("a", "null", True, True), (*kept[:2], False, False)]


def test_bucket_without_lifecycle_rules_returns_an_error_code(bucket):
    with pytest.raises(ClientError) as error:
        bucket.call("get_bucket_lifecycle_configuration")
    assert get_error_code(error) == "NoSuchLifecycleConfiguration"


def test_unfinished_upload_is_listed_until_it_is_aborted(bucket):
    upload_id = bucket.call("create_multipart_upload", Key="a/b")["UploadId"]
    (upload,) = bucket.call("list_multipart_uploads", Prefix="a/")["Uploads"]
    assert (upload["Key"], upload["UploadId"]) == ("a/b", upload_id)
    bucket.call("abort_multipart_upload", Key="a/b", UploadId=upload_id)
    assert bucket.call("list_multipart_uploads").get("Uploads", []) == []


def test_conditional_put_does_not_overwrite_an_object(bucket):
    bucket.call("put_object", Key="a", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        bucket.call("put_object", Key="a", Body=b"2", IfNoneMatch="*")
    assert get_error_code(error) == "PreconditionFailed"
    assert bucket.call("get_object", Key="a")["Body"].read() == b"1"


def test_key_invalid_in_xml_fails_its_batch_and_is_deleted_singly(bucket):
    bucket.put("a/\x01", "a/x")
    with pytest.raises(ClientError) as error:
        bucket.delete({"Key": "a/x"}, {"Key": "a/\x01"})
    assert get_error_code(error) == "MalformedXML"
    bucket.call("delete_object", Key="a/\x01")
    assert bucket.list_keys() == ["a/x"]


def test_missing_bucket_is_an_error(bucket):
    with pytest.raises(ClientError) as error:
        bucket.client.list_objects_v2(Bucket="no-such-bucket-here")
    assert get_error_code(error) == "NoSuchBucket"
