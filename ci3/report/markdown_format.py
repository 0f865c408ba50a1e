"""GitHub's Markdown in small pieces: texts that stay texts, tables that fit, folded parts."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ci3.core.formatting import counted, visible
from ci3.core.live.commit_names import Commit

WRAPPING_BYTES = 1_000
"""What stands around and between tables at most: column heads, `details`, words on what is cut."""

_NAME_SHOWN = 200
_TEXT_SHOWN = 600
_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "\\`*_[]|~"}
# GitHub makes links of these when Markdown has been rendered; an empty comment parts them.
_LINKED = re.compile(
    r"@|(?<!&)#|(?<=http:|ttps:)//|(?<=ftp:)//|(?<=www)\.|(?<=\bGH)-(?=\d)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a text will stand: how many bytes it may have, and what to put into it.

    `rest`, in Markdown, names where what does not fit is. `commit_url`, with a hash behind it,
    leads to a commit; `commits` are those that deployments are named after, by name.
    """

    budget_bytes: int
    run_url: str = ""
    how_to_apply: str = ""
    rest: str = "the plan file"
    commit_url: str = ""
    commits: Mapping[str, Commit] = field(default_factory=dict)


def cut(text: str, length: int) -> str:
    """Shorten a text to at most so many characters, and one that says so."""
    return text if len(text) <= length else f"{text[:length]}…"


def code(name: str) -> str:
    """Show a name as code, whatever is in it, so that nothing of it is read as Markdown."""
    text = _visible_cut(name, _NAME_SHOWN)
    if text.strip() != text or not text or any(character in text for character in "`|\\"):
        entities = "".join(
            character if character.isalnum() else f"&#{ord(character)};" for character in text
        )
        return f"<code>{entities}</code>"
    return f"`{text}`"


def plain(text: str) -> str:
    """Show a text as it is: no markup, links, mentions or references come of it."""
    shown = _visible_cut(text, _TEXT_SHOWN)
    escaped = html.escape(shown, quote=False).translate(_ENTITIES)
    return _LINKED.sub(lambda found: f"<!-- -->{found[0]}<!-- -->", escaped)


def _visible_cut(text: str, length: int) -> str:
    """Make hostile text visible and short; what will be cut off is not looked at."""
    return cut(visible(text[: length + 1]), length)


def unbroken(text: str) -> str:
    """Show a text as it is, on one line of a table's cell."""
    return plain(text).replace(" ", "&nbsp;")


def row(*cells: str) -> str:
    """Render one row of a table."""
    return f"| {' | '.join(cells)} |"


def table(columns: Sequence[str], rows: Iterable[str], room_bytes: int, place: Place) -> str:
    """Render a table with as many rows as fit, and say how many did not."""
    shown: list[str] = []
    left_out = 0
    for one in rows:
        room_bytes -= size_bytes(one) + 1
        if room_bytes > 0 and not left_out:
            shown.append(one)
        else:
            left_out += 1
    if not shown and not left_out:
        return ""
    alignment = row(*("--:" if column in ("Objects", "Size") else ":--" for column in columns))
    what = counted(left_out, "more deployment")
    more = f"\n\n… and {what}, in {place.rest}." if left_out else ""
    return "\n".join((row(*columns), alignment, *shown)) + more


def details(summary: str, body: str, *, is_open: bool) -> str:
    """Render a part that can be folded under its summary."""
    return (
        f"<details{' open' if is_open else ''}><summary>{plain(summary)}</summary>\n\n"
        f"{body}\n\n</details>"
    )


def fitting(parts: Sequence[str], room_bytes: int, what: str, place: Place) -> list[str]:
    """Take as many whole parts as fit, and say for how many targets they did not."""
    shown: list[str] = []
    for part in parts:
        room_bytes -= size_bytes(part) + 2
        if room_bytes < 0:
            left = f"{what} {counted(len(parts) - len(shown), 'more target')}".lstrip()
            return [*shown, f"… and {left}, in {place.rest}."]
        shown.append(part)
    return shown


def size_bytes(text: str) -> int:
    """Count what a text takes of a place's budget."""
    return len(text.encode("utf-8"))
