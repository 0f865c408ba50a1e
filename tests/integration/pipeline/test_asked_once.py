"""A plan reads the lifecycle rules and the versioning of the bucket only once."""

from collections.abc import Iterator

import pytest

from ci3.constants import RESTORE_WINDOW_DAYS
from ci3.core.model.deployment import NoncurrentExpiration
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.plan.plan import Plan
from tests.support.cleanup_run import make_context, seed_site
from tests.support.s3.lifecycle_texts import config
from tests.support.s3.memory_site import MemorySite, running_site

RULES = ("GET", r"\?lifecycle")
VERSIONING = ("GET", r"\?versioning")
EXPIRE_NONCURRENT = config(
    "<Rule><ID>old</ID><Status>Enabled</Status><Filter/><NoncurrentVersionExpiration>"
    "<NoncurrentDays>60</NoncurrentDays></NoncurrentVersionExpiration></Rule>"
)


@pytest.fixture
def site() -> Iterator[MemorySite]:
    with running_site() as site:
        seed_site(site)
        yield site


def make_plan(site: MemorySite, **settings: str) -> Plan:
    context = make_context(site, **settings)
    return context.make_plan(context.open_bucket())


def find_warnings(plan: Plan, code: WarningCode) -> list[str]:
    return [warning.message for warning in plan.warnings if warning.code is code]


@pytest.mark.parametrize("concurrency", ["1", "8"])
@pytest.mark.parametrize("engine", ["direct", "lifecycle", "auto"])
@pytest.mark.parametrize("status", ["", "Enabled", "Suspended"])
def test_rules_and_versioning_are_read_once(
    site: MemorySite, status: str, engine: str, concurrency: str
) -> None:
    site._bucket.versioning = status
    site.lifecycle = EXPIRE_NONCURRENT
    plan = make_plan(site, engine=engine, concurrency=concurrency)
    assert plan.is_applyable
    assert len(site.proxy.find_requests(*RULES)) == 1
    assert len(site.proxy.find_requests(*VERSIONING)) == 1
    listings = site.proxy.find_requests("GET", "list-type=2")
    assert len(site.proxy.requests) == 2 + len(listings)
    assert find_warnings(plan, WarningCode.RESTORE_PERIOD) == []
    period = NoncurrentExpiration(days=60)
    if engine == "lifecycle":
        period = NoncurrentExpiration(days=RESTORE_WINDOW_DAYS, is_minimum=True)
    assert plan.restore_period == (period if status == "Enabled" else None)


@pytest.mark.parametrize(("prefix", "days"), [("logs/", None), ("", 60)])
def test_rule_for_other_folders_does_not_end_the_restore_period(
    site: MemorySite, prefix: str, days: int | None
) -> None:
    site.enable_versioning()
    prefix_filter = f"<Filter><Prefix>{prefix}</Prefix></Filter>".encode()
    site.lifecycle = EXPIRE_NONCURRENT.replace(b"<Filter/>", prefix_filter)
    assert make_plan(site).restore_period == NoncurrentExpiration(days=days)


@pytest.mark.parametrize("engine", ["direct", "lifecycle"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<Error><Code>AccessDenied</Code></Error>"),
        (501, "<Error><Code>NotImplemented</Code></Error>"),
        (200, ""),
        (200, EXPIRE_NONCURRENT.replace(b"<Filter/>", b"<Filter><Novel/></Filter>")),
    ],
    ids=["denied", "unsupported", "empty", "unknown element"],
)
def test_restore_period_is_unknown_if_rules_cannot_be_read_and_they_are_not_read_again(
    site: MemorySite, status: int, body: str | bytes, engine: str, assert_screen
) -> None:
    site.enable_versioning()
    site.lifecycle = EXPIRE_NONCURRENT
    site.proxy.answer(*RULES, body, status=status, nth=1)
    plan = make_plan(site, engine=engine)
    (message,) = find_warnings(plan, WarningCode.RESTORE_PERIOD)
    assert_screen(message)
    assert plan.restore_period is not None
    assert plan.restore_period.problem in message
    assert plan.is_applyable is (engine == "direct")
    assert len(site.proxy.find_requests(*RULES)) == 1


def test_mfa_delete_is_found_with_one_request(site: MemorySite) -> None:
    site.enable_versioning()
    site._bucket.needs_mfa = True
    plan = make_plan(site, engine="lifecycle")
    assert RefusalCode.LIFECYCLE in [refusal.code for refusal in plan.refusals]
    assert len(site.proxy.find_requests(*VERSIONING)) == 1
