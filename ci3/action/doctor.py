"""Step with `mode: doctor`: checks the buckets and reports findings."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from ci3.core.doctor.finding import Level, exit_code_of_findings
from ci3.core.model.result import RunOutcome
from ci3.errors import ExitCode
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES, Runner
from ci3.pipeline.context import TargetContext
from ci3.pipeline.doctor import run_doctor
from ci3.pipeline.expansion import open_targets
from ci3.report.doctor import label_checkups, render_checkups_markdown, show_checkups
from ci3.report.markdown_format import RenderContext

EXAMINED: Final = "examined"
"""Outcome of a step without a problem."""


def run_doctor_step(
    target_contexts: Sequence[TargetContext], *, console: Console, runner: Runner, run_url: str
) -> ExitCode:
    """Check every target; write findings to log and summary, and annotate the serious ones."""
    checkups = [run_doctor(target) for target in open_targets(target_contexts)]
    show_checkups(console, checkups)
    context = RenderContext(budget_bytes=SUMMARY_LIMIT_BYTES, run_url=run_url)
    runner.write_summary(render_checkups_markdown(checkups, context))
    for checkup, label in zip(checkups, label_checkups(checkups), strict=True):
        prefix = f"{label}: " if len(checkups) > 1 else ""
        for finding in checkup.findings:
            message = f"{prefix}{finding.text}"
            if finding.level is Level.PROBLEM:
                runner.add_error(message)
            elif finding.level is Level.WARNING:
                runner.add_warning(message)
    step_exit_code = exit_code_of_findings(checkups)
    outcomes = {ExitCode.DONE: EXAMINED, ExitCode.REFUSED: RunOutcome.REFUSED}
    runner.set_output("outcome", outcomes.get(step_exit_code, RunOutcome.FAILED))
    return step_exit_code
