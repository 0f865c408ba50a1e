"""What a run does when its time is over, and how it shows meanwhile that it is alive."""

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


def test_run_whose_time_is_over_stops_before_it_deletes_and_says_how_to_go_on(
    site, proxy, assert_screen
):
    times = iter(datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=one) for one in range(99))
    run = make_context(site)
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    run = replace(run, clock=lambda: next(times), ends_at=datetime(2026, 11, 23, tzinfo=UTC))

    ran = CleanupRun(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))

    assert ran.exit_code is ExitCode.PARTIAL
    assert "timeout" in ran.result.stop_reason
    assert_screen(ran.result.stop_reason)
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 3
    assert proxy.deletions == []


def test_run_that_was_stopped_by_the_clock_is_gone_on_with_by_the_next(site, capsys):
    options = [*site.options(), "--keep-count", "1", "--auto-approve", "--output", "json"]
    assert main(["cleanup", *options, "--timeout", "0s"]) == 3
    stopped = json.loads(capsys.readouterr().out)
    assert (stopped["outcome"], stopped["objects-deleted"]) == ("partial", 0)
    assert site.folders() == {"new", "old"}
    journal = Path(stopped["journal-file"]).read_text(encoding="utf-8").splitlines()
    assert "timeout" in json.loads(journal[-1])["stopped"]

    assert main(["cleanup", *options, "--timeout", "10m"]) == 0
    assert site.folders() == {"new"}


def test_log_shows_now_and_then_that_the_run_is_alive():
    lines: list[str] = []
    now = [0.0]
    progress = ProgressLines(lines.append, clock=lambda: now[0])
    task = "Deleting objects"
    progress.begin(task, 5000)
    progress.advance(1000)
    progress.beat()
    assert lines == []

    now[0] += LOG_INTERVAL_SECONDS
    progress.beat()
    progress.beat()
    assert lines == [f"{task}: 1,000 of 5,000"]
