"""Charts of what changes over time: of blocks for a terminal, of Mermaid for GitHub's Markdown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BLOCKS = " ▁▂▃▄▅▆▇█"
DOT = "•"

_ROWS = 8
_EIGHTHS = len(BLOCKS) - 1
_HOURS_SHOWN_BELOW = timedelta(days=10)
_MERMAID_LABELS = 6
# Bars and a line differ without colour, and these colours also on GitHub's dark pages.
_MERMAID_HEAD = """\
---
config:
  xyChart:
    height: 280
    titleFontSize: 16
  themeVariables:
    xyChart:
      plotColorPalette: "#8ab8ff, #d9480f"
---
xychart-beta"""
# Mermaid takes categories of the same text for one; this has no width and makes each its own.
_ZERO_WIDTH = "\N{ZERO WIDTH SPACE}"

Points = Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One or two lines over the same time: the first is drawn as an area, the second on top.

    Of the points that fall into one column, the highest is shown, or where it `is_least` the
    lowest. `label` writes a value; `scale` is what a value is divided by to be in the `unit`.
    """

    title: str
    unit: str
    scale: float
    lines: Sequence[Points]
    label: Callable[[float], str]
    is_least: bool = False

    @property
    def full_title(self) -> str:
        """The title, and which of several values a column shows."""
        return f"{self.title}, {'at least' if self.is_least else 'at most'}"

    @property
    def constant(self) -> str:
        """Say what it always is; empty where it changes or differs."""
        values = {value for points in self.lines for _, value in points}
        return f"{self.title}: always {self.label(values.pop())}" if len(values) == 1 else ""

    @property
    def starts_at(self) -> datetime:
        """The first moment of any line."""
        return min(points[0][0] for points in self.lines)

    @property
    def ends_at(self) -> datetime:
        """The last moment of any line."""
        return max(points[-1][0] for points in self.lines)

    def columns(self, count: int) -> tuple[tuple[float, ...], ...]:
        """Part each line into so many equal lengths of time, one value for each."""
        return tuple(self._columns(points, count) for points in self.lines)

    def top(self, columns: Iterable[Sequence[float]]) -> float:
        """Give the value at the top of the scale: the highest that is drawn."""
        drawn = max(max(column) for column in columns)
        return drawn or max(value for points in self.lines for _, value in points)

    def _columns(self, points: Points, count: int) -> tuple[float, ...]:
        length = (self.ends_at - self.starts_at) / count
        fallen: list[list[float]] = [[] for _ in range(count)]
        for at, value in points:
            fallen[min(int((at - self.starts_at) / length), count - 1)].append(value)
        pick = min if self.is_least else max
        values: list[float] = []
        # Where no moment fell, what stood before stands still.
        last = 0.0
        for column in fallen:
            values.append(pick(column) if column else last)
            last = column[-1] if column else last
        return tuple(values)


def day(when: datetime, length: timedelta) -> str:
    """Write a date, with the time of day where all of it is about a few days."""
    form = "%Y-%m-%d %H:%M" if length < _HOURS_SHOWN_BELOW else "%Y-%m-%d"
    return when.astimezone(UTC).strftime(form)


def block_chart(chart: Chart, width: int) -> list[str]:
    """Draw a chart in lines of at most so many cells, unless its dates alone need more."""
    if chart.constant:
        return [chart.constant]
    length = chart.ends_at - chart.starts_at
    left, right = day(chart.starts_at, length), day(chart.ends_at, length)
    margin = max(len(chart.label(value)) for points in chart.lines for _, value in points)
    count = max(width - margin - 2, len(left) + len(right) + 2)
    columns = chart.columns(count)
    top = chart.top(columns)
    area, *over = ([_eighths(value, top) for value in column] for column in columns)
    rows = [_row(row, area, over) for row in range(_ROWS - 1, -1, -1)]
    dots = over[0] if over else [1] * count
    axis = "".join("─" if eighths else DOT for eighths in dots)
    return [
        chart.full_title,
        f"{chart.label(top):>{margin}} ┤{rows[0]}".rstrip(),
        *(f"{'':>{margin}} │{row}".rstrip() for row in rows[1:]),
        f"{chart.label(0):>{margin}} └{axis}",
        f"{'':>{margin}}  {left}{right:>{count - len(left)}}",
    ]


def _eighths(value: float, top: float) -> int:
    """Say how high a value is drawn, in eighths of a row; what is not zero can be seen."""
    return max(round(value / top * _ROWS * _EIGHTHS), 1) if value else 0


def _row(row: int, area: Sequence[int], over: Sequence[Sequence[int]]) -> str:
    cells = [BLOCKS[min(max(eighths - row * _EIGHTHS, 0), _EIGHTHS)] for eighths in area]
    for line in over:
        for place, eighths in enumerate(line):
            if eighths and (eighths - 1) // _EIGHTHS == row:
                cells[place] = DOT
    return "".join(cells)


def mermaid_chart(chart: Chart, count: int) -> str:
    """Write a chart of so many columns as a Mermaid block."""
    if chart.constant:
        return f"{chart.constant}."
    columns = chart.columns(count)
    drawn = (("bar", "line")[place] for place in range(len(chart.lines)))
    plots = (
        f"    {kind} [{', '.join(_number(value / chart.scale) for value in values)}]"
        for kind, values in zip(drawn, columns, strict=True)
    )
    lines = (
        "```mermaid",
        _MERMAID_HEAD,
        f'    title "{chart.full_title}"',
        f"    x-axis [{', '.join(_mermaid_categories(chart, count))}]",
        f'    y-axis "{chart.unit}" 0 --> {_number(chart.top(columns) / chart.scale)}',
        *plots,
        "```",
    )
    return "\n".join(lines)


def _mermaid_categories(chart: Chart, count: int) -> Iterable[str]:
    """Label a few columns with their dates; all of them would overlap."""
    length = chart.ends_at - chart.starts_at
    labelled = {
        round(place * (count - 1) / (_MERMAID_LABELS - 1)) for place in range(_MERMAID_LABELS)
    }
    for column in range(count):
        when = chart.starts_at + length * column / (count - 1)
        text = day(when, length) if column in labelled else ""
        yield f'"{text}{_ZERO_WIDTH * column}"'


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
