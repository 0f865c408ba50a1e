"""Draws bars as SVG, one panel for each case, each on a scale of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 860
NAME_WIDTH = 80
BAR_WIDTH = 640
BAR_HEIGHT = 16
BAR_STEP = 21
TITLE_HEIGHT = 26
GAP = 14
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
    """Draw the panels below each other; legible on light and dark ground."""
    parts: list[str] = []
    top = GAP
    for panel in panels:
        parts.append(_text(GAP, top + 14, panel.title, "font-weight='600'"))
        top += TITLE_HEIGHT
        longest = max(bar.seconds for bar in panel.bars)
        for bar in panel.bars:
            parts += _bar(bar, top, longest)
            top += BAR_STEP
        top += GAP
    style = "<style>text{font:13px sans-serif;fill:#57606a}</style>"
    size = f"width='{WIDTH}' height='{top}' viewBox='0 0 {WIDTH} {top}'"
    inner = "\n".join(parts)
    return f"<svg xmlns='http://www.w3.org/2000/svg' {size}>\n{style}\n{inner}\n</svg>\n"


def _bar(bar: Bar, top: int, longest: float) -> list[str]:
    width = max(1.0, BAR_WIDTH * bar.seconds / longest)
    colour = OURS if bar.name == "ci3" else THEIRS
    left = GAP + NAME_WIDTH
    return [
        _text(left - 8, top + 13, bar.name, "text-anchor='end'"),
        f"<rect x='{left}' y='{top}' width='{width:.1f}' height='{BAR_HEIGHT}' fill='{colour}'/>",
        _text(left + width + 6, top + 13, f"{bar.seconds:.1f} s"),
    ]


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {more}>{escape(text)}</text>"
