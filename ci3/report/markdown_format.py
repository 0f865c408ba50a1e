"""Elements of GitHub's Markdown: escaped text, tables within a byte budget, folded sections."""

import html
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from ci3.core.formatting import cut_list, escape_control_chars, pluralize
from ci3.core.live.commit_names import Commit

_ALERT_DIVISOR = 8
"""An alert takes at most this fraction of the budget: one eighth."""
MARKUP_RESERVE_BYTES = 1_000
"""Upper bound for the markup around tables: headers, `<details>`, and notes on left-out rows."""

_NAME_SHOWN = 200
_TEXT_SHOWN = 600
_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "\\`*_[]|~"}
_LONGEST_WORD = 12
"""Characters of a table cell's word that need no break.

A column is as wide as its longest word. Three columns of such words fit into a comment on a phone.
"""
_UNBREAKABLE = re.compile(rf"(?:[^\s-]|-(?![A-Za-z])){{{_LONGEST_WORD + 1},}}")
"""A word that browsers do not break; they break words after a hyphen before a letter."""
_BREAK = "\0"
"""Marks a break in a text whose control characters are escaped."""
_WORD_PARTS = re.compile(r"(?<=[/:._@=-])(?![/:._@=-])|(?<=[a-z])(?=[A-Z])|(?<=\w)(?=[(\[])")
"""Where a long word is broken first: `acme/|checkout`, `Noncurrent|Version|Expiration`, `a|[b]`."""
_CHUNKS = re.compile(rf".{{1,{_LONGEST_WORD}}}[/:._@=-]{{,3}}", re.DOTALL)
_PLAIN_WORD = re.compile(r"[A-Za-z]{,18}[.,;:)]*")
# GitHub turns these into links after it has rendered the Markdown. An empty comment prevents that.
_LINKED = re.compile(
    r"@|(?<!&)#|(?<=http:|ttps:)//|(?<=ftp:)//|(?<=www)\.|(?<=\bGH)-(?=\d)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext:
    """Byte budget and link targets of a Markdown text, such as a job summary or a comment.

    `overflow_location`, in Markdown, names the place of what does not fit. `commit_url` plus a
    commit hash is the address of a commit. `commits` maps the names of deployments to the commits
    that they are named after.
    """

    budget_bytes: int = sys.maxsize
    run_url: str = ""
    how_to_apply: str = ""
    overflow_location: str = "the plan file"
    commit_url: str = ""
    commits: Mapping[str, Commit] = field(default_factory=dict)
    short_names: Mapping[str, str] = field(default_factory=dict)
    """What is shown for the names of deployments; a name that is not in it is shown in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The title of a report, in the parts around the target, and the line below it.

    `glyph subject TARGET: result`. All parts are plain text.
    """

    glyph: str
    subject: str
    result: str
    summary: str


def format_verdict(verdict: Verdict, label: str) -> str:
    """Format the title and the line below it; `label` is the target in Markdown."""
    title = f"### {verdict.glyph} {verdict.subject} {label}: {escape_markdown(verdict.result)}"
    return format_document(title, escape_markdown(verdict.summary)).rstrip()


def truncate(text: str, length: int) -> str:
    """Truncate a text to `length` characters, plus an ellipsis if anything was cut."""
    return text if len(text) <= length else f"{text[:length]}…"


def format_code(name: str) -> str:
    """Format an untrusted name as code, so that none of it is interpreted as Markdown."""
    text = _escape_and_truncate(name, _NAME_SHOWN)
    if text.strip() != text or not text or any(character in text for character in "`|\\"):
        return f"<code>{_encode_entities(text)}</code>"
    return f"`{text}`"


def _encode_entities(text: str) -> str:
    return "".join(
        character if character.isalnum() else f"&#{ord(character)};" for character in text
    )


def escape_markdown(text: str) -> str:
    """Escape a text so that it creates no markup, links, mentions or references."""
    truncated = _escape_and_truncate(text, _TEXT_SHOWN)
    escaped = html.escape(truncated, quote=False).translate(_ENTITIES)
    return _LINKED.sub(lambda match: f"<!-- -->{match[0]}<!-- -->", escaped)


def format_breakable_code(name: str) -> str:
    """Format an untrusted name as code for a table cell: browsers may break a long one."""
    parts = _split_long_words(_escape_and_truncate(name, _NAME_SHOWN))
    if len(parts) == 1:
        return format_code(name)
    return f"<code>{'<wbr>'.join(map(_encode_entities, parts))}</code>"


def escape_breakable(text: str) -> str:
    """Escape a text for a table cell: browsers may break long words that are not English."""
    parts = _split_long_words(_escape_and_truncate(text, _TEXT_SHOWN))
    return "<wbr>".join(map(escape_markdown, parts))


def format_code_spans(text: str) -> str:
    """Escape a message of ci3, in which backquotes mark code; unpaired ones are escaped too.

    Browsers may break its long words.
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape_breakable(text)
    return "".join(
        format_breakable_code(part) if index % 2 else escape_breakable(part)
        for index, part in enumerate(parts)
    )


def _split_long_words(text: str) -> list[str]:
    """Split a text where browsers may break it, which is only in long words.

    The parts are joined with `<wbr>`, which GitHub keeps:
    https://github.com/gjtorikian/html-pipeline/blob/main/lib/html_pipeline/sanitization_filter.rb

    | text                      | parts                                    |
    |---------------------------|------------------------------------------|
    | `the newest`              | `the newest`                             |
    | `at github.com/acme/site` | `at github.`, `com/`, `acme/`, `site`    |
    | `aaaaaaaaaaaaaaa1`        | `aaaaaaaaaaaa`, `aaa1`                   |
    """
    return _UNBREAKABLE.sub(_mark_breaks, text).split(_BREAK)


def _mark_breaks(match: re.Match[str]) -> str:
    if _PLAIN_WORD.fullmatch(match[0]):
        return match[0]
    parts = _WORD_PARTS.split(match[0])
    return _BREAK.join(chunk for part in parts for chunk in _CHUNKS.findall(part))


def format_lines(text: str) -> str:
    """Escape a text of one line; one of several keeps them, and their indentation, as code."""
    if "\n" not in text:
        return escape_markdown(text)
    # Indented, not fenced: a line of untrusted text could close a fence.
    return "\n".join(f"    {_escape_and_truncate(line, _TEXT_SHOWN)}" for line in text.splitlines())


def _escape_and_truncate(text: str, length: int) -> str:
    """Escape control characters and truncate; escapes no more than is shown of a long text."""
    return truncate(escape_control_chars(text[: length + 1]), length)


def escape_without_breaks(text: str) -> str:
    """Escape a text and keep a table's cell from wrapping it."""
    return escape_markdown(text).replace(" ", "&nbsp;")


def format_row(*cells: str) -> str:
    """Format one row of a table from cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def format_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table of cells that are Markdown already.

    A column's title that ends in `>` aligns it to the right.
    """
    return "\n".join((_format_table_head(columns), *(format_row(*row) for row in rows)))


def _format_table_head(columns: Sequence[str]) -> str:
    titles = (column.removesuffix(">") for column in columns)
    alignments = ("--:" if column.endswith(">") else ":--" for column in columns)
    return f"{format_row(*titles)}\n{format_row(*alignments)}"


def format_fitting_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    budget_bytes: int,
    context: RenderContext,
) -> str:
    """Format a table with as many rows as fit, and a note on how many do not; empty if no rows."""
    lines = [format_row(*row) for row in rows]
    if not lines:
        return ""
    shown = take_fitting(lines, budget_bytes - 1, separator_bytes=1)
    table = "\n".join((_format_table_head(columns), *shown)) if shown else ""
    note = _format_overflow_note(len(lines) - len(shown), "deployment", context)
    return "\n\n".join(filter(None, (table, note)))


def format_details(summary: str, body: str, *, is_open: bool) -> str:
    """Format a section that can be folded under its summary."""
    return (
        f"<details{' open' if is_open else ''}><summary>{escape_markdown(summary)}</summary>\n\n"
        f"{body}\n\n</details>"
    )


def format_alert(kind: str, messages: Sequence[str], context: RenderContext) -> str:
    """Format messages, which are Markdown, as an alert with as many as fit; empty without any."""
    if not messages:
        return ""
    head = f"> [!{kind}]"
    if len(messages) == 1:
        return f"{head}\n> {messages[0]}"
    lines = [f"> - {message}" for message in messages]
    shown = take_fitting(lines, context.budget_bytes // _ALERT_DIVISOR)
    _, more = cut_list(lines, len(shown))
    return "\n".join((head, *shown, *([f"> - {more}"] if more else [])))


def take_fitting_parts(
    parts: Sequence[str], budget_bytes: int, context: RenderContext, subject: str = ""
) -> list[str]:
    """Return as many complete parts as fit, and a note on how many targets are left out."""
    shown = take_fitting(parts, budget_bytes, separator_bytes=2)
    note = _format_overflow_note(len(parts) - len(shown), "target", context, subject)
    return [*shown, note] if note else shown


def _format_overflow_note(
    hidden_count: int, noun: str, context: RenderContext, subject: str = ""
) -> str:
    if not hidden_count:
        return ""
    hidden = f"{subject} {pluralize(hidden_count, f'more {noun}')}".lstrip()
    return f"… and {hidden}, in {context.overflow_location}."


def take_fitting(texts: Sequence[str], budget_bytes: int, *, separator_bytes: int = 0) -> list[str]:
    """Return the first texts that fit, up to one that does not."""
    sizes = accumulate(count_bytes(text) + separator_bytes for text in texts)
    return [text for text, size in zip(texts, sizes, strict=True) if size <= budget_bytes]


def format_document(*parts: str) -> str:
    """Join the parts of a text that are not empty, with blank lines between them."""
    return "\n\n".join(part for part in parts if part) + "\n"


def count_bytes(*parts: str) -> int:
    """Return the size of parts in UTF-8, which counts against the byte budget.

    The blank lines between the parts are included.
    """
    return len("\n\n".join(parts).encode("utf-8"))
