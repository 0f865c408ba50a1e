"""Whatever a report says, from its file to the plan: nothing goes that a full listing keeps."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci3.aws.bucket import BucketReader
from tests.support.cleanup_run import make_context
from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.inventory_reports import report_of, rows_of, to_csv
from tests.support.s3.memory_site import MemorySite, intercept_requests

NAMES = [f"d{number}" for number in range(6)]
RULES = (
    {"keep_count": "1"},
    {"keep_count": "2"},
    {"keep_count": "1", "keep_within": "5d"},
    {"keep_count": "1", "keep_daily": "2"},
    {"keep_count": "1", "required_file": "index.html"},
    {"keep_count": "1", "age_from": "first-object"},
    {"keep_count": "1", "age_from": "newest"},
    {"keep_count": "1", "group_by": r"d(\d)", "protect": "d1"},
)
FILES = ("app.js", "index.html", "z/")
DAYS = st.sampled_from((0.5, 1, 2, 3, 5, 8, 13))
THERE = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(FILES)), DAYS, min_size=4, max_size=14
)
FATES = st.lists(st.sampled_from(("true", "true", "lacking", "moved", "twice")), min_size=14)
MOVED = st.lists(DAYS, min_size=14)


@pytest.fixture(scope="module")
def world() -> Iterator[list[MemorySite]]:
    """The site that is asked, the last of these; its clients are made once."""
    sites: list[MemorySite] = []

    def answer(request: Request) -> Answer:
        return sites[-1].answer(request)

    with intercept_requests(answer):
        yield sites
    reader.cache_clear()


@cache
def reader() -> BucketReader:
    return make_context(MemorySite()).open_bucket()


def doomed(site: MemorySite, now: datetime, **rules: str) -> set[str]:
    run = replace(make_context(site, match=r"d\d", **rules), clock=lambda: now)
    return {one.deployment.name for one in run.make_plan(reader()).to_delete}


def told(site: MemorySite, fates: list[str], moved: list[float]) -> bytes:
    """Tell of a bucket's objects: as it is, not at all, at another time, or twice."""
    now, rows = datetime.now(UTC), []
    for one, fate, days in zip(rows_of(site), fates, moved, strict=False):
        changed = {**one, "LastModifiedDate": now - timedelta(days=days), "Size": 0}
        by_fate = {"true": [one], "lacking": [], "moved": [changed], "twice": [changed, one]}
        rows += by_fate[fate]
    return to_csv([*rows, {**rows_of(site)[0], "Key": "d0/invented"}])


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(THERE, st.tuples(FATES, MOVED), st.sampled_from(RULES), st.sampled_from(NAMES))
def test_report_that_lies_dooms_nothing_that_a_full_listing_keeps(
    world, there, lies, rules, redeployed
):
    site = MemorySite()
    world.append(site)
    site.put("d0/index.html", days=1)
    for (name, file), days in there.items():
        site.put(f"{name}/{file}", days=days, body=b"" if file.endswith("/") else b"x")
    report = report_of(site, files=[told(site, *lies)])
    site.put(f"{redeployed}/late.js", days=0.1)
    url, now = report.deliver(site), datetime.now(UTC)
    assert doomed(site, now, inventory=url, **rules) <= doomed(site, now, **rules)
