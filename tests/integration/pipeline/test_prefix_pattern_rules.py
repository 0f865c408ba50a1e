"""Lifecycle rules of earlier runs in the folders that a prefix pattern matches."""

from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.pipeline.run import open_run
from tests.support.apps import MATCH, PATTERN, commit, deploy_app
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_site import MemorySite, running_site


def write_rules(site: MemorySite, prefix: str) -> None:
    for number in range(3):
        site.deploy(f"{prefix}{commit('shop', number)}", days=60 + 10 * number)
    run = open_run([make_context(site, prefix=prefix, match=MATCH, engine="lifecycle")])
    run.apply_plans(run.reconcile_rules(run.make_plans()), is_fresh=True)
    assert prefix.encode() in site.lifecycle


def find_rule_warnings(site: MemorySite) -> list[list[PlanWarning]]:
    plans = open_run([make_context(site, prefix=PATTERN, match=MATCH)]).make_plans()
    return [
        [warning for warning in plan.warnings if warning.code is WarningCode.LIFECYCLE]
        for plan in plans
    ]


def test_rules_in_a_folder_without_deployments_are_reported_once() -> None:
    with running_site() as site:
        for app in ("blog", "docs"):
            deploy_app(site, app)
        for prefix in ("apps/shop/production/", "site/"):
            write_rules(site, prefix)
        assert find_rule_warnings(site) == [[], [], []]
        for key in [key for key in site.content() if key.startswith(("apps/shop/", "site/"))]:
            site.remove(key)
        [warning], other_warnings = find_rule_warnings(site)
        assert "apps/shop/production/" in warning.message
        assert "site/" not in warning.message
        assert other_warnings == []
