"""Draws bar charts as SVG: one panel per case, each with its own scale."""

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
    """The time of one program."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The bars of one case."""

    title: str
    bars: Sequence[Bar]


def render_svg(panels: Sequence[Panel]) -> str:
    """Return an SVG image of the panels in columns, legible on light and dark backgrounds."""
    elements: list[str] = []
    top = GAP
    for first in range(0, len(panels), COLUMNS):
        row = panels[first : first + COLUMNS]
        for column, panel in enumerate(row):
            elements += _render_panel(panel, GAP + column * COLUMN_WIDTH, top)
        top += TITLE_HEIGHT + BAR_STEP * max(len(panel.bars) for panel in row) + GAP
    width = COLUMNS * COLUMN_WIDTH
    style = (
        "<style>text{font:12px sans-serif;fill:#57606a}"
        "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}</style>"
    )
    size = f"width='{width}' height='{top}' viewBox='0 0 {width} {top}'"
    content = "\n".join(elements)
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size}>\n{style}\n{content}\n</svg>\n"


def _render_panel(panel: Panel, left: int, top: int) -> list[str]:
    elements = [_render_text(left, top + 13, panel.title, "font-weight='600'")]
    longest = max(bar.seconds for bar in panel.bars)
    for number, bar in enumerate(panel.bars):
        elements += _render_bar(bar, left, top + TITLE_HEIGHT + number * BAR_STEP, longest)
    return elements


def _render_bar(bar: Bar, left: int, top: int, longest: float) -> list[str]:
    width = max(1.0, BAR_WIDTH * bar.seconds / longest)
    color = OURS if bar.name == "ci3" else THEIRS
    bar_left = left + NAME_WIDTH
    size = f"width='{width:.1f}' height='{BAR_HEIGHT}'"
    return [
        _render_text(bar_left - 6, top + 12, bar.name, "text-anchor='end'"),
        f"<rect x='{bar_left}' y='{top}' {size} fill='{color}'/>",
        _render_text(bar_left + width + 6, top + 12, f"{bar.seconds:.1f} s"),
    ]


def _render_text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {attributes}>{escape(text)}</text>"
