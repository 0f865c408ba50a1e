"""Going on with a killed run on a real S3 server, whose listing says what is left."""

import json
from types import SimpleNamespace

import pytest

from ci3.cli.main import main
from tests.support.crash import crash, resume, small_batches
from tests.support.journals import read_records
from tests.support.s3.fault_proxy import running_proxy
from tests.system.real_s3.conftest import RELEASES


@pytest.fixture
def killed(seaweedfs, monkeypatch):
    """Give a bucket in which a run was killed in its second batch of two, after the deed."""
    for name, value in seaweedfs.environ().items():
        monkeypatch.setenv(name, value)
    small_batches(monkeypatch)
    with running_proxy(seaweedfs.url) as proxy:

        def killed(bucket):
            site = SimpleNamespace(
                options=lambda: ["--bucket", bucket, "--endpoint-url", proxy.url],
                remove=lambda key: seaweedfs.client.delete_object(Bucket=bucket, Key=key),
            )
            crash(site, proxy, 2, is_done=True)

        yield killed


def test_killed_run_is_gone_on_with_to_its_end(seaweedfs, killed):
    killed("resumed")
    assert len(seaweedfs.content("resumed")) == 3 + 2

    assert resume() == 0

    assert seaweedfs.content("resumed") == RELEASES[2]
    assert read_records("j.jsonl")[-1] == {"record": "end", "stopped": ""}
    assert resume() == 0


def test_half_deleted_deployment_that_was_deployed_again_stays(seaweedfs, killed):
    killed("resumed-changed")
    left = [key for key in seaweedfs.content("resumed-changed") if not key.startswith("v3/")]
    half = left[0].partition("/")[0]
    seaweedfs.client.put_object(Bucket="resumed-changed", Key=f"{half}/again", Body=b"new")
    before = seaweedfs.content("resumed-changed")

    assert resume() == 3

    assert seaweedfs.content("resumed-changed") == before


def test_resumed_run_is_restored_whole(seaweedfs, killed):
    before = seaweedfs.content("resumed-versioned")
    killed("resumed-versioned")
    assert resume() == 0
    assert seaweedfs.content("resumed-versioned") == RELEASES[2]

    assert main(["restore", "j.jsonl", "--auto-approve"]) == 0

    assert seaweedfs.content("resumed-versioned") == before


def test_journal_in_a_versioned_bucket_restores_its_run_and_is_no_deployment(seaweedfs, ci3):
    before = seaweedfs.content("stored")
    options = ("--bucket", "stored", "--keep-count", "1", "--journal-file", "s3://")
    exit_code, out, err = ci3("cleanup", *options, "--auto-approve")
    assert exit_code == 0, out + err
    stored = {key for key in seaweedfs.content("stored") if key.startswith(".ci3/")}
    assert seaweedfs.content("stored").keys() - stored == RELEASES[2].keys()
    parts = [key for key in stored if key.endswith(".jsonl")]
    address = f"s3://stored/{parts[0].rpartition('/')[0]}/"
    assert address in out

    exit_code, out, err = ci3("restore", address, "--auto-approve")

    assert exit_code == 0, out + err
    assert seaweedfs.content("stored").items() >= before.items()
    added = seaweedfs.content("stored").keys() - before.keys()
    assert {key for key in added if not key.startswith(".ci3/restored/")} == stored
    run_id = address.split("/")[-2]
    options = ("--bucket", "stored", "--auto-approve", "--output", "json")
    exit_code, out, _ = ci3("restore", "--run-id", run_id, *options)
    assert exit_code == 0
    assert json.loads(out)["outcome"] == "nothing-to-restore"
