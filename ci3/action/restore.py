"""Step with `mode: restore`: restores what a journal's run deleted."""

from collections.abc import Mapping

from rich.console import Console

from ci3.action.post_settings import make_post_id
from ci3.action.reporter import Reporter
from ci3.config.from_plan import journal_target_layer
from ci3.config.resolve import RawSetting, raw_text, resolve_settings
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.config.unknown_names import refuse_unknown
from ci3.core.journal.header import JournalHeader
from ci3.core.model.prefix_pattern import PrefixPattern
from ci3.engine.restore.restore import refuse_unless_restorable, restore_exit_code
from ci3.engine.restore.sources import source_from_journal
from ci3.errors import ExitCode, SettingsError
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES
from ci3.pipeline.context_factory import ContextFactory
from ci3.pipeline.journals import open_named_journal
from ci3.pipeline.restore import open_restoration
from ci3.report.markdown_format import RenderContext
from ci3.report.restore import (
    build_restore_outputs,
    format_restore_plan_headline,
    format_restore_shortfall,
    render_restore_markdown,
    show_restore_plan,
    show_restored,
)


def run_restore_step(
    inputs: Mapping[str, RawSetting],
    factory: ContextFactory,
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
    path = _require_journal_file(inputs)
    with open_named_journal(path, factory, inputs) as journal:
        target_settings = journal_target_layer(journal.header.target, path)
        _refuse_other_target(target_settings, inputs)
        role_settings = {
            name: raw_setting for name, raw_setting in inputs.items() if name == "role-to-assume"
        }
        target_context = factory.create(resolve_settings(target_settings, role_settings))
        restoration = open_restoration(target_context, source_from_journal(journal))
        plan = restoration.make_plan()
        show_restore_plan(console, plan)
        restored = restoration.restore(plan) if plan.has_work else None
    outputs = build_restore_outputs(plan, restored)
    runner.set_output("outcome", outputs["outcome"])
    runner.set_output("objects-restored", outputs["objects-restored"])
    runner.set_output("journal-file", path)
    summary_context = RenderContext(
        budget_bytes=SUMMARY_LIMIT_BYTES, run_url=run_url, overflow_location="the step's log"
    )
    runner.write_summary(render_restore_markdown(plan, restored, summary_context))
    refuse_unless_restorable(plan)
    if restored is None:
        if exit_code := restore_exit_code(plan):
            runner.add_error(format_restore_plan_headline(plan))
        return exit_code
    show_restored(console, restored)
    if shortfall := format_restore_shortfall(restored):
        runner.add_error(shortfall)
    try:
        reporter.update_post(
            lambda context: render_restore_markdown(plan, restored, context),
            _find_post_id(journal.header),
        )
    except KeyboardInterrupt:
        runner.add_warning("interrupted after the restore: the report may be incomplete")
    return restore_exit_code(plan, restored)


def _find_post_id(header: JournalHeader) -> str:
    """Return the ID of the comment or issue on the restored run; of a pattern, that of its run."""
    match, pattern = header.policy.get("match"), header.policy.get("prefix")
    prefix = pattern.value if pattern else header.target.prefix
    url = f"s3://{header.target.bucket}/{prefix}"
    return make_post_id(url, str(match.value) if match else "")


def _require_journal_file(inputs: Mapping[str, RawSetting]) -> str:
    for name, raw_setting in inputs.items():
        if name not in SETTINGS_BY_NAME:
            refuse_unknown(name, raw_setting.where, SETTINGS_BY_NAME)
    path = raw_text(inputs, "journal-file")
    if not path:
        raise SettingsError(
            "mode: restore needs a journal-file",
            "Set the input journal-file to the journal of the run to restore.",
        )
    return path


def _refuse_other_target(
    target_settings: Mapping[str, RawSetting], inputs: Mapping[str, RawSetting]
) -> None:
    for name in ("bucket", "prefix", "endpoint-url"):
        input_value = raw_text(inputs, name).rstrip("/")
        journal_value = raw_text(target_settings, name).rstrip("/")
        is_pattern_of_it = name == "prefix" and PrefixPattern(f"{input_value}/").find_folder(
            f"{journal_value}/"
        )
        if input_value and input_value != journal_value and not is_pattern_of_it:
            raise SettingsError(
                f"the input {name} is {input_value!r}, but "
                f"the journal has {journal_value or 'none'}",
                "Remove the input: its value is taken from the journal.",
            )
