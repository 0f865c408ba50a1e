"""`mode: restore`: a workflow's step that brings back what a journal's run deleted."""

from collections.abc import Callable, Mapping

from rich.console import Console

from ci3.action.reporter import Reporter
from ci3.config.from_plan import settings_of_journal_target
from ci3.config.resolve import Given, refuse_unknown, resolve, text_of
from ci3.config.settings import BY_NAME, Settings
from ci3.engine.restore.restore import Restoration, exit_code, refuse_unless_restorable
from ci3.engine.restore.sources import source_from_journal
from ci3.errors import ExitCode, SettingsError
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES
from ci3.pipeline.context import Cleanup
from ci3.pipeline.journals import open_named_journal
from ci3.report.markdown_format import Place
from ci3.report.restore import (
    show_restored,
    show_undo_plan,
    undo_markdown,
    undo_numbers,
    undo_shortfall,
)


def restore_step(
    inputs: Mapping[str, Given],
    surround: Callable[[Settings], Cleanup],
    *,
    console: Console,
    reporter: Reporter,
    run_url: str,
) -> ExitCode:
    """Restore what the journal tells of, in the bucket that it names; what S3 can't undo is told.

    Raises SettingsError without a journal, and where an input names another place.
    """
    runner = reporter.runner
    for name, given in inputs.items():
        if name not in BY_NAME:
            refuse_unknown(name, given.where, BY_NAME)
    path = text_of(inputs, "journal-file")
    if not path:
        raise SettingsError(
            "mode: restore needs a journal-file",
            "Set the input journal-file to the journal that the run has written.",
        )
    with open_named_journal(path, surround, inputs) as journal:
        place = settings_of_journal_target(journal.header.target, path)
        _refuse_other_place(place, inputs)
        role = {name: one for name, one in inputs.items() if name == "role-to-assume"}
        cleanup = surround(resolve(place, role))
        restoration = Restoration(
            reader=cleanup.open_bucket(),
            deletions=source_from_journal(journal),
            progress=cleanup.progress,
            sleep=cleanup.sleep,
            concurrency=cleanup.settings.concurrency,
        )
        plan = restoration.plan()
        show_undo_plan(console, plan)
        restored = restoration.run(plan) if plan.has_work else None
    numbers = undo_numbers(plan, restored)
    runner.set_output("outcome", numbers["outcome"])
    runner.set_output("objects-restored", numbers["objects-restored"])
    runner.set_output("journal-file", path)
    summary = Place(budget_bytes=SUMMARY_LIMIT_BYTES, run_url=run_url, rest="the step's log")
    runner.write_summary(undo_markdown(plan, restored, summary))
    refuse_unless_restorable(plan)
    if restored is None:
        return ExitCode.DONE
    reporter.amend(lambda place: undo_markdown(plan, restored, place), plan.target.url)
    show_restored(console, restored)
    if left := undo_shortfall(restored):
        runner.fail(left)
    return exit_code(restored)


def _refuse_other_place(place: Mapping[str, Given], inputs: Mapping[str, Given]) -> None:
    for name in ("bucket", "prefix", "endpoint-url"):
        wanted, told = text_of(inputs, name).rstrip("/"), text_of(place, name).rstrip("/")
        if wanted and wanted != told:
            raise SettingsError(
                f"the input {name} is {wanted!r}, and the journal is of {told or 'none'}",
                "Leave it out: the place is the one that the journal names.",
            )
