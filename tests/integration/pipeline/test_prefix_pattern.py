"""A prefix pattern on a bucket with many apps: its targets, and its number of requests."""

from collections.abc import Callable, Iterator

import pytest

from ci3.core.doctor.finding import Level
from ci3.core.model.issues import RefusalCode
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.errors import AccessError, ListingError, RefusedError, SettingsError
from ci3.pipeline.doctor import run_doctor
from ci3.pipeline.expansion import MAXIMUM_TARGETS, open_targets
from ci3.pipeline.run import Run, open_run
from tests.support.apps import MATCH, PATTERN, commit, deploy_app, list_deployments
from tests.support.cleanup_run import make_context
from tests.support.s3.answers import error
from tests.support.s3.memory_site import MemorySite, running_site

LISTING = ("GET", "list-type=2")
LEVELS = ("GET", "delimiter")


@pytest.fixture
def site() -> Iterator[MemorySite]:
    with running_site() as site:
        yield site


@pytest.fixture
def apps(site: MemorySite) -> MemorySite:
    """Three apps, each with three deployments."""
    for app in ("blog", "docs", "shop"):
        deploy_app(site, app)
    return site


def open_pattern(site: MemorySite, pattern: str = PATTERN, **settings: str) -> Run:
    defaults = {"match": MATCH, "journal_file": "ci3.jsonl"}
    return open_run([make_context(site, prefix=pattern, **{**defaults, **settings})])


def apply_all(run: Run, plans: tuple[Plan, ...], *, is_fresh: bool) -> tuple[TargetResult, ...]:
    return run.apply_plans(run.reconcile_rules(plans), is_fresh=is_fresh)


def list_prefixes(run: Run) -> list[str]:
    return [context.settings.prefix for context in run.contexts]


def find_codes(plans: tuple[Plan, ...]) -> list[list[RefusalCode]]:
    return [[refusal.code for refusal in plan.refusals] for plan in plans]


def test_pattern_adds_one_listing_to_the_requests_of_its_targets() -> None:
    settings = {
        "keep_count": "5",
        "concurrency": "1",
    }  # with a higher value, the number of requests varies
    with running_site() as site:
        for number in range(30):
            deploy_app(site, f"app-{number:02}", count=20, files=50)
        run = open_pattern(site, **settings)
        assert len(site.proxy.requests) == 1 + 30
        plans = run.make_plans()
        assert [len(plan.to_delete) for plan in plans] == [15] * 30
        # The lifecycle rules and the versioning of the bucket are read once.
        request_count = len(site.proxy.requests)
        assert request_count == 1 + 30 * 2 + 2

        site.proxy.requests.clear()
        [single_plan] = open_pattern(site, plans[7].target.prefix, **settings).make_plans()
        assert len(site.proxy.requests) == 2 + 2
        assert single_plan.decisions == plans[7].decisions


@pytest.mark.parametrize(
    ("pattern", "prefixes"),
    [
        ("*/", []),
        ("apps/*/", []),
        ("apps/*/*/", ["apps/blog/production/", "apps/docs/production/", "apps/shop/production/"]),
        ("apps/*o*/production/", [f"apps/{app}/production/" for app in ("blog", "docs", "shop")]),
        ("apps/s*/production/", ["apps/shop/production/"]),
        ("*/shop/*/", ["apps/shop/production/"]),
    ],
)
def test_targets_are_the_folders_in_which_match_finds_a_deployment(
    apps: MemorySite, pattern: str, prefixes: list[str]
) -> None:
    for folder in ("apps/empty/production/images", "apps/blog/staging/v1", "apps/.ci3/production"):
        apps.put(f"{folder}/{'f' * 39}x/index.html")
    apps.put(f".ci3/production/{'f' * 40}/index.html")
    apps.put(f"apps/.ci3/production/{'f' * 40}/index.html")
    if not prefixes:
        with pytest.raises(RefusedError):
            open_pattern(apps, pattern)
        return
    assert list_prefixes(open_pattern(apps, pattern)) == prefixes


def test_pattern_without_match_sends_no_request(apps: MemorySite) -> None:
    context = make_context(apps, prefix=PATTERN, match="")
    with pytest.raises(SettingsError):
        open_run([context])
    assert not apps.proxy.requests


@pytest.mark.parametrize("target", ["prefix=apps%2F&", "prefix=apps%2Fdocs%2F"])
def test_run_fails_if_a_listing_fails(apps: MemorySite, target: str) -> None:
    apps.proxy.answer("GET", target, status=403, body=error("AccessDenied"))
    with pytest.raises((AccessError, ListingError)):
        open_pattern(apps)


def test_more_targets_than_the_limit_are_refused(
    site: MemorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        deploy_app(site, f"app-{number}", count=1)
    assert MAXIMUM_TARGETS == 1_000
    monkeypatch.setattr("ci3.pipeline.expansion.MAXIMUM_TARGETS", 4)
    assert len(open_pattern(site).contexts) == 4
    monkeypatch.setattr("ci3.pipeline.expansion.MAXIMUM_TARGETS", 3)
    with pytest.raises(RefusedError, match="4"):
        open_pattern(site)


def test_more_folders_than_the_limit_are_refused(
    apps: MemorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci3.pipeline.expansion.MAXIMUM_FOLDERS", 2)
    with pytest.raises(RefusedError):
        open_pattern(apps)
    assert len(apps.proxy.find_requests(*LISTING)) == 1


@pytest.mark.parametrize("folder", ["apps/", "apps/logs/production/"])
def test_folder_with_more_pages_than_the_limit_is_refused(
    apps: MemorySite, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    for number in range(20):
        apps.put(f"{folder}{number:02}.txt")
    apps.set_page_size(5)
    assert len(open_pattern(apps).contexts) == 3
    apps.proxy.requests.clear()
    monkeypatch.setattr("ci3.pipeline.expansion.MAXIMUM_PAGES", 3)
    with pytest.raises(RefusedError, match=f"s3://{apps.name}/{folder} "):
        open_pattern(apps)
    listed = f"prefix={folder.replace('/', '%2F')}&"
    assert len(apps.proxy.find_requests("GET", listed)) == 3


def test_each_target_keeps_its_newest_deployments(apps: MemorySite) -> None:
    run = open_pattern(apps, keep_count="2")
    apply_all(run, run.make_plans(), is_fresh=True)
    for app in ("blog", "docs", "shop"):
        assert list_deployments(apps, app) == {0, 1}


def test_refusal_of_one_target_keeps_all(apps: MemorySite) -> None:
    deploy_app(apps, "shop", count=6)
    before = apps.content()
    run = open_pattern(apps, max_delete="3")
    plans = run.make_plans()
    assert find_codes(plans) == [[], [], [RefusalCode.MAX_DELETE]]
    with pytest.raises(RefusedError, match="apps/shop/production/"):
        apply_all(run, plans, is_fresh=True)
    assert apps.content() == before


# Names that must exist in one of the targets.


def test_protected_name_must_be_in_one_of_the_targets(apps: MemorySite) -> None:
    plans = open_pattern(apps, protect=commit("shop", 2)).make_plans()
    assert find_codes(plans) == [[], [], []]
    assert [len(plan.to_delete) for plan in plans] == [2, 2, 1]
    plans = open_pattern(apps, protect="f" * 40).make_plans()
    assert find_codes(plans) == [[RefusalCode.PROTECTED_NOT_FOUND]] * 3


def test_glob_without_a_match_is_reported_once(apps: MemorySite) -> None:
    plans = open_pattern(apps, protect="release-*").make_plans()
    assert [len(plan.warnings) for plan in plans] == [1, 0, 0]


@pytest.mark.parametrize(
    ("text", "refused_count"),
    [
        (commit("shop", 2), 0),
        (f"apps/shop/production/{commit('shop', 2)}", 0),
        (f"{commit('shop', 2)}\n{commit('blog', 2)}", 0),
        ("f" * 40, 3),
        (f"apps/gone/production/{commit('shop', 2)}", 3),
    ],
)
def test_pointer_must_name_a_deployment_of_one_target(
    apps: MemorySite, text: str, refused_count: int
) -> None:
    apps.put("current", body=text.encode())
    plans = open_pattern(apps, live_from="object:current").make_plans()
    assert [len(codes) for codes in find_codes(plans)].count(1) == refused_count
    kept = {decision.deployment.name for plan in plans for decision in plan.kept}
    assert refused_count or commit("shop", 2) in kept
    assert len(apps.proxy.find_requests("GET", "/current")) == 1


def test_path_in_a_pointer_must_be_in_that_target(apps: MemorySite) -> None:
    """The commit exists only in another app, so the live deployment of this app is unknown."""
    paths = [f"apps/{app}/production/{commit('shop', 2)}" for app in ("blog", "shop")]
    apps.put("current", body="\n".join(paths).encode())
    plans = open_pattern(apps, live_from="object:current").make_plans()
    assert find_codes(plans) == [[RefusalCode.LIVE_NOT_FOUND], [], []]


@pytest.mark.parametrize("app", ["Blog", "removed"])
def test_pointer_with_a_path_outside_all_targets_is_refused_in_all_targets(
    apps: MemorySite, app: str
) -> None:
    """The folder may be misspelt: its target would be cleaned up without its live deployment."""
    live = [("docs", "docs"), ("shop", "shop"), (app, "blog")]
    paths = [f"apps/{folder}/production/{commit(name, 2)}" for folder, name in live]
    apps.put("current", body="\n".join(paths).encode())
    plans = open_pattern(apps, live_from="object:current").make_plans()
    assert find_codes(plans) == [[RefusalCode.LIVE_NOT_FOUND]] * 3
    assert all(f"apps/{app}/production/" in plan.refusals[0].message for plan in plans)
    assert not [warning for plan in plans for warning in plan.warnings]


def test_path_in_a_pointer_keeps_the_deployment_of_that_target_only(apps: MemorySite) -> None:
    for app in ("blog", "shop"):
        apps.deploy(f"apps/{app}/production/{'f' * 40}", days=30)
    apps.put("current", body=f"/apps/shop/production/{'f' * 40}/index.html".encode())
    plans = open_pattern(apps, live_from="object:current").make_plans()
    kept = [{decision.deployment.name for decision in plan.kept} for plan in plans]
    assert ["f" * 40 in names for names in kept] == [False, False, True]


def test_source_of_a_folder_must_name_a_deployment_of_that_target(apps: MemorySite) -> None:
    for app in ("blog", "docs", "shop"):
        apps.put(f"live/{app}", body=commit(app, 2).encode())
    plans = open_pattern(apps, live_from="object:live/{folder}").make_plans()
    assert find_codes(plans) == [[], [], []]
    assert [len(plan.to_delete) for plan in plans] == [1, 1, 1]
    apps.put("live/docs", body=commit("shop", 2).encode())
    plans = open_pattern(apps, live_from="object:live/{folder}").make_plans()
    assert find_codes(plans) == [[], [RefusalCode.LIVE_NOT_FOUND], []]
    apps.remove("live/docs")
    plans = open_pattern(apps, live_from="object:live/{folder}").make_plans()
    assert find_codes(plans) == [[], [RefusalCode.LIVE_SOURCE_UNREADABLE], []]


def test_source_of_a_folder_that_names_a_path_in_another_target_is_refused(
    apps: MemorySite,
) -> None:
    for app in ("blog", "docs", "shop"):
        apps.put(f"live/{app}", body=f"apps/shop/production/{commit('shop', 2)}".encode())
    plans = open_pattern(apps, live_from="object:live/{folder}").make_plans()
    assert [len(codes) for codes in find_codes(plans)] == [1, 1, 0]


def test_second_plan_has_deployments_made_after_the_first(apps: MemorySite) -> None:
    run = open_pattern(apps)
    run.make_plans()
    apps.deploy(f"apps/docs/production/{'f' * 40}", days=0)
    _, docs, _ = run.make_plans()
    assert "f" * 40 in {decision.deployment.name for decision in docs.decisions}


@pytest.mark.parametrize("is_fresh", [True, False])
@pytest.mark.parametrize(
    ("make_text", "is_refused"),
    [
        (lambda: commit("blog", 2), False),
        (lambda: f"apps/blog/production/{commit('blog', 2)}", False),
        (lambda: "f" * 40, True),
        (lambda: "no name\nat all" * 200, True),
        (lambda: f"apps/gone/production/{commit('blog', 2)}", True),
    ],
)
def test_pointer_that_moves_after_the_plan_pins_in_another_target_or_refuses(
    apps: MemorySite, make_text: Callable[[], str], *, is_fresh: bool, is_refused: bool
) -> None:
    apps.put("current", body=commit("shop", 2).encode())
    run = open_pattern(apps, live_from="object:current")
    plans = run.make_plans()
    assert find_codes(plans) == [[], [], []]
    apps.put("current", body=make_text().encode())
    if is_refused:
        before = apps.content()
        with pytest.raises(RefusedError):
            apply_all(run, plans, is_fresh=is_fresh)
        assert apps.content() == before
        return
    apply_all(run, plans, is_fresh=is_fresh)
    assert list_deployments(apps, "blog") == {0, 2}
    assert list_deployments(apps, "docs") == {0}


def test_pointer_that_moves_while_a_target_is_deleted_is_kept_in_a_later_one(
    apps: MemorySite,
) -> None:
    apps.put("current", body=commit("blog", 0).encode())
    run = open_pattern(apps, live_from="object:current")
    plans = run.make_plans()
    apps.proxy.call_before(
        "POST", r"\?delete", lambda: apps.put("current", body=commit("shop", 2).encode())
    )
    apply_all(run, plans, is_fresh=True)
    assert [list_deployments(apps, app) for app in ("blog", "docs", "shop")] == [{0}, {0}, {0, 2}]


def test_pointer_outside_all_targets_during_a_deletion_keeps_the_later_targets(
    apps: MemorySite,
) -> None:
    apps.put("current", body=commit("blog", 0).encode())
    run = open_pattern(apps, live_from="object:current")
    plans = run.make_plans()
    apps.proxy.call_before("POST", r"\?delete", lambda: apps.put("current", body=b"f" * 40))
    results = apply_all(run, plans, is_fresh=True)
    assert results[0].result is not None
    assert results[0].result.stop_reason
    assert list_deployments(apps, "docs") == list_deployments(apps, "shop") == {0, 1, 2}


def test_deployment_that_is_live_since_the_plan_is_found_in_another_target(
    apps: MemorySite,
) -> None:
    apps.put("current", body=commit("blog", 0).encode())
    run = open_pattern(apps, live_from="object:current")
    plans = run.make_plans()
    apps.deploy(f"apps/shop/production/{'f' * 40}", days=0)
    apps.put("current", body=b"f" * 40)
    apply_all(run, plans, is_fresh=True)
    assert list_deployments(apps, "docs") == {0}


def test_apply_is_refused_if_a_protected_name_was_removed_after_the_plan(apps: MemorySite) -> None:
    """Nothing is deleted in its target, but the target is still listed again."""
    apps.put(f"apps/aaa/production/{'f' * 40}/x", days=9)
    run = open_pattern(apps, protect="f" * 40)
    plans = run.make_plans()
    assert find_codes(plans) == [[], [], [], []]
    apps.remove(f"apps/aaa/production/{'f' * 40}/x")
    before = apps.content()
    with pytest.raises(RefusedError):
        apply_all(run, plans, is_fresh=False)
    assert apps.content() == before


def test_doctor_checks_names_in_all_targets(apps: MemorySite) -> None:
    apps.put("current", body=commit("shop", 2).encode())
    settings = {"protect": commit("blog", 1), "live_from": "object:current"}
    context = make_context(apps, prefix=PATTERN, match=MATCH, **settings)
    for target in open_targets([context]):
        levels = {(item.topic, item.level) for item in run_doctor(target).findings}
        assert {("protect", Level.OK), ("live", Level.OK)} <= levels
    context = make_context(apps, prefix=PATTERN, match=MATCH, protect="f" * 40)
    for target in open_targets([context]):
        findings = run_doctor(target).findings
        assert [item.level for item in findings if item.topic == "protect"] == [Level.PROBLEM]


def test_more_targets_of_several_patterns_than_the_limit_are_refused(
    apps: MemorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci3.pipeline.expansion.MAXIMUM_TARGETS", 4)
    patterns = ("apps/*/production/", "apps/*/staging/")
    for app in ("blog", "docs", "shop"):
        apps.deploy(f"apps/{app}/staging/{commit(app, 1)}", days=1)
    contexts = [make_context(apps, prefix=pattern, match=MATCH) for pattern in patterns]
    open_targets(contexts[:1])
    with pytest.raises(RefusedError):
        open_targets(contexts)


def test_overlapping_patterns_are_refused_before_anything_is_planned(apps: MemorySite) -> None:
    patterns = (PATTERN, "*/shop/*/")
    contexts = [make_context(apps, prefix=pattern, match=MATCH) for pattern in patterns]
    with pytest.raises(SettingsError):
        open_targets(contexts)
    contexts[1] = make_context(apps, prefix=patterns[1], match="v[0-9]+")
    apps.deploy("apps/shop/production/v1", days=1)
    assert len(open_targets(contexts)) == 4
