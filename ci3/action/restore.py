"""Step with `mode: restore`: restores what a journal's run deleted."""

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
    create_context: Callable[[Settings], Cleanup],
    *,
    console: Console,
    reporter: Reporter,
    run_url: str,
) -> ExitCode:
    """Restore what a journal's run deleted, in the bucket that the journal names.

    Raises SettingsError if there is no journal or an input names another target, and RefusedError
    if objects were deleted and none of them can be restored.
    """
    runner = reporter.runner
    for name, raw_setting in inputs.items():
        if name not in BY_NAME:
            refuse_unknown(name, raw_setting.where, BY_NAME)
    path = text_of(inputs, "journal-file")
    if not path:
        raise SettingsError(
            "mode: restore needs a journal-file",
            "Set the input journal-file to the journal that the run has written.",
        )
    with open_named_journal(path, create_context, inputs) as journal:
        target_settings = settings_of_journal_target(journal.header.target, path)
        _refuse_other_target(target_settings, inputs)
        role_settings = {
            name: raw_setting for name, raw_setting in inputs.items() if name == "role-to-assume"
        }
        target_context = create_context(resolve(target_settings, role_settings))
        restoration = Restoration(
            reader=target_context.open_bucket(),
            deletions=source_from_journal(journal),
            progress=target_context.progress,
            sleep=target_context.sleep,
            concurrency=target_context.settings.concurrency,
        )
        plan = restoration.plan()
        show_undo_plan(console, plan)
        restored = restoration.run(plan) if plan.has_work else None
    outputs = undo_numbers(plan, restored)
    runner.set_output("outcome", outputs["outcome"])
    runner.set_output("objects-restored", outputs["objects-restored"])
    runner.set_output("journal-file", path)
    summary_context = Place(
        budget_bytes=SUMMARY_LIMIT_BYTES, run_url=run_url, rest="the step's log"
    )
    runner.write_summary(undo_markdown(plan, restored, summary_context))
    refuse_unless_restorable(plan)
    if restored is None:
        return ExitCode.DONE
    reporter.amend(lambda context: undo_markdown(plan, restored, context), plan.target.url)
    show_restored(console, restored)
    if shortfall := undo_shortfall(restored):
        runner.fail(shortfall)
    return exit_code(restored)


def _refuse_other_target(target_settings: Mapping[str, Given], inputs: Mapping[str, Given]) -> None:
    for name in ("bucket", "prefix", "endpoint-url"):
        input_value = text_of(inputs, name).rstrip("/")
        journal_value = text_of(target_settings, name).rstrip("/")
        if input_value and input_value != journal_value:
            raise SettingsError(
                f"the input {name} is {input_value!r}, and "
                f"the journal is of {journal_value or 'none'}",
                "Leave it out: the place is the one that the journal names.",
            )
