"""Rendering of doctor's findings for terminals, as Markdown and as JSON."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from ci3.core.doctor.finding import (
    Finding,
    Level,
    TargetFindings,
    count_levels,
    exit_code_of_findings,
)
from ci3.core.formatting import escape_control_chars, format_json, pluralize
from ci3.core.plan.shared_folders import label_targets
from ci3.errors import end_sentence
from ci3.report.markdown_format import (
    RenderContext,
    Verdict,
    count_bytes,
    escape_breakable,
    escape_markdown,
    format_code,
    format_code_spans,
    format_document,
    format_table,
    format_verdict,
    take_fitting_parts,
)
from ci3.report.terminal_format import print_line, wrap_text

_STYLES: Final = {
    Level.OK: "green",
    Level.NOTE: "cyan",
    Level.WARNING: "yellow",
    Level.PROBLEM: "bold red",
}
_GLYPHS: Final = {
    Level.PROBLEM: "⛔",
    Level.WARNING: "⚠️",
    Level.NOTE: "💡",
    Level.OK: "✅",
}
_LEVEL_WIDTH: Final = 9
_MIN_TOPIC_WIDTH: Final = 15
_TOPIC_GAP: Final = 2
_NARROWEST: Final = 30


def format_checkup_headline(checkups: Sequence[TargetFindings]) -> str:
    """Return the headline: whether there are problems, with the counts of each level."""
    counts = count_levels(finding for checkup in checkups for finding in checkup.findings)
    problems = pluralize(counts[Level.PROBLEM], "problem")
    headline = f"{problems} found" if counts[Level.PROBLEM] else "No problems found"
    others = ", ".join(
        pluralize(counts[level], level.value)
        for level in (Level.WARNING, Level.NOTE)
        if counts[level]
    )
    return f"{headline} ({others})" if others else headline


def label_checkups(checkups: Sequence[TargetFindings]) -> list[str]:
    """Return a label for each checkup: the URL, and `match` where another one has the same URL."""
    return label_targets([(checkup.url, checkup.match) for checkup in checkups])


def show_checkups(console: Console, checkups: Sequence[TargetFindings]) -> None:
    """Print the findings of each target with their advice, the worst last, then its headline."""
    for checkup, label in zip(checkups, label_checkups(checkups), strict=True):
        _show_checkup(console, checkup, label)


def _show_checkup(console: Console, checkup: TargetFindings, label: str) -> None:
    print_line(console, label, "bold")
    findings = _sort_worst_last(checkup)
    topics = [escape_control_chars(finding.topic) for finding in findings]
    topic_width = max((_MIN_TOPIC_WIDTH, *(len(topic) + _TOPIC_GAP for topic in topics)))
    margin = " " * (_LEVEL_WIDTH + topic_width)
    for finding, topic in zip(findings, topics, strict=True):
        level = f"{finding.level:<{_LEVEL_WIDTH}}"
        message = _wrap(console, end_sentence(finding.message), margin)
        columns = (level, _STYLES[finding.level]), f"{topic:<{topic_width}}", message
        console.print(Text.assemble(*columns), soft_wrap=True)
        if finding.advice:
            advice = _wrap(console, f"→ {finding.advice}", margin, hanging_indent="  ")
            console.print(Text(f"{margin}{advice}", "dim"), soft_wrap=True)
        if finding.recipe_url:
            text = f"{margin}→ How to fix this: {finding.recipe_url}"
            print_line(console, text, "dim", indent=f"{margin}  ")
    console.print()
    print_line(console, f"{format_checkup_headline((checkup,))}.", "bold")


def _wrap(console: Console, text: str, margin: str, hanging_indent: str = "") -> str:
    """Wrap a text behind the columns of level and topic; the first line has no margin."""
    line = f"{margin}{escape_control_chars(text)}"
    width = max(console.width, len(margin) + _NARROWEST)
    return "\n".join(wrap_text(line, width, f"{margin}{hanging_indent}")).removeprefix(margin)


def render_checkups_markdown(checkups: Sequence[TargetFindings], context: RenderContext) -> str:
    """Render checkups within the byte budget: as many complete targets as fit."""
    is_single_target = len(checkups) == 1
    labels = label_checkups(checkups)
    subject = format_code(labels[0]) if is_single_target else f"{len(checkups):,} targets"
    head = format_verdict(_describe_verdict(checkups), subject)
    parts = [
        _format_target(checkup, "" if is_single_target else label)
        for checkup, label in zip(checkups, labels, strict=True)
    ]
    budget_bytes = context.budget_bytes - count_bytes(head) - count_bytes(context.run_url) - 200
    return format_document(head, *take_fitting_parts(parts, budget_bytes, context))


def _describe_verdict(checkups: Sequence[TargetFindings]) -> Verdict:
    """Return the verdict: the worst level as its glyph, and the number of findings per level."""
    counts = count_levels(finding for checkup in checkups for finding in checkup.findings)
    worst = next((level for level in _GLYPHS if counts[level]), Level.OK)
    problem_count = counts[Level.PROBLEM]
    names = {level: pluralize(counts[level], level.value) for level in _GLYPHS}
    names[Level.OK] = f"{counts[Level.OK]:,} ok"
    return Verdict(
        glyph=_GLYPHS[Level.OK if worst is Level.NOTE else worst],
        subject="Checks of",
        result=f"{names[Level.PROBLEM]} found" if problem_count else "no problems found",
        summary=" · ".join(
            f"{_GLYPHS[level]} {names[level]}" for level in _GLYPHS if counts[level]
        ),
    )


def _format_target(checkup: TargetFindings, label: str) -> str:
    rows = (
        (
            f"{_GLYPHS[finding.level]}&nbsp;{escape_breakable(finding.topic)}",
            _format_message_cell(finding),
        )
        for finding in _sort_worst_last(checkup, is_reversed=True)
    )
    table = format_table(("Check", "Finding"), rows)
    if not label:
        return table
    verdict = _describe_verdict((checkup,))
    title = f"{verdict.glyph} {format_code(label)}: {escape_markdown(verdict.result)}"
    return f"**{title}**\n\n{table}"


def _sort_worst_last(checkup: TargetFindings, *, is_reversed: bool = False) -> list[Finding]:
    order = list(Level)
    return sorted(
        checkup.findings, key=lambda finding: order.index(finding.level), reverse=is_reversed
    )


def _format_message_cell(finding: Finding) -> str:
    advice = [format_code_spans(finding.advice)] if finding.advice else []
    if finding.recipe_url:
        advice.append(f"[How to fix this]({finding.recipe_url})")
    advice_text = f" <br>→ {' '.join(advice)}" if advice else ""
    return f"{format_code_spans(end_sentence(finding.message))}{advice_text}"


def render_checkups_json(checkups: Sequence[TargetFindings], *, has_targets: bool) -> str:
    """Return checkups as JSON: a list under `targets` if `has_targets`, else the only checkup."""
    targets = [
        {
            "url": checkup.url,
            "exit_code": int(exit_code_of_findings((checkup,))),
            "counts": {
                level.value: count for level, count in count_levels(checkup.findings).items()
            },
            "findings": [
                {
                    "level": finding.level.value,
                    "topic": finding.topic,
                    "message": finding.message,
                    "advice": finding.advice,
                    "recipe_url": finding.recipe_url,
                }
                for finding in checkup.findings
            ],
        }
        for checkup in checkups
    ]
    content: object = {"targets": targets} if has_targets else targets[0]
    return format_json(content)
