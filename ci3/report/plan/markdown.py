"""A plan and a result as GitHub's Markdown, for the job summary and the comment."""

from collections.abc import Iterable, Sequence

from ci3.core.formatting import counted, moment, size
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Deployment
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.policy_diff import PolicyChange
from ci3.core.plan.target_result import Account
from ci3.errors import Ci3Error
from ci3.report.markdown_format import (
    WRAPPING_BYTES,
    Place,
    code,
    details,
    fitting,
    plain,
    row,
    size_bytes,
    table,
    unbroken,
)
from ci3.report.plan.highlights import glance, named
from ci3.report.plan.lifecycle_text import (
    expiry_note,
    open_warnings,
    reconciled_notes,
    reconciled_problem,
)
from ci3.report.plan.text import (
    SOON,
    Section,
    achievement,
    amounts,
    can_undo,
    guard_note,
    next_note,
    reasons,
    rollback_window,
    rules_note,
    sections,
    shortfall,
    staleness,
    total_verdict,
    undo_note,
    uploaded,
    uploads_note,
    verdict,
)
from ci3.report.plan.timeline import timeline

IGNORED_SHOWN = 20
CHANGED_SHOWN = 30
TARGETS_SHOWN = 100
_NOTES_SHOWN = 20
_NOTES_SHARE = 8
"""A box of notes takes at most one of so many parts of the room."""

_IDS_SHOWN = 10
_PICTURES_SHOWN = 10
"""With more targets there is none of each."""

_DOOMED_OPEN = 15
_KEPT_OPEN = 10
"""A longer table is folded, so that what follows it is seen."""


def run_markdown(
    accounts: Sequence[Account], place: Place, changes: Sequence[PolicyChange] = ()
) -> str:
    """Render a run, of one target or of several, in at most the place's bytes.

    `changes` tell what a pull request's policy changes, one for each target.
    """
    text = _whole(accounts, place, changes)
    if size_bytes(text) <= place.budget_bytes:
        return text
    title = f"### {plain(total_verdict(accounts))}"
    more = f"What goes and what stays takes more room than there is here: it is in {place.rest}."
    return f"{title}\n\n{more}\n"


def _whole(accounts: Sequence[Account], place: Place, changes: Sequence[PolicyChange]) -> str:
    is_one = len(accounts) == 1
    head = (
        _head(accounts[0], "###", place)
        if is_one
        else [f"### {plain(total_verdict(accounts))}", _overview(accounts)]
    )
    foot = _footer(accounts, place)
    room = place.budget_bytes - size_bytes("\n\n".join((*head, *foot))) - WRAPPING_BYTES
    told = [_policy_change(one, of_several=not is_one) for one in changes]
    told = fitting(told, room // 4, "what changes for", place)
    room -= size_bytes("\n\n".join(told))
    body = []
    for number, account in enumerate(accounts):
        share = room // (len(accounts) - number)
        title = [] if is_one else _head(account, "####", place)
        picture = timeline(account) if len(accounts) <= _PICTURES_SHOWN else ""
        title += [picture] if picture else []
        shown = _target(account, place, share - size_bytes("\n\n".join(title)) - WRAPPING_BYTES)
        body.append("\n\n".join((*title, *shown)))
        room -= size_bytes(body[-1]) + 2
    room = place.budget_bytes - size_bytes("\n\n".join((*head, *told, *foot))) - WRAPPING_BYTES
    if not is_one:
        body = fitting(body, room, "", place)
    return "\n\n".join(part for part in (*head, *told, *body, *foot) if part) + "\n"


def _head(account: Account, level: str, place: Place) -> list[str]:
    plan, result = account.plan, account.result
    title = verdict(plan) if result is None else achievement(plan, result)
    if account.is_stale:
        title = staleness(account)
    where = f"{code(plan.target.url)} · {plain(undo_note(plan))}"
    return [f"{level} {plain(title)}", where, *_notes(account, place)]


def _notes(account: Account, place: Place) -> list[str]:
    """Make a box of each kind of thing that a reader must not miss."""
    plan, result = account.plan, account.result
    left = shortfall(plan, result) if result else ""
    muddle = reconciled_problem(account)
    boxes = (
        ("CAUTION", "", [one for one in (left, muddle) if one]),
        ("CAUTION", "Can't be applied:", [one.message for one in plan.refusals]),
        ("WARNING", "", [one.message for one in open_warnings(account)]),
    )
    return [_box(*box, place.budget_bytes // _NOTES_SHARE) for box in boxes if box[2]]


def _box(kind: str, title: str, messages: Sequence[str], room_bytes: int) -> str:
    lines = [f"> [!{kind}]"]
    if len(messages) == 1:
        return f"{lines[0]}\n> {f'**{title}** ' if title else ''}{plain(messages[0])}"
    if title:
        lines.append(f"> **{title}**")
    for number, message in enumerate(messages):
        line = f"> - {plain(message)}"
        room_bytes -= size_bytes(line)
        if room_bytes < 0:
            lines.append(f"> - … and {len(messages) - number:,} more of this kind")
            break
        lines.append(line)
    return "\n".join(lines)


def _overview(accounts: Sequence[Account]) -> str:
    rows = [
        row(
            code(account.plan.target.url),
            account.outcome,
            f"{account.plan.totals.delete:,}",
            f"{account.plan.totals.keep:,}",
            unbroken(size(account.plan.totals.bytes_to_delete)),
        )
        for account in accounts[:TARGETS_SHOWN]
    ]
    if (left := len(accounts) - TARGETS_SHOWN) > 0:
        rows.append(row(f"… and {left:,} more", "", "", "", ""))
    head = row("Target", "Outcome", "To&nbsp;delete", "Kept", "Size")
    return "\n".join((head, row(":--", ":--", "--:", "--:", "--:"), *rows))


def _target(account: Account, place: Place, room_bytes: int) -> list[str]:
    """Render one target: what is seen at a glance, its tables, and what shaped them."""
    plan = account.plan
    above = glance(plan, place)
    choice = "\n".join(f"- {plain(sentence)}" for sentence in plan.choice)
    below = [*_ignored(plan), plain(rules_note(plan)), choice]
    room = room_bytes - size_bytes("\n\n".join((above, *below)))
    doomed = table(_doomed_columns(account), _doomed_rows(account, place), room, place)
    is_short = len(plan.doomed) <= _DOOMED_OPEN
    goes = _folded(_doomed_title(account), doomed, is_open=is_short)
    kept = table(_KEPT_COLUMNS, _rows_of(plan, plan.kept, place), room - size_bytes(goes), place)
    stays = _folded(_kept_title(plan), kept, is_open=len(plan.kept) <= _KEPT_OPEN)
    room -= size_bytes(goes) + size_bytes(stays)
    expiring = table(_EXPIRING_COLUMNS, _rows_of(plan, plan.expiring, place), room, place)
    goes_by_s3 = _folded(_expiring_title(plan), expiring, is_open=False)
    return [part for part in (above, goes, goes_by_s3, stays, *below) if part]


def _folded(title: str, shown: str, *, is_open: bool) -> str:
    return details(title, shown, is_open=is_open) if shown else ""


def _doomed_title(account: Account) -> str:
    doomed = account.plan.doomed
    is_planned = account.result is None and not account.is_stale
    what = "to delete" if is_planned else "of the plan"
    amount = size(sum(one.deployment.deletion_bytes for one in doomed))
    return f"{counted(len(doomed), 'deployment')} {what}, {amount}"


def _kept_title(plan: Plan) -> str:
    stays = plan.totals.bytes_to_keep
    amount = "" if stays is None else f", {size(stays)}"
    return f"{counted(plan.totals.keep, 'deployment')} kept{amount}"


def _expiring_title(plan: Plan) -> str:
    totals = plan.totals
    what = counted(totals.expiring, "deployment")
    return f"{what} expiring (S3 deletes what is left {SOON}), {size(totals.bytes_expiring)}"


def _policy_change(change: PolicyChange, *, of_several: bool) -> str:
    """Tell what a pull request's policy changes for one target."""
    where = f" of {code(change.new.target.url)}" if of_several else ""
    title = f"**This pull request changes the policy{where}.**"
    if change.old is None:
        return f"{title} {plain(change.problem)}"
    if not change.newly_doomed and not change.newly_kept:
        moved = ["Nothing changes hands."]
    else:
        moved = [
            f"{plain(what)}: {_names(decisions)}."
            for what, decisions in (
                ("Deleted by the new one only", change.newly_doomed),
                ("Kept by the new one only", change.newly_kept),
            )
            if decisions
        ]
    if change.new.deletes_versions and not change.old.deletes_versions:
        moved.append("The new one deletes all versions, for good: nothing can be undone.")
    refused = [
        f"{which} may not be applied: {plain(one.message)}."
        for which, plan in (("The old one", change.old), ("The new one", change.new))
        for one in plan.refusals[:_NOTES_SHOWN]
    ]
    windows = [
        f"{name} {plain(rollback_window(plan) or 'nothing to roll back to')}."
        for name, plan in (("Before:", change.old), ("Now:", change.new))
    ]
    return "\n".join((title, "", *(f"- {line}" for line in (*moved, *refused, *windows))))


def _names(decisions: Sequence[Decision]) -> str:
    shown = ", ".join(code(one.deployment.name) for one in decisions[:CHANGED_SHOWN])
    left = len(decisions) - CHANGED_SHOWN
    return f"{shown} and {left:,} more" if left > 0 else shown


def error_markdown(error: Ci3Error, place: Place | None = None) -> str:
    """Render an error: what, where, what to do next.

    In a place of its own, which told of an earlier run, it says that this does not hold any more.
    """
    parts = [f"### ci3 stopped: {plain(error.message)}", plain(error.hint)]
    if place is not None:
        parts.append("What stood here was of an earlier run, and may not hold any more.")
        if place.run_url:
            parts.append(f"<sub>[this run]({place.run_url})</sub>")
    return "\n\n".join(parts) + "\n"


_EXPIRING_COLUMNS = ("Expiring", "Uploaded", "Objects", "Size", "Why")
_KEPT_COLUMNS = ("Kept", "Uploaded", "Objects", "Size", "Why")


def _doomed_columns(account: Account) -> tuple[str, ...]:
    if account.result is None and not account.is_stale:
        return ("To&nbsp;delete", "Uploaded", "Objects", "Size", "Why")
    return ("Deployment", "Result", "Objects", "Size", "Why")


def _doomed_rows(account: Account, place: Place) -> Iterable[str]:
    plan, result = account.plan, account.result
    by_name = {one.name: one for one in result.deployments} if result else {}
    for section in sections(plan, plan.doomed):
        yield from _section_row(section)
        for decision in section.decisions:
            one = by_name.get(decision.deployment.name)
            name = named(decision, plan, place)
            second, why = _fate(decision, account, one)
            yield row(name, second, *_amounts(decision.deployment), why)


def _fate(decision: Decision, account: Account, one: DeploymentResult | None) -> tuple[str, str]:
    """Say of a doomed deployment when it was uploaded or what became of it, and why."""
    if account.is_stale:
        changed = account.changed.get(decision.deployment.name)
        second = "as&nbsp;planned" if changed is None else "**changed**"
        why = plain(changed or reasons(decision))
    elif account.result is None:
        second, why = unbroken(uploaded(decision, account.plan)), plain(reasons(decision))
    elif one is None:
        second, why = "**kept**", "not deleted"
    elif one.is_expiring:
        second, why = "expiring", plain(reasons(decision))
    elif one.is_gone:
        second, why = "deleted", plain(reasons(decision))
    else:
        second = "skipped" if one.is_skipped else "**not&nbsp;deleted**"
        why = plain(one.problem)
        if one.counts.get(ObjectOutcome.DELETED):
            second = f"**{one.counts[ObjectOutcome.DELETED]:,} deleted, not all**"
    return second, why


def _rows_of(plan: Plan, decisions: Sequence[Decision], place: Place) -> Iterable[str]:
    for section in sections(plan, decisions):
        yield from _section_row(section)
        for decision in section.decisions:
            name, when = named(decision, plan, place), unbroken(uploaded(decision, plan))
            why = plain(reasons(decision))
            yield row(name, when, *_amounts(decision.deployment), why)


def _section_row(section: Section) -> Iterable[str]:
    if section.title:
        yield row(f"**{plain(section.title)}**", "", "", "", "")


def _amounts(deployment: Deployment) -> tuple[str, str]:
    count, amount = amounts(deployment)
    return count, unbroken(amount)


def _ignored(plan: Plan) -> list[str]:
    if not plan.ignored:
        return []
    listed = "\n".join(
        f"- {code(one.name)} {plain(one.reason)}" for one in plan.ignored[:IGNORED_SHOWN]
    )
    left = len(plan.ignored) - IGNORED_SHOWN
    more = f"\n- … and {left:,} more" if left > 0 else ""
    title = f"{len(plan.ignored):,} ignored, never deleted"
    return [details(title, listed + more, is_open=False)]


def _how_to_undo(journal_file: str) -> str:
    command = code(f"ci3 restore {journal_file}")
    is_local = not journal_file.startswith("s3://")
    keep = " Keep the journal until then, in a workflow as an artifact." if is_local else ""
    return f"**To undo:** {command}, or a step with `mode: restore` and this `journal-file`.{keep}"


def _footer(accounts: Sequence[Account], place: Place) -> list[str]:
    shown = []
    for account in accounts:
        shown += [plain(note) for note in reconciled_notes(account)]
        if account.result is not None and account.result.journal_file:
            result = account.result
            notes = (guard_note(result), uploads_note(result), expiry_note(account))
            shown += [plain(note) for note in notes if note]
            shown.append(f"Journal: {code(result.journal_file)}, run {code(result.run_id)}")
            if can_undo(account):
                shown.append(_how_to_undo(result.journal_file))
    plans = [account.plan for account in accounts]
    is_to_apply = any(plan.doomed for plan in plans) and all(plan.applyable for plan in plans)
    is_planned = all(
        one.result is None and one.reconciled is None and not one.is_stale for one in accounts
    )
    if is_planned and is_to_apply and place.how_to_apply:
        shown.append(f"**To apply:** {place.how_to_apply}")
    if note := next_note(accounts):
        shown.append(f"**Next:** {plain(note)}")
    run = f" · [this run]({place.run_url})" if place.run_url else ""
    ids = ", ".join(code(plan.plan_id[:12]) for plan in plans[:_IDS_SHOWN])
    made = f"{moment(plans[0].created_at)} · ci3 {plain(plans[0].ci3_version)}"
    shown.append(f"<sub>Plan {ids} · {made}{run}</sub>")
    return shown
