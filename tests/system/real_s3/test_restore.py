"""Restoring on a real S3 server: what is current before and after, as another client lists it."""

from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.seaweedfs import SeaweedFS
from tests.system.real_s3.conftest import UNUSUAL_KEYS

OLD = {f"old/{key}": key.encode() for key in UNUSUAL_KEYS}
ROUNDS = [
    OLD | {"index.html": b"root", "older/a": b"a", "older/b": b"b"},
    {"old/x/y/z": b"again, so that an older version lies below", "new/index.html": b"n"},
    {"new/index.html": b"n2"},
]
NAMES = ("undone", "stacked", "overtaken", "since")


@pytest.fixture(scope="module")
def buckets(seaweedfs: SeaweedFS) -> SeaweedFS:
    """A bucket for each test, all of one content, with a deployment whose keys are odd."""
    seaweedfs.seed(dict.fromkeys(NAMES, ROUNDS), versioned=NAMES)
    return seaweedfs


def current(server: SeaweedFS, bucket: str) -> dict[str, str]:
    answer = server.client.list_object_versions(Bucket=bucket)
    return {one["Key"]: one["VersionId"] for one in answer["Versions"] if one["IsLatest"]}


def markers(server: SeaweedFS, bucket: str) -> set[tuple[str, str]]:
    answer = server.client.list_object_versions(Bucket=bucket)
    return {(one["Key"], one["VersionId"]) for one in answer.get("DeleteMarkers", ())}


def clean(ci3, bucket: str) -> str:
    """Delete all but the newest deployment; gives the journal's path."""
    exit_code, out, err = ci3(
        "cleanup", "--bucket", bucket, "--keep-count", "1", "--auto-approve",
        "--journal-file", f"{bucket}.jsonl",
    )  # fmt: skip
    assert exit_code == 0, out + err
    return f"{bucket}.jsonl"


def restore(ci3_alone, *arguments: str) -> str:
    exit_code, out, err = ci3_alone("restore", *arguments, "--auto-approve")
    assert exit_code == 0, out + err
    return out


@pytest.fixture
def ci3_alone(buckets, monkeypatch, capsys):
    """Run the command without naming the server: the journal names it."""

    def run(*arguments: str):
        for name, value in buckets.environ().items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        return main(list(arguments)), *capsys.readouterr()

    return run


def test_restore_after_a_cleanup_is_the_identity_on_current_versions(buckets, ci3, ci3_alone):
    before = current(buckets, "undone")
    contents = buckets.content("undone")
    journal = clean(ci3, "undone")
    assert current(buckets, "undone").keys() == {"new/index.html", "index.html"}
    out = restore(ci3_alone, journal)
    assert current(buckets, "undone") == before
    assert buckets.content("undone") == contents
    assert markers(buckets, "undone") == set()
    assert f"{len(OLD) + 2} objects restored" in out
    assert "Nothing to restore" in restore(ci3_alone, journal)


def test_stacked_markers_are_all_removed_and_an_earlier_one_stays(buckets, ci3, ci3_alone):
    delete = buckets.client.delete_object
    delete(Bucket="stacked", Key="older/b")
    theirs = markers(buckets, "stacked")
    before = current(buckets, "stacked")
    journal = clean(ci3, "stacked")
    for key in before.keys() - current(buckets, "stacked").keys():
        delete(Bucket="stacked", Key=key)
    restore(ci3_alone, journal)
    assert current(buckets, "stacked") == before
    assert markers(buckets, "stacked") == theirs


def test_newer_version_stays_and_the_rest_comes_back(buckets, ci3, ci3_alone):
    before = current(buckets, "overtaken")
    journal = clean(ci3, "overtaken")
    buckets.client.put_object(Bucket="overtaken", Key="old/x/y/z", Body=b"newer")
    newer = current(buckets, "overtaken")["old/x/y/z"]
    out = restore(ci3_alone, journal)
    assert current(buckets, "overtaken") == before | {"old/x/y/z": newer}
    assert "a newer version was uploaded" in out


def test_one_deployment_comes_back_without_a_journal(buckets, ci3):
    before = current(buckets, "since")
    Path(clean(ci3, "since")).unlink()
    exit_code, out, err = ci3(
        "restore", "old", "--deleted-since", "1h", "--bucket", "since", "--auto-approve"
    )
    assert exit_code == 0, out + err
    assert current(buckets, "since") == {
        key: one for key, one in before.items() if not key.startswith("older/")
    }
