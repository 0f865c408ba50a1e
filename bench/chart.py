"""Draws bar charts as SVG: one panel per case, each with its own axis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

COLUMNS = 2
COLUMN_WIDTH = 430
NAME_WIDTH = 62
BAR_WIDTH = 280
BAR_HEIGHT = 15
BAR_STEP = 19
TITLE_HEIGHT = 40
HEADING_HEIGHT = 26
AXIS_HEIGHT = 22
GAP = 20
MAX_TICKS = 5
OURS, THEIRS = "#2da44e", "#8c959f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The time of one program."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The bars of one case. `subtitle` has the conditions of the measurement."""

    title: str
    subtitle: str
    bars: Sequence[Bar]


def render_svg(heading: str, panels: Sequence[Panel]) -> str:
    """Return an SVG image of the panels in columns, legible on light and dark backgrounds."""
    elements = [_render_text(GAP, GAP, heading, "style='font-style:italic'")]
    top = HEADING_HEIGHT + GAP
    for first in range(0, len(panels), COLUMNS):
        row = panels[first : first + COLUMNS]
        for column, panel in enumerate(row):
            elements += _render_panel(panel, GAP + column * COLUMN_WIDTH, top)
        bars_height = BAR_STEP * max(len(panel.bars) for panel in row)
        top += TITLE_HEIGHT + bars_height + AXIS_HEIGHT + GAP
    width = COLUMNS * COLUMN_WIDTH
    style = (
        "<style>text{font:12px sans-serif;fill:#57606a}line{stroke:#8c959f}"
        "@media(prefers-color-scheme:dark){text{fill:#c9d1d9}}</style>"
    )
    size = f"width='{width}' height='{top}' viewBox='0 0 {width} {top}'"
    content = "\n".join(elements)
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size}>\n{style}\n{content}\n</svg>\n"


def find_ticks(longest: float) -> tuple[float, ...]:
    """Return at most MAX_TICKS round values from 0 to `longest`: 13.7 gives 0, 5 and 10."""
    power = 10.0 ** floor(log10(longest))
    steps = (factor * power for factor in (0.2, 0.5, 1, 2, 5))
    step = next(step for step in steps if longest / step < MAX_TICKS)
    return tuple(number * step for number in range(int(longest / step) + 1))


def _render_panel(panel: Panel, left_x: int, top: int) -> list[str]:
    elements = [
        _render_text(left_x, top + 10, panel.title, "style='font-weight:600'"),
        _render_text(left_x, top + 27, panel.subtitle),
    ]
    longest = max(bar.seconds for bar in panel.bars)
    bars_top = top + TITLE_HEIGHT
    for number, bar in enumerate(panel.bars):
        elements += _render_bar(bar, left_x, bars_top + number * BAR_STEP, longest)
    axis_top = bars_top + BAR_STEP * len(panel.bars)
    return [*elements, *_render_axis(left_x + NAME_WIDTH, axis_top, longest)]


def _render_bar(bar: Bar, left_x: int, top: int, longest: float) -> list[str]:
    width = max(1.0, BAR_WIDTH * bar.seconds / longest)
    color = OURS if bar.name == "ci3" else THEIRS
    bar_left = left_x + NAME_WIDTH
    size = f"width='{width:.1f}' height='{BAR_HEIGHT}'"
    return [
        _render_text(bar_left - 6, top + 12, bar.name, "text-anchor='end'"),
        f"<rect x='{bar_left}' y='{top}' {size} fill='{color}'/>",
        _render_text(bar_left + width + 6, top + 12, f"{bar.seconds:.1f} s"),
    ]


def _render_axis(left_x: int, top: int, longest: float) -> Iterator[str]:
    yield f"<line x1='{left_x}' y1='{top}' x2='{left_x + BAR_WIDTH}' y2='{top}'/>"
    for seconds in find_ticks(longest):
        x = left_x + BAR_WIDTH * seconds / longest
        yield f"<line x1='{x:.1f}' y1='{top}' x2='{x:.1f}' y2='{top + 4}'/>"
        yield _render_text(x, top + 16, f"{seconds:g} s", "text-anchor='middle'")


def _render_text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {attributes}>{escape(text)}</text>"
