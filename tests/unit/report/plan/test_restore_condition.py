"""Undoing is promised without a condition on AWS only."""

from dataclasses import replace

import pytest

from ci3.constants import RESTORE_CHECK
from ci3.core.model.deployment import NoncurrentExpiration, Versioning
from ci3.core.plan.checks import find_restore_period_warnings
from ci3.report.plan.restore_text import format_restore_condition, format_restore_note
from tests.support import report_cases as cases
from tests.support.builders import deployment, plan, target, to_delete

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
    made = plan(replace(to_delete(deployment("old", 9)), expire_days=expire_days), target=place)
    [warning] = find_restore_period_warnings(NoncurrentExpiration(days=30), place)
    texts = (
        format_restore_note(made),
        format_restore_condition(made, cases.result_of(made)),
        warning.message,
    )
    for text in texts:
        assert (RESTORE_CHECK in text) is not is_aws
