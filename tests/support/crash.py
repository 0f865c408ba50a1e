"""Simulates a run that is killed while a batch is in flight: its journal ends with the intent."""

import shutil
from collections.abc import Sequence

import pytest

from ci3.cli.main import main
from tests.support.journals import read_records
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Answer, FaultProxy

DELETE = r"\?delete"
SETTINGS = ("--keep-count", "1", "--match", ".*")


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit batches to two objects, sent in sequence."""
    monkeypatch.setattr("ci3.engine.deletion.sender.DELETE_BATCH_SIZE", 2)
    monkeypatch.setattr("ci3.engine.deletion.scheduler.SENDERS", 1)


def crash(
    site: Bucket,
    proxy: FaultProxy,
    batch_number: int,
    *,
    is_done: bool = False,
    path: str = "j.jsonl",
    options: Sequence[str] = (),
) -> None:
    """Run a cleanup that is killed while a batch is in flight, before or after S3 deletes.

    `batch_number` is the number of the batch, from 1; `is_done` is True if S3 deletes it. `path`
    is then the journal of a killed process: it ends with the intent of that batch.
    """

    def kill() -> None:
        shutil.copy("running.jsonl", path)
        if is_done:
            for key in proxy.deletions[-1].batch_keys:
                site.remove(key)

    refused = Answer(status=403, body=error("AccessDenied").encode(), headers={})
    for nth in range(batch_number, batch_number + 20):
        proxy._add_rule(
            "POST", DELETE, nth, canned=refused, before=kill if nth == batch_number else None
        )
    journal = ("--journal-file", "running.jsonl")
    assert main(["cleanup", *site.options(), *SETTINGS, *options, *journal, "--auto-approve"]) == 3
    proxy._rules.clear()
    proxy.requests.clear()
    assert read_records(path)[-1]["record"] == "intent"


def resume(*options: str, path: str = "j.jsonl") -> int:
    return main(["cleanup", "--resume", path, "--auto-approve", *options])
