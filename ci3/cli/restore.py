"""The command `restore`, which removes the delete markers that a run created."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci3.cli.common_options import with_common_options
from ci3.cli.console import OUTPUT_OPTION, create_console, require_approval, write_markdown
from ci3.cli.context import create_context_factory, create_target_context
from ci3.cli.options import YES_OPTION, SettingsCommand, read_raw_settings, with_options
from ci3.config.from_plan import JOURNAL_TARGET_SETTINGS, journal_target_layer
from ci3.config.pattern_targets import refuse_pattern
from ci3.config.resolve import RawSetting, resolve_settings
from ci3.constants import JOURNAL_FOLDER
from ci3.core.formatting import escape_control_chars, format_size, pluralize
from ci3.core.journal.location import JournalLocation, is_s3_url
from ci3.core.model.policy import REQUIRED_FILE_SETTING
from ci3.core.units import Duration
from ci3.engine.inventory.names import NameScope, resolve_deleted_name
from ci3.engine.journal.s3_sink import read_stored_journal
from ci3.engine.restore.restore import refuse_unless_restorable, restore_exit_code
from ci3.engine.restore.sources import source_from_journal, source_since
from ci3.errors import InterruptedApplyError, SettingsError
from ci3.interrupts import ignore_signals
from ci3.pipeline.journals import ACCESS_SETTINGS, open_named_journal
from ci3.pipeline.restore import open_restoration
from ci3.report.markdown_format import RenderContext
from ci3.report.restore import (
    render_restore_json,
    render_restore_markdown,
    show_restore_plan,
    show_restored,
)

if TYPE_CHECKING:
    from ci3.config.settings import Settings
    from ci3.core.restore.plan import RestorePlan, RestoreResult
    from ci3.engine.restore.sources import RestoreSource
    from ci3.pipeline.context import TargetContext

_NAME_HINT = "To restore a deployment by its NAME, add --deleted-since, such as --deleted-since 2h."


@with_common_options
@with_options(
    (*JOURNAL_TARGET_SETTINGS, "addressing-style", "role-to-assume", REQUIRED_FILE_SETTING),
    alternatives=["JOURNAL"],
)
@click.command("restore", cls=SettingsCommand)
@click.argument("source", metavar="JOURNAL | NAME", default="")
@click.option(
    "--run-id",
    default="",
    help="Run whose journal is stored in the bucket (.ci3/journals/ID/).",
    metavar="ID",
)
@click.option(
    "--deleted-since",
    default="",
    metavar="TIME",
    help="Without a journal: restore what anyone has deleted from the deployment NAME since this "
    "time (2h, 3d or 2026-11-23T10:00Z). NAME may be abbreviated as long as it is unique.",
)
@OUTPUT_OPTION
@YES_OPTION
def restore(
    *,
    source: str,
    run_id: str,
    deleted_since: str,
    output: str,
    auto_approve: bool,
    **values: str | None,
) -> int:
    """Restore what a run deleted from a versioned bucket.

    Shows what can be restored, asks for approval, removes the run's delete markers and lifecycle
    rules, and verifies the result. Newer uploads are not changed. The journal names the bucket;
    with --run-id or --deleted-since, set it with the options.

    \b
    Examples:
      ci3 restore ci3-journal-20261123T100000Z-1a2b3c4d.jsonl
      ci3 restore --run-id 20261123T100000Z-1a2b3c4d --bucket-name my-site
      ci3 restore ab12cd3 --deleted-since 2h --bucket-name my-site
    """
    with _open_source(source, run_id, deleted_since, values) as (target_context, restore_source):
        restoration = open_restoration(target_context, restore_source)
        plan = restoration.make_plan()
        screen = create_console(sys.stdout if output == "table" else sys.stderr)
        show_restore_plan(screen, plan)
        restored = None
        if plan.has_work:
            if not auto_approve:
                _ask_for_approval(plan)
            restored = restoration.restore(plan)
    try:
        if restored is not None:
            show_restored(screen, restored)
        _show_result(plan, restored, output)
    except KeyboardInterrupt:
        if restored is None:
            raise
        ignore_signals()
        hint = "Run the same command again to see whether anything remains to restore."
        raise InterruptedApplyError("interrupted after the restore", hint) from None
    refuse_unless_restorable(plan)
    return restore_exit_code(plan, restored)


@contextmanager
def _open_source(
    source: str, run_id: str, deleted_since: str, values: Mapping[str, str | None]
) -> "Iterator[tuple[TargetContext, RestoreSource]]":
    """Yield the target and the source of a restore.

    Raises SettingsError unless exactly one of these combinations is given:

    | source      | --run-id | --deleted-since | restores                              |
    |-------------|----------|-----------------|---------------------------------------|
    | a journal   |          |                 | what the journal's run deleted        |
    |             | an id    |                 | what the run of that id deleted       |
    | deployment  |          | a time          | what was deleted in it since the time |
    """
    raw_settings = read_raw_settings(values)
    if run_id and deleted_since:
        raise SettingsError("--run-id and --deleted-since cannot be combined", "Use one of them.")
    if REQUIRED_FILE_SETTING in raw_settings and not deleted_since:
        raise SettingsError(
            f"--{REQUIRED_FILE_SETTING} is only valid with --deleted-since",
            "Remove it: the value is taken from the journal.",
        )
    if deleted_since:
        settings = _resolve_single_target(raw_settings, "--deleted-since needs a single target")
        target_context = create_target_context(settings)
        yield target_context, _find_time_range_source(target_context, source, deleted_since)
    elif run_id:
        if source:
            raise SettingsError("--run-id and JOURNAL cannot be combined", "Use one of them.")
        settings = _resolve_single_target(raw_settings, "--run-id needs a single target")
        target_context = create_target_context(settings)
        location = JournalLocation.for_run(settings.bucket, settings.prefix, run_id)
        journal = read_stored_journal(target_context.open_bucket(), location)
        yield target_context, source_from_journal(journal)
    else:
        if not source:
            hint = "Pass the run's journal, or --run-id if the journal is stored in the bucket."
            raise SettingsError("the journal to restore from is missing", f"{hint} {_NAME_HINT}")
        access_settings = ACCESS_SETTINGS if is_s3_url(source) else ()
        if extra_names := [
            name
            for name in raw_settings
            if name in JOURNAL_TARGET_SETTINGS and name not in access_settings
        ]:
            raise SettingsError(
                f"--{extra_names[0]} and JOURNAL cannot be combined: the journal names the target",
                f"Remove the option, or use --run-id instead of JOURNAL. {_NAME_HINT}",
            )
        if not is_s3_url(source) and not Path(source).exists():
            raise SettingsError(
                f"the journal {source} does not exist",
                f"Name the journal that the run wrote. {_NAME_HINT}",
            )
        with open_named_journal(source, create_context_factory(), raw_settings) as journal:
            settings = resolve_settings(
                journal_target_layer(journal.header.target, source), raw_settings
            )
            yield create_target_context(settings), source_from_journal(journal)


def _resolve_single_target(raw_settings: Mapping[str, RawSetting], reason: str) -> "Settings":
    return refuse_pattern(resolve_settings(raw_settings), reason)


def _find_time_range_source(
    target_context: "TargetContext", source: str, text: str
) -> "RestoreSource":
    name = source.rstrip("/")
    if not name or "/" in name or name == JOURNAL_FOLDER:
        raise SettingsError(
            f"--deleted-since needs the NAME of one deployment, not {source!r}",
            "Pass the name of the folder, without the prefix.",
        )
    since = _parse_since(text, target_context.clock())
    bucket, prefix = target_context.open_bucket(), target_context.settings.prefix
    return source_since(
        target=bucket.describe_target(prefix),
        name=resolve_deleted_name(name, NameScope(bucket=bucket, prefix=prefix)),
        since=since,
        required_file=target_context.settings.required_file,
    )


def _parse_since(text: str, now: datetime) -> datetime:
    """Parse a duration before `now`, such as `2h`, or an ISO 8601 time with a time zone."""
    try:
        return now - Duration.parse(text).length
    except ValueError:
        pass
    try:
        since = datetime.fromisoformat(text)
    except ValueError as exc:
        raise SettingsError(
            f"option --deleted-since: {text!r} is neither a duration nor a time",
            "Use whole hours, days or weeks (2h, 3d, 1w), or a time such as 2026-11-23T10:00Z.",
        ) from exc
    if since.tzinfo is None:
        raise SettingsError(
            f"option --deleted-since: {text!r} has no time zone",
            f"Add one. For UTC: {text}Z",
        )
    return since.astimezone(UTC)


def _ask_for_approval(plan: "RestorePlan") -> None:
    rules = f"Remove {pluralize(len(plan.rule_ids), 'lifecycle rule')}" if plan.rule_ids else ""
    objects = f"{pluralize(plan.object_count, 'object')} ({format_size(plan.size_bytes)})"
    if plan.object_count:
        question = f"{rules} and restore {objects}" if rules else f"Restore {objects}"
    else:
        question = rules
    require_approval(
        f"{question} in {escape_control_chars(plan.target.url)}?",
        "Nothing was restored.",
    )


def _show_result(plan: "RestorePlan", restored: "RestoreResult | None", output: str) -> None:
    if output == "json":
        click.echo(render_restore_json(plan, restored), nl=False)
    elif output == "markdown":
        write_markdown(render_restore_markdown(plan, restored, RenderContext()))
