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
def test_restore_is_offered_without_a_condition_on_aws_only(url, is_aws, expire_days) -> None:
    restore_target = replace(target(Versioning.ENABLED), endpoint_url=url)
    period = NoncurrentExpiration(days=30)
    decision = replace(to_delete(deployment("old", 9)), expire_days=expire_days)
    deletion_plan = plan(decision, target=restore_target, restore_period=period)
    for text in (
        format_restore_note(deletion_plan),
        format_restore_condition(deletion_plan, cases.result_of(deletion_plan)),
    ):
        assert (RESTORE_CHECK in text) is not is_aws
    assert ("the store" in describe_restoration([deletion_plan])) is not is_aws


ENABLED = target(Versioning.ENABLED)
OTHER_STORE = replace(ENABLED, endpoint_url=OTHER_URLS[0])
NO_RULE = NoncurrentExpiration()
UNKNOWN = NoncurrentExpiration(problem="denied")
MONTH = NoncurrentExpiration(days=30)
DAY = NoncurrentExpiration(days=1)
NEWEST = NoncurrentExpiration(days=7, is_minimum=True)


def make_versioned_plan(period, restore_target=ENABLED):
    return plan(to_delete(deployment("old", 9)), target=restore_target, restore_period=period)


PERIODS = {
    "no rule": [make_versioned_plan(NO_RULE)],
    "30 days": [make_versioned_plan(MONTH)],
    "1 day": [make_versioned_plan(DAY)],
    "newest versions kept longer": [make_versioned_plan(NEWEST)],
    "unknown": [make_versioned_plan(UNKNOWN)],
    "not read": [make_versioned_plan(None)],
    "other store": [make_versioned_plan(MONTH, OTHER_STORE)],
    "other store, no rule": [make_versioned_plan(NO_RULE, OTHER_STORE)],
    "30 days and no rule": [make_versioned_plan(MONTH), make_versioned_plan(NO_RULE)],
    "30 days and 1 day": [make_versioned_plan(MONTH), make_versioned_plan(DAY)],
    "30 days twice": [make_versioned_plan(MONTH), make_versioned_plan(MONTH)],
    "30 days and unknown": [make_versioned_plan(MONTH), make_versioned_plan(UNKNOWN)],
    "both stores": [make_versioned_plan(MONTH), make_versioned_plan(MONTH, OTHER_STORE)],
    "30 days and unversioned": [make_versioned_plan(MONTH), make_versioned_plan(None, target())],
}


def test_restore_periods_equal_their_golden():
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
