"""`age-from: first-object`: what it costs, and what is looked at before anything is deleted."""

import json

import pytest

from ci3.core.plan.json_reader import load_plans
from ci3.core.plan.json_writer import dump_plan
from ci3.core.plan.plan import Plan
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

PAGE = 1000


def plan_by(site: Bucket, age_from: str, **settings: str) -> Plan:
    run = make_context(site, age_from=age_from, **settings)
    return run.make_plan(run.open_bucket())


def fates(plan: Plan) -> dict[str, str]:
    return {one.deployment.name: one.action.value for one in plan.decisions}


def listings(proxy: FaultProxy) -> int:
    return len(proxy.find_requests("GET", "list-type=2"))


@pytest.fixture
def huge(site: Bucket) -> Bucket:
    """Four deployments, `d0` the newest: all but `d1` are more than one page."""
    for days in range(4):
        site.deploy(f"d{days}", days=10 * days + 1, files=5 if days == 1 else PAGE + 5)
    return site


def test_plan_costs_one_request_for_each_that_stays_and_lists_the_due_in_full(huge, proxy):
    plan = plan_by(huge, "first-object", keep_count="2", concurrency="1")

    assert fates(plan) == {"d0": "keep", "d1": "keep", "d2": "delete", "d3": "delete"}
    first_pages, full = 4, 3  # the 2,010 objects to delete, listed together
    assert listings(proxy) == 1 + first_pages + full


def test_small_deployments_cost_one_request_each_and_nothing_is_unknown(site, proxy):
    for days in range(3):
        site.deploy(f"d{days}", days=10 * days)
    plan = plan_by(site, "first-object")

    assert fates(plan) == {"d0": "keep", "d1": "delete", "d2": "delete"}
    assert listings(proxy) == 1 + 3
    assert all(one.deployment.is_fully_listed for one in plan.decisions)
    assert plan.totals.bytes_to_keep == 3


def test_due_neighbours_share_the_pages_of_their_listing(site: Bucket, proxy: FaultProxy) -> None:
    """Alone, each has two pages, so that the ten that are due would cost twenty requests."""
    site.set_page_size(20)
    for number in range(10):
        site.deploy(f"d{number}", days=10 * (10 - number), files=21)
    site.deploy("new", days=1)
    plan = plan_by(site, "first-object", keep_count="1", concurrency="1")

    assert [*fates(plan).values()].count("delete") == 10
    assert plan.totals.objects_to_delete == 10 * 21
    first_pages, full = 11, 11  # 210 objects
    assert listings(proxy) == 1 + first_pages + full


def test_due_ones_are_known_in_full_and_what_stays_is_said_to_be_unknown(huge):
    plan = plan_by(huge, "first-object", keep_count="2")

    known = {one.deployment.name: one.deployment.is_fully_listed for one in plan.decisions}
    assert known == {"d0": False, "d1": True, "d2": True, "d3": True}
    assert plan.totals.objects_to_delete == 2 * (PAGE + 5)
    assert plan.totals.bytes_to_keep is None


def test_deployment_changed_after_its_first_object_is_kept_when_judged_again(huge):
    huge.put(f"d3/file-{PAGE + 4:05}", days=0)

    plan = plan_by(huge, "first-object", keep_count="2")

    assert fates(plan) == {"d0": "keep", "d1": "keep", "d2": "delete", "d3": "keep"}


def test_apply_by_first_object_deletes_the_due_alone(huge):
    ran = apply(huge, keep_count="2", age_from="first-object")

    assert ran.exit_code == 0
    assert huge.folders() == {"d0", "d1"}


def test_due_deployment_that_can_not_be_listed_in_full_forbids_applying(huge, proxy):
    refused = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    proxy.answer("GET", "^(?!.*prefix=d2).*(continuation-token|start-after)", refused, status=403)

    plan = plan_by(huge, "first-object", keep_count="2")

    assert fates(plan) == {"d0": "keep", "d1": "keep", "d2": "delete"}
    assert [refusal.code for refusal in plan.refusals] == ["unreadable-deployment"]


def test_required_file_beyond_the_first_page_is_looked_for(huge, proxy):
    for days in (0, 2, 3):
        huge.put(f"d{days}/index.html", days=10 * days + 1)

    plan = plan_by(huge, "first-object", keep_count="2", required_file="index.html")

    complete = {one.deployment.name: one.deployment.is_complete for one in plan.decisions}
    assert complete == {"d0": True, "d1": False, "d2": True, "d3": True}
    assert fates(plan) == {"d0": "keep", "d1": "keep", "d2": "keep", "d3": "delete"}
    assert len(proxy.find_requests("GET", "index.html")) == 3


def test_clock_of_keep_within_starts_when_all_of_the_follower_is_there(huge):
    huge.put(f"d2/file-{PAGE + 4:05}", days=3)

    plan = plan_by(huge, "first-object", keep_count="1", keep_within="17d")

    # By its first page alone, d2 was done 21 days ago; it was done 3 days ago.
    assert fates(plan)["d3"] == "keep"


def test_day_that_a_deployment_ends_on_is_known_before_it_takes_anothers_place(site):
    site.deploy("new", days=1, files=1)
    site.deploy("long", days=20, files=PAGE + 5)
    site.put(f"long/file-{PAGE + 4:05}", days=15)
    site.deploy("short", days=20.001, files=1)

    plan = plan_by(site, "first-object", keep_count="1", keep_daily="9")

    # By its first page alone, long would be the newest of short's day.
    assert fates(plan) == {"new": "keep", "long": "keep", "short": "keep"}
    assert all(one.deployment.is_fully_listed for one in plan.decisions)


@pytest.mark.parametrize(
    ("age_from", "decision"),
    [("span", "keep"), ("oldest", "delete"), ("newest", "delete"), ("first-object", "keep")],
)
def test_overlapping_uploads_are_told_apart_by_one_object_alone(bucket, age_from, decision):
    bucket.put("old/app.js", days=10)
    bucket.put("old/index.html", days=5)
    bucket.put("new/app.js", days=7)
    bucket.put("new/index.html", days=1)

    assert fates(plan_by(bucket, age_from)) == {"new": "keep", "old": decision}


def test_plan_file_says_what_was_not_counted(huge):
    run = make_context(huge, age_from="first-object", keep_count="2")
    text = dump_plan(run.make_plan(run.open_bucket()))

    [d0] = [one for one in json.loads(text)["deployments"] if one["name"] == "d0"]
    assert (d0["object_count"], d0["size_bytes"], d0["fingerprint"]) == (None, None, None)
    assert dump_plan(*load_plans(text, "plan.json")) == text
