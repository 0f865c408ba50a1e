"""What a run does when S3 has too much of it, and when its time is over."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci3.cli import main
from ci3.core.model import ObjectOutcome
from ci3.engine.direct import RETRY_DELAYS_SECONDS
from ci3.errors import ExitCode
from ci3.report.terminal import LOG_EVERY_SECONDS, ProgressLines
from tests.aws.answers import delete_result, error
from tests.engine.road import Ran, apply, apply_plan, cleanup
from tests.fault_proxy import FaultProxy, Request
from tests.s3 import Bucket

DELETE = r"\?delete"


def key_error(key: str, code: str) -> str:
    return f"<Error><Key>{key}</Key><Code>{code}</Code><Message>later</Message></Error>"


def all_refused(code: str):
    def reply(request: Request) -> str:
        errors = "".join(key_error(key, code) for key in request.batch_keys)
        return f"<DeleteResult>{errors}</DeleteResult>"

    return reply


@pytest.fixture
def site(site: Bucket) -> Bucket:
    site.deploy("new", days=1)
    site.deploy("old", days=9)
    return site


def test_key_that_is_slowed_down_again_and_again_fails_and_is_told(site, proxy: FaultProxy):
    proxy.reply("POST", DELETE, all_refused("SlowDown"))

    ran = apply(site)

    assert ran.code is ExitCode.PARTIAL
    assert ran.counts("old") == {"failed": 3}
    assert len(proxy.deletions) == 1 + len(RETRY_DELAYS_SECONDS) == 9
    assert tuple(ran.pauses) == RETRY_DELAYS_SECONDS
    assert site.folders() == {"new", "old"}


def test_key_with_an_internal_error_is_sent_again_alone(site, proxy: FaultProxy):
    def first(request: Request) -> str:
        one, *others = request.batch_keys
        deleted = re.sub(r".*<DeleteResult[^>]*>|</DeleteResult>", "", delete_result(others))
        for key in others:
            site.remove(key)
        return f"<DeleteResult>{deleted}{key_error(one, 'InternalError')}</DeleteResult>"

    asked: list[list[str]] = []
    proxy.reply(
        "POST",
        DELETE,
        lambda request: (
            asked.append(request.batch_keys),
            first(request) if len(asked) == 1 else delete_result(request.batch_keys),
        )[1],
    )

    ran = apply(site)

    assert [len(keys) for keys in asked] == [3, 1]
    assert ran.counts("old") == {"deleted": 3}


def test_storm_of_503_slows_the_run_and_it_completes(site, proxy: FaultProxy, pauses):
    for number in range(1, 9):
        proxy.answer("POST", DELETE, error("SlowDown"), status=503, nth=number)

    ran = apply(site)

    assert ran.code is ExitCode.DONE
    assert site.folders() == {"new"}
    assert len(proxy.deletions) == 9
    assert len(pauses) + len(ran.pauses) == 8


def test_run_whose_time_is_over_stops_before_it_deletes_and_says_how_to_go_on(site, proxy):
    times = iter(datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=one) for one in range(99))
    run = cleanup(site)
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    run = replace(run, clock=lambda: next(times), ends_at=datetime(2026, 11, 23, tzinfo=UTC))

    ran = Ran(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))

    assert ran.code is ExitCode.PARTIAL
    assert "timeout" in ran.result.stopped
    assert "Run again" in ran.result.stopped
    assert ran.result.count(ObjectOutcome.FAILED) == 3
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
    progress.begin("Deleting objects", 5000)
    progress.advance(1000)
    progress.beat()
    assert lines == []

    now[0] += LOG_EVERY_SECONDS
    progress.beat()
    progress.beat()
    assert lines == ["Deleting objects: 1,000 of 5,000"]
