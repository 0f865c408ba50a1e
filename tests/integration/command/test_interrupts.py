"""An interrupt of a command: what it reports depends on whether something may have been deleted."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from ci3.report.plan import terminal
from tests.support.cleanup_run import OLD_NAMES, apply, seed_site
from tests.support.s3.bucket import Bucket

OPTIONS = ("--keep-count", "1", "--match", ".*", "--yes", "--journal-file", "j.jsonl")
SHOWN_BY = {
    "table": "ci3.report.plan.terminal.show_results",
    "json": "ci3.cli.cleanup.format_json",
    "markdown": "ci3.cli.cleanup.write_markdown",
}
"""The function that shows the result, or is called for it, by the output format."""


@pytest.fixture
def seeded(site: Bucket) -> Bucket:
    site.enable_versioning()
    seed_site(site)
    return site


@pytest.fixture
def interrupt_call(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that replaces another one, named by its path, by an interrupt."""

    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    return lambda path: monkeypatch.setattr(path, interrupt)


def read_error(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what stderr shows from the error on."""
    return "".join(capsys.readouterr().err.partition("Error: ")[1:])


@pytest.mark.parametrize("output", SHOWN_BY)
def test_interrupt_after_the_deletion_refers_to_the_journal(
    seeded: Bucket, interrupt_call, output: str, capsys, assert_screen
) -> None:
    interrupt_call(SHOWN_BY[output])
    code = main(["cleanup", *seeded.options(), *OPTIONS, "--output", output])
    assert code == ExitCode.PARTIAL
    assert not seeded.folders() & {*OLD_NAMES}
    assert Path("j.jsonl").exists()
    assert_screen(read_error(capsys), is_shared=True)


def test_interrupt_before_the_first_deletion_reports_that_nothing_was_deleted(
    seeded: Bucket, interrupt_call, capsys, assert_screen
) -> None:
    interrupt_call("ci3.pipeline.target_run.approve_plan")
    before = seeded.content()
    code = main(["cleanup", *seeded.options(), *OPTIONS])
    assert code == ExitCode.INTERRUPTED
    assert seeded.content() == before
    assert_screen(read_error(capsys))


def test_second_interrupt_does_not_end_the_report_of_the_first(
    seeded: Bucket, interrupt_call, monkeypatch: pytest.MonkeyPatch, capsys, assert_screen
) -> None:
    def interrupt_and_show(*error: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        show_error(*error)

    show_error = terminal.show_error
    monkeypatch.setattr(terminal, "show_error", interrupt_and_show)
    interrupt_call("ci3.report.plan.terminal.show_results")
    code = main(["cleanup", *seeded.options(), *OPTIONS])
    assert code == ExitCode.PARTIAL
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # the next one ends the process
    assert_screen(read_error(capsys))


def test_interrupt_after_a_restore_is_no_interrupt_of_a_deletion(
    seeded: Bucket, interrupt_call, capsys, assert_screen
) -> None:
    journal = apply(seeded).result.journal_file
    interrupt_call("ci3.cli.restore.show_restored")
    code = main(["restore", journal, "--yes"])
    assert code == ExitCode.PARTIAL
    assert {*OLD_NAMES} <= seeded.folders()
    assert_screen(read_error(capsys))
