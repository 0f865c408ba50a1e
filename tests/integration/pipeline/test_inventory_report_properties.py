"""A wrong inventory report deletes nothing that a full listing keeps."""

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
OBJECTS = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(FILES)), DAYS, min_size=4, max_size=14
)
ROW_KINDS = st.lists(st.sampled_from(("true", "true", "missing", "moved", "twice")), min_size=14)
MOVED_DAYS = st.lists(DAYS, min_size=14)


@pytest.fixture(scope="module")
def sites() -> Iterator[list[MemorySite]]:
    """The sites; requests go to the last one. The clients are created once."""
    sites: list[MemorySite] = []

    def answer(request: Request) -> Answer:
        return sites[-1].answer(request)

    with intercept_requests(answer):
        yield sites
    reader.cache_clear()


@cache
def reader() -> BucketReader:
    return make_context(MemorySite()).open_bucket()


def list_names_to_delete(site: MemorySite, now: datetime, **rules: str) -> set[str]:
    context = replace(make_context(site, match=r"d\d", **rules), clock=lambda: now)
    return {decision.deployment.name for decision in context.make_plan(reader()).to_delete}


def make_wrong_report(site: MemorySite, row_kinds: list[str], moved_days: list[float]) -> bytes:
    """Report the objects of a bucket correctly, not at all, with another time, or twice."""
    now, rows = datetime.now(UTC), []
    for row, kind, days in zip(rows_of(site), row_kinds, moved_days, strict=False):
        changed = {**row, "LastModifiedDate": now - timedelta(days=days), "Size": 0}
        by_kind = {"true": [row], "missing": [], "moved": [changed], "twice": [changed, row]}
        rows += by_kind[kind]
    return to_csv([*rows, {**rows_of(site)[0], "Key": "d0/invented"}])


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(OBJECTS, st.tuples(ROW_KINDS, MOVED_DAYS), st.sampled_from(RULES), st.sampled_from(NAMES))
def test_wrong_report_deletes_nothing_that_a_full_listing_keeps(
    sites, objects, wrong_rows, rules, redeployed
):
    site = MemorySite()
    sites.append(site)
    site.put("d0/index.html", days=1)
    for (name, file), days in objects.items():
        site.put(f"{name}/{file}", days=days, body=b"" if file.endswith("/") else b"x")
    report = report_of(site, files=[make_wrong_report(site, *wrong_rows)])
    site.put(f"{redeployed}/late.js", days=0.1)
    url, now = report.deliver(site), datetime.now(UTC)
    by_report = list_names_to_delete(site, now, inventory=url, **rules)
    assert by_report <= list_names_to_delete(site, now, **rules)
