"""Draws bars as SVG, one panel for each case, each on a scale of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLUMNS = 2
COLUMN_WIDTH = 430
NAME_WIDTH = 62
BAR_WIDTH = 280
BAR_HEIGHT = 15
BAR_STEP = 19
TITLE_HEIGHT = 24
GAP = 16
OURS, THEIRS = "#2da44e", "#8c959f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One program's time."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One case."""

    title: str
    bars: Sequence[Bar]


def draw(panels: Sequence[Panel]) -> str:
    """Draw the panels in columns; legible on light and dark ground."""
    parts: list[str] = []
    top = GAP
    for first in range(0, len(panels), COLUMNS):
        row = panels[first : first + COLUMNS]
        for column, panel in enumerate(row):
            parts += _panel(panel, GAP + column * COLUMN_WIDTH, top)
        top += TITLE_HEIGHT + BAR_STEP * max(len(panel.bars) for panel in row) + GAP
    width = COLUMNS * COLUMN_WIDTH
    style = (
        "<style>text{font:12px sans-serif;fill:#57606a}"
        "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}</style>"
    )
    size = f"width='{width}' height='{top}' viewBox='0 0 {width} {top}'"
    inner = "\n".join(parts)
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size}>\n{style}\n{inner}\n</svg>\n"


def _panel(panel: Panel, left: int, top: int) -> list[str]:
    parts = [_text(left, top + 13, panel.title, "font-weight='600'")]
    longest = max(bar.seconds for bar in panel.bars)
    for number, bar in enumerate(panel.bars):
        parts += _bar(bar, left, top + TITLE_HEIGHT + number * BAR_STEP, longest)
    return parts


def _bar(bar: Bar, left: int, top: int, longest: float) -> list[str]:
    width = max(1.0, BAR_WIDTH * bar.seconds / longest)
    colour = OURS if bar.name == "ci3" else THEIRS
    begin = left + NAME_WIDTH
    return [
        _text(begin - 6, top + 12, bar.name, "text-anchor='end'"),
        f"<rect x='{begin}' y='{top}' width='{width:.1f}' height='{BAR_HEIGHT}' fill='{colour}'/>",
        _text(begin + width + 6, top + 12, f"{bar.seconds:.1f} s"),
    ]


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {more}>{escape(text)}</text>"
