"""Output of the read-only commands as GitHub's Markdown."""

from collections.abc import Sequence

from ci3.core.formatting import moment, size
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.retention.explain import Explanation
from ci3.report.markdown_format import code, plain, row, unbroken
from ci3.report.plan.text import amounts, described


def explanation_markdown(explanation: Explanation, url: str = "") -> str:
    """Render why a deployment is kept or deleted: every rule and pin, and the outlook.

    `url` is the target's, if there are several targets.
    """
    judgement = explanation.judgement
    decision, deployment = judgement.decision, judgement.deployment
    verb = "would be deleted" if decision.is_delete else "is kept"
    checks = [
        row("**yes**" if check.is_matched else "no", code(check.code), plain(check.message))
        for check in judgement.checks
    ]
    if decision.is_delete:
        checks += [row("", code(reason.code), plain(reason.message)) for reason in decision.reasons]
    sections = (
        f"### {code(deployment.name)} {f'in {code(url)} ' if url else ''}{verb}",
        plain(described(deployment, judgement.now)),
        "\n".join((row("Keeps&nbsp;it", "Rule", "Why"), row(":--", ":--", ":--"), *checks)),
        plain(explanation.outlook),
    )
    return "\n\n".join(sections) + "\n"


def deployments_markdown(deployments: Sequence[Deployment], url: str = "") -> str:
    """Render a listing of deployments as a table, in the order given; `url` is its title."""
    rows = (
        row(
            code(deployment.name),
            "–" if deployment.oldest_at is None else moment(deployment.oldest_at),
            "–" if deployment.newest_at is None else moment(deployment.newest_at),
            *_format_amount_cells(deployment),
        )
        for deployment in deployments
    )
    header = row("Deployment", "Oldest object", "Newest object", "Objects", "Size")
    title = f"#### {code(url)}\n\n" if url else ""
    table = "\n".join((header, row(":--", ":--", ":--", "--:", "--:"), *rows))
    return f"{title}{table}\n"


def objects_markdown(objects: Sequence[StoredObject], url: str = "") -> str:
    """Render a listing of objects as a table, in the order given; `url` is its title."""
    title = f"#### {code(url)}\n\n" if url else ""
    rows = (
        row(
            code(stored_object.key),
            moment(stored_object.modified_at),
            size(stored_object.size_bytes),
        )
        for stored_object in objects
    )
    header = row("Key", "Modified", "Size")
    return title + "\n".join((header, row(":--", ":--", "--:"), *rows)) + "\n"


def _format_amount_cells(deployment: Deployment) -> tuple[str, str]:
    count, amount = amounts(deployment)
    return count, unbroken(amount)
