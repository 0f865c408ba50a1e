"""What each recipe of docs/policies.md decides, as tables to check by eye."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LIVE = "b2b2b2b"

WHOLE = ("app.js", "index.html")
BROKEN_OFF = ("app.js",)
HUGE = (*(f"a/{number:07}" for number in range(1001)), "manifest.json")
"""More than a page of a listing holds, and the required file is not on the first."""


@dataclass(frozen=True)
class Row:
    """A deployment, when it was uploaded, and what the recipe decides about it.

    `when` is a number of days ago, a day from today and a time (`-1 23:00`), or a date. `ignored`
    as the decision says that it is none.
    """

    name: str
    when: float | str
    decision: str
    files: Sequence[str] = WHOLE

    def age_days(self, now: datetime) -> float:
        return (now - _moment(self.when, now)) / timedelta(days=1)


def _moment(when: float | str, now: datetime) -> datetime:
    if not isinstance(when, str):
        return now - timedelta(days=when)
    first, *_, clock = when.split()
    hour, minute = map(int, clock.split(":"))
    if first.lstrip("-").isdecimal():
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=int(first), hours=hour, minutes=minute)
    date = datetime.strptime(f"{when} +0000", "%a %Y-%m-%d %H:%M %z")
    assert first == f"{date:%a}", f"{when} is a {date:%A}"
    return date


def dated(when: str, decision: str) -> Row:
    """A row that is named for its date."""
    return Row(re.sub(r"\W+", "-", when.split(" ", 1)[1]), when, decision)


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
        Row("d4", 300, "keep: keep-count keep-within"),  # the live one
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
        dated(
            "Fri 2024-03-15 16:00",
            "keep: keep-count keep-within keep-daily keep-weekly keep-monthly",
        ),
        dated("Fri 2024-03-15 09:00", "keep: keep-count"),
        dated("Thu 2024-03-14 16:00", "keep: keep-count keep-daily"),
        dated("Thu 2024-03-14 09:00", "delete: superseded"),
        dated("Wed 2024-03-13 16:00", "keep: keep-daily"),
        dated("Tue 2024-03-12 16:00", "keep: keep-daily"),
        dated("Mon 2024-03-11 16:00", "keep: keep-daily"),
        dated("Fri 2024-03-08 16:00", "keep: keep-daily keep-weekly"),
        dated("Thu 2024-03-07 16:00", "keep: keep-daily"),  # the seventh day
        dated("Wed 2024-03-06 16:00", "delete: superseded"),
        dated("Fri 2024-03-01 16:00", "keep: keep-weekly"),
        dated("Thu 2024-02-29 16:00", "keep: keep-monthly"),
        dated("Wed 2024-02-28 16:00", "delete: superseded"),
        dated("Fri 2024-02-23 16:00", "keep: keep-weekly"),  # the fourth week
        dated("Fri 2024-02-16 16:00", "delete: superseded"),
        dated("Wed 2024-01-31 16:00", "keep: keep-monthly"),
        dated("Tue 2024-01-30 16:00", "delete: superseded"),
        dated("Fri 2023-12-29 16:00", "keep: keep-monthly"),
        dated("Wed 2023-11-29 16:00", "keep: keep-monthly"),
        dated("Mon 2023-10-30 16:00", "keep: keep-monthly"),  # the sixth month
        dated("Fri 2023-09-29 16:00", "delete: superseded"),
    ),
    "rollback-object": AFTER_A_ROLLBACK,
    "rollback-url": AFTER_A_ROLLBACK,
    "rollback-ssm": AFTER_A_ROLLBACK,
    "rollback-cloudfront": AFTER_A_ROLLBACK,
    "rollback-github": AFTER_A_ROLLBACK,
    "half-uploaded": (
        Row("d7", 0.1, "keep: in-progress", BROKEN_OFF),
        Row("d6", 1, "keep: keep-count"),
        Row("d5", 2, "keep: keep-count"),
        Row("d4", 3, "keep: keep-count", BROKEN_OFF),  # only two are newer
        Row("d3", 4, "keep: keep-count"),
        Row("d2", 5, "delete: superseded", BROKEN_OFF),
        Row("d1", 6, "delete: superseded"),
    ),
    "huge": (
        Row("d7", 0.1, "keep: in-progress", BROKEN_OFF),
        Row("d6", 1, "keep: keep-count", HUGE),
        *(Row(f"d{n}", 7 - n, "keep: keep-count", ("manifest.json",)) for n in (5, 4, 3, 2)),
        Row("d1", 6, "delete: superseded", HUGE),
    ),
    "brake": (
        *(Row(f"d{n}", 7 - n, "keep: keep-count") for n in (6, 5, 4, 3, 2)),
        Row("d1", 6, "delete: superseded"),
    ),
}
