"""The timeout of a run, and its log lines while it works."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.core.model.result import ObjectOutcome
from ci3.errors import ExitCode
from ci3.report.progress_lines import LOG_INTERVAL_SECONDS, ProgressLines
from tests.support.cleanup_run import CleanupRun, apply_plan, make_context
from tests.support.s3.bucket import Bucket

DELETE = r"\?delete"


@pytest.fixture
def site(site: Bucket) -> Bucket:
    site.deploy("new", days=1)
    site.deploy("old", days=9)
    return site


def test_run_that_has_timed_out_deletes_nothing_and_shows_how_to_continue(
    site, proxy, assert_screen
):
    start = datetime(2026, 11, 23, tzinfo=UTC)
    times = iter(start + timedelta(minutes=minutes) for minutes in range(99))
    context = make_context(site)
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    context = replace(context, clock=lambda: next(times), ends_at=start)

    run = CleanupRun(plan=plan, result=apply_plan(context, plan, reader, is_fresh=True))

    assert run.exit_code is ExitCode.PARTIAL
    assert "timeout" in run.result.stop_reason
    assert_screen(run.result.stop_reason)
    assert run.result.count_objects(ObjectOutcome.FAILED) == 3
    assert proxy.deletions == []


def test_next_run_completes_a_run_that_timed_out(site, capsys):
    options = [*site.options(), "--keep-count", "1", "--auto-approve", "--output", "json"]
    assert main(["cleanup", *options, "--timeout", "0s"]) == 3
    stopped = json.loads(capsys.readouterr().out)
    assert (stopped["outcome"], stopped["objects-deleted"]) == ("partial", 0)
    assert site.folders() == {"new", "old"}
    journal = Path(stopped["journal-file"]).read_text(encoding="utf-8").splitlines()
    assert "timeout" in json.loads(journal[-1])["stopped"]

    assert main(["cleanup", *options, "--timeout", "10m"]) == 0
    assert site.folders() == {"new"}


def test_log_shows_progress_at_intervals():
    lines: list[str] = []
    seconds = 0.0
    progress = ProgressLines(lines.append, clock=lambda: seconds)
    task = "Deleting objects"
    progress.begin(task, 5000)
    progress.advance(1000)
    progress.beat()
    assert lines == []

    seconds += LOG_INTERVAL_SECONDS
    progress.beat()
    progress.beat()
    assert lines == [f"{task}: 1,000 of 5,000"]
