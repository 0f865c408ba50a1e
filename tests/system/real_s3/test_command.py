"""The command against a real S3 server; another client reads the remaining objects."""

import json
from pathlib import Path

import pytest

from tests.support.journals import read_outcomes, read_records
from tests.support.s3.seaweedfs import ADMIN, READER
from tests.system.real_s3.conftest import BIG_COUNT, NAMES, RELEASES, UNUSUAL_KEYS

ALL_NAMES = {key: body for content in NAMES for key, body in content.items()}


def list_journaled_keys(outcome):
    """Return the keys with this outcome in the test's only journal."""
    (path,) = Path().glob("ci3-journal-*.jsonl")
    keys = [
        record["key"]
        for record in read_outcomes(read_records(path))
        if record["outcome"] == outcome
    ]
    assert len(keys) == len(set(keys))
    return set(keys)


def test_plan_needs_no_write_permission_and_changes_nothing(ci3, seaweedfs):
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
    decisions = {entry["name"]: entry["decision"] for entry in plan["deployments"]}
    assert decisions == {"a-b": "keep", "a.": "keep", "ab": "delete", "a": "delete"}
    assert plan["totals"]["objects_to_delete"] == len(UNUSUAL_KEYS) + 2
    assert [entry["name"] for entry in plan["ignored"]] == ["a.txt", "index.html"]
    assert seaweedfs.content("untouched") == ALL_NAMES


def test_cleanup_without_delete_permission_reports_denied_keys_and_changes_nothing(ci3, seaweedfs):
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
    assert len(list_journaled_keys("denied")) == len(UNUSUAL_KEYS) + 2
    assert seaweedfs.content("untouched") == ALL_NAMES


def test_cleanup_deletes_no_deployment_whose_name_only_begins_alike(ci3, seaweedfs):
    exit_code, out, err = ci3("cleanup", "--bucket", "names", "--keep-count", "2", "--auto-approve")

    assert exit_code == 0, out + err
    assert "ci3 restore" not in out
    kept = {key: body for key, body in ALL_NAMES.items() if not key.startswith(("a/", "ab/"))}
    assert len(kept) == 5
    assert seaweedfs.content("names") == kept
    assert list_journaled_keys("deleted") == ALL_NAMES.keys() - kept.keys()


def test_deployment_larger_than_a_page_and_a_batch_is_deleted_completely(ci3, seaweedfs):
    exit_code, out, err = ci3("cleanup", "--bucket", "big", "--keep-count", "1", "--auto-approve")

    assert exit_code == 0, out + err
    assert f" {BIG_COUNT:,} " in out
    assert seaweedfs.content("big") == {"new/index.html": b"n"}
    assert len(list_journaled_keys("deleted")) == BIG_COUNT


def test_versioned_bucket_keeps_every_version_and_the_journal_names_the_markers(ci3, seaweedfs):
    before = seaweedfs.client.list_object_versions(Bucket="versioned")
    exit_code, out, err = ci3(
        "cleanup", "--bucket", "versioned", "--keep-count", "1", "--auto-approve"
    )
    after = seaweedfs.client.list_object_versions(Bucket="versioned")

    assert exit_code == 0, out + err
    assert seaweedfs.content("versioned") == RELEASES[2]
    assert "ci3 restore" in out
    deleted_keys = RELEASES[0].keys() | RELEASES[1].keys()
    assert {(entry["Key"], entry["VersionId"]) for entry in after["Versions"]} == {
        (entry["Key"], entry["VersionId"]) for entry in before["Versions"]
    }
    assert {entry["Key"] for entry in after["DeleteMarkers"]} == deleted_keys
    (path,) = Path().glob("ci3-journal-*.jsonl")
    assert {(record["key"], record["marker"]) for record in read_outcomes(read_records(path))} == {
        (entry["Key"], entry["VersionId"]) for entry in after["DeleteMarkers"]
    }


@pytest.mark.parametrize(
    ("bucket", "credentials", "error_code"),
    [
        ("names", ADMIN | {"secretKey": "wrong"}, "SignatureDoesNotMatch"),
        ("names", ADMIN | {"accessKey": "nobody"}, "InvalidAccessKeyId"),
        ("not-there", ADMIN, "NoSuchBucket"),
    ],
)
@pytest.mark.parametrize("command", [("plan-cleanup",), ("cleanup", "--auto-approve")])
def test_wrong_credentials_and_a_missing_bucket_are_access_errors_with_a_hint(
    *, ci3, bucket, credentials, error_code, command
):
    exit_code, out, err = ci3(*command, "--bucket", bucket, credentials=credentials)

    assert (exit_code, out) == (6, "")
    assert error_code in err
    assert f"s3://{bucket}/" in err
    assert not err.splitlines()[-1].startswith("Error")
    assert "Traceback" not in err
    assert not list(Path().iterdir())
