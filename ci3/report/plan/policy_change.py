"""Effect of a pull request's policy change as GitHub's Markdown, for summary and comment."""

from collections.abc import Sequence

from ci3.core.formatting import join_names
from ci3.core.model.decision import Decision
from ci3.core.plan.policy_diff import PolicyChange
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
        moves = ["Nothing changes hands."]
    else:
        moves = [
            f"{escape_markdown(label)}: {_format_names(decisions)}."
            for label, decisions in (
                ("Deleted by the new one only", change.newly_deleted),
                ("Kept by the new one only", change.newly_kept),
            )
            if decisions
        ]
    if change.new.deletes_versions and not change.old.deletes_versions:
        moves.append("The new one deletes all versions, for good: nothing can be undone.")
    refusals = [
        f"{plan_name} may not be applied: {escape_markdown(refusal.message)}."
        for plan_name, plan in (("The old one", change.old), ("The new one", change.new))
        for refusal in plan.refusals[:_MAX_REFUSALS_SHOWN]
    ]
    windows = [
        f"{label} {escape_markdown(format_rollback_window(plan) or 'nothing to roll back to')}."
        for label, plan in (("Before:", change.old), ("Now:", change.new))
    ]
    return "\n".join((title, "", *(f"- {line}" for line in (*moves, *refusals, *windows))))


def _format_names(decisions: Sequence[Decision]) -> str:
    names = [format_code(decision.deployment.name) for decision in decisions]
    return join_names(names, _MAX_NAMES_SHOWN)
