"""Effect of a pull request's policy change as GitHub's Markdown, for summary and comment."""

from collections.abc import Sequence

from ci3.core.formatting import join_names
from ci3.core.model.decision import Decision
from ci3.core.plan.policy_diff import PolicyChange
from ci3.errors import end_sentence
from ci3.report.markdown_format import escape_markdown, format_code
from ci3.report.plan.text import format_rollback_window

_MAX_REFUSALS_SHOWN = 20
_MAX_NAMES_SHOWN = 30


def render_policy_change(change: PolicyChange, *, has_several_targets: bool) -> str:
    """Render what a pull request's policy file changes for one target."""
    target_note = f" of {format_code(change.new.target.url)}" if has_several_targets else ""
    title = f"**This pull request changes the policy{target_note}.**"
    if change.old is None:
        return f"{title} {escape_markdown(change.problem)}"
    if not change.newly_deleted and not change.newly_kept:
        moves = ["No decision changes."]
    else:
        moves = [
            f"{escape_markdown(label)}: {_format_names(decisions)}."
            for label, decisions in (
                ("Deleted only with the new policy", change.newly_deleted),
                ("Kept only with the new policy", change.newly_kept),
            )
            if decisions
        ]
    if change.new.deletes_versions and not change.old.deletes_versions:
        moves.append("The new policy permanently deletes all versions. This cannot be undone.")
    refusals = [
        f"{policy_name} cannot be applied: {escape_markdown(end_sentence(refusal.message))}"
        for policy_name, plan in (("The old policy", change.old), ("The new policy", change.new))
        for refusal in plan.refusals[:_MAX_REFUSALS_SHOWN]
    ]
    windows = [
        f"Rollback targets {label}: {escape_markdown(format_rollback_window(plan) or 'none')}."
        for label, plan in (("before", change.old), ("now", change.new))
    ]
    return "\n".join((title, "", *(f"- {line}" for line in (*moves, *refusals, *windows))))


def _format_names(decisions: Sequence[Decision]) -> str:
    names = [format_code(decision.deployment.name) for decision in decisions]
    return join_names(names, _MAX_NAMES_SHOWN)
