"""Formats numbers, sizes, times, JSON and untrusted text as plain text."""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import humanize

_T = TypeVar("_T")

NAMES_SHOWN = 5
"""Names in a sentence that lists some and counts the others."""

_ESCAPED_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co")
"""Unicode categories: control, format, surrogate, line and paragraph separator, unassigned,
private use."""


def pluralize(count: int, noun: str) -> str:
    """Return a number with its noun: `1 object`, `1,204 objects`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def join_names(names: Sequence[str], limit: int = NAMES_SHOWN, separator: str = ", ") -> str:
    """Join at most `limit` names, with the number of the others: `a, b, c and 4 more`."""
    shown, hidden_count = separator.join(names[:limit]), len(names) - limit
    return f"{shown} and {hidden_count:,} more" if hidden_count > 0 else shown


def cut_list(items: Sequence[_T], limit: int) -> tuple[Sequence[_T], str]:
    """Return the first items, and a note on the others: `… and 4 more`, or an empty string."""
    hidden_count = len(items) - limit
    return items[:limit], f"… and {hidden_count:,} more" if hidden_count > 0 else ""


def format_counts(counts: Iterable[tuple[str, int]]) -> str:
    """Format numbers by what they count: `3 deleted, 1 failed`."""
    return ", ".join(f"{count:,} {name}" for name, count in counts)


def format_size(size_bytes: int) -> str:
    """Format a size in decimal units, as S3 is billed: `3.4 GB`."""
    return humanize.naturalsize(size_bytes, format="%.1f").replace(".0 ", " ")


def format_age(age: timedelta) -> str:
    """Format an age: `21 days ago`, or `5 minutes ahead of this clock` if it is negative."""
    return (
        f"{format_duration(-age)} ahead of this clock"
        if age < timedelta(0)
        else f"{format_duration(age)} ago"
    )


def format_duration(length: timedelta) -> str:
    """Format a duration: `21 days`."""
    return humanize.naturaldelta(length, months=False)


def format_minute(time: datetime) -> str:
    """Format a time to the minute in UTC: `2026-11-02 14:03 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def format_timestamp(time: datetime) -> str:
    """Format a time as ISO 8601 in UTC: `2026-11-02T14:03:00Z`, with a fraction if it has one."""
    utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    return f"{utc.isoformat().removesuffix('+00:00')}Z"


def format_json(content: object, *, indent: int | None = 2) -> str:
    r"""Format JSON in ASCII for a file or a log, with a final newline.

    `##[` becomes `##\u005b`, which JSON parsers read as the same: in a log, the GitHub runner would
    execute it as a workflow command. The other form, `::name`, begins a line, as no JSON does.
    """
    return json.dumps(content, indent=indent).replace("##[", "##\\u005b") + "\n"


def escape_control_chars(text: str) -> str:
    """Escape untrusted text for one line of a terminal or a log.

    Control, format, surrogate and line-separating characters become backslash escapes, so that a
    key can neither move the cursor nor start a line.
    """
    if text.isprintable():  # no character of these categories is
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _ESCAPED_CATEGORIES
        else character
        for character in text
    )
