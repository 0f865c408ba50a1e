"""What keep-within, keep-daily, keep-weekly and keep-monthly keep, as tables."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from ci3.core.retention.decide import RetentionPolicy, decide
from tests.support.builders import NOW, days_ago, deployment, inventory, marker_only_deployment
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in
from tests.unit.core.retention.tables import Case, decide_case, keep_within, list_expected, uploaded

SECOND = timedelta(seconds=1) / timedelta(days=1)


def interrupted(name, at):
    """Return a deployment whose upload was interrupted before its required file."""
    return uploaded(name, at, files=["app.js"], required_file="index.html")


WITHIN = {
    "the time starts when the next deployment is complete, not at the upload": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("d4", 1), "keep: keep-count keep-within"),
            (deployment("d3", 6), "keep: keep-within"),  # superseded 1 day ago
            (deployment("d2", 300), "keep: keep-within"),  # superseded 6 days ago
            (deployment("d1", 400), "delete: superseded"),  # superseded 300 days ago
        ),
    ),
    "a deployment superseded exactly that long ago is kept": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("d2", 7), "keep: keep-count keep-within"),
            (deployment("d1", 30), "keep: keep-within"),
        ),
    ),
    "a deployment superseded one second longer ago is deleted": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("d2", 7 + SECOND), "keep: keep-count keep-within"),
            (deployment("d1", 30), "delete: superseded"),
        ),
    ),
    "the time can be in hours": Case(
        rules=keep_within("36h"),
        rows=(
            (deployment("d3", 1.5), "keep: keep-count keep-within"),
            (deployment("d2", 1.5 + SECOND), "keep: keep-within"),
            (deployment("d1", 9), "delete: superseded"),
        ),
    ),
    "the time starts with the last object of the successor": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("d2", 10, 6), "keep: keep-count keep-within"),
            (deployment("d1", 11), "keep: keep-within"),
        ),
    ),
    "the successor is the newer deployment that was complete first": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("long", 12, 1), "keep: keep-count keep-within"),
            (deployment("short", 10, 9), "keep: ambiguous-age keep-within"),
            (deployment("d1", 13), "delete: superseded"),
        ),
    ),
    "a deployment with overlapping times is no successor": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("d3", 3), "keep: keep-count keep-within"),
            (deployment("overlaps", 9, 8), "keep: keep-within"),
            (deployment("d1", 10, 8.5), "keep: keep-within"),  # superseded by d3 3 days ago
        ),
    ),
    "a deployment is not superseded if none is known to be newer": Case(
        rules=keep_within("1h"),
        rows=(
            (deployment("updated", 900, 300), "keep: keep-count keep-within"),
            (deployment("d2", 400), "keep: ambiguous-age keep-within"),
            (deployment("d1", 1000), "delete: superseded"),
        ),
    ),
    "an only deployment is not superseded": Case(
        rules=keep_within("1h"),
        rows=((deployment("d1", 4000), "keep: keep-count keep-within"),),
    ),
    "a deployment is kept if its successor is in the future": Case(
        rules=keep_within("1h"),
        rows=(
            (deployment("d2", -2), "keep: keep-count keep-within"),
            (deployment("d1", 30), "keep: keep-within"),
        ),
    ),
    "an incomplete deployment supersedes nothing": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("d2", 2), "keep: keep-count keep-within"),
            (marker_only_deployment("m", 20), "keep: keep-within"),
            (deployment("d1", 30), "keep: keep-within"),  # superseded by d2 2 days ago
        ),
    ),
    "an older incomplete deployment is kept for the same time": Case(
        rules=keep_within("7d"),
        rows=(
            (deployment("d2", 9), "keep: keep-count keep-within"),
            (marker_only_deployment("m", 30), "delete: superseded"),
        ),
    ),
    "a time of zero keeps a deployment that is superseded at this moment": Case(
        rules=keep_within("0h"),
        rows=(
            (deployment("d3", 0), "keep: keep-count keep-within"),
            (deployment("d2", SECOND), "keep: keep-within"),  # superseded in this instant
            (deployment("d1", 2), "delete: superseded"),
        ),
    ),
}

DAILY = {
    "the newest deployment of each of the last days is kept": Case(
        rules={"keep_daily": 2},
        rows=(
            (uploaded("sun-late", "2026-11-22 18:00"), "keep: keep-count keep-daily"),
            (uploaded("sun-soon", "2026-11-22 09:00"), "delete: superseded"),
            (uploaded("sat-late", "2026-11-21 18:00"), "keep: keep-daily"),
            (uploaded("sat-soon", "2026-11-21 09:00"), "delete: superseded"),
            (uploaded("fri-late", "2026-11-20 18:00"), "delete: superseded"),
        ),
    ),
    "a day begins and ends at midnight in UTC": Case(
        rules={"keep_daily": 9},
        rows=(
            (uploaded("c2", "2026-11-22 23:59:59"), "keep: keep-count keep-daily"),
            (uploaded("c1", "2026-11-22 00:00:00"), "delete: superseded"),
            (uploaded("b2", "2026-11-21 23:59:59"), "keep: keep-daily"),
            (uploaded("b1", "2026-11-21 00:00:00"), "delete: superseded"),
            (uploaded("a2", "2026-11-20 23:59:59"), "keep: keep-daily"),
        ),
    ),
    "an upload over midnight counts for the day on which it was complete": Case(
        rules={"keep_daily": 9},
        rows=(
            (uploaded("d3", "2026-11-22 10:00"), "keep: keep-count keep-daily"),
            (uploaded("d2", "2026-11-20 23:50", "2026-11-21 00:10"), "keep: keep-daily"),
            (uploaded("d1", "2026-11-20 12:00"), "keep: keep-daily"),
        ),
    ),
    "days without a deployment don't count": Case(
        rules={"keep_daily": 3},
        rows=(
            (uploaded("d5", "2026-11-02 10:00"), "keep: keep-count keep-daily"),
            (uploaded("d4", "2026-06-30 10:00"), "keep: keep-daily"),
            (uploaded("d3", "2025-01-15 11:00"), "keep: keep-daily"),
            (uploaded("d2", "2025-01-15 10:00"), "delete: superseded"),
            (uploaded("d1", "2025-01-14 10:00"), "delete: superseded"),
        ),
    ),
    "days with only incomplete deployments don't count": Case(
        rules={"keep_daily": 2},
        rows=(
            (uploaded("d2", "2026-11-22 10:00"), "keep: keep-count keep-daily"),
            (interrupted("lost-2", "2026-11-21 10:00"), "delete: superseded"),
            (interrupted("lost-1", "2026-11-20 10:00"), "delete: superseded"),
            (uploaded("d1", "2026-11-19 10:00"), "keep: keep-daily"),
        ),
    ),
    "an incomplete deployment is not the newest of its day": Case(
        rules={"keep_daily": 2},
        rows=(
            (uploaded("d2", "2026-11-22 10:00"), "keep: keep-count keep-daily"),
            (interrupted("lost", "2026-11-21 18:00"), "delete: superseded"),
            (uploaded("d1", "2026-11-21 10:00"), "keep: keep-daily"),
        ),
    ),
    "deployments that were complete at the same time are both kept for their day": Case(
        rules={"keep_daily": 2},
        rows=(
            (uploaded("d4", "2026-11-22 10:00"), "keep: keep-count keep-daily"),
            (uploaded("d3", "2026-11-21 11:00", "2026-11-21 12:00"), "keep: keep-daily"),
            (uploaded("d2", "2026-11-21 10:00", "2026-11-21 12:00"), "keep: keep-daily"),
            (uploaded("d1", "2026-11-21 09:00"), "delete: superseded"),
        ),
    ),
    "days in the future count": Case(
        rules={"keep_daily": 2},
        rows=(
            (uploaded("d3", "2027-05-02 10:00"), "keep: keep-count keep-daily"),
            (uploaded("d2", "2027-05-01 10:00"), "keep: keep-daily"),
            (uploaded("d1", "2026-11-22 10:00"), "delete: superseded"),
        ),
    ),
}

WEEKLY_AND_MONTHLY = {
    "ISO weeks: the first days of January may be in the last week of the old year": Case(
        rules={"keep_weekly": 3},
        rows=(
            (uploaded("mon", "2027-01-04 10:00"), "keep: keep-count keep-weekly"),  # 2027-W01
            (uploaded("sun", "2027-01-03 23:59:59"), "keep: keep-weekly"),  # 2026-W53
            (uploaded("newyear", "2027-01-01 10:00"), "delete: superseded"),  # 2026-W53
            (uploaded("monday", "2026-12-28 10:00"), "delete: superseded"),  # 2026-W53
            (uploaded("sunday", "2026-12-27 10:00"), "keep: keep-weekly"),  # 2026-W52
            (uploaded("before", "2026-12-20 10:00"), "delete: superseded"),  # 2026-W51
        ),
    ),
    "ISO weeks: the last days of December may be in the first week of the new year": Case(
        rules={"keep_weekly": 9},
        rows=(
            (uploaded("thu", "2026-01-01 10:00"), "keep: keep-count keep-weekly"),  # 2026-W01
            (uploaded("mon", "2025-12-29 10:00"), "delete: superseded"),  # 2026-W01
            (uploaded("sun", "2025-12-28 10:00"), "keep: keep-weekly"),  # 2025-W52
            (uploaded("january", "2025-01-01 10:00"), "keep: keep-weekly"),  # 2025-W01
        ),
    ),
    "weeks without a deployment don't count": Case(
        rules={"keep_weekly": 2},
        rows=(
            (uploaded("d3", "2026-11-20 10:00"), "keep: keep-count keep-weekly"),
            (uploaded("d2", "2026-03-20 10:00"), "keep: keep-weekly"),
            (uploaded("d1", "2026-03-10 10:00"), "delete: superseded"),
        ),
    ),
    "a month begins and ends at midnight in UTC, and differs by year": Case(
        rules={"keep_monthly": 4},
        rows=(
            (uploaded("nov-1", "2026-11-01 00:00:00"), "keep: keep-count keep-monthly"),
            (uploaded("oct-31", "2026-10-31 23:59:59"), "keep: keep-monthly"),
            (uploaded("oct-1", "2026-10-01 00:00:00"), "delete: superseded"),
            (uploaded("feb-28", "2026-02-28 23:59:59"), "keep: keep-monthly"),
            (uploaded("nov-25", "2025-11-30 10:00"), "keep: keep-monthly"),
            (uploaded("nov-24", "2024-11-30 10:00"), "delete: superseded"),
        ),
    ),
}

UNIONS = {
    "a deployment has each rule that keeps it, and is deleted if no rule keeps it": Case(
        keep_count=2,
        rules=keep_within("3d") | {"keep_daily": 3, "keep_weekly": 2, "keep_monthly": 2},
        rows=(
            (
                uploaded("mon-11", "2026-11-23 11:00"),
                "keep: keep-count keep-within keep-daily keep-weekly keep-monthly",
            ),
            (uploaded("mon-10", "2026-11-23 10:00"), "keep: keep-count keep-within"),
            (uploaded("sun-2", "2026-11-22 10:00"), "keep: keep-within keep-daily keep-weekly"),
            (uploaded("sun-1", "2026-11-22 09:00"), "keep: keep-within"),
            (uploaded("fri-2", "2026-11-20 10:00"), "keep: keep-within keep-daily"),
            (uploaded("fri-1", "2026-11-20 09:00"), "delete: superseded"),
            (uploaded("thu", "2026-11-19 10:00"), "delete: superseded"),
            (uploaded("oct", "2026-10-30 10:00"), "keep: keep-monthly"),
            (uploaded("sep", "2026-09-30 10:00"), "delete: superseded"),
        ),
    ),
    "a rule of 0 keeps nothing": Case(
        rules={"keep_daily": 0, "keep_weekly": 0, "keep_monthly": 0},
        rows=(
            (uploaded("d2", "2026-11-22 10:00"), "keep: keep-count"),
            (uploaded("d1", "2026-10-22 10:00"), "delete: superseded"),
        ),
    ),
}

CASES = WITHIN | DAILY | WEEKLY_AND_MONTHLY | UNIONS


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_decisions_are_those_of_the_table(case):
    assert decide_case(case) == list_expected(case)


@pytest.mark.parametrize("case", [*DAILY.values(), *WEEKLY_AND_MONTHLY.values()])
def test_clock_does_not_change_daily_weekly_and_monthly_decisions(case):
    complete = replace(case, rows=[row for row in case.rows if row[0].is_complete])
    for now in (days_ago(5000), days_ago(-5000)):
        assert decide_case(replace(complete, now=now)) == decide_case(complete)


def test_days_are_in_utc_regardless_of_the_time_zone_of_a_timestamp():
    madrid = timezone(timedelta(hours=1))
    case = DAILY["a day begins and ends at midnight in UTC"]
    rows = [
        (replace(deployment, oldest_at=at, newest_at=at, first_object_at=at), decision)
        for deployment, decision in case.rows
        for at in [deployment.newest_at.astimezone(madrid)]
    ]

    assert decide_case(replace(case, rows=rows)) == list_expected(case)


def list_messages(policy, *deployments):
    decisions = decide(inventory(*deployments), policy, (), NOW, 1)
    return {
        decision.deployment.name: {str(reason.code): reason.message for reason in decision.reasons}
        for decision in decisions
    }


def list_keep_within_messages():
    policy = RetentionPolicy(keep_count=1, **keep_within("7d"))
    return list_messages(policy, deployment("d2", 3), deployment("d1", 30))


def test_keep_within_reason_has_the_successor_and_its_age():
    [(code, message)] = list_keep_within_messages()["d1"].items()

    assert code == "keep-within"
    assert numbers_in(message) == [3]
    assert all(value in message for value in ("d2", "7d"))


def list_period_messages():
    policy = RetentionPolicy(keep_count=1, keep_daily=1, keep_weekly=1, keep_monthly=1)
    honolulu = timezone(timedelta(hours=-10))  # it is still December there
    newest = uploaded("d", "2027-01-01 08:00")

    return list_messages(policy, replace(newest, newest_at=newest.newest_at.astimezone(honolulu)))


@pytest.mark.parametrize(
    ("code", "period"),
    [("keep-daily", "2027-01-01"), ("keep-weekly", "2026-W53"), ("keep-monthly", "2027-01")],
)
def test_periods_in_reasons_are_in_utc(code, period):
    assert period in words_in(list_period_messages()["d"][code])


def test_messages_of_reasons():
    cases = {"keep-within": list_keep_within_messages(), "periods": list_period_messages()}
    assert_messages(
        __file__,
        [
            (f"{case}, {name}", [f"{code}: {message}" for code, message in reasons.items()])
            for case, deployments in cases.items()
            for name, reasons in deployments.items()
        ],
    )
