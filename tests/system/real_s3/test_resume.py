"""Resuming a killed run on a real S3 server."""

import json
from types import SimpleNamespace

import pytest

from ci3.cli.main import main
from tests.support.crash import crash, resume, small_batches
from tests.support.journals import read_records
from tests.support.s3.fault_proxy import running_proxy
from tests.system.real_s3.conftest import RELEASES


@pytest.fixture
def kill_run(seaweedfs, monkeypatch):
    """Return a function that kills a run in its second batch of two, after the deletion."""
    for name, value in seaweedfs.environ().items():
        monkeypatch.setenv(name, value)
    small_batches(monkeypatch)
    with running_proxy(seaweedfs.url) as proxy:

        def kill_run(bucket):
            site = SimpleNamespace(
                options=lambda: ["--bucket", bucket, "--endpoint-url", proxy.url],
                remove=lambda key: seaweedfs.client.delete_object(Bucket=bucket, Key=key),
            )
            crash(site, proxy, 2, is_done=True)

        yield kill_run


def test_killed_run_is_resumed_to_its_end(seaweedfs, kill_run):
    kill_run("resumed")
    assert len(seaweedfs.content("resumed")) == 3 + 2

    assert resume() == 0

    assert seaweedfs.content("resumed") == RELEASES[2]
    assert read_records("j.jsonl")[-1] == {"record": "end", "stopped": ""}
    assert resume() == 0


def test_half_deleted_deployment_is_kept_if_deployed_again(seaweedfs, kill_run):
    kill_run("resumed-changed")
    remaining_keys = [
        key for key in seaweedfs.content("resumed-changed") if not key.startswith("v3/")
    ]
    half_deleted = remaining_keys[0].partition("/")[0]
    seaweedfs.client.put_object(Bucket="resumed-changed", Key=f"{half_deleted}/again", Body=b"new")
    before = seaweedfs.content("resumed-changed")

    assert resume() == 3

    assert seaweedfs.content("resumed-changed") == before


def test_resumed_run_is_restored_completely(seaweedfs, kill_run):
    before = seaweedfs.content("resumed-versioned")
    kill_run("resumed-versioned")
    assert resume() == 0
    assert seaweedfs.content("resumed-versioned") == RELEASES[2]

    assert main(["restore", "j.jsonl", "--auto-approve"]) == 0

    assert seaweedfs.content("resumed-versioned") == before


def test_journal_in_a_versioned_bucket_restores_its_run_and_is_not_a_deployment(seaweedfs, ci3):
    before = seaweedfs.content("stored")
    options = ("--bucket", "stored", "--keep-count", "1", "--journal-file", "s3://")
    exit_code, out, err = ci3("cleanup", *options, "--auto-approve")
    assert exit_code == 0, out + err
    journal_keys = {key for key in seaweedfs.content("stored") if key.startswith(".ci3/")}
    assert seaweedfs.content("stored").keys() - journal_keys == RELEASES[2].keys()
    parts = [key for key in journal_keys if key.endswith(".jsonl")]
    address = f"s3://stored/{parts[0].rpartition('/')[0]}/"
    assert address in out

    exit_code, out, err = ci3("restore", address, "--auto-approve")

    assert exit_code == 0, out + err
    assert seaweedfs.content("stored").items() >= before.items()
    added = seaweedfs.content("stored").keys() - before.keys()
    assert {key for key in added if not key.startswith(".ci3/restored/")} == journal_keys
    run_id = address.split("/")[-2]
    options = ("--bucket", "stored", "--auto-approve", "--output", "json")
    exit_code, out, _ = ci3("restore", "--run-id", run_id, *options)
    assert exit_code == 0
    assert json.loads(out)["outcome"] == "nothing-to-restore"
