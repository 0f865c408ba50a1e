"""What an undo would bring back and what it did: on a terminal, as Markdown, as JSON."""

import json
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from ci3.core.formatting import counted, size, visible
from ci3.core.restore.decide import SkipReason
from ci3.core.restore.plan import (
    DeploymentRestored,
    DeploymentUndo,
    Restored,
    RestoreOutcome,
    Skipped,
    UndoPlan,
    undo_outcome,
)
from ci3.report.markdown_format import (
    WRAPPING_BYTES,
    Place,
    code,
    details,
    plain,
    row,
    size_bytes,
    table,
)

_SKIPS_SHOWN = 50


def undo_verdict(plan: UndoPlan) -> str:
    """Say first what matters: what would come back, and what can't."""
    lost = counted(plan.lost_count, "object")
    if plan.rules:
        return _rules_verdict(plan, lost)
    if plan.object_count:
        due = sum(bool(one.object_count) for one in plan.deployments)
        can_not = f"; {lost} can't be brought back" if plan.lost_count else ""
        return (
            f"{counted(plan.object_count, 'object')} of {counted(due, 'deployment')} would come "
            f"back, {size(plan.size_bytes)}{can_not}"
        )
    if plan.lost_count:
        return f"Refused: {lost} can't be brought back, and nothing else is to be"
    return "Nothing to restore"


def _rules_verdict(plan: UndoPlan, lost: str) -> str:
    """Say what would come of taking lifecycle rules away."""
    rules = f"{counted(len(plan.rules), 'lifecycle rule')} would be taken away"
    if plan.object_count:
        rules += (
            f", and {counted(plan.object_count, 'object')} would come back, {size(plan.size_bytes)}"
        )
    return f"{rules}; {lost} can't be brought back" if plan.lost_count else rules


def undo_achievement(restored: Restored) -> str:
    """Say what an undo did, as a listing after it shows."""
    count = restored.count(RestoreOutcome.RESTORED)
    done = f"{counted(count, 'object')} restored, {size(restored.bytes_restored)}"
    rules = f"{counted(restored.rules_removed, 'lifecycle rule')} taken away"
    if restored.rules_removed and not count:
        there = restored.count(RestoreOutcome.ALREADY_THERE)
        return f"{rules}, before S3 has deleted {counted(there, 'object')}" if there else rules
    found = "and found current by a listing"
    return f"{rules}; {done}, {found}" if restored.rules_removed else f"{done}, {found}"


def undo_shortfall(restored: Restored) -> str:
    """Say what an undo left undone, or nothing where it left nothing."""
    failed = restored.count(RestoreOutcome.FAILED)
    sentences = [f"{counted(failed, 'object')} could not be restored"] if failed else []
    lost = sum(
        skipped.object_count
        for one in restored.deployments
        for skipped in one.skipped
        if skipped.reason.is_lost
    )
    if lost:
        sentences.append(f"{counted(lost, 'object')} can't be brought back")
    if restored.stopped:
        sentences.append(f"It stopped early: {restored.stopped}")
    return ". ".join(sentences)


def show_undo_plan(console: Console, plan: UndoPlan) -> None:
    """Print what comes back in each deployment, and what does not and why."""
    for one in plan.deployments:
        name = visible(one.name)
        if one.object_count:
            what = f"{counted(one.object_count, 'object')}, {size(one.size_bytes)}"
            console.print(Text(f"  restore  {name}: {what}", "green"))
        for skipped in one.skipped:
            style = "bold red" if skipped.reason.is_lost else "dim"
            verb = "  lost     " if skipped.reason.is_lost else "  leave    "
            console.print(Text(f"{verb}{name}: {visible(_skipped(skipped))}", style))
    console.print()
    console.print(Text(f"{visible(plan.target.url)}  {undo_verdict(plan)}.", "bold"))
    console.print(Text(f"This undoes {visible(plan.told)}."))
    for note in plan.notes:
        console.print(Text(f"Note: {visible(note)}", "yellow"))


def show_restored(console: Console, restored: Restored) -> None:
    """Print what an undo did, and of each deployment that is not whole, why."""
    for one in _troubled(restored):
        text = f"  not restored  {visible(one.name)} ({_counts(one)}): {visible(one.problem)}"
        console.print(Text(text, "yellow"))
    console.print(Text(f"{undo_achievement(restored)}.", "bold"))
    if left := undo_shortfall(restored):
        console.print(Text(f"{visible(left)}.", "bold red"))


def undo_markdown(plan: UndoPlan, restored: Restored | None, place: Place) -> str:
    """Render an undo, and what it did once it was done, in at most the place's bytes."""
    headline = undo_verdict(plan) if restored is None else undo_achievement(restored)
    parts = [f"### {plain(headline)}", f"{code(plan.target.url)}: undoes {plain(plan.told)}."]
    if restored is not None and (left := undo_shortfall(restored)):
        parts.append(f"**{plain(left)}.**")
    parts += [plain(note) for note in plan.notes]
    if skips := _skips_markdown(plan, restored, place.budget_bytes // 4):
        parts.append(details("What is left as it is", skips, is_open=plan.lost_count > 0))
    room = place.budget_bytes - size_bytes("\n\n".join(parts)) - WRAPPING_BYTES
    if restored is None:
        columns = ("Deployment", "Objects", "Size")
        rows = [
            row(code(one.name), f"{one.object_count:,}", size(one.size_bytes))
            for one in plan.deployments
            if one.object_count
        ]
    else:
        columns = ("Deployment", "Outcome", "Size")
        rows = [
            row(code(one.name), plain(_told(one)), size(one.bytes_restored))
            for one in restored.deployments
        ]
    if rows:
        parts.append(table(columns, rows, room, place))
    return "\n\n".join(parts) + "\n"


def undo_numbers(plan: UndoPlan, restored: Restored | None = None) -> dict[str, str | int]:
    """Give an undo's outcome and numbers, and of what it did once it was done."""
    done = restored or Restored(deployments=())
    skipped = [one for deployment in (restored or plan).deployments for one in deployment.skipped]
    there = sum(one.object_count for one in skipped if one.reason is SkipReason.ALREADY_THERE)
    return {
        "outcome": undo_outcome(plan, restored).value,
        "bucket": plan.target.bucket,
        "prefix": plan.target.prefix,
        "run-id": plan.run_id,
        "rules-to-remove": len(plan.rules),
        "rules-removed": done.rules_removed,
        "objects-to-restore": plan.object_count,
        "bytes-to-restore": plan.size_bytes,
        "objects-restored": done.count(RestoreOutcome.RESTORED),
        "bytes-restored": done.bytes_restored,
        "objects-already-there": there,
        "objects-skipped": sum(one.object_count for one in skipped) - there,
        "objects-failed": done.count(RestoreOutcome.FAILED),
    }


def undo_json(plan: UndoPlan, restored: Restored | None = None) -> str:
    """Write an undo as JSON, and what it did once it was done."""
    content = {
        **undo_numbers(plan, restored),
        "stopped": restored.stopped if restored else "",
        "notes": list(plan.notes),
        "deployments": [_deployment(one) for one in (restored or plan).deployments],
    }
    return json.dumps(content, indent=2).replace("##[", "##\\u005b") + "\n"


def _deployment(one: DeploymentUndo | DeploymentRestored) -> dict[str, object]:
    did: dict[str, object] = {}
    if isinstance(one, DeploymentUndo):
        did["to-restore"] = one.object_count
    else:
        did |= {"outcomes": one.counts, "problem": one.problem}
    skipped = [
        {
            "reason": skip.reason,
            "message": skip.reason.why,
            "is-lost": skip.reason.is_lost,
            "objects": skip.object_count,
            "bytes": skip.size_bytes,
            "examples": list(skip.examples),
        }
        for skip in one.skipped
    ]
    return {"name": one.name, **did, "skipped": skipped}


def _skipped(skipped: Skipped) -> str:
    some = ", ".join(skipped.examples)
    more = ", …" if skipped.object_count > len(skipped.examples) else ""
    return f"{counted(skipped.object_count, 'object')}: {skipped.reason.why} ({some}{more})"


def _troubled(restored: Restored) -> Iterator[DeploymentRestored]:
    return (one for one in restored.deployments if one.counts.get(RestoreOutcome.FAILED))


def _counts(one: DeploymentRestored) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in one.counts.items())


def _told(one: DeploymentRestored) -> str:
    return f"{_counts(one)}: {one.problem}" if one.problem else _counts(one)


def _skips_markdown(plan: UndoPlan, restored: Restored | None, room_bytes: int) -> str:
    """List what is left as it is, as much of it as there is room for."""
    lines = [
        f"- {code(one.name)}: {plain(_skipped(skipped))}"
        for one in (restored or plan).deployments
        for skipped in one.skipped
    ]
    shown: list[str] = []
    for line in lines[:_SKIPS_SHOWN]:
        room_bytes -= size_bytes(line) + 1
        if room_bytes < 0:
            break
        shown.append(line)
    if (left := len(lines) - len(shown)) > 0:
        shown.append(f"- … and {left:,} more")
    return "\n".join(shown)
