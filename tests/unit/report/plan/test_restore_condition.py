"""Whether and how long a deletion can be restored, as reports show it."""

from dataclasses import replace

import pytest

from ci3.constants import RESTORE_CHECK
from ci3.core.model.deployment import NoncurrentExpiration, Versioning
from ci3.report.plan.restore_text import (
    describe_restoration,
    format_restore_condition,
    format_restore_note,
)
from tests.support import report_cases as cases
from tests.support.builders import deployment, plan, target, to_delete
from tests.support.golden import assert_messages

AWS_URLS = ("", "https://s3.eu-west-1.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn/",
            "https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com",
            "https://s3.eusc-de-east-1.amazonaws.eu", "https://s3.us-iso-east-1.c2s.ic.gov:443",
            "https://S3.EU-WEST-1.AMAZONAWS.COM")  # fmt: skip
OTHER_URLS = ("http://127.0.0.1:9000", "https://s3.example.com",
              "https://amazonaws.com.example.com", "https://notamazonaws.com",
              "https://evil.example/x.amazonaws.com", "https://s3.amazonaws.example",
              "https://amazonaws.eu.example", "https://evil.example:443/.amazonaws.eu")  # fmt: skip


@pytest.mark.parametrize(
    ("url", "is_aws"), [*((url, True) for url in AWS_URLS), *((url, False) for url in OTHER_URLS)]
)
@pytest.mark.parametrize("expire_days", [None, 3])
def test_undo_is_promised_without_condition_on_aws_only(url, is_aws, expire_days) -> None:
    place = replace(target(Versioning.ENABLED), endpoint_url=url)
    period = NoncurrentExpiration(days=30)
    decision = replace(to_delete(deployment("old", 9)), expire_days=expire_days)
    made = plan(decision, target=place, restore_period=period)
    for text in (format_restore_note(made), format_restore_condition(made, cases.result_of(made))):
        assert (RESTORE_CHECK in text) is not is_aws
    assert ("the store" in describe_restoration([made])) is not is_aws


ENABLED = target(Versioning.ENABLED)
OTHER_STORE = replace(ENABLED, endpoint_url=OTHER_URLS[0])
NO_RULE = NoncurrentExpiration()
UNKNOWN = NoncurrentExpiration(problem="denied")
MONTH = NoncurrentExpiration(days=30)
DAY = NoncurrentExpiration(days=1)
NEWEST = NoncurrentExpiration(days=7, is_minimum=True)


def versioned(period, place=ENABLED):
    return plan(to_delete(deployment("old", 9)), target=place, restore_period=period)


PERIODS = {
    "no rule": [versioned(NO_RULE)],
    "30 days": [versioned(MONTH)],
    "1 day": [versioned(DAY)],
    "newest versions kept longer": [versioned(NEWEST)],
    "unknown": [versioned(UNKNOWN)],
    "not read": [versioned(None)],
    "other store": [versioned(MONTH, OTHER_STORE)],
    "other store, no rule": [versioned(NO_RULE, OTHER_STORE)],
    "30 days and no rule": [versioned(MONTH), versioned(NO_RULE)],
    "30 days and 1 day": [versioned(MONTH), versioned(DAY)],
    "30 days twice": [versioned(MONTH), versioned(MONTH)],
    "30 days and unknown": [versioned(MONTH), versioned(UNKNOWN)],
    "both stores": [versioned(MONTH), versioned(MONTH, OTHER_STORE)],
    "30 days and unversioned": [versioned(MONTH), versioned(None, target())],
}


def test_restore_periods_read_as_their_golden():
    assert_messages(
        __file__,
        [
            (name, [describe_restoration(plans), *map(format_restore_note, plans)])
            for name, plans in PERIODS.items()
        ],
    )


@pytest.mark.parametrize("name", [name for name in PERIODS if "un" in name or "not" in name])
def test_unknown_restore_period_is_never_shown_as_a_number(name):
    assert not any(map(str.isdigit, describe_restoration(PERIODS[name])))


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ((MONTH, DAY), NoncurrentExpiration(days=1, is_minimum=True)),
        ((MONTH, MONTH), MONTH),
        ((MONTH, NO_RULE), NoncurrentExpiration(days=30, is_minimum=True)),
        ((NO_RULE, NO_RULE), NO_RULE),
        ((NEWEST, MONTH), NEWEST),
        ((UNKNOWN, DAY), UNKNOWN),
    ],
)
def test_shorter_of_two_restore_periods_counts(periods, expected):
    first, second = periods
    assert first.combine_with(second) == second.combine_with(first) == expected
