"""A run that is killed while a batch is out: its journal breaks off, nothing more is sent."""

import shutil
from collections.abc import Sequence

import pytest

from ci3.cli.main import main
from tests.support.journals import records
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import Answer, FaultProxy
from tests.support.s3.moto_s3 import Bucket

DELETE = r"\?delete"
SETTINGS = ("--keep-count", "1")


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a batch have two objects, and batches go one after another."""
    monkeypatch.setattr("ci3.engine.deletion.sender.DELETE_BATCH_SIZE", 2)
    monkeypatch.setattr("ci3.engine.deletion.scheduler.SENDERS", 1)


def crash(
    site: Bucket,
    proxy: FaultProxy,
    at: int,
    *,
    is_done: bool = False,
    path: str = "j.jsonl",
    options: Sequence[str] = (),
) -> None:
    """Clean up, and be killed while the batch of that number is out, before or after the deed.

    `path` is then the journal as a killed process leaves it: with the intent of that batch.
    """

    def kill() -> None:
        shutil.copy("running.jsonl", path)
        if is_done:
            for key in proxy.deletions[-1].batch_keys:
                site.remove(key)

    refused = Answer(status=403, body=error("AccessDenied").encode(), headers={})
    for nth in range(at, at + 20):
        proxy._add("POST", DELETE, nth, canned=refused, before=kill if nth == at else None)
    journal = ("--journal-file", "running.jsonl")
    assert main(["cleanup", *site.options(), *SETTINGS, *options, *journal, "--auto-approve"]) == 3
    proxy._rules.clear()
    proxy.requests.clear()
    assert records(path)[-1]["record"] == "intent"


def resume(*more: str, path: str = "j.jsonl") -> int:
    return main(["cleanup", "--resume", path, "--auto-approve", *more])
