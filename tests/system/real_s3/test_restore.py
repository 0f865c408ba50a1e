"""Restoring on a real S3 server: another client lists the current versions."""

from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.seaweedfs import SeaweedFS
from tests.system.real_s3.conftest import OLD


def list_current_versions(server: SeaweedFS, bucket: str) -> dict[str, str]:
    versions = server.client.list_object_versions(Bucket=bucket)["Versions"]
    return {version["Key"]: version["VersionId"] for version in versions if version["IsLatest"]}


def list_markers(server: SeaweedFS, bucket: str) -> set[tuple[str, str]]:
    page = server.client.list_object_versions(Bucket=bucket)
    return {(marker["Key"], marker["VersionId"]) for marker in page.get("DeleteMarkers", ())}


def run_cleanup(ci3, bucket: str) -> str:
    """Delete all deployments but the newest; return the journal's path."""
    exit_code, out, err = ci3(
        "cleanup", "--bucket", bucket, "--keep-count", "1", "--auto-approve",
        "--journal-file", f"{bucket}.jsonl",
    )  # fmt: skip
    assert exit_code == 0, out + err
    return f"{bucket}.jsonl"


def restore(run_ci3, *arguments: str) -> str:
    exit_code, out, err = run_ci3("restore", *arguments, "--auto-approve")
    assert exit_code == 0, out + err
    return out


@pytest.fixture
def run_ci3(seaweedfs, monkeypatch, capsys):
    """Return a function that runs ci3 without --endpoint-url: the journal has the endpoint."""

    def run(*arguments: str):
        for name, value in seaweedfs.environ().items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        return main(list(arguments)), *capsys.readouterr()

    return run


def test_restore_after_a_cleanup_restores_the_current_versions(seaweedfs, ci3, run_ci3):
    before = list_current_versions(seaweedfs, "undone")
    contents = seaweedfs.content("undone")
    journal = run_cleanup(ci3, "undone")
    assert list_current_versions(seaweedfs, "undone").keys() == {"new/index.html", "index.html"}
    out = restore(run_ci3, journal)
    assert list_current_versions(seaweedfs, "undone") == before
    assert seaweedfs.content("undone") == contents
    assert list_markers(seaweedfs, "undone") == set()
    assert str(len(OLD) + 2) in out.split()
    restore(run_ci3, journal)
    assert list_current_versions(seaweedfs, "undone") == before


def test_stacked_markers_are_all_removed_and_an_earlier_one_stays(seaweedfs, ci3, run_ci3):
    delete = seaweedfs.client.delete_object
    delete(Bucket="stacked", Key="older/b")
    earlier_markers = list_markers(seaweedfs, "stacked")
    before = list_current_versions(seaweedfs, "stacked")
    journal = run_cleanup(ci3, "stacked")
    for key in before.keys() - list_current_versions(seaweedfs, "stacked").keys():
        delete(Bucket="stacked", Key=key)
    restore(run_ci3, journal)
    assert list_current_versions(seaweedfs, "stacked") == before
    assert list_markers(seaweedfs, "stacked") == earlier_markers


def test_restore_keeps_a_newer_version_and_restores_the_rest(seaweedfs, ci3, run_ci3):
    before = list_current_versions(seaweedfs, "overtaken")
    journal = run_cleanup(ci3, "overtaken")
    seaweedfs.client.put_object(Bucket="overtaken", Key="old/x/y/z", Body=b"newer")
    newer = list_current_versions(seaweedfs, "overtaken")["old/x/y/z"]
    out = restore(run_ci3, journal)
    assert list_current_versions(seaweedfs, "overtaken") == before | {"old/x/y/z": newer}
    assert "old/x/y/z" in out


def test_one_deployment_is_restored_without_a_journal(seaweedfs, ci3):
    before = list_current_versions(seaweedfs, "since")
    Path(run_cleanup(ci3, "since")).unlink()
    exit_code, out, err = ci3(
        "restore", "old", "--deleted-since", "1h", "--bucket", "since", "--auto-approve"
    )
    assert exit_code == 0, out + err
    assert list_current_versions(seaweedfs, "since") == {
        key: version_id for key, version_id in before.items() if not key.startswith("older/")
    }
