"""Subfolders that are named like deployments are found by each kind of listing."""

import pickle

import pytest

from ci3.core.model.issues import RefusalCode
from ci3.engine.inventory.folders import find_folders
from ci3.engine.inventory.parallel_listing import ListSpans
from tests.support.cleanup_run import make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.inventory_reports import report_of

SUBFOLDERS = ("9c41e07", "ab12cd3")
SETTINGS = {
    "several requests at once": {},
    "one request at a time": {"concurrency": "1"},
    "first objects": {"age_from": "first-object"},
}


@pytest.fixture(params=[0, 90], ids=["newest", "oldest"])
def site(request: pytest.FixtureRequest, site: Bucket) -> Bucket:
    """Four folders; `admin` is the newest or the oldest, and contains deployments."""
    for days, name in enumerate(("docs", "shop", "web"), 10):
        site.deploy(name, days=days)
    for subfolder in SUBFOLDERS:
        site.deploy(f"admin/{subfolder}", days=request.param)
    return site


def find_refusal_codes(site: Bucket, **settings: str) -> list[RefusalCode]:
    context = make_context(site, **{"match": "", **settings})
    return [refusal.code for refusal in context.make_plan(context.open_bucket()).refusals]


@pytest.mark.parametrize("name", SETTINGS)
def test_nested_deployments_are_refused_with_any_listing(site: Bucket, name: str) -> None:
    assert find_refusal_codes(site, **SETTINGS[name]) == [RefusalCode.NESTED_DEPLOYMENTS]


def test_nested_deployments_in_an_inventory_report_are_refused(site: Bucket) -> None:
    url = report_of(site).deliver(site)
    assert find_refusal_codes(site, inventory=url) == [RefusalCode.NESTED_DEPLOYMENTS]


def test_match_or_protect_resolves_the_refusal(site: Bucket) -> None:
    assert find_refusal_codes(site, match=".*") == []
    assert find_refusal_codes(site, protect="admin") == []


def test_check_sends_no_request(site: Bucket) -> None:
    assert site.proxy is not None
    request_counts = []
    for settings in ({}, {"match": ".*"}):
        start = len(site.proxy.requests)
        find_refusal_codes(site, **settings)
        request_counts.append(len(site.proxy.requests) - start)
    assert request_counts[0] == request_counts[1]


def test_spans_that_a_worker_lists_have_the_subfolders(site: Bucket) -> None:
    bucket = make_context(site).open_bucket()
    request = ListSpans(folders=find_folders(bucket, ""), required_file="", concurrency=2)
    listing = pickle.loads(pickle.dumps(request.respond(bucket, lambda _count: None)))  # noqa: S301
    assert listing.summaries["admin"].subfolders == SUBFOLDERS
