"""Highlights of a target: live deployments, those of the run's commit and rollback targets."""

from collections.abc import Iterator

from ci3.core.formatting import format_age, join_names
from ci3.core.inventory.short_names import shorten_text
from ci3.core.live.commit_names import Commit
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import RefusalCode
from ci3.core.plan.plan import Plan
from ci3.report.markdown_format import (
    RenderContext,
    escape_breakable,
    escape_markdown,
    format_breakable_code,
    truncate,
)
from ci3.report.plan.text import format_rollback_note, format_upload_time

_MAX_LIVE_SHOWN = 5
_MAX_SUBJECT_LENGTH = 72
_MAX_AUTHOR_LENGTH = 40


def format_name_cell(decision: Decision, plan: Plan, context: RenderContext) -> str:
    """Format a table cell with a deployment's name and, below it, a summary of its commit."""
    link = _format_link(decision, context)
    commit = context.commits.get(decision.deployment.name)
    if commit is None:
        return link
    description = " · ".join(_describe_commit(commit, decision, plan))
    return f"{link}<br>{description}" if description else link


def format_highlights(plan: Plan, context: RenderContext) -> str:
    """Return a Markdown list: live deployments, those of the run's commit, rollback targets."""
    lines = (
        *_list_live(plan, context),
        *_list_current_commit(plan, context),
        *_list_rollback_targets(plan),
    )
    return "\n".join(f"- {line}" for line in lines)


def _describe_commit(commit: Commit, decision: Decision, plan: Plan) -> Iterator[str]:
    """Yield subject, author, and age unless it equals the age of the upload."""
    if commit.subject:
        yield _shorten(commit.subject, _MAX_SUBJECT_LENGTH)
    if commit.author:
        yield _shorten(commit.author, _MAX_AUTHOR_LENGTH)
    if commit.authored_at is not None:
        age = format_age(plan.created_at - commit.authored_at)
        if age != format_upload_time(decision, plan):
            yield age


def _shorten(text: str, length: int) -> str:
    return escape_breakable(truncate(" ".join(text.split()), length))


def _list_live(plan: Plan, context: RenderContext) -> Iterator[str]:
    if not plan.decisions:
        return
    live = [
        _format_live(decision, context)
        for decision in plan.kept
        if decision.has_reason(ReasonCode.LIVE)
    ]
    if live:
        yield f"**Live:** {join_names(live, _MAX_LIVE_SHOWN, separator='; ')}"
    elif "live-from" in plan.policy:
        is_unknown = any(
            refusal.code is RefusalCode.LIVE_SOURCE_UNREADABLE for refusal in plan.refusals
        )
        yield (
            "**Live:** unknown (a live source could not be read)."
            if is_unknown
            else "**Live:** none of these deployments."
        )
    else:
        newest = next((item for item in plan.kept if item.deployment.is_complete), None)
        newest_note = f"; the newest is {_format_link(newest, context)}" if newest else ""
        yield f"**Live:** unknown (`live-from` is not set){newest_note}."


def _format_live(decision: Decision, context: RenderContext) -> str:
    """Format the name and the evidence, without the name again if the evidence begins with it."""
    full_name = decision.deployment.name
    evidence = _join_evidence(decision, context)
    rest = evidence.removeprefix(f"{context.short_names.get(full_name, full_name)} ")
    separator = ": " if rest == evidence else " "
    return f"{_format_link(decision, context)}{separator}{escape_markdown(rest)}"


def _format_link(decision: Decision, context: RenderContext) -> str:
    """Format a deployment's name, as a link if it is named after a commit of the repository."""
    full_name = decision.deployment.name
    name = format_breakable_code(context.short_names.get(full_name, full_name))
    commit = context.commits.get(decision.deployment.name)
    if commit is None or not context.commit_url:
        return name
    return f"[{name}]({context.commit_url}{commit.sha})"


def _join_evidence(decision: Decision, context: RenderContext) -> str:
    evidence = ", ".join(
        reason.message.removeprefix("live: ")
        for reason in decision.reasons
        if reason.code is ReasonCode.LIVE
    )
    return shorten_text(evidence, context.short_names)


def _list_current_commit(plan: Plan, context: RenderContext) -> Iterator[str]:
    names = [
        _format_link(decision, context)
        for decision in plan.kept
        if decision.has_reason(ReasonCode.CURRENT_COMMIT)
    ]
    if names:
        yield f"**This commit:** {join_names(names, _MAX_LIVE_SHOWN)}"


def _list_rollback_targets(plan: Plan) -> Iterator[str]:
    if note := format_rollback_note(plan):
        yield f"**Rollback targets:** {escape_markdown(note)}"
