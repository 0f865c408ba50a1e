"""Managed rules are checked at the end of a run, whether or not the run planned or wrote them."""

from ci3.core.model.result import RunOutcome
from ci3.pipeline.context import TargetContext
from ci3.pipeline.run import open_run
from tests.integration.pipeline.lifecycle.lifecycle_run import GET, MANAGED_RULES, apply, list_rules
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_site import MemorySite


def make_live_context(site: MemorySite) -> TargetContext:
    return make_context(site, engine="lifecycle", live_from="object:current")


def test_rule_of_this_run_is_removed_if_its_deployment_becomes_live(site: MemorySite) -> None:
    site.put("current", body=b"new")
    site.deploy("young", days=3)
    site.proxy.call_before("POST", r"\?delete", lambda: site.put("current", body=b"old-2"), nth=1)
    (target_result,) = apply(make_live_context(site))
    assert list_rules(site) == ["logs", MANAGED_RULES[0], MANAGED_RULES[2]]
    assert target_result.outcome is RunOutcome.PARTIAL


def test_rule_written_after_a_saved_plan_is_removed_if_its_deployment_becomes_live(
    site: MemorySite,
) -> None:
    site.put("current", body=b"new")
    context = make_live_context(site)
    saved_plan = context.make_plan(context.open_bucket())
    assert not saved_plan.rules
    assert apply(make_live_context(site))[0].outcome is RunOutcome.APPLIED
    (target_run,) = open_run([context], [saved_plan]).reconcile_rules([saved_plan])
    site.put("current", body=b"old-2")
    target_run.revoke_rules()
    assert list_rules(site) == ["logs", MANAGED_RULES[0], MANAGED_RULES[2]]


def test_rule_known_only_to_the_new_plan_is_removed_if_its_deployment_becomes_live(
    site: MemorySite,
) -> None:
    site.put("current", body=b"new")
    site.deploy("young", days=3)
    context = make_context(site, engine="direct", live_from="object:current", skip_changed="true")
    saved_plan = context.make_plan(context.open_bucket())
    assert apply(make_live_context(site))[0].outcome is RunOutcome.APPLIED
    site.put("current", body=b"old-2")
    site.deploy("young", days=3)
    run = open_run([context], [saved_plan])
    site.proxy.answer(*GET, "<Error><Code>AccessDenied</Code></Error>", status=403, nth=1)
    run.apply_plans(run.reconcile_rules([saved_plan]), is_fresh=False)
    assert "ci3/old-2/" not in list_rules(site)
