"""Output of the read-only commands: for terminals, and as GitHub's Markdown."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ci3.core.formatting import format_minute, format_size
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.retention.explain import Explanation
from ci3.report.markdown_format import (
    escape_markdown,
    escape_without_breaks,
    format_code,
    format_document,
    format_table,
)
from ci3.report.plan.text import describe_deployment, format_amounts
from ci3.report.terminal_format import print_columns, print_line

if TYPE_CHECKING:
    from rich.console import Console

_DEPLOYMENT_COLUMNS = ("Deployment", "Oldest object", "Newest object", "Objects>", "Size>")


def show_explanation(console: "Console", explanation: Explanation, title: str = "") -> None:
    """Print why a deployment is kept or deleted: every rule and pin, and the outlook."""
    evaluation = explanation.evaluation
    group = f" in group {evaluation.group}" if evaluation.group else ""
    _print_title(console, title)
    print_line(console, f"{evaluation.deployment.name}{group} {_format_verb(explanation)}.", "bold")
    print_line(console, describe_deployment(evaluation.deployment, evaluation.now))
    print_columns(
        console,
        ("Keeps it", "Rule", "Why"),
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
        format_table(("Keeps&nbsp;it", "Rule", "Why"), rows),
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
        yield "yes" if check.is_matched else "no", check.code, check.message
    if evaluation.decision.is_delete:
        for reason in evaluation.decision.reasons:
            yield "", reason.code, reason.message


def show_deployments(
    console: "Console", deployments: Sequence[Deployment], title: str = ""
) -> None:
    """Print deployments as a table, in the order given."""
    _print_title(console, title)
    rows = [(_format_cells(deployment), "") for deployment in deployments]
    print_columns(console, _DEPLOYMENT_COLUMNS, rows)


def render_deployments_markdown(deployments: Sequence[Deployment], url: str = "") -> str:
    """Render a listing of deployments as a table, in the order given; `url` is its title."""
    rows = (
        (format_code(name), oldest, newest, count, escape_without_breaks(amount))
        for name, oldest, newest, count, amount in map(_format_cells, deployments)
    )
    return format_document(_format_heading(url), format_table(_DEPLOYMENT_COLUMNS, rows))


def _format_cells(deployment: Deployment) -> tuple[str, str, str, str, str]:
    oldest, newest = (
        "–" if time is None else format_minute(time)
        for time in (deployment.oldest_at, deployment.newest_at)
    )
    return deployment.name, oldest, newest, *format_amounts(deployment)


def show_objects(console: "Console", objects: Sequence[StoredObject], title: str = "") -> None:
    """Print objects as a table, in the order given."""
    _print_title(console, title)
    rows = [
        ((format_minute(item.modified_at), format_size(item.size_bytes), item.key), "")
        for item in objects
    ]
    print_columns(console, ("Modified", "Size>", "Key"), rows)


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
