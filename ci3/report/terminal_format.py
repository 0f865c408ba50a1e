"""Elements of a terminal's output: escaped lines and columns.

Imports rich when something is printed, so that JSON and help do without it.
"""

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ci3.core.formatting import escape_control_chars

if TYPE_CHECKING:
    from rich.console import Console

_GAP = 2
_NARROWEST_LAST_COLUMN = 30

StyledRow = tuple[Sequence[str], str]
"""The cells of a row, and the style of all of them."""


def print_line(console: "Console", text: str, style: str = "", *, soft_wrap: bool = False) -> None:
    """Print one paragraph, with untrusted characters escaped and never interpreted.

    With `soft_wrap`, wrapping it is left to the terminal, so that it can be copied.
    """
    from rich.text import Text  # noqa: PLC0415 - rich: as above

    console.print(Text(escape_control_chars(text), style), soft_wrap=soft_wrap)


def print_columns(
    console: "Console", columns: Sequence[str], rows: Sequence[StyledRow], head_style: str = "bold"
) -> None:
    """Print rows below the titles of the columns; a title that ends in `>` aligns to the right.

    Only the last column is wrapped. `rich.table.Table` is not used because it takes about a
    millisecond per row: ten seconds for 10,000 deployments.
    """
    if not rows:
        return
    from rich.cells import cell_len  # noqa: PLC0415 - rich: as above
    from rich.text import Text  # noqa: PLC0415 - rich: as above

    titles = [column.removesuffix(">") for column in columns]
    lines = [
        ([escape_control_chars(cell) for cell in cells], style)
        for cells, style in ((titles, head_style), *rows)
    ]
    widths = [max(cell_len(cells[index]) for cells, _ in lines) for index in range(len(columns))]
    indent = sum(widths[:-1]) + _GAP * (len(columns) - 1)
    last_width = max(console.width - indent, _NARROWEST_LAST_COLUMN)
    for style, styled_lines in groupby(lines, key=lambda line: line[1]):
        printed_lines: list[str] = []
        for cells, _ in styled_lines:
            gaps = [
                " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)
            ]
            padded = [
                f"{gap}{cell}" if column.endswith(">") else f"{cell}{gap}"
                for cell, gap, column in zip(cells, gaps, columns, strict=True)
            ]
            continuation_lines: list[str] = []
            if not columns[-1].endswith(">"):
                padded[-1], *continuation_lines = textwrap.wrap(cells[-1], last_width) or [""]
            printed_lines.append((" " * _GAP).join(padded).rstrip())
            printed_lines += [" " * indent + line for line in continuation_lines]
        console.print(Text("\n".join(printed_lines), style), soft_wrap=True)
