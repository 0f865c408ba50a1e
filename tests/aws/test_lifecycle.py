"""Lifecycle rules: the shortest that may touch a prefix counts, and not knowing is told."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.model import NoncurrentTerm
from tests.aws.answers import HTML, error
from tests.fault_proxy import FaultProxy
from tests.s3 import Bucket

EXPIRES = "<NoncurrentVersionExpiration><NoncurrentDays>{}</NoncurrentDays>{}"
EXPIRES += "</NoncurrentVersionExpiration>"


def rule(where: str, days: int = 0, *, status: str = "Enabled", more: str = "") -> str:
    action = EXPIRES.format(days, more) if days else "<Expiration><Days>1</Days></Expiration>"
    return f"<Rule><ID>r</ID><Status>{status}</Status>{where}{action}</Rule>"


def within(prefix: str, more: str = "") -> str:
    return f"<Filter><Prefix>{prefix}</Prefix>{more}</Filter>"


def both(prefix: str) -> str:
    tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"
    return f"<Filter><And><Prefix>{prefix}</Prefix>{tag}</And></Filter>"


TAGGED = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
LARGE = "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>"

TIMELESS = (
    "<LifecycleConfiguration><Rule><Status>Enabled</Status><NoncurrentVersionExpiration>"
    "<NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>"
    "</LifecycleConfiguration>"
)


def term(site: Bucket, prefix: str = "previews/") -> NoncurrentTerm:
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    return reader.noncurrent_term(prefix)


def test_bucket_without_rules_keeps_old_versions(bucket: Bucket) -> None:
    assert term(bucket) == NoncurrentTerm()


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        pytest.param([rule(within(""), 30)], 30, id="the whole bucket"),
        pytest.param([rule("<Filter/>", 30)], 30, id="no filter"),
        pytest.param([rule("<Prefix>previews/</Prefix>", 30)], 30, id="the old way to say where"),
        pytest.param([rule(within("prev"), 30)], 30, id="around"),
        pytest.param([rule(within("previews/a/"), 30)], 30, id="inside"),
        pytest.param([rule(within("other/"), 30)], None, id="elsewhere"),
        pytest.param([rule(both("previews/"), 30)], 30, id="some objects of it"),
        pytest.param([rule(both("other/"), 30)], None, id="some objects elsewhere"),
        pytest.param([rule(TAGGED, 30)], 30, id="by tag"),
        pytest.param([rule(LARGE, 30)], 30, id="by size"),
        pytest.param([rule(within(""), 30, status="Disabled")], None, id="disabled"),
        pytest.param([rule(within(""))], None, id="a rule for current objects"),
        pytest.param(
            [rule(within(""), 7, more="<NewerNoncurrentVersions>3</NewerNoncurrentVersions>")], 7,
            id="all but some",
        ),
        pytest.param(
            [rule(within(""), 30), rule(TAGGED, 3), rule(within("other/"), 1), rule(within(""))], 3,
            id="the shortest",
        ),
    ],
)  # fmt: skip
def test_shortest_rule_that_may_touch_the_prefix_counts(
    site: Bucket, proxy: FaultProxy, rules: list[str], days: int | None
) -> None:
    body = f"<LifecycleConfiguration>{''.join(rules)}</LifecycleConfiguration>"
    proxy.answer("GET", "lifecycle", body)
    assert term(site) == NoncurrentTerm(days=days)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, error("AccessDenied")),
        (501, error("NotImplemented")),
        (404, ""),
        (404, error("NoSuchBucket")),
        (500, error("InternalError")),
        (200, ""),
        (200, HTML.partition("\n")[2]),
        (200, "<LifecycleConfiguration/>"),
        (200, "<LifecycleConfiguration><Rule>"),
        (200, TIMELESS),
    ],
)
def test_rules_that_cannot_be_read_are_a_problem_not_none(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str
) -> None:
    proxy.answer("GET", "lifecycle", body, status=status)
    found = term(site)
    assert found.problem
    assert found.days is None
