"""Numbers, sizes, times and hostile text as people read them, in plain text."""

import unicodedata
from datetime import UTC, datetime, timedelta

import humanize


def counted(count: int, noun: str) -> str:
    """Write a number with its noun: `1 object`, `1,204 objects`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(size_bytes: int) -> str:
    """Write a size in decimal units, as S3 is billed: `3.4 GB`."""
    return humanize.naturalsize(size_bytes, format="%.1f").replace(".0 ", " ")


def ago(age: timedelta) -> str:
    """Write how long ago something was: `21 days ago`; a time ahead of the clock says so."""
    if age < timedelta(0):
        return f"{humanize.naturaldelta(-age, months=False)} ahead of this clock"
    return f"{humanize.naturaldelta(age, months=False)} ago"


def moment(when: datetime) -> str:
    """Write a time to the minute in UTC: `2026-11-02 14:03 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def timestamp(when: datetime) -> str:
    """Write a time for programs: ISO 8601 in UTC, with a fraction where there is one, and Z."""
    return when.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


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
