"""The command against a real S3 server; what is left is read by another client."""

import json
from pathlib import Path

import pytest

from tests.support.journals import read_outcomes, read_records
from tests.support.s3.seaweedfs import ADMIN, READER
from tests.system.real_s3.conftest import BIG_COUNT, NAMES, RELEASES, UNUSUAL_KEYS

ALL_NAMES = {key: body for content in NAMES for key, body in content.items()}


def journaled(outcome):
    """The keys that the one journal of this test says this of."""
    (path,) = Path().glob("ci3-journal-*.jsonl")
    found = [one["key"] for one in read_outcomes(read_records(path)) if one["outcome"] == outcome]
    assert len(found) == len(set(found))
    return set(found)


def test_plan_needs_no_right_to_write_and_changes_nothing(ci3, seaweedfs):
    exit_code, out, err = ci3(
        "plan-cleanup",
        "--bucket",
        "untouched",
        "--keep-count",
        "2",
        "--output",
        "json",
        credentials=READER,
    )

    plan = json.loads(out)
    assert exit_code == 0, err
    decisions = {one["name"]: one["decision"] for one in plan["deployments"]}
    assert decisions == {"a-b": "keep", "a.": "keep", "ab": "delete", "a": "delete"}
    assert plan["totals"]["objects_to_delete"] == len(UNUSUAL_KEYS) + 2
    assert [one["name"] for one in plan["ignored"]] == ["a.txt", "index.html"]
    assert seaweedfs.content("untouched") == ALL_NAMES


def test_cleanup_without_the_right_to_delete_is_told_so_and_changes_nothing(ci3, seaweedfs):
    exit_code, out, _ = ci3(
        "cleanup",
        "--bucket",
        "untouched",
        "--keep-count",
        "2",
        "--auto-approve",
        credentials=READER,
    )

    assert exit_code == 3
    assert "AccessDenied" in out
    assert len(journaled("denied")) == len(UNUSUAL_KEYS) + 2
    assert seaweedfs.content("untouched") == ALL_NAMES


def test_cleanup_deletes_the_doomed_alone_among_names_that_begin_alike(ci3, seaweedfs):
    exit_code, out, err = ci3("cleanup", "--bucket", "names", "--keep-count", "2", "--auto-approve")

    assert exit_code == 0, out + err
    assert "ci3 restore" not in out
    kept = {key: body for key, body in ALL_NAMES.items() if not key.startswith(("a/", "ab/"))}
    assert len(kept) == 5
    assert seaweedfs.content("names") == kept
    assert journaled("deleted") == ALL_NAMES.keys() - kept.keys()


def test_deployment_of_more_objects_than_a_page_or_a_batch_is_deleted_whole(ci3, seaweedfs):
    exit_code, out, err = ci3("cleanup", "--bucket", "big", "--keep-count", "1", "--auto-approve")

    assert exit_code == 0, out + err
    assert f" {BIG_COUNT:,} " in out
    assert seaweedfs.content("big") == {"new/index.html": b"n"}
    assert len(journaled("deleted")) == BIG_COUNT


def test_versioned_bucket_keeps_every_version_under_a_marker_that_the_journal_names(ci3, seaweedfs):
    before = seaweedfs.client.list_object_versions(Bucket="versioned")
    exit_code, out, err = ci3(
        "cleanup", "--bucket", "versioned", "--keep-count", "1", "--auto-approve"
    )
    after = seaweedfs.client.list_object_versions(Bucket="versioned")

    assert exit_code == 0, out + err
    assert seaweedfs.content("versioned") == RELEASES[2]
    assert "ci3 restore" in out
    doomed = RELEASES[0].keys() | RELEASES[1].keys()
    assert {(one["Key"], one["VersionId"]) for one in after["Versions"]} == {
        (one["Key"], one["VersionId"]) for one in before["Versions"]
    }
    assert {one["Key"] for one in after["DeleteMarkers"]} == doomed
    (path,) = Path().glob("ci3-journal-*.jsonl")
    assert {(one["key"], one["marker"]) for one in read_outcomes(read_records(path))} == {
        (one["Key"], one["VersionId"]) for one in after["DeleteMarkers"]
    }


@pytest.mark.parametrize(
    ("bucket", "who", "told"),
    [
        ("names", ADMIN | {"secretKey": "wrong"}, "SignatureDoesNotMatch"),
        ("names", ADMIN | {"accessKey": "nobody"}, "InvalidAccessKeyId"),
        ("not-there", ADMIN, "NoSuchBucket"),
    ],
)
@pytest.mark.parametrize("command", [("plan-cleanup",), ("cleanup", "--auto-approve")])
def test_wrong_credentials_and_a_missing_bucket_are_access_errors_with_a_hint(
    *, ci3, bucket, who, told, command
):
    exit_code, out, err = ci3(*command, "--bucket", bucket, credentials=who)

    assert (exit_code, out) == (6, "")
    assert told in err
    assert f"s3://{bucket}/" in err
    assert not err.splitlines()[-1].startswith("Error")
    assert "Traceback" not in err
    assert not list(Path().iterdir())
