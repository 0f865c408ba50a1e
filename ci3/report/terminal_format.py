"""Elements of a terminal's output: escaped and wrapped lines, and columns.

Imports rich when something is printed, so that JSON and help do without it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Self

from ci3.core.formatting import escape_control_chars
from ci3.core.inventory.short_names import shorten_names

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2
_NARROWEST_LAST_COLUMN = 30
_NARROWEST_CUT_COLUMN = 7
_INDENT_BELOW = 8
_WORD = re.compile(r"\s*(?:(?:[^\s`]|`[^`]*`)+|\S+)")
"""A word with the white space before it. What is in backquotes is one word: it may be pasted."""


class Tables(StrEnum):
    """How the tables of deployments are shown."""

    SHORT_NAMES = "short-names"
    FULL_NAMES = "full-names"
    HIDDEN = "hidden"


StyledRow = tuple[Sequence[str], str]
"""The cells of a row, and the style of all of them."""


def print_line(
    console: "Console", text: str, style: str = "", *, indent: str = "", can_wrap: bool = True
) -> None:
    """Print one paragraph, with untrusted characters escaped and never interpreted.

    It is wrapped to the console's width, with `indent` before the second and later lines, unless
    the console wraps nothing or the text is to be pasted (`can_wrap=False`).
    """
    from rich.text import Text  # noqa: PLC0415 - rich: as above

    line = escape_control_chars(text)
    if can_wrap and not console.soft_wrap:
        line = "\n".join(wrap_text(line, console.width, indent))
    console.print(Text(line, style), soft_wrap=True)


def wrap_text(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text: at most `width` cells, later ones with `indent`.

    Lines are broken at white space only. A word that is wider than a line, such as a URL, a path or
    a command in backquotes, has a line without other words.
    """
    from rich.cells import cell_len  # noqa: PLC0415 - rich: as above

    if cell_len(text) <= width:
        return [text]
    lines, line = [], ""
    for word in _WORD.findall(text):
        if line.strip() and cell_len(line + word) > width:
            lines.append(line)
            line = indent + word.lstrip()
        else:
            line += word
    return [*lines, line]


def map_names(names: Iterable[str], tables: Tables) -> Mapping[str, str]:
    """Return what tables show for each name of a deployment."""
    is_full = tables is Tables.FULL_NAMES
    return {name: name for name in names} if is_full else shorten_names(names)


def print_columns(
    console: "Console",
    columns: Sequence[str],
    rows: Sequence[StyledRow],
    head_style: str = "bold",
    *,
    can_cut: bool = True,
) -> None:
    """Print rows below the titles of the columns.

    A title that ends in `>` aligns its column to the right. Only the last column is wrapped, unless
    its title ends in `>` or in `=`; where it would be too narrow, it follows on its own lines. If
    the other columns are wider than the terminal, the widest one is cut off, if it `can_cut`.

    `rich.table.Table` is not used because it takes about a millisecond per row: ten seconds for
    10,000 deployments.
    """
    if not rows:
        return
    from rich.text import Text  # noqa: PLC0415 - rich: as above

    titles = [column.rstrip(">=") for column in columns]
    lines = [
        ([escape_control_chars(cell) for cell in cells], style)
        for cells, style in ((titles, head_style), *rows)
    ]
    layout = _Layout.fit(columns, [cells for cells, _ in lines], console.width, can_cut=can_cut)
    for style, styled_lines in groupby(lines, key=lambda line: line[1]):
        text = "\n".join(line for cells, _ in styled_lines for line in layout.format_row(cells))
        console.print(Text(text, style), soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The widths of the columns of a table, in cells of the terminal."""

    columns: Sequence[str]
    widths: Sequence[int]
    """The widths of all columns but a wrapped one."""
    wrapped_width: int
    """The width of the last column if it is wrapped, else 0."""
    indent: int
    """Where the lines of the wrapped column begin."""
    is_below: bool
    """True if the wrapped column begins on the line below the other columns."""

    @classmethod
    def fit(
        cls, columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, can_cut: bool
    ) -> Self:
        """Return the layout of a table in a terminal of `width` cells."""
        from rich.cells import cell_len  # noqa: PLC0415 - rich: as above

        is_wrapped = not columns[-1].endswith((">", "="))
        fixed_count = len(columns) - is_wrapped
        widths = [max(cell_len(cells[index]) for cells in rows) for index in range(fixed_count)]
        excess = sum(widths) + _GAP * (fixed_count - 1) - width
        if excess > 0 and can_cut:
            widest = widths.index(max(widths))
            widths[widest] = max(widths[widest] - excess, _NARROWEST_CUT_COLUMN)
        indent = sum(widths) + _GAP * fixed_count
        is_below = is_wrapped and width - indent < _NARROWEST_LAST_COLUMN
        if is_below:
            indent = _INDENT_BELOW
        return cls(
            columns=columns,
            widths=widths,
            wrapped_width=max(width - indent, _NARROWEST_LAST_COLUMN) if is_wrapped else 0,
            indent=indent,
            is_below=is_below,
        )

    def format_row(self, cells: Sequence[str]) -> list[str]:
        """Return the lines of a row."""
        line = (" " * _GAP).join(
            _align(cell, width, is_right=column.endswith(">"))
            for cell, width, column in zip(cells, self.widths, self.columns, strict=False)
        )
        if not self.wrapped_width:
            return [line.rstrip()]
        wrapped = wrap_text(cells[-1], self.wrapped_width)
        if not self.is_below:
            first, *wrapped = wrapped
            line = f"{line}{' ' * _GAP}{first}"
        return [line.rstrip(), *(" " * self.indent + text for text in wrapped)]


def _align(cell: str, width: int, *, is_right: bool) -> str:
    """Return a cell with the given width; a longer one is cut off."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - rich: as above

    length = cell_len(cell)
    if length > width:
        return f"{set_cell_size(cell, width - 1)}…"
    gap = " " * (width - length)
    return f"{gap}{cell}" if is_right else f"{cell}{gap}"
