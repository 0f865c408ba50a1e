"""What a live source may name in another target of a prefix pattern, while a run deletes."""

from collections.abc import Iterator

import pytest

from ci3.core.plan.target_result import TargetResult
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
def test_pointer_to_what_this_run_has_deleted_keeps_the_later_targets(
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


def test_pointer_to_what_this_run_has_partly_deleted_keeps_the_later_targets(
    apps: MemorySite,
) -> None:
    """It is still listed."""
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


def test_pointer_to_what_another_process_has_deleted_keeps_the_later_targets(
    apps: MemorySite,
) -> None:
    point_to(apps, commit("shop", 0))
    run = open_pattern(apps)
    [key] = [key for key in apps.content() if commit("shop", 0) in key]
    apps.proxy.call_before("POST", r"\?delete", lambda: apps.remove(key), nth=1)
    apply_new_plans(run)
    assert list_apps(apps) == [{0}, {0, 1, 2}, {1, 2}]


def test_target_that_has_the_live_deployment_is_listed_once_for_all_others(
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
