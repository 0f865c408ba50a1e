"""Output of the read-only commands as GitHub's Markdown."""

from collections.abc import Sequence

from ci3.core.formatting import format_minute, format_size
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.retention.explain import Explanation
from ci3.report.markdown_format import (
    escape_markdown,
    escape_without_breaks,
    format_code,
    format_row,
)
from ci3.report.plan.text import describe_deployment, format_amounts


def render_explanation_markdown(explanation: Explanation, url: str = "") -> str:
    """Render why a deployment is kept or deleted: every rule and pin, and the outlook.

    `url` is the target's, if there are several targets.
    """
    evaluation = explanation.evaluation
    decision, deployment = evaluation.decision, evaluation.deployment
    verb = "would be deleted" if decision.is_delete else "is kept"
    checks = [
        format_row(
            "**yes**" if check.is_matched else "no",
            format_code(check.code),
            escape_markdown(check.message),
        )
        for check in evaluation.checks
    ]
    if decision.is_delete:
        checks += [
            format_row("", format_code(reason.code), escape_markdown(reason.message))
            for reason in decision.reasons
        ]
    sections = (
        f"### {format_code(deployment.name)} {f'in {format_code(url)} ' if url else ''}{verb}",
        escape_markdown(describe_deployment(deployment, evaluation.now)),
        "\n".join(
            (format_row("Keeps&nbsp;it", "Rule", "Why"), format_row(":--", ":--", ":--"), *checks)
        ),
        escape_markdown(explanation.outlook),
    )
    return "\n\n".join(sections) + "\n"


def render_deployments_markdown(deployments: Sequence[Deployment], url: str = "") -> str:
    """Render a listing of deployments as a table, in the order given; `url` is its title."""
    rows = (
        format_row(
            format_code(deployment.name),
            "–" if deployment.oldest_at is None else format_minute(deployment.oldest_at),
            "–" if deployment.newest_at is None else format_minute(deployment.newest_at),
            *_format_amount_cells(deployment),
        )
        for deployment in deployments
    )
    header = format_row("Deployment", "Oldest object", "Newest object", "Objects", "Size")
    title = f"#### {format_code(url)}\n\n" if url else ""
    table = "\n".join((header, format_row(":--", ":--", ":--", "--:", "--:"), *rows))
    return f"{title}{table}\n"


def render_objects_markdown(objects: Sequence[StoredObject], url: str = "") -> str:
    """Render a listing of objects as a table, in the order given; `url` is its title."""
    title = f"#### {format_code(url)}\n\n" if url else ""
    rows = (
        format_row(
            format_code(stored_object.key),
            format_minute(stored_object.modified_at),
            format_size(stored_object.size_bytes),
        )
        for stored_object in objects
    )
    header = format_row("Key", "Modified", "Size")
    return title + "\n".join((header, format_row(":--", ":--", "--:"), *rows)) + "\n"


def _format_amount_cells(deployment: Deployment) -> tuple[str, str]:
    count, amount = format_amounts(deployment)
    return count, escape_without_breaks(amount)
