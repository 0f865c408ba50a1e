"""Numbers, sizes, times and hostile text as people read them, in plain text."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import humanize


def counted(count: int, noun: str) -> str:
    """Write a number with its noun: `1 object`, `1,204 objects`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(texts: Sequence[str], most: int) -> str:
    """Write a list, at most so many of it: `a, b, c and 4 more`."""
    shown, left = ", ".join(texts[:most]), len(texts) - most
    return f"{shown} and {left:,} more" if left > 0 else shown


def size(size_bytes: int) -> str:
    """Write a size in decimal units, as S3 is billed: `3.4 GB`."""
    return humanize.naturalsize(size_bytes, format="%.1f").replace(".0 ", " ")


def ago(age: timedelta) -> str:
    """Write how long ago something was: `21 days ago`; a time ahead of the clock says so."""
    return f"{span(-age)} ahead of this clock" if age < timedelta(0) else f"{span(age)} ago"


def span(length: timedelta) -> str:
    """Write a length of time: `21 days`."""
    return humanize.naturaldelta(length, months=False)


def moment(when: datetime) -> str:
    """Write a time to the minute in UTC: `2026-11-02 14:03 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def timestamp(when: datetime) -> str:
    """Write a time for programs: ISO 8601 in UTC, with a fraction where there is one, and Z."""
    utc = when if when.tzinfo is UTC else when.astimezone(UTC)
    return f"{utc.isoformat().removesuffix('+00:00')}Z"


def visible(text: str) -> str:
    """Make hostile text safe for one line of a screen or a log.

    Control, format, surrogate and line-separating characters become visible escapes, so that a
    key can neither move a cursor nor start a line.
    """
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn", "Co")
        else character
        for character in text
    )
