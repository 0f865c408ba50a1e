"""`mode: doctor`: a workflow's step that examines the buckets, and says what stands in the way."""

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
"""The outcome where nothing is in the way."""


def doctor_step(
    cleanups: Sequence[Cleanup], *, console: Console, runner: Runner, run_url: str
) -> ExitCode:
    """Examine every target: findings in log and summary, warnings and problems as annotations."""
    checkups = [check_up(cleanup) for cleanup in cleanups]
    for checkup in checkups:
        show_checkup(console, checkup)
    place = Place(budget_bytes=SUMMARY_LIMIT_BYTES, run_url=run_url)
    runner.write_summary(checkup_markdown(checkups, place))
    for checkup in checkups:
        where = f"{checkup.url}: " if len(checkups) > 1 else ""
        for one in checkup.findings:
            told = f"{where}{one.told}"
            if one.level is Level.PROBLEM:
                runner.fail(told)
            elif one.level is Level.WARNING:
                runner.warn(told)
    code = exit_code(checkups)
    ended = {ExitCode.DONE: EXAMINED, ExitCode.REFUSED: Outcome.REFUSED}
    runner.set_output("outcome", ended.get(code, Outcome.FAILED))
    return code
