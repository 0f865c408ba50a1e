"""What the commands that only look show, as GitHub's Markdown."""

from collections.abc import Sequence

from ci3.core.formatting import moment, size
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.retention.explain import Explanation
from ci3.report.markdown_format import code, plain, row, unbroken
from ci3.report.plan.text import amounts, described


def explanation_markdown(explanation: Explanation, url: str = "") -> str:
    """Render why a deployment stays or goes: every rule and pin, and when it would go.

    `url` says where, if there are several places.
    """
    judgement = explanation.judgement
    decision, deployment = judgement.decision, judgement.deployment
    verb = "would be deleted" if decision.is_delete else "is kept"
    checks = [
        row("**yes**" if one.is_matched else "no", code(one.code), plain(one.message))
        for one in judgement.checks
    ]
    if decision.is_delete:
        checks += [row("", code(one.code), plain(one.message)) for one in decision.reasons]
    parts = (
        f"### {code(deployment.name)} {f'in {code(url)} ' if url else ''}{verb}",
        plain(described(deployment, judgement.now)),
        "\n".join((row("Keeps&nbsp;it", "Rule", "Why"), row(":--", ":--", ":--"), *checks)),
        plain(explanation.outlook),
    )
    return "\n\n".join(parts) + "\n"


def deployments_markdown(deployments: Sequence[Deployment], url: str = "") -> str:
    """Render a listing of deployments as a table, in the order given; `url` is its title."""
    rows = (
        row(
            code(one.name),
            "–" if one.oldest_at is None else moment(one.oldest_at),
            "–" if one.newest_at is None else moment(one.newest_at),
            *_amounts(one),
        )
        for one in deployments
    )
    columns = row("Deployment", "Oldest object", "Newest object", "Objects", "Size")
    title = f"#### {code(url)}\n\n" if url else ""
    lines = "\n".join((columns, row(":--", ":--", ":--", "--:", "--:"), *rows))
    return f"{title}{lines}\n"


def objects_markdown(objects: Sequence[StoredObject], url: str = "") -> str:
    """Render a listing of objects as a table, in the order given; `url` is its title."""
    title = f"#### {code(url)}\n\n" if url else ""
    rows = (row(code(one.key), moment(one.modified_at), size(one.size_bytes)) for one in objects)
    columns = row("Key", "Modified", "Size")
    return title + "\n".join((columns, row(":--", ":--", "--:"), *rows)) + "\n"


def _amounts(deployment: Deployment) -> tuple[str, str]:
    count, amount = amounts(deployment)
    return count, unbroken(amount)
