"""Step with `mode: doctor`: examines the buckets and reports findings."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from ci3.core.doctor.finding import Level, exit_code
from ci3.core.model.result import Outcome
from ci3.errors import ExitCode
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES, Runner
from ci3.pipeline.context import Cleanup
from ci3.pipeline.doctor import check_up
from ci3.report.doctor import checkup_markdown, show_checkup
from ci3.report.markdown_format import Place

EXAMINED: Final = "examined"
"""Outcome of a step without a problem."""


def doctor_step(
    target_contexts: Sequence[Cleanup], *, console: Console, runner: Runner, run_url: str
) -> ExitCode:
    """Examine every target; write findings to log and summary, and annotate the serious ones."""
    checkups = [check_up(target_context) for target_context in target_contexts]
    for checkup in checkups:
        show_checkup(console, checkup)
    context = Place(budget_bytes=SUMMARY_LIMIT_BYTES, run_url=run_url)
    runner.write_summary(checkup_markdown(checkups, context))
    for checkup in checkups:
        prefix = f"{checkup.url}: " if len(checkups) > 1 else ""
        for finding in checkup.findings:
            message = f"{prefix}{finding.told}"
            if finding.level is Level.PROBLEM:
                runner.fail(message)
            elif finding.level is Level.WARNING:
                runner.warn(message)
    step_exit_code = exit_code(checkups)
    outcomes = {ExitCode.DONE: EXAMINED, ExitCode.REFUSED: Outcome.REFUSED}
    runner.set_output("outcome", outcomes.get(step_exit_code, Outcome.FAILED))
    return step_exit_code
