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
    """Make a bucket and its reader; a test may ask as somebody else."""

    def make(versioning=Versioning.DISABLED, who=ADMIN):
        for name, value in seaweedfs.environ(who).items():
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


def listed(reader, prefix=""):
    return [stored for page in reader.list_pages(prefix) for stored in page.objects]


def versions(reader, prefix=""):
    return [one for page in reader.list_versions(prefix) for one in page]


def probed(reader, versioning):
    writer = reader.open_writer()
    found = writer.probe_conditional_deletes("", versioning)
    assert found.guard is DeleteGuard.ETAG
    return writer


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_batch_deletes_what_is_as_listed_and_leaves_what_changed(
    seaweedfs, make_bucket, versioning
):
    reader = make_bucket(versioning)
    put(seaweedfs, reader, {f"a/{number}": b"old" for number in range(5)})
    asked = listed(reader)
    put(seaweedfs, reader, {"a/1": b"new", "a/3": b"new"})

    outcomes = probed(reader, versioning).delete_objects(asked)

    said = [outcomes[stored.key].outcome for stored in asked]
    # This server's single requests answer of a missing key that the condition failed.
    assert said == ["deleted", "unknown", "deleted", "unknown", "deleted"]
    assert seaweedfs.content(reader.bucket) == {"a/1": b"new", "a/3": b"new"}


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_probe_leaves_nothing_behind(make_bucket, versioning):
    reader = make_bucket(versioning)
    probed(reader, versioning)
    assert versions(reader) == []


def test_who_may_only_read_has_no_guard(make_bucket):
    reader = make_bucket(who=READER)
    found = reader.open_writer().probe_conditional_deletes("", Versioning.DISABLED)
    assert found.guard is DeleteGuard.NONE
    assert found.is_denied


@pytest.mark.parametrize("versioning", VERSIONINGS)
def test_object_that_is_gone_already_is_absent(seaweedfs, make_bucket, versioning):
    reader = make_bucket(versioning)
    put(seaweedfs, reader, {"a/x": b"x", "a/y": b"y"})
    writer, asked = probed(reader, versioning), listed(reader)
    assert {one.outcome for one in writer.delete_objects(asked).values()} == {ObjectOutcome.DELETED}
    before = versions(reader)
    assert {one.outcome for one in writer.delete_objects(asked).values()} == {ObjectOutcome.ABSENT}
    assert versions(reader) == before


def test_single_deletion_of_a_changed_object_leaves_it(seaweedfs, make_bucket):
    reader = make_bucket()
    put(seaweedfs, reader, {"a/x\r": b"old"})
    (asked,) = listed(reader)
    put(seaweedfs, reader, {asked.key: b"new"})
    said = probed(reader, Versioning.DISABLED).delete_objects([asked])[asked.key]
    assert said.outcome in (ObjectOutcome.CHANGED, ObjectOutcome.UNKNOWN)
    assert seaweedfs.content(reader.bucket) == {asked.key: b"new"}


def test_markers_removed_by_id_bring_every_object_back(seaweedfs, make_bucket):
    reader = make_bucket(Versioning.ENABLED)
    put(seaweedfs, reader, {f"a/{name}": name.encode() for name in ("x", "é 1+1", "%2F")})
    put(seaweedfs, reader, {"a/x": b"newer"})
    before, content = versions(reader), seaweedfs.content(reader.bucket)
    said = probed(reader, Versioning.ENABLED).delete_objects(listed(reader))
    assert seaweedfs.content(reader.bucket) == {}
    markers = [one for one in versions(reader) if one.is_delete_marker]
    assert {(one.key, one.version_id) for one in markers} == {
        (key, one.marker_version_id) for key, one in said.items()
    }
    assert all(one.is_latest for one in markers)

    named = [(one.key, one.version_id) for one in markers]
    removed = reader.open_version_remover().remove_versions(named)

    assert {name: one.outcome for name, one in removed.items()} == dict.fromkeys(named, "deleted")
    assert versions(reader) == before
    assert seaweedfs.content(reader.bucket) == content


def test_versions_stand_newest_first(seaweedfs, make_bucket):
    reader = make_bucket(Versioning.ENABLED)
    made = []
    for number in range(4):
        put(seaweedfs, reader, {"a/x": str(number).encode()})
        made.append((versions(reader)[0].version_id, False))
        deleted = seaweedfs.client.delete_object(Bucket=reader.bucket, Key="a/x")
        made.append((deleted["VersionId"], True))
    found = [(one.version_id, one.is_delete_marker) for one in versions(reader)]
    assert found == made[::-1]


def test_null_version_is_removed_where_it_is_meant(seaweedfs, make_bucket):
    reader = make_bucket()
    put(seaweedfs, reader, {"a/x": b"x", "a/y": b"y"})
    named = [("a/x", "null")]
    said = reader.open_version_remover().remove_versions(named, is_null_allowed=True)
    assert said[named[0]].outcome is ObjectOutcome.DELETED
    assert seaweedfs.content(reader.bucket) == {"a/y": b"y"}


def test_upload_is_listed_and_aborted(seaweedfs, make_bucket):
    reader = make_bucket()
    for key in ("a/é x", "ab/x"):
        seaweedfs.client.create_multipart_upload(Bucket=reader.bucket, Key=key)
    (one,) = [upload for page in reader.list_uploads("a/") for upload in page]
    assert one.key == "a/é x"
    said = reader.open_writer().abort_upload(one.key, one.upload_id)
    assert said.outcome is ObjectOutcome.DELETED
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


def test_journal_is_kept_and_not_overwritten(seaweedfs, make_bucket):
    reader = make_bucket()
    reader.open_journal_store(".ci3/run").put_part(b"1", suffix="/1")
    with pytest.raises(JournalError):
        reader.open_journal_store(".ci3/run").put_part(b"2", suffix="/1")
    assert reader.list_keys(".ci3/run") == (".ci3/run/1",)
    assert reader.read_object(".ci3/run/1", 10) == b"1"
