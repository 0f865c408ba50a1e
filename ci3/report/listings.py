"""Output of the read-only commands: for terminals, and as GitHub's Markdown."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ci3.core.formatting import format_minute, format_size
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.model.objects import StoredObject
from ci3.core.retention.explain import Explanation
from ci3.report.markdown_format import (
    escape_markdown,
    escape_without_breaks,
    format_code,
    format_document,
    format_table,
)
from ci3.report.plan.text import (
    describe_deployment,
    format_amounts,
    format_upload_duration,
)
from ci3.report.terminal_format import Tables, map_names, print_columns, print_line

if TYPE_CHECKING:
    from rich.console import Console

_IGNORED_SHOWN = 3
_DEPLOYMENT_COLUMNS = ("Deployment", "Uploaded", "Objects>", "Size>")


def show_explanation(console: "Console", explanation: Explanation, title: str = "") -> None:
    """Print why a deployment is kept or deleted: every rule and pin, and the outlook."""
    evaluation = explanation.evaluation
    group = f" in group {evaluation.group}" if evaluation.group else ""
    _print_title(console, title)
    print_line(console, f"{evaluation.deployment.name}{group} {_format_verb(explanation)}.", "bold")
    print_line(console, describe_deployment(evaluation.deployment, evaluation.now))
    print_columns(
        console,
        ("Kept?", "Rule", "Why"),
        [(row, "" if row[0] else "red") for row in _list_checks(explanation)],
    )
    print_line(console, explanation.outlook)


def render_explanation_markdown(explanation: Explanation, url: str = "") -> str:
    """Render why a deployment is kept or deleted: every rule and pin, and the outlook.

    `url` is the target's, if there are several targets.
    """
    deployment = explanation.evaluation.deployment
    target_note = f"in {format_code(url)} " if url else ""
    rows = (
        ("**yes**" if answer == "yes" else answer, format_code(code), escape_markdown(message))
        for answer, code, message in _list_checks(explanation)
    )
    return format_document(
        f"### {format_code(deployment.name)} {target_note}{_format_verb(explanation)}",
        escape_markdown(describe_deployment(deployment, explanation.evaluation.now)),
        format_table(("Kept?", "Rule", "Why"), rows),
        escape_markdown(explanation.outlook),
    )


def _format_verb(explanation: Explanation) -> str:
    return "would be deleted" if explanation.evaluation.decision.is_delete else "is kept"


def _list_checks(explanation: Explanation) -> Iterator[tuple[str, str, str]]:
    """Yield whether a rule or pin keeps the deployment, its code and its message.

    The reasons for a deletion follow, with an empty answer.
    """
    evaluation = explanation.evaluation
    for check in evaluation.checks:
        is_kept_by = check.is_matched and not evaluation.is_delete
        yield "yes" if is_kept_by else "no", check.code, check.message
    if evaluation.decision.is_delete:
        for reason in evaluation.decision.reasons:
            yield "", reason.code, reason.message


def show_deployments(
    console: "Console",
    deployments: Sequence[Deployment],
    title: str = "",
    tables: Tables = Tables.SHORT_NAMES,
) -> None:
    """Print deployments as a table, in the order given."""
    _print_title(console, title)
    names = map_names((deployment.name for deployment in deployments), tables)
    columns, rows = _tabulate(deployments)
    shown = [((names[name], *cells), "") for name, *cells in rows]
    print_columns(console, columns, shown, can_cut=tables is not Tables.FULL_NAMES)


def describe_empty_listing(url: str, inventory: Inventory) -> str:
    """Return a sentence on a target in which no deployment was listed: what is there instead."""
    if inventory.unlisted:
        return f"No deployment in {url} could be listed."
    if not inventory.ignored:
        return f"No deployments found: {url} is empty."
    ignored = "; ".join(
        f"{item.name}: {item.reason}" for item in inventory.ignored[:_IGNORED_SHOWN]
    )
    more = len(inventory.ignored) - _IGNORED_SHOWN
    more_note = f"; and {more:,} more" if more > 0 else ""
    return f"No deployments found in {url}. Ignored: {ignored}{more_note}."


def render_deployments_markdown(deployments: Sequence[Deployment], url: str = "") -> str:
    """Render a listing of deployments as a table, in the order given; `url` is its title."""
    columns, rows = _tabulate(deployments)
    cells = ((format_code(name), *map(escape_without_breaks, others)) for name, *others in rows)
    return format_document(_format_heading(url), format_table(columns, cells))


def _tabulate(deployments: Sequence[Deployment]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the columns and rows of a listing; the column of notes is left out if it is empty."""
    rows: list[tuple[str, ...]] = []
    for deployment in deployments:
        newest_at = deployment.newest_at
        uploaded = "–" if newest_at is None else format_minute(newest_at)
        notes = (
            format_upload_duration(deployment),
            "" if deployment.is_complete else "incomplete",
        )
        note = ", ".join(filter(None, notes))
        rows.append((deployment.name, uploaded, *format_amounts(deployment), note))
    if any(note for *_, note in rows):
        return (*_DEPLOYMENT_COLUMNS, "Note"), rows
    return _DEPLOYMENT_COLUMNS, [row[:-1] for row in rows]


def show_objects(console: "Console", objects: Sequence[StoredObject], title: str = "") -> None:
    """Print objects as a table, in the order given."""
    _print_title(console, title)
    rows = [
        ((format_minute(item.modified_at), format_size(item.size_bytes), item.key), "")
        for item in objects
    ]
    print_columns(console, ("Modified", "Size>", "Key="), rows, can_cut=False)


def render_objects_markdown(objects: Sequence[StoredObject], url: str = "") -> str:
    """Render a listing of objects as a table, in the order given; `url` is its title."""
    rows = (
        (format_code(item.key), format_minute(item.modified_at), format_size(item.size_bytes))
        for item in objects
    )
    return format_document(_format_heading(url), format_table(("Key", "Modified", "Size>"), rows))


def _print_title(console: "Console", title: str) -> None:
    if title:
        print_line(console, title, "bold")


def _format_heading(url: str) -> str:
    return f"#### {format_code(url)}" if url else ""
