"""Signals, as a runner sends them when a step is cancelled."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.action_reports import (
    ALL,
    ENTRYPOINT,
    comment_of,
    headline,
    read_journal,
    without_tables,
)
from tests.support.github.fake_runner import FakeStep, parse_commands
from tests.support.journals import read_outcomes

STOP_REPORTING = Path(__file__).with_name("stop_reporting_entrypoint.py")


@pytest.fixture
def start(bucket, proxy, github, tmp_path):
    """Return a function that starts the action in a process and blocks it in a request."""
    may_continue = threading.Event()
    processes = []

    def start(method, pattern, *, nth=None, stop_pipe=None, **inputs):
        request_received = threading.Event()
        proxy.call_before(
            method,
            pattern,
            lambda: (request_received.set(), may_continue.wait(timeout=60)),
            nth=nth,
        )
        step = FakeStep(tmp_path / "step")
        action_inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
        environ = os.environ | step.environ(action_inputs, github.url) | bucket.inputs()
        command = (
            [ENTRYPOINT] if stop_pipe is None else [STOP_REPORTING, ENTRYPOINT, str(stop_pipe)]
        )
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environ | {"INPUT_ENDPOINT-URL": proxy.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if stop_pipe is None else (stop_pipe,),
            text=True,
        )
        processes.append(process)
        assert request_received.wait(timeout=60)
        return step, process, may_continue

    yield start
    may_continue.set()
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("first_signal", [signal.SIGINT, signal.SIGTERM])
def test_signals_during_a_deletion_end_in_a_correct_report(
    bucket, github, start, first_signal, assert_screen
):
    step, process, may_continue = start(
        "POST", "delete", keep_count="4", mode="apply", journal_file="journal.jsonl"
    )
    process.send_signal(first_signal)
    process.send_signal(signal.SIGTERM)
    may_continue.set()
    log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    journal = read_journal("journal.jsonl")
    assert [row["outcome"] for row in read_outcomes(journal)] == ["deleted"] * 6
    assert step.outputs["objects-deleted"] == "6"
    assert step.outputs["deployments-deleted"] == "2"
    assert (process.returncode, step.outputs["outcome"]) == (3, "partial")
    assert headline(comment_of(github)) == headline(step.summary)
    assert headline(step.summary) in log
    assert_screen(without_tables(step.summary), is_shared=True)


def test_signals_before_the_first_deletion_of_an_apply_delete_nothing(
    bucket, github, start, assert_screen
):
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as stops:
        step, process, may_continue = start(
            "GET", "prefix=site-1", stop_pipe=write_end,
            keep_count="4", mode="apply", journal_file="journal.jsonl",
        )  # fmt: skip
        os.close(write_end)
        process.send_signal(signal.SIGTERM)
        # The main thread handles the signal; until then, other threads continue to delete.
        assert stops.read(1) == b"."
        may_continue.set()
        log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert bucket.folders() == ALL
    assert step.outputs["objects-deleted"] == "0"
    assert (process.returncode, step.outputs["outcome"]) == (3, "partial")
    assert headline(comment_of(github)) == headline(step.summary)
    assert headline(step.summary) in log
    assert_screen(without_tables(step.summary))


def test_signal_while_the_comment_is_written_does_not_change_the_report_of_a_deletion(
    bucket, github, start, assert_screen
):
    stalled = github.stall_next("GET", "comments")
    step, process, may_continue = start("POST", "delete", keep_count="4", mode="apply")
    may_continue.set()
    assert stalled.wait(timeout=60)
    process.send_signal(signal.SIGTERM)
    log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert (process.returncode, step.outputs["outcome"]) == (0, "applied")
    assert step.outputs["objects-deleted"] == "6"
    assert headline(step.summary) in log
    (warning,) = [message for name, message in parse_commands(log) if name == "warning"]
    assert_screen(warning)


def test_signal_while_planning_reports_that_nothing_was_deleted(bucket, start, assert_screen):
    step, process, may_continue = start("GET", "delimiter", mode="apply")
    process.send_signal(signal.SIGTERM)
    may_continue.set()
    log, errors = process.communicate(timeout=60)

    assert errors == ""
    assert process.returncode == 130
    assert step.outputs == {"outcome": "failed"}
    (error,) = [message for name, message in parse_commands(log) if name == "error"]
    assert_screen(error)
    assert bucket.folders() == ALL
    assert not list(Path().glob("*.jsonl"))
