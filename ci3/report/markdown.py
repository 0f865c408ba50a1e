"""A plan and a result as GitHub's Markdown, for the job summary and the comment."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci3.core.model import Decision, Deployment, ObjectOutcome, Result, StoredObject
from ci3.core.plan import Plan
from ci3.core.wording import counted, moment, size, visible
from ci3.errors import Ci3Error
from ci3.report.sentences import (
    achievement,
    reasons,
    rollback_note,
    rollback_targets,
    rules_note,
    shortfall,
    undo_note,
    uploaded,
    verdict,
)

IGNORED_SHOWN = 20
ROLLBACKS_SHOWN = 10
WRAPPING_BYTES = 1_000
"""What stands around and between tables at most: column heads, `details`, words on what is cut."""

_NAME_SHOWN = 200
_TEXT_SHOWN = 600
_NOTES_SHOWN = 20
_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "\\`*_[]|~"}
# GitHub makes links of these when Markdown has been rendered; an empty comment parts them.
_LINKED = re.compile(r"@|(?<!&)#|(?<=http:|ttps:)//|(?<=ftp:)//|(?<=www)\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a text will stand: how many bytes it may have, and links to put into it."""

    budget_bytes: int
    run_url: str = ""
    how_to_apply: str = ""


def code(name: str) -> str:
    """Show a name as code, whatever is in it, so that nothing of it is read as Markdown."""
    text = _cut(visible(name), _NAME_SHOWN)
    if text.strip() != text or not text or any(character in text for character in "`|\\"):
        entities = "".join(
            character if character.isalnum() else f"&#{ord(character)};" for character in text
        )
        return f"<code>{entities}</code>"
    return f"`{text}`"


def plain(text: str) -> str:
    """Show a text as it is: no markup, links, mentions or references come of it."""
    shown = _cut(visible(text), _TEXT_SHOWN)
    escaped = html.escape(shown, quote=False).translate(_ENTITIES)
    return _LINKED.sub(lambda found: f"<!-- -->{found[0]}<!-- -->", escaped)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def plan_markdown(plan: Plan, place: Place, result: Result | None = None) -> str:
    """Render a plan, or with a result what became of it, in at most the place's bytes."""
    title = verdict(plan) if result is None else achievement(plan, result)
    head = [f"### {plain(title)}", f"{code(plan.target.url)} · {plain(undo_note(plan.target))}"]
    head += _notes(plan, result)
    tail = [*_afterwards(plan), plain(rules_note(plan)), *_footer(plan, place, result)]
    room = place.budget_bytes - _size("\n\n".join((*head, *tail))) - WRAPPING_BYTES
    doomed = _table(_doomed_columns(result), _doomed_rows(plan, result), room, place)
    room -= _size(doomed)
    kept = _table(_KEPT_COLUMNS, (_kept_row(one, plan) for one in plan.kept), room, place)
    sections = [*head, doomed]
    if kept:
        what = f"{counted(plan.totals.keep, 'deployment')} kept, {size(plan.totals.bytes_to_keep)}"
        sections.append(_details(what, kept, is_open=len(plan.kept) <= ROLLBACKS_SHOWN))
    return "\n\n".join(section for section in (*sections, *tail) if section) + "\n"


def error_markdown(error: Ci3Error) -> str:
    """Render an error: what, where, what to do next."""
    return f"### ci3 stopped: {plain(error.message)}\n\n{plain(error.hint)}\n"


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _notes(plan: Plan, result: Result | None) -> list[str]:
    left = shortfall(plan, result) if result else ""
    notes = [f"> [!CAUTION]\n> {plain(left)}"] if left else []
    notes += [f"> [!CAUTION]\n> Not applied: {plain(one.message)}" for one in plan.refusals]
    notes += [f"> [!WARNING]\n> {plain(one.message)}" for one in plan.warnings]
    left_out = len(notes) - _NOTES_SHOWN
    more = [f"> … and {left_out:,} more of this kind"] if left_out > 0 else []
    return notes[:_NOTES_SHOWN] + more


_KEPT_COLUMNS = ("Kept", "Uploaded", "Objects", "Size", "Why")


def _doomed_columns(result: Result | None) -> tuple[str, ...]:
    if result is None:
        return ("To&nbsp;delete", "Uploaded", "Objects", "Size", "Why")
    return ("Deployment", "Result", "Objects", "Size", "Why")


def _doomed_rows(plan: Plan, result: Result | None) -> Iterable[str]:
    by_name = {one.name: one for one in result.deployments} if result else {}
    for decision in plan.doomed:
        deployment = decision.deployment
        one = by_name.get(deployment.name)
        if result is None:
            second, why = _unbroken(uploaded(decision, plan)), plain(reasons(decision))
        elif one is None:
            second, why = "**kept**", "not deleted"
        elif one.is_gone:
            second, why = "deleted", plain(reasons(decision))
        else:
            second, why = "**not&nbsp;deleted**", plain(one.problem)
            if one.counts.get(ObjectOutcome.DELETED):
                second = f"**{one.counts[ObjectOutcome.DELETED]:,} deleted, not all**"
        yield _row(code(deployment.name), second, *_amounts(deployment), why)


def _kept_row(decision: Decision, plan: Plan) -> str:
    deployment = decision.deployment
    why = plain(reasons(decision))
    when = _unbroken(uploaded(decision, plan))
    return _row(code(deployment.name), when, *_amounts(deployment), why)


def _amounts(deployment: Deployment) -> tuple[str, str]:
    return f"{deployment.object_count:,}", _unbroken(size(deployment.size_bytes))


def _unbroken(text: str) -> str:
    return plain(text).replace(" ", "&nbsp;")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _table(columns: Sequence[str], rows: Iterable[str], room_bytes: int, place: Place) -> str:
    """Render a table with as many rows as fit, and say how many did not."""
    shown: list[str] = []
    left_out = 0
    for row in rows:
        room_bytes -= _size(row) + 1
        if room_bytes > 0 and not left_out:
            shown.append(row)
        else:
            left_out += 1
    if not shown and not left_out:
        return ""
    alignment = _row(*("--:" if column in ("Objects", "Size") else ":--" for column in columns))
    where = f"[the run's summary]({place.run_url})" if place.run_url else "the plan file"
    more = f"\n\n… and {counted(left_out, 'more deployment')}, in {where}." if left_out else ""
    return "\n".join((_row(*columns), alignment, *shown)) + more


def _details(summary: str, body: str, *, is_open: bool) -> str:
    return (
        f"<details{' open' if is_open else ''}><summary>{plain(summary)}</summary>\n\n"
        f"{body}\n\n</details>"
    )


def _afterwards(plan: Plan) -> list[str]:
    sections = []
    targets = rollback_targets(plan)
    if note := rollback_note(plan):
        names = ", ".join(code(one.deployment.name) for one in targets[:ROLLBACKS_SHOWN])
        more = " …" if len(targets) > ROLLBACKS_SHOWN else ""
        sections.append(f"**Rolling back:** {plain(note)}{f' {names}{more}' if names else ''}")
    if plan.ignored:
        listed = "\n".join(
            f"- {code(one.name)} {plain(one.reason)}" for one in plan.ignored[:IGNORED_SHOWN]
        )
        left = len(plan.ignored) - IGNORED_SHOWN
        more = f"\n- … and {left:,} more" if left > 0 else ""
        sections.append(
            _details(f"{len(plan.ignored):,} ignored, never deleted", listed + more, is_open=False)
        )
    return sections


def _footer(plan: Plan, place: Place, result: Result | None) -> list[str]:
    sections = []
    if result is not None:
        sections.append(f"Journal: {code(result.journal_file)}, run {code(result.run_id)}")
    elif plan.doomed and plan.applyable and place.how_to_apply:
        sections.append(f"**To apply:** {place.how_to_apply}")
    run = f" · [this run]({place.run_url})" if place.run_url else ""
    made = f"{moment(plan.created_at)} · ci3 {plain(plan.ci3_version)}"
    sections.append(f"<sub>Plan {code(plan.plan_id[:12])} · {made}{run}</sub>")
    return sections


def deployments_markdown(deployments: Sequence[Deployment]) -> str:
    """Render a listing of deployments as a table, in the order given."""
    rows = (
        _row(
            code(one.name),
            "–" if one.oldest_at is None else moment(one.oldest_at),
            "–" if one.newest_at is None else moment(one.newest_at),
            *_amounts(one),
        )
        for one in deployments
    )
    columns = _row("Deployment", "Oldest object", "Newest object", "Objects", "Size")
    return "\n".join((columns, _row(":--", ":--", ":--", "--:", "--:"), *rows)) + "\n"


def objects_markdown(objects: Sequence[StoredObject]) -> str:
    """Render a listing of objects as a table, in the order given."""
    rows = (_row(code(one.key), moment(one.modified_at), size(one.size_bytes)) for one in objects)
    return "\n".join((_row("Key", "Modified", "Size"), _row(":--", ":--", "--:"), *rows)) + "\n"
