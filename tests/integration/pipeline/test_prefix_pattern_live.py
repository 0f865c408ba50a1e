"""Live sources of a prefix pattern that name deployments of other targets during a run."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ci3.core.plan.target_result import TargetResult
from ci3.pipeline.pattern_listing import MAXIMUM_AGE_SECONDS
from ci3.pipeline.run import Run, open_run
from tests.support.apps import MATCH, PATTERN, commit, deploy_app, list_deployments
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_site import MemorySite, running_site

APPS = ("blog", "docs", "shop")


@pytest.fixture
def apps() -> Iterator[MemorySite]:
    """Three apps, each with three deployments."""
    with running_site() as site:
        for app in APPS:
            deploy_app(site, app)
        yield site


def open_pattern(site: MemorySite) -> Run:
    context = make_context(
        site, prefix=PATTERN, match=MATCH, live_from="object:current", journal_file="ci3.jsonl"
    )
    return open_run([context])


def apply_new_plans(run: Run) -> tuple[TargetResult, ...]:
    return run.apply_plans(run.reconcile_rules(run.make_plans()), is_fresh=True)


def list_apps(site: MemorySite) -> list[set[int]]:
    return [list_deployments(site, app) for app in APPS]


def point_to(site: MemorySite, text: str) -> None:
    site.put("current", body=text.encode())


@pytest.mark.parametrize("folder", ["", "apps/blog/production/"])
def test_pointer_to_a_deployment_deleted_by_this_run_keeps_the_later_targets(
    apps: MemorySite, folder: str
) -> None:
    point_to(apps, commit("blog", 0))
    run = open_pattern(apps)
    deleted = f"{folder}{commit('blog', 2)}"
    apps.proxy.call_before("POST", r"\?delete", lambda: point_to(apps, deleted))
    results = apply_new_plans(run)
    assert list_apps(apps) == [{0}, {0, 1, 2}, {0, 1, 2}]
    assert [bool(result.result and result.result.stop_reason) for result in results[1:]] == [
        True
    ] * 2


def test_pointer_to_a_deployment_partly_deleted_by_this_run_keeps_the_later_targets(
    apps: MemorySite,
) -> None:
    apps.put(f"apps/blog/production/{commit('blog', 2)}/z", days=3)
    point_to(apps, commit("blog", 0))
    run = open_pattern(apps)
    apps.proxy.refuse([f"apps/blog/production/{commit('blog', 2)}/z"], "InternalError")
    apps.proxy.on_request = lambda request: (
        point_to(apps, commit("blog", 2)) if request.is_write and not request.is_probe else None
    )
    results = apply_new_plans(run)
    assert results[0].result is not None
    assert not results[0].result.stop_reason
    assert list_apps(apps) == [{0, 2}, {0, 1, 2}, {0, 1, 2}]


def test_pointer_to_a_deployment_deleted_by_another_process_keeps_the_later_targets(
    apps: MemorySite,
) -> None:
    point_to(apps, commit("shop", 0))
    run = open_pattern(apps)
    [key] = [key for key in apps.content() if commit("shop", 0) in key]
    apps.proxy.call_before("POST", r"\?delete", lambda: apps.remove(key), nth=1)
    apply_new_plans(run)
    assert list_apps(apps) == [{0}, {0, 1, 2}, {1, 2}]


def test_target_with_the_live_deployment_is_listed_once_for_all_other_targets(
    apps: MemorySite,
) -> None:
    point_to(apps, commit("shop", 0))
    run = open_pattern(apps)
    plans = run.make_plans()
    apps.proxy.requests.clear()
    run.apply_plans(run.reconcile_rules(plans), is_fresh=True)
    assert list_apps(apps) == [{0}] * 3
    requests = apps.proxy.requests
    checks = requests[: next(index for index, item in enumerate(requests) if item.is_write)]
    assert (
        sum("prefix=apps%2Fshop%2Fproduction%2F&delimiter" in item.target for item in checks) == 1
    )


# Folders that change between the search for targets and the plan.


@pytest.mark.parametrize("source", ["object:current", "object:live/{folder}"])
def test_deployment_that_is_live_since_the_search_is_found_in_the_plan(
    apps: MemorySite, source: str
) -> None:
    for app in APPS:
        apps.put(f"live/{app}", body=commit(app, 0).encode())
    context = make_context(apps, prefix=PATTERN, match=MATCH, live_from=source)
    run = open_run([context])
    apps.deploy(f"apps/shop/production/{'f' * 40}", days=0)
    for key in ("current", "live/shop"):
        apps.put(key, body=b"f" * 40)
    plans = run.make_plans()
    assert [plan.refusals for plan in plans] == [(), (), ()]
    assert "f" * 40 in {decision.deployment.name for decision in plans[2].kept}


def test_missing_name_causes_a_second_search_but_no_second_plan(apps: MemorySite) -> None:
    run = open_run([make_context(apps, prefix=PATTERN, match=MATCH, protect="f" * 40)])
    apps.proxy.requests.clear()
    plans = run.make_plans()
    assert all(plan.refusals for plan in plans)
    listings = apps.proxy.find_requests("GET", "prefix=apps%2Fshop%2Fproduction%2F&delimiter")
    assert len(listings) == 1
    assert len(apps.proxy.find_requests("GET", r"\?versioning")) == 1


def test_plan_is_refused_if_a_protected_name_was_removed_after_the_search(apps: MemorySite) -> None:
    apps.put(f"apps/aaa/production/{'f' * 40}/x", days=9)
    now = 0.0
    context = make_context(apps, prefix=PATTERN, match=MATCH, protect="f" * 40)
    run = open_run([replace(context, monotonic=lambda: now)])
    apps.remove(f"apps/aaa/production/{'f' * 40}/x")
    now = MAXIMUM_AGE_SECONDS + 1
    assert all(plan.refusals for plan in run.make_plans())
