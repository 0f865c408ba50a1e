"""Conditions, versions and uploads on a real S3 server, which honours conditions in batches too."""

import itertools

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.lifecycle.noncurrent import find_noncurrent_term
from ci3.core.model.deployment import NoncurrentExpiration, Versioning
from ci3.core.model.result import DeleteGuard, ObjectOutcome
from ci3.errors import JournalError
from tests.support.s3.seaweedfs import ADMIN, READER

_numbers = itertools.count(1)
VERSIONINGS = [Versioning.DISABLED, Versioning.ENABLED]


@pytest.fixture
def make_bucket(seaweedfs, monkeypatch):
    """Return a function that makes a bucket and its reader, with other credentials if given."""

    def make(versioning=Versioning.DISABLED, credentials=ADMIN):
        for name, value in seaweedfs.environ(credentials).items():
            monkeypatch.setenv(name, value)
        bucket = f"conditions-{next(_numbers)}"
        seaweedfs.client.create_bucket(Bucket=bucket)
        if versioning is Versioning.ENABLED:
            status = {"Status": "Enabled"}
            seaweedfs.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
        return BucketReader(bucket=bucket, region="us-east-1", endpoint_url=seaweedfs.url)

    return make


def put(seaweedfs, reader, content):
    for key, body in content.items():
        seaweedfs.client.put_object(Bucket=reader.bucket, Key=key, Body=body)


def list_objects(reader, prefix=""):
    return [s3_object for page in reader.list_pages(prefix) for s3_object in page.objects]


def list_versions(reader, prefix=""):
    return [version for page in reader.list_versions(prefix) for version in page]


def open_probed_writer(reader, versioning):
    writer = reader.open_writer()
    probe = writer.probe_conditional_deletes("", versioning)
    assert probe.guard is DeleteGuard.ETAG
    return writer


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_batch_deletes_unchanged_objects_and_leaves_changed_ones(
    seaweedfs, make_bucket, versioning
):
    reader = make_bucket(versioning)
    put(seaweedfs, reader, {f"a/{number}": b"old" for number in range(5)})
    objects = list_objects(reader)
    put(seaweedfs, reader, {"a/1": b"new", "a/3": b"new"})

    outcomes = open_probed_writer(reader, versioning).delete_objects(objects)

    # This server also fails the condition for a missing key, so that a changed key is unknown.
    assert [outcomes[s3_object.key].outcome for s3_object in objects] == [
        "deleted",
        "unknown",
        "deleted",
        "unknown",
        "deleted",
    ]
    assert seaweedfs.content(reader.bucket) == {"a/1": b"new", "a/3": b"new"}


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_probe_leaves_nothing_behind(make_bucket, versioning):
    reader = make_bucket(versioning)
    open_probed_writer(reader, versioning)
    assert list_versions(reader) == []


def test_read_only_credentials_have_no_guard(make_bucket):
    reader = make_bucket(credentials=READER)
    probe = reader.open_writer().probe_conditional_deletes("", Versioning.DISABLED)
    assert probe.guard is DeleteGuard.NONE
    assert probe.is_denied


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_already_deleted_object_is_absent(seaweedfs, make_bucket, versioning):
    reader = make_bucket(versioning)
    put(seaweedfs, reader, {"a/x": b"x", "a/y": b"y"})
    writer, objects = open_probed_writer(reader, versioning), list_objects(reader)
    first = writer.delete_objects(objects).values()
    assert {outcome.outcome for outcome in first} == {ObjectOutcome.DELETED}
    before = list_versions(reader)
    second = writer.delete_objects(objects).values()
    assert {outcome.outcome for outcome in second} == {ObjectOutcome.ABSENT}
    assert list_versions(reader) == before


def test_single_deletion_of_a_changed_object_leaves_it(seaweedfs, make_bucket):
    reader = make_bucket()
    put(seaweedfs, reader, {"a/x\r": b"old"})
    (listed,) = list_objects(reader)
    put(seaweedfs, reader, {listed.key: b"new"})
    outcomes = open_probed_writer(reader, Versioning.DISABLED).delete_objects([listed])
    assert outcomes[listed.key].outcome in (ObjectOutcome.CHANGED, ObjectOutcome.UNKNOWN)
    assert seaweedfs.content(reader.bucket) == {listed.key: b"new"}


def test_removing_markers_by_id_restores_every_object(seaweedfs, make_bucket):
    reader = make_bucket(Versioning.ENABLED)
    put(seaweedfs, reader, {f"a/{name}": name.encode() for name in ("x", "é 1+1", "%2F")})
    put(seaweedfs, reader, {"a/x": b"newer"})
    before, content = list_versions(reader), seaweedfs.content(reader.bucket)
    outcomes = open_probed_writer(reader, Versioning.ENABLED).delete_objects(list_objects(reader))
    assert seaweedfs.content(reader.bucket) == {}
    markers = [version for version in list_versions(reader) if version.is_delete_marker]
    assert {(marker.key, marker.version_id) for marker in markers} == {
        (key, outcome.marker_version_id) for key, outcome in outcomes.items()
    }
    assert all(marker.is_latest for marker in markers)

    version_ids = [(marker.key, marker.version_id) for marker in markers]
    removed = reader.open_version_remover().remove_versions(version_ids)

    assert {version_id: outcome.outcome for version_id, outcome in removed.items()} == (
        dict.fromkeys(version_ids, "deleted")
    )
    assert list_versions(reader) == before
    assert seaweedfs.content(reader.bucket) == content


def test_versions_are_listed_newest_first(seaweedfs, make_bucket):
    reader = make_bucket(Versioning.ENABLED)
    expected = []
    for number in range(4):
        put(seaweedfs, reader, {"a/x": str(number).encode()})
        expected.append((list_versions(reader)[0].version_id, False))
        deleted = seaweedfs.client.delete_object(Bucket=reader.bucket, Key="a/x")
        expected.append((deleted["VersionId"], True))
    actual = [(version.version_id, version.is_delete_marker) for version in list_versions(reader)]
    assert actual == expected[::-1]


def test_null_version_is_removed_if_allowed(seaweedfs, make_bucket):
    reader = make_bucket()
    put(seaweedfs, reader, {"a/x": b"x", "a/y": b"y"})
    null_version = ("a/x", "null")
    remover = reader.open_version_remover()
    outcomes = remover.remove_versions([null_version], is_null_allowed=True)
    assert outcomes[null_version].outcome is ObjectOutcome.DELETED
    assert seaweedfs.content(reader.bucket) == {"a/y": b"y"}


def test_upload_is_listed_and_aborted(seaweedfs, make_bucket):
    reader = make_bucket()
    for key in ("a/é x", "ab/x"):
        seaweedfs.client.create_multipart_upload(Bucket=reader.bucket, Key=key)
    (upload,) = [upload for page in reader.list_uploads("a/") for upload in page]
    assert upload.key == "a/é x"
    aborted = reader.open_writer().abort_upload(upload.key, upload.upload_id)
    assert aborted.outcome is ObjectOutcome.DELETED
    assert [upload.key for page in reader.list_uploads("") for upload in page] == ["ab/x"]


def test_lifecycle_rule_is_read(seaweedfs, make_bucket):
    reader = make_bucket(Versioning.ENABLED)
    assert find_noncurrent_term(reader.read_lifecycle().text, ["a/"]) == NoncurrentExpiration()
    rule = {
        "ID": "old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": "a/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    }
    seaweedfs.client.put_bucket_lifecycle_configuration(
        Bucket=reader.bucket, LifecycleConfiguration={"Rules": [rule]}
    )
    assert find_noncurrent_term(reader.read_lifecycle().text, ["a/"]) == NoncurrentExpiration(
        days=30
    )


def test_journal_part_is_stored_and_not_overwritten(seaweedfs, make_bucket):
    reader = make_bucket()
    reader.open_journal_store(".ci3/run").put_part(b"1", suffix="/1")
    with pytest.raises(JournalError):
        reader.open_journal_store(".ci3/run").put_part(b"2", suffix="/1")
    assert reader.list_keys(".ci3/run") == (".ci3/run/1",)
    assert reader.read_object(".ci3/run/1", 10) == b"1"
