"""What the tests' S3 in memory, moto and a real server all do; where moto doesn't, it is named."""

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
    "test_condition_in_a_batch_spares_what_has_changed": "it deletes whatever the ETag says",
    "test_condition_on_a_missing_key_is_an_error_in_a_batch": "as above",
}
SHOWN_IN_MEMORY_ALONE = {
    "test_suspended_deletion_is_final_for_the_null_version_alone": (
        "moto removes real versions, and SeaweedFS names its markers otherwise"
    ),
    "test_key_that_xml_can_not_carry_spoils_its_batch_and_goes_alone": (
        "moto takes it in a batch, SeaweedFS in none"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket of its own on one of the servers, and a client of boto3's."""

    client: object
    bucket: str

    def put(self, *keys: str, body: bytes = b"x") -> None:
        for key in keys:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def ask(self, operation: str, **parameters):
        return getattr(self.client, operation)(Bucket=self.bucket, **parameters)

    def keys(self, **parameters) -> list[str]:
        return [one["Key"] for one in self.ask("list_objects_v2", **parameters).get("Contents", ())]

    def etag(self, key: str) -> str:
        return next(
            one["ETag"]
            for one in self.ask("list_objects_v2", Prefix=key)["Contents"]
            if one["Key"] == key
        )

    def enable_versioning(self) -> None:
        self.ask("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})

    def delete(self, *objects: dict) -> dict:
        return self.ask("delete_objects", Delete={"Objects": list(objects)})

    def versions(self) -> list[tuple[str, str, bool, bool]]:
        """Key, version id, whether it is the latest, whether it is a delete marker."""
        answer = self.ask("list_object_versions")
        return sorted(
            (one["Key"], one["VersionId"], one["IsLatest"], kind == "DeleteMarkers")
            for kind in ("Versions", "DeleteMarkers")
            for one in answer.get(kind, ())
        )


@pytest.fixture(params=["memory", "moto", "seaweedfs"])
def place(request):
    name, test = f"contract-{next(_numbers)}", request.node.originalname
    wrong = MOTO_IS_WRONG.get(test)
    if request.param != "memory" and test in SHOWN_IN_MEMORY_ALONE:
        pytest.skip(SHOWN_IN_MEMORY_ALONE[test])
    if request.param == "moto" and wrong:
        request.node.add_marker(pytest.mark.xfail(reason=wrong, strict=True))
    if request.param == "memory":
        with memory_site.intercept_requests(MemoryS3().answer):
            client = make_client(memory_site.URL)
            client.create_bucket(Bucket=name)
            yield Place(client=client, bucket=name)
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
    yield Place(client=client, bucket=name)


def code_of(caught) -> str:
    return caught.value.response["Error"]["Code"]


def test_listing_is_in_order_and_within_its_prefix(place):
    place.put("b/x", "a/y", "a/x", "ab/x", "a")
    assert place.keys() == ["a", "a/x", "a/y", "ab/x", "b/x"]
    assert place.keys(Prefix="a/") == ["a/x", "a/y"]
    assert place.keys(StartAfter="a/x") == ["a/y", "ab/x", "b/x"]
    assert place.keys(Prefix="nowhere/") == []


def test_pages_go_on_where_the_last_one_ended(place):
    place.put("a/1", "a/2", "b/1", "c")
    seen, token = [], {}
    while True:
        page = place.ask("list_objects_v2", MaxKeys=1, Delimiter="/", **token)
        seen += [one["Prefix"] for one in page.get("CommonPrefixes", ())]
        seen += [one["Key"] for one in page.get("Contents", ())]
        if not page["IsTruncated"]:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert seen == ["a/", "b/", "c"]


def test_flat_pages_hold_every_key_once(place):
    keys = [f"a/{number}" for number in range(5)]
    place.put(*keys)
    first = place.ask("list_objects_v2", MaxKeys=3)
    rest = place.ask("list_objects_v2", MaxKeys=3, ContinuationToken=first["NextContinuationToken"])
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    assert [one["Key"] for page in (first, rest) for one in page["Contents"]] == keys


def test_metadata_and_length_are_those_of_the_upload(place):
    place.put("a")
    place.ask("put_object", Key="b", Body=b"12345", Metadata={"writer": "run-1"})
    for operation in ("get_object", "head_object"):
        answer = place.ask(operation, Key="b")
        assert (answer["Metadata"], answer["ContentLength"]) == ({"writer": "run-1"}, 5)
        assert place.ask(operation, Key="a")["Metadata"] == {}


def test_odd_keys_come_back_as_they_are(place):
    place.put(*(f"a/{key}" for key in UNUSUAL_KEYS))
    assert place.keys() == sorted(f"a/{key}" for key in UNUSUAL_KEYS)


def test_entry_has_size_time_and_the_bytes_md5(place):
    place.put("a", body=b"12345")
    (one,) = place.ask("list_objects_v2")["Contents"]
    assert (one["Size"], one["ETag"]) == (5, '"827ccb0eea8a706c4c34a16891f84e7b"')
    assert one["LastModified"].tzinfo is not None
    assert place.ask("get_object", Key="a")["Body"].read() == b"12345"


def test_batch_says_of_each_key_that_it_is_gone_even_of_a_missing_one(place):
    place.put("a", "b")
    said = place.delete({"Key": "a"}, {"Key": "nowhere"})
    assert sorted(one["Key"] for one in said["Deleted"]) == ["a", "nowhere"]
    assert "Errors" not in said
    assert place.keys() == ["b"]


def test_condition_in_a_batch_spares_what_has_changed(place):
    place.put("a", "b")
    etag = place.etag("a")
    place.put("b", body=b"other")
    said = place.delete({"Key": "a", "ETag": etag}, {"Key": "b", "ETag": etag})
    assert [one["Key"] for one in said["Deleted"]] == ["a"]
    assert [(one["Key"], one["Code"]) for one in said["Errors"]] == [("b", "PreconditionFailed")]
    assert place.keys() == ["b"]


def test_condition_on_a_missing_key_is_an_error_in_a_batch(place):
    said = place.delete({"Key": "nowhere", "ETag": f'"{"0" * 32}"'})
    assert said["Errors"][0]["Code"] in ("NoSuchKey", "PreconditionFailed")
    assert "Deleted" not in said


def test_condition_on_a_single_deletion_spares_what_has_changed(place):
    place.put("a")
    etag = place.etag("a")
    place.put("a", body=b"other")
    with pytest.raises(ClientError) as caught:
        place.ask("delete_object", Key="a", IfMatch=etag)
    assert code_of(caught) == "PreconditionFailed"
    assert place.keys() == ["a"]
    place.ask("delete_object", Key="a", IfMatch=place.etag("a"))
    assert place.keys() == []


def test_deletion_makes_a_marker_and_removing_that_brings_the_version_back(place):
    place.enable_versioning()
    place.put("a", body=b"1")
    place.put("a", body=b"2")
    before = place.versions()
    (said,) = place.delete({"Key": "a"})["Deleted"]
    marker = said["DeleteMarkerVersionId"]
    assert said["DeleteMarker"]
    assert place.keys() == []
    assert ("a", marker, True, True) in place.versions()
    assert [latest for _, _, latest, _ in place.versions()].count(True) == 1
    place.delete({"Key": "a", "VersionId": marker})
    assert place.versions() == before
    assert place.ask("get_object", Key="a")["Body"].read() == b"2"


def test_deletions_stack_their_markers(place):
    place.enable_versioning()
    place.put("a")
    made = [place.ask("delete_object", Key="a")["VersionId"] for _ in range(2)]
    found = {version_id: latest for _, version_id, latest, is_marker in place.versions()
             if is_marker}  # fmt: skip
    assert found == {made[0]: False, made[1]: True}


def test_versions_of_a_key_stand_newest_first_page_by_page(place):
    place.enable_versioning()
    for number in range(3):
        place.put("a", "b", body=str(number).encode())
    seen, marker = [], {}
    while True:
        page = place.ask("list_object_versions", MaxKeys=2, **marker)
        seen += [(one["Key"], one["IsLatest"]) for one in page["Versions"]]
        if not page["IsTruncated"]:
            break
        marker = {
            "KeyMarker": page["NextKeyMarker"],
            "VersionIdMarker": page["NextVersionIdMarker"],
        }
    assert seen == [(key, number == 0) for key in "ab" for number in range(3)]


def test_versioning_is_told(place):
    assert "Status" not in place.ask("get_bucket_versioning")
    place.enable_versioning()
    assert place.ask("get_bucket_versioning")["Status"] == "Enabled"


def test_suspended_deletion_is_final_for_the_null_version_alone(place):
    place.enable_versioning()
    place.put("a")
    (kept,) = place.versions()
    place.ask("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"})
    place.put("a", body=b"null version")
    place.ask("delete_object", Key="a")
    assert place.versions() == [("a", "null", True, True), (*kept[:2], False, False)]


def test_bucket_without_rules_says_so(place):
    with pytest.raises(ClientError) as caught:
        place.ask("get_bucket_lifecycle_configuration")
    assert code_of(caught) == "NoSuchLifecycleConfiguration"


def test_upload_that_was_begun_is_listed_until_it_is_aborted(place):
    upload_id = place.ask("create_multipart_upload", Key="a/b")["UploadId"]
    (one,) = place.ask("list_multipart_uploads", Prefix="a/")["Uploads"]
    assert (one["Key"], one["UploadId"]) == ("a/b", upload_id)
    place.ask("abort_multipart_upload", Key="a/b", UploadId=upload_id)
    assert place.ask("list_multipart_uploads").get("Uploads", []) == []


def test_object_is_not_overwritten_where_none_may_be_there(place):
    place.ask("put_object", Key="a", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        place.ask("put_object", Key="a", Body=b"2", IfNoneMatch="*")
    assert code_of(caught) == "PreconditionFailed"
    assert place.ask("get_object", Key="a")["Body"].read() == b"1"


def test_key_that_xml_can_not_carry_spoils_its_batch_and_goes_alone(place):
    place.put("a/\x01", "a/x")
    with pytest.raises(ClientError) as caught:
        place.delete({"Key": "a/x"}, {"Key": "a/\x01"})
    assert code_of(caught) == "MalformedXML"
    place.ask("delete_object", Key="a/\x01")
    assert place.keys() == ["a/x"]


def test_missing_bucket_is_told(place):
    with pytest.raises(ClientError) as caught:
        place.client.list_objects_v2(Bucket="no-such-bucket-here")
    assert code_of(caught) == "NoSuchBucket"
