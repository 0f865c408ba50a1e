"""The decisions of each recipe of docs/policies.md, as tables to check by eye."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LIVE = "b2b2b2b"

COMPLETE = ("app.js", "index.html")
INCOMPLETE = ("app.js",)
HUGE = (*(f"a/{number:07}" for number in range(1001)), "manifest.json")
"""More objects than a page of a listing; the required file is not on the first page."""


@dataclass(frozen=True)
class Row:
    """A deployment, the time of its upload, and the recipe's decision.

    `uploaded` is a number of days ago, a day from today and a time (`-1 23:00`), or a date. The
    decision `ignored` means that it is not a deployment.
    """

    name: str
    uploaded: float | str
    decision: str
    files: Sequence[str] = COMPLETE

    def age_days(self, now: datetime) -> float:
        return (now - _parse_time(self.uploaded, now)) / timedelta(days=1)


def _parse_time(uploaded: float | str, now: datetime) -> datetime:
    if not isinstance(uploaded, str):
        return now - timedelta(days=uploaded)
    first, *_, clock = uploaded.split()
    hour, minute = map(int, clock.split(":"))
    if first.lstrip("-").isdecimal():
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=int(first), hours=hour, minutes=minute)
    date = datetime.strptime(f"{uploaded} +0000", "%a %Y-%m-%d %H:%M %z")
    assert first == f"{date:%a}", f"{uploaded} is a {date:%A}"
    return date


def make_dated_row(uploaded: str, decision: str) -> Row:
    """Return a row that is named after its date."""
    return Row(re.sub(r"\W+", "-", uploaded.split(" ", 1)[1]), uploaded, decision)


AFTER_A_ROLLBACK = (
    Row("d4d4d4d", 1, "keep: keep-count"),
    Row("c3c3c3c", 2, "keep: keep-count"),
    Row(LIVE, 3, "keep: live"),
    Row("a1a1a1a", 4, "delete: superseded"),
)

TABLES: dict[str, Sequence[Row]] = {
    "quiet": (
        Row("d5", 2, "keep: keep-count keep-within"),
        Row("d4", 3, "keep: keep-count keep-within"),
        Row("d3", 4, "keep: keep-count keep-within"),
        Row("d2", 400, "keep: keep-within"),  # it was live until 4 days ago
        Row("d1", 500, "delete: superseded"),
    ),
    "quiet, and nobody had to touch it": (
        Row("d4", 300, "keep: keep-count keep-within"),  # live
        Row("d3", 400, "keep: keep-count"),
        Row("d2", 500, "keep: keep-count"),
        Row("d1", 600, "delete: superseded"),
    ),
    # Which of these is the last of its week and month depends on the day of the test.
    "busy, the last days --keep-weekly 0 --keep-monthly 0": (
        Row("day0-00", "0 00:00", "keep: keep-count keep-within keep-daily"),
        Row("day1-23", "-1 23:00", "keep: keep-count keep-within keep-daily"),
        Row("day1-15", "-1 15:00", "keep: keep-count keep-within"),
        Row("day1-14", "-1 14:00", "keep: keep-within"),
        Row("day2-10", "-2 10:00", "keep: keep-within keep-daily"),  # live until day1-14
        Row("day2-09", "-2 09:00", "delete: superseded"),
        Row("day3-12", "-3 12:00", "keep: keep-daily"),
        Row("day3-11", "-3 11:00", "delete: superseded"),
    ),
    "busy, by the calendar": (
        make_dated_row(
            "Fri 2024-03-15 16:00",
            "keep: keep-count keep-within keep-daily keep-weekly keep-monthly",
        ),
        make_dated_row("Fri 2024-03-15 09:00", "keep: keep-count"),
        make_dated_row("Thu 2024-03-14 16:00", "keep: keep-count keep-daily"),
        make_dated_row("Thu 2024-03-14 09:00", "delete: superseded"),
        make_dated_row("Wed 2024-03-13 16:00", "keep: keep-daily"),
        make_dated_row("Tue 2024-03-12 16:00", "keep: keep-daily"),
        make_dated_row("Mon 2024-03-11 16:00", "keep: keep-daily"),
        make_dated_row("Fri 2024-03-08 16:00", "keep: keep-daily keep-weekly"),
        make_dated_row("Thu 2024-03-07 16:00", "keep: keep-daily"),  # the seventh day
        make_dated_row("Wed 2024-03-06 16:00", "delete: superseded"),
        make_dated_row("Fri 2024-03-01 16:00", "keep: keep-weekly"),
        make_dated_row("Thu 2024-02-29 16:00", "keep: keep-monthly"),
        make_dated_row("Wed 2024-02-28 16:00", "delete: superseded"),
        make_dated_row("Fri 2024-02-23 16:00", "keep: keep-weekly"),  # the fourth week
        make_dated_row("Fri 2024-02-16 16:00", "delete: superseded"),
        make_dated_row("Wed 2024-01-31 16:00", "keep: keep-monthly"),
        make_dated_row("Tue 2024-01-30 16:00", "delete: superseded"),
        make_dated_row("Fri 2023-12-29 16:00", "keep: keep-monthly"),
        make_dated_row("Wed 2023-11-29 16:00", "keep: keep-monthly"),
        make_dated_row("Mon 2023-10-30 16:00", "keep: keep-monthly"),  # the sixth month
        make_dated_row("Fri 2023-09-29 16:00", "delete: superseded"),
    ),
    "rollback-object": AFTER_A_ROLLBACK,
    "rollback-url": AFTER_A_ROLLBACK,
    "rollback-ssm": AFTER_A_ROLLBACK,
    "rollback-cloudfront": AFTER_A_ROLLBACK,
    "rollback-github": AFTER_A_ROLLBACK,
    "half-uploaded": (
        Row("d7", 0.1, "keep: in-progress", INCOMPLETE),
        Row("d6", 1, "keep: keep-count"),
        Row("d5", 2, "keep: keep-count"),
        Row("d4", 3, "keep: keep-count", INCOMPLETE),  # only two are newer
        Row("d3", 4, "keep: keep-count"),
        Row("d2", 5, "delete: superseded", INCOMPLETE),
        Row("d1", 6, "delete: superseded"),
    ),
    "huge": (
        Row("d7", 0.1, "keep: in-progress", INCOMPLETE),
        Row("d6", 1, "keep: keep-count", HUGE),
        *(Row(f"d{n}", 7 - n, "keep: keep-count", ("manifest.json",)) for n in (5, 4, 3, 2)),
        Row("d1", 6, "delete: superseded", HUGE),
    ),
    "brake": (
        *(Row(f"d{n}", 7 - n, "keep: keep-count") for n in (6, 5, 4, 3, 2)),
        Row("d1", 6, "delete: superseded"),
    ),
}
