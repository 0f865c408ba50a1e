"""What a checkup found: on a terminal, as Markdown, as JSON; each finding is one line of it."""

import json
import textwrap
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from ci3.core.doctor.finding import Checkup, Finding, Level, count_levels, exit_code
from ci3.core.formatting import counted, visible
from ci3.report.markdown_format import Place, code, fitting, plain, row, size_bytes

_STYLES: Final = {
    Level.OK: "green",
    Level.NOTE: "cyan",
    Level.WARNING: "yellow",
    Level.PROBLEM: "bold red",
}
_SIGNS: Final = {
    Level.OK: "✅ ok",
    Level.NOTE: "💡 note",
    Level.WARNING: "⚠️ warning",
    Level.PROBLEM: "❌ problem",
}
_LEVEL_WIDTH: Final = 9
_TOPIC_WIDTH: Final = 15
_NARROWEST: Final = 30


def checkup_verdict(checkups: Sequence[Checkup]) -> str:
    """Say first what matters: whether ci3 can work here."""
    counts = count_levels(finding for one in checkups for finding in one.findings)
    parts = [
        counted(counts[level], level.value) for level in reversed(Level) if level is not Level.OK
        and counts[level]
    ]  # fmt: skip
    if not parts:
        return "All is well"
    told = ", ".join(parts)
    if counts[Level.PROBLEM]:
        return f"Something is in ci3's way: {told}"
    return f"Nothing is in ci3's way; {told}"


def show_checkup(console: Console, checkup: Checkup) -> None:
    """Print every finding on a line of its own, and below it what to do next."""
    console.print(Text(visible(checkup.url), "bold"))
    for one in checkup.findings:
        head = f"{one.level:<{_LEVEL_WIDTH}}"
        lines = _wrapped(
            console, f"{visible(one.topic):<{_TOPIC_WIDTH}}{_stopped(visible(one.message))}"
        )
        console.print(Text.assemble((head, _STYLES[one.level]), lines[0]))
        for line in lines[1:]:
            console.print(Text(f"{'':{_LEVEL_WIDTH}}{line}"))
        if one.advice:
            for line in _wrapped(console, f"{'':{_TOPIC_WIDTH}}→ {visible(one.advice)}"):
                console.print(Text(f"{'':{_LEVEL_WIDTH}}{line}", "dim"))
    console.print()
    console.print(Text(f"{checkup_verdict((checkup,))}.", "bold"))


def _stopped(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _wrapped(console: Console, text: str) -> list[str]:
    room = max(console.width - _LEVEL_WIDTH - _TOPIC_WIDTH, _NARROWEST)
    head, rest = text[:_TOPIC_WIDTH], text[_TOPIC_WIDTH:]
    is_advice = rest.startswith("→")
    lines = textwrap.wrap(
        rest,
        room,
        subsequent_indent="  " if is_advice else "",
        break_on_hyphens=False,
    )
    first, *others = lines or [""]
    return [f"{head}{first}", *(f"{'':{_TOPIC_WIDTH}}{line}" for line in others)]


def checkup_markdown(checkups: Sequence[Checkup], place: Place) -> str:
    """Render checkups in at most the place's bytes: those targets that fit, whole."""
    head = f"### ci3 doctor: {plain(checkup_verdict(checkups))}"
    parts = [_target(one) for one in checkups]
    room = place.budget_bytes - size_bytes(head) - size_bytes(place.run_url) - 200
    return "\n\n".join([head, *fitting(parts, room, "", place)]) + "\n"


def _target(checkup: Checkup) -> str:
    rows = (row(_SIGNS[one.level], plain(one.topic), _cell(one)) for one in _worst_first(checkup))
    return "\n".join(
        (f"{code(checkup.url)}\n", row("", "", "Found"), row(":--", ":--", ":--"), *rows)
    )


def _worst_first(checkup: Checkup) -> list[Finding]:
    order = list(Level)
    return sorted(checkup.findings, key=lambda one: order.index(one.level), reverse=True)


def _cell(one: Finding) -> str:
    advice = f" <br>→ {_with_code(one.advice)}" if one.advice else ""
    return f"{_with_code(_stopped(one.message))}{advice}"


def _with_code(text: str) -> str:
    """Render a sentence of ours, in which backquotes mark what is to be typed."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return plain(text)
    return "".join(code(part) if at % 2 else plain(part) for at, part in enumerate(parts))


def checkup_json(checkups: Sequence[Checkup], *, has_targets: bool) -> str:
    """Write checkups as JSON; with a policy file's targets as a list of them."""
    targets = [
        {
            "url": one.url,
            "exit_code": int(exit_code((one,))),
            "counts": {level.value: count for level, count in count_levels(one.findings).items()},
            "findings": [
                {
                    "level": finding.level.value,
                    "topic": finding.topic,
                    "message": finding.message,
                    "advice": finding.advice,
                }
                for finding in one.findings
            ],
        }
        for one in checkups
    ]
    content: object = {"targets": targets} if has_targets else targets[0]
    return json.dumps(content, indent=2).replace("##[", "##\\u005b") + "\n"
