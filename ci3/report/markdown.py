"""A plan and a result as GitHub's Markdown, for the job summary and the comment."""

from collections.abc import Iterable, Sequence

from ci3.core.account import Account
from ci3.core.comparison import PolicyChange
from ci3.core.explanation import Explanation
from ci3.core.model import (
    Decision,
    Deployment,
    DeploymentResult,
    ObjectOutcome,
    Result,
    StoredObject,
)
from ci3.core.plan import Plan
from ci3.core.rollback import rollback_targets
from ci3.core.wording import counted, moment, size
from ci3.errors import Ci3Error
from ci3.report.markup import (
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
from ci3.report.sentences import (
    Section,
    achievement,
    amounts,
    described,
    guard_note,
    reasons,
    rollback_note,
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

IGNORED_SHOWN = 20
ROLLBACKS_SHOWN = 10
CHANGED_SHOWN = 30
TARGETS_SHOWN = 100
_NOTES_SHOWN = 20


def run_markdown(
    accounts: Sequence[Account], place: Place, changes: Sequence[PolicyChange] = ()
) -> str:
    """Render a run, of one target or of several, in at most the place's bytes.

    `changes` tell what a pull request's policy changes, one for each target.
    """
    is_one = len(accounts) == 1
    head = (
        _head(accounts[0], "###")
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
        title = [] if is_one else _head(account, "####")
        shown = _target(account, place, share - size_bytes("\n\n".join(title)) - WRAPPING_BYTES)
        body.append("\n\n".join((*title, *shown)))
        room -= size_bytes(body[-1]) + 2
    room = place.budget_bytes - size_bytes("\n\n".join((*head, *told, *foot))) - WRAPPING_BYTES
    if not is_one:
        body = fitting(body, room, "", place)
    return "\n\n".join(part for part in (*head, *told, *body, *foot) if part) + "\n"


def _head(account: Account, level: str) -> list[str]:
    plan, result = account.plan, account.result
    title = verdict(plan) if result is None else achievement(plan, result)
    if account.is_stale:
        title = staleness(account)
    where = f"{code(plan.target.url)} · {plain(undo_note(plan))}"
    return [f"{level} {plain(title)}", where, *_notes(plan, result)]


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
    """Render one target's tables and what follows from them."""
    plan = account.plan
    tail = [*_afterwards(plan), plain(rules_note(plan))]
    room = room_bytes - size_bytes("\n\n".join(tail))
    doomed = table(_doomed_columns(account), _doomed_rows(account), room, place)
    room -= size_bytes(doomed)
    kept = table(_KEPT_COLUMNS, _kept_rows(plan), room, place)
    parts = [doomed]
    if kept:
        stays = plan.totals.bytes_to_keep
        amount = "" if stays is None else f", {size(stays)}"
        what = f"{counted(plan.totals.keep, 'deployment')} kept{amount}"
        parts.append(details(what, kept, is_open=len(plan.kept) <= ROLLBACKS_SHOWN))
    return [part for part in (*parts, *tail) if part]


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


def error_markdown(error: Ci3Error) -> str:
    """Render an error: what, where, what to do next."""
    return f"### ci3 stopped: {plain(error.message)}\n\n{plain(error.hint)}\n"


def _notes(plan: Plan, result: Result | None) -> list[str]:
    left = shortfall(plan, result) if result else ""
    notes = [f"> [!CAUTION]\n> {plain(left)}"] if left else []
    notes += [f"> [!CAUTION]\n> Not applied: {plain(one.message)}" for one in plan.refusals]
    notes += [f"> [!WARNING]\n> {plain(one.message)}" for one in plan.warnings]
    left_out = len(notes) - _NOTES_SHOWN
    more = [f"> … and {left_out:,} more of this kind"] if left_out > 0 else []
    return notes[:_NOTES_SHOWN] + more


_KEPT_COLUMNS = ("Kept", "Uploaded", "Objects", "Size", "Why")


def _doomed_columns(account: Account) -> tuple[str, ...]:
    if account.result is None and not account.is_stale:
        return ("To&nbsp;delete", "Uploaded", "Objects", "Size", "Why")
    return ("Deployment", "Result", "Objects", "Size", "Why")


def _doomed_rows(account: Account) -> Iterable[str]:
    plan, result = account.plan, account.result
    by_name = {one.name: one for one in result.deployments} if result else {}
    for section in sections(plan, plan.doomed):
        yield from _section_row(section)
        for decision in section.decisions:
            yield _doomed_row(decision, account, by_name.get(decision.deployment.name))


def _doomed_row(decision: Decision, account: Account, one: DeploymentResult | None) -> str:
    if account.is_stale:
        changed = account.changed.get(decision.deployment.name)
        second = "as planned" if changed is None else "**changed**"
        why = plain(changed or reasons(decision))
    elif account.result is None:
        second, why = unbroken(uploaded(decision, account.plan)), plain(reasons(decision))
    elif one is None:
        second, why = "**kept**", "not deleted"
    elif one.is_gone:
        second, why = "deleted", plain(reasons(decision))
    else:
        second = "skipped" if one.is_skipped else "**not&nbsp;deleted**"
        why = plain(one.problem)
        if one.counts.get(ObjectOutcome.DELETED):
            second = f"**{one.counts[ObjectOutcome.DELETED]:,} deleted, not all**"
    deployment = decision.deployment
    return row(code(deployment.name), second, *_amounts(deployment), why)


def _kept_rows(plan: Plan) -> Iterable[str]:
    for section in sections(plan, plan.kept):
        yield from _section_row(section)
        for decision in section.decisions:
            name, when = code(decision.deployment.name), unbroken(uploaded(decision, plan))
            why = plain(reasons(decision))
            yield row(name, when, *_amounts(decision.deployment), why)


def _section_row(section: Section) -> Iterable[str]:
    if section.title:
        yield row(f"**{plain(section.title)}**", "", "", "", "")


def _amounts(deployment: Deployment) -> tuple[str, str]:
    count, amount = amounts(deployment)
    return count, unbroken(amount)


def _afterwards(plan: Plan) -> list[str]:
    sections = []
    targets = rollback_targets(plan.decisions)
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
            details(f"{len(plan.ignored):,} ignored, never deleted", listed + more, is_open=False)
        )
    return sections


def _footer(accounts: Sequence[Account], place: Place) -> list[str]:
    shown = []
    for account in accounts:
        if account.result is not None and account.result.journal_file:
            result = account.result
            notes = (guard_note(result), uploads_note(result))
            shown += [plain(note) for note in notes if note]
            shown.append(f"Journal: {code(result.journal_file)}, run {code(result.run_id)}")
    plans = [account.plan for account in accounts]
    is_to_apply = any(plan.doomed for plan in plans) and all(plan.applyable for plan in plans)
    is_planned = all(account.result is None for account in accounts)
    if is_planned and is_to_apply and place.how_to_apply:
        shown.append(f"**To apply:** {place.how_to_apply}")
    run = f" · [this run]({place.run_url})" if place.run_url else ""
    ids = ", ".join(code(plan.plan_id[:12]) for plan in plans[:ROLLBACKS_SHOWN])
    made = f"{moment(plans[0].created_at)} · ci3 {plain(plans[0].ci3_version)}"
    shown.append(f"<sub>Plan {ids} · {made}{run}</sub>")
    return shown


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
