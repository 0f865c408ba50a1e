"""Restoring on a real S3 server: what is current before and after, as another client lists it."""

from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.seaweedfs import SeaweedFS
from tests.system.real_s3.conftest import OLD


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
def ci3_alone(seaweedfs, monkeypatch, capsys):
    """Run the command without naming the server: the journal names it."""

    def run(*arguments: str):
        for name, value in seaweedfs.environ().items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        return main(list(arguments)), *capsys.readouterr()

    return run


def test_restore_after_a_cleanup_is_the_identity_on_current_versions(seaweedfs, ci3, ci3_alone):
    before = current(seaweedfs, "undone")
    contents = seaweedfs.content("undone")
    journal = clean(ci3, "undone")
    assert current(seaweedfs, "undone").keys() == {"new/index.html", "index.html"}
    out = restore(ci3_alone, journal)
    assert current(seaweedfs, "undone") == before
    assert seaweedfs.content("undone") == contents
    assert markers(seaweedfs, "undone") == set()
    assert str(len(OLD) + 2) in out.split()
    restore(ci3_alone, journal)
    assert current(seaweedfs, "undone") == before


def test_stacked_markers_are_all_removed_and_an_earlier_one_stays(seaweedfs, ci3, ci3_alone):
    delete = seaweedfs.client.delete_object
    delete(Bucket="stacked", Key="older/b")
    theirs = markers(seaweedfs, "stacked")
    before = current(seaweedfs, "stacked")
    journal = clean(ci3, "stacked")
    for key in before.keys() - current(seaweedfs, "stacked").keys():
        delete(Bucket="stacked", Key=key)
    restore(ci3_alone, journal)
    assert current(seaweedfs, "stacked") == before
    assert markers(seaweedfs, "stacked") == theirs


def test_newer_version_stays_and_the_rest_comes_back(seaweedfs, ci3, ci3_alone):
    before = current(seaweedfs, "overtaken")
    journal = clean(ci3, "overtaken")
    seaweedfs.client.put_object(Bucket="overtaken", Key="old/x/y/z", Body=b"newer")
    newer = current(seaweedfs, "overtaken")["old/x/y/z"]
    out = restore(ci3_alone, journal)
    assert current(seaweedfs, "overtaken") == before | {"old/x/y/z": newer}
    assert "old/x/y/z" in out


def test_one_deployment_comes_back_without_a_journal(seaweedfs, ci3):
    before = current(seaweedfs, "since")
    Path(clean(ci3, "since")).unlink()
    exit_code, out, err = ci3(
        "restore", "old", "--deleted-since", "1h", "--bucket", "since", "--auto-approve"
    )
    assert exit_code == 0, out + err
    assert current(seaweedfs, "since") == {
        key: one for key, one in before.items() if not key.startswith("older/")
    }
