"""Charts of values over time: block characters for a terminal, Mermaid for GitHub's Markdown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BLOCKS = " ▁▂▃▄▅▆▇█"
DOT = "•"

_ROWS = 8
_EIGHTHS = len(BLOCKS) - 1
_HOURS_SHOWN_BELOW = timedelta(days=10)
_MERMAID_LABELS = 6
# Bars and a line differ without color. These colors also differ on GitHub's dark theme.
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
# Mermaid merges categories with equal text. A zero-width suffix makes each category unique.
_ZERO_WIDTH = "\N{ZERO WIDTH SPACE}"

Points = Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One or two series over the same period: the first is drawn as an area, the second on top.

    A column shows the highest of the points that fall into it, or the lowest if `is_minimum`.
    `format_value` formats a value for an axis; `value / scale` is the value in the `unit`.
    """

    title: str
    unit: str
    scale: float
    series: Sequence[Points]
    format_value: Callable[[float], str]
    is_minimum: bool = False

    @property
    def full_title(self) -> str:
        """Title, with the note whether a column shows its highest or its lowest value."""
        return f"{self.title} ({'minimum' if self.is_minimum else 'maximum'})"

    @property
    def constant_text(self) -> str:
        """Sentence that replaces the chart if every value is the same; else empty."""
        values = {value for points in self.series for _, value in points}
        return f"{self.title}: always {self.format_value(values.pop())}" if len(values) == 1 else ""

    @property
    def starts_at(self) -> datetime:
        """Time of the first point of any series."""
        return min(points[0][0] for points in self.series)

    @property
    def ends_at(self) -> datetime:
        """Time of the last point of any series."""
        return max(points[-1][0] for points in self.series)

    def resample(self, count: int) -> tuple[tuple[float, ...], ...]:
        """Resample each series to `count` equal periods, one value per period.

        A period without a point keeps the value of the last point before it. Example: the daily
        points 1, 5, 2 in eight columns are 1, 1, 1, 1, 5, 5, 5, 2. In two columns, the daily
        points 1, 5, 2, 9 are 5, 9, and 1, 2 if `is_minimum`.
        """
        return tuple(self._resample_line(points, count) for points in self.series)

    def find_maximum(self, columns: Iterable[Sequence[float]]) -> float:
        """Return the value at the top of the scale: the highest that is drawn."""
        highest = max(max(column) for column in columns)
        return highest or max(value for points in self.series for _, value in points)

    def _resample_line(self, points: Points, count: int) -> tuple[float, ...]:
        length = (self.ends_at - self.starts_at) / count
        values_by_column: list[list[float]] = [[] for _ in range(count)]
        for time, value in points:
            values_by_column[min(int((time - self.starts_at) / length), count - 1)].append(value)
        choose = min if self.is_minimum else max
        values: list[float] = []
        last_value = 0.0
        for column_values in values_by_column:
            values.append(choose(column_values) if column_values else last_value)
            last_value = column_values[-1] if column_values else last_value
        return tuple(values)


def format_day(time: datetime, total_length: timedelta) -> str:
    """Format a date in UTC; month, day and time of day if `total_length` is under ten days."""
    time_format = "%m-%d %H:%M" if total_length < _HOURS_SHOWN_BELOW else "%Y-%m-%d"
    return time.astimezone(UTC).strftime(time_format)


def draw_block_chart(chart: Chart, width: int) -> list[str]:
    """Return a chart's lines of at most `width` cells, or more if its dates need more."""
    if chart.constant_text:
        return [chart.constant_text]
    total_length = chart.ends_at - chart.starts_at
    left, right = format_day(chart.starts_at, total_length), format_day(chart.ends_at, total_length)
    margin = max(len(chart.format_value(value)) for points in chart.series for _, value in points)
    count = max(width - margin - 2, len(left) + len(right) + 2)
    columns = chart.resample(count)
    top = chart.find_maximum(columns)
    area, *overlays = ([_height_in_eighths(value, top) for value in column] for column in columns)
    rows = [_draw_row(row, area, overlays) for row in range(_ROWS - 1, -1, -1)]
    axis_heights = overlays[0] if overlays else [1] * count
    axis = "".join("─" if eighths else DOT for eighths in axis_heights)
    return [
        chart.full_title,
        f"{chart.format_value(top):>{margin}} ┤{rows[0]}".rstrip(),
        *(f"{'':>{margin}} │{row}".rstrip() for row in rows[1:]),
        f"{chart.format_value(0):>{margin}} └{axis}",
        f"{'':>{margin}}  {left}{right:>{count - len(left)}}",
    ]


def _height_in_eighths(value: float, top: float) -> int:
    """Return the height of a value in eighths of a row: at least 1 unless the value is 0."""
    return max(round(value / top * _ROWS * _EIGHTHS), 1) if value else 0


def _draw_row(row: int, area: Sequence[int], overlays: Sequence[Sequence[int]]) -> str:
    cells = [BLOCKS[min(max(eighths - row * _EIGHTHS, 0), _EIGHTHS)] for eighths in area]
    for overlay in overlays:
        for column, eighths in enumerate(overlay):
            if eighths and (eighths - 1) // _EIGHTHS == row:
                cells[column] = DOT
    return "".join(cells)


def draw_mermaid_chart(chart: Chart, count: int) -> str:
    """Return a chart of `count` columns as a Mermaid code block."""
    if chart.constant_text:
        return f"{chart.constant_text}."
    columns = chart.resample(count)
    kinds = (("bar", "line")[index] for index in range(len(chart.series)))
    plots = (
        f"    {kind} [{', '.join(_format_number(value / chart.scale) for value in values)}]"
        for kind, values in zip(kinds, columns, strict=True)
    )
    y_maximum = _format_number(chart.find_maximum(columns) / chart.scale)
    lines = (
        "```mermaid",
        _MERMAID_HEAD,
        f'    title "{chart.full_title}"',
        f"    x-axis [{', '.join(_format_mermaid_categories(chart, count))}]",
        f'    y-axis "{chart.unit}" 0 --> {y_maximum}',
        *plots,
        "```",
    )
    return "\n".join(lines)


def _format_mermaid_categories(chart: Chart, count: int) -> Iterable[str]:
    """Yield one category per column; only a few have a date, since more would overlap."""
    total_length = chart.ends_at - chart.starts_at
    labelled = {
        round(index * (count - 1) / (_MERMAID_LABELS - 1)) for index in range(_MERMAID_LABELS)
    }
    for column in range(count):
        time = chart.starts_at + total_length * column / (count - 1)
        text = format_day(time, total_length) if column in labelled else ""
        yield f'"{text}{_ZERO_WIDTH * column}"'


def _format_number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
