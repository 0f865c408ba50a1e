"""`age-from: first-object`: its number of requests, and what is listed before a deletion."""

import json

import pytest

from ci3.core.plan.json_reader import load_plans
from ci3.core.plan.json_writer import dump_plan
from ci3.core.plan.plan import Plan
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

PAGE = 1000


def make_plan(site: Bucket, age_from: str, **settings: str) -> Plan:
    context = make_context(site, age_from=age_from, **settings)
    return context.make_plan(context.open_bucket())


def list_actions(plan: Plan) -> dict[str, str]:
    return {decision.deployment.name: decision.action.value for decision in plan.decisions}


def count_listings(proxy: FaultProxy) -> int:
    return len(proxy.find_requests("GET", "list-type=2"))


@pytest.fixture
def large_site(site: Bucket) -> Bucket:
    """Four deployments; `d0` is the newest. All but `d1` have more objects than a page."""
    for days in range(4):
        site.deploy(f"d{days}", days=10 * days + 1, files=5 if days == 1 else PAGE + 5)
    return site


def test_plan_lists_one_page_of_each_deployment_and_all_pages_of_those_to_delete(large_site, proxy):
    plan = make_plan(large_site, "first-object", keep_count="2", concurrency="1")

    assert list_actions(plan) == {"d0": "keep", "d1": "keep", "d2": "delete", "d3": "delete"}
    first_page_count, full_page_count = 4, 3  # the 2,010 objects to delete, listed together
    assert count_listings(proxy) == 1 + first_page_count + full_page_count


def test_small_deployments_need_one_request_each_and_are_fully_listed(site, proxy):
    for days in range(3):
        site.deploy(f"d{days}", days=10 * days)
    plan = make_plan(site, "first-object")

    assert list_actions(plan) == {"d0": "keep", "d1": "delete", "d2": "delete"}
    assert count_listings(proxy) == 1 + 3
    assert all(decision.deployment.is_fully_listed for decision in plan.decisions)
    assert plan.totals.bytes_to_keep == 3


def test_adjacent_deployments_to_delete_are_listed_together(
    site: Bucket, proxy: FaultProxy
) -> None:
    """Listed separately, the ten deployments to delete would need two requests each."""
    site.set_page_size(20)
    for number in range(10):
        site.deploy(f"d{number}", days=10 * (10 - number), files=21)
    site.deploy("new", days=1)
    plan = make_plan(site, "first-object", keep_count="1", concurrency="1")

    assert [*list_actions(plan).values()].count("delete") == 10
    assert plan.totals.objects_to_delete == 10 * 21
    first_page_count, full_page_count = 11, 11  # 210 objects
    assert count_listings(proxy) == 1 + first_page_count + full_page_count


def test_deployments_to_delete_are_fully_listed_and_the_kept_size_is_unknown(large_site):
    plan = make_plan(large_site, "first-object", keep_count="2")

    is_fully_listed = {
        decision.deployment.name: decision.deployment.is_fully_listed for decision in plan.decisions
    }
    assert is_fully_listed == {"d0": False, "d1": True, "d2": True, "d3": True}
    assert plan.totals.objects_to_delete == 2 * (PAGE + 5)
    assert plan.totals.bytes_to_keep is None


def test_deployment_that_its_full_listing_shows_as_new_is_kept(large_site):
    large_site.put(f"d3/file-{PAGE + 4:05}", days=0)

    plan = make_plan(large_site, "first-object", keep_count="2")

    assert list_actions(plan) == {"d0": "keep", "d1": "keep", "d2": "delete", "d3": "keep"}


def test_apply_by_first_object_deletes_the_old_deployments(large_site):
    run = apply(large_site, keep_count="2", age_from="first-object")

    assert run.exit_code == 0
    assert large_site.folders() == {"d0", "d1"}


def test_plan_is_refused_if_a_deployment_to_delete_cannot_be_fully_listed(large_site, proxy):
    refused = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    proxy.answer("GET", "^(?!.*prefix=d2).*(continuation-token|start-after)", refused, status=403)

    plan = make_plan(large_site, "first-object", keep_count="2")

    assert list_actions(plan) == {"d0": "keep", "d1": "keep", "d2": "delete"}
    assert [refusal.code for refusal in plan.refusals] == ["unreadable-deployment"]


def test_required_file_after_the_first_page_is_found(large_site, proxy):
    for days in (0, 2, 3):
        large_site.put(f"d{days}/index.html", days=10 * days + 1)

    plan = make_plan(large_site, "first-object", keep_count="2", required_file="index.html")

    is_complete = {
        decision.deployment.name: decision.deployment.is_complete for decision in plan.decisions
    }
    assert is_complete == {"d0": True, "d1": False, "d2": True, "d3": True}
    assert list_actions(plan) == {"d0": "keep", "d1": "keep", "d2": "keep", "d3": "delete"}
    assert len(proxy.find_requests("GET", "index.html")) == 3


def test_keep_within_counts_from_the_newest_object_of_the_successor(large_site):
    large_site.put(f"d2/file-{PAGE + 4:05}", days=3)

    plan = make_plan(large_site, "first-object", keep_count="1", keep_within="17d")

    # According to its first page, d2 was complete 21 days ago; it was complete 3 days ago.
    assert list_actions(plan)["d3"] == "keep"


def test_keep_daily_uses_the_newest_object_of_a_deployment(site):
    site.deploy("new", days=1, files=1)
    site.deploy("long", days=20, files=PAGE + 5)
    site.put(f"long/file-{PAGE + 4:05}", days=15)
    site.deploy("short", days=20.001, files=1)

    plan = make_plan(site, "first-object", keep_count="1", keep_daily="9")

    # According to its first page, `long` would be the newest deployment on the day of `short`.
    assert list_actions(plan) == {"new": "keep", "long": "keep", "short": "keep"}
    assert all(decision.deployment.is_fully_listed for decision in plan.decisions)


@pytest.mark.parametrize(
    ("age_from", "decision"),
    [("span", "keep"), ("oldest", "delete"), ("newest", "delete"), ("first-object", "keep")],
)
def test_overlapping_uploads_are_kept_unless_their_age_is_one_time(bucket, age_from, decision):
    bucket.put("old/app.js", days=10)
    bucket.put("old/index.html", days=5)
    bucket.put("new/app.js", days=7)
    bucket.put("new/index.html", days=1)

    assert list_actions(make_plan(bucket, age_from)) == {"new": "keep", "old": decision}


def test_plan_file_has_no_counts_of_deployments_that_were_not_fully_listed(large_site):
    text = dump_plan(make_plan(large_site, "first-object", keep_count="2"))

    [deployment] = [item for item in json.loads(text)["deployments"] if item["name"] == "d0"]
    assert (deployment["object_count"], deployment["size_bytes"], deployment["fingerprint"]) == (
        None,
        None,
        None,
    )
    assert dump_plan(*load_plans(text, "plan.json")) == text
