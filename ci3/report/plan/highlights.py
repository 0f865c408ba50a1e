"""What is seen at a glance of a target: what is live, what this run is about, the way back."""

from collections.abc import Iterator, Sequence

from ci3.core.formatting import ago
from ci3.core.live.commit_names import Commit
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.plan.plan import Plan
from ci3.core.retention.rollback import rollback_targets
from ci3.report.markdown_format import Place, code, cut, plain, unbroken
from ci3.report.plan.text import rollback_note, uploaded

_LIVE_SHOWN = 5
_ROLLBACKS_SHOWN = 10
_SUBJECT_SHOWN = 72
_AUTHOR_SHOWN = 40
_WORD_SHOWN = 32
"""A longer word of a commit's would make its column as wide as it is long."""


def linked(name: str, place: Place) -> str:
    """Show a deployment's name, as a link where it stands for a commit of the repository."""
    commit = place.commits.get(name)
    if commit is None or not place.commit_url:
        return code(name)
    return f"[{code(name)}]({place.commit_url}{commit.sha})"


def named(decision: Decision, plan: Plan, place: Place) -> str:
    """Fill a table's cell with a deployment's name, and below it what its commit is."""
    name = decision.deployment.name
    commit = place.commits.get(name)
    told = "&nbsp;· ".join(_told(commit, decision, plan)) if commit is not None else ""
    return f"{linked(name, place)}<br>{told}" if told else linked(name, place)


def glance(plan: Plan, place: Place) -> str:
    """List what is live, what this run is about, and what can still be rolled back to."""
    lines = (*_live(plan, place), *_own(plan, place), *_rollbacks(plan, place))
    return "\n".join(f"- {line}" for line in lines)


def _told(commit: Commit, decision: Decision, plan: Plan) -> Iterator[str]:
    """Tell of a commit what is known: subject, author, and age where the upload's is another."""
    if commit.subject:
        yield _short(commit.subject, _SUBJECT_SHOWN)
    if commit.author:
        yield _short(commit.author, _AUTHOR_SHOWN)
    if commit.authored_at is not None:
        age = ago(plan.created_at - commit.authored_at)
        if age != uploaded(decision, plan):
            yield unbroken(age)


def _short(text: str, length: int) -> str:
    return plain(cut(" ".join(cut(word, _WORD_SHOWN) for word in text.split()), length))


def _live(plan: Plan, place: Place) -> Iterator[str]:
    if not plan.decisions:
        return
    live = _kept_for(plan, ReasonCode.LIVE)
    if live:
        shown = "; ".join(
            f"{linked(one.deployment.name, place)} ({plain(_evidence(one))})"
            for one in live[:_LIVE_SHOWN]
        )
        yield f"**Live:** {shown}{_more(len(live) - _LIVE_SHOWN)}"
    elif "live-from" in plan.policy:
        yield "**Live:** no live source names a deployment that is here."
    else:
        newest = next((one for one in plan.kept if one.deployment.complete), None)
        which = f"; the newest is {linked(newest.deployment.name, place)}" if newest else ""
        yield f"**Live:** not known, as `live-from` is not set{which}."


def _evidence(decision: Decision) -> str:
    return "; ".join(
        reason.message.removeprefix("live: ")
        for reason in decision.reasons
        if reason.code is ReasonCode.LIVE
    )


def _own(plan: Plan, place: Place) -> Iterator[str]:
    own = _kept_for(plan, ReasonCode.CURRENT_COMMIT)
    if own:
        names = ", ".join(linked(one.deployment.name, place) for one in own[:_LIVE_SHOWN])
        yield f"**Of this run's commit:** {names}{_more(len(own) - _LIVE_SHOWN)}"


def _rollbacks(plan: Plan, place: Place) -> Iterator[str]:
    if note := rollback_note(plan):
        targets = rollback_targets(plan.decisions)
        names = ", ".join(
            f"{linked(one.deployment.name, place)}{' (live)' if _is_live(one) else ''}"
            for one in targets[:_ROLLBACKS_SHOWN]
        )
        more = _more(len(targets) - _ROLLBACKS_SHOWN)
        yield f"**Rolling back:** {plain(note)}{f' {names}{more}' if names else ''}"


def _is_live(decision: Decision) -> bool:
    return any(reason.code is ReasonCode.LIVE for reason in decision.reasons)


def _kept_for(plan: Plan, code_: ReasonCode) -> Sequence[Decision]:
    return [one for one in plan.kept if any(reason.code is code_ for reason in one.reasons)]


def _more(left: int) -> str:
    return f" and {left:,} more" if left > 0 else ""
