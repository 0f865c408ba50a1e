"""Rules are held at the end of a run whoever saw them, or wrote them, and when."""

from ci3.core.model.result import RunOutcome
from ci3.pipeline.run import open_run
from tests.integration.pipeline.lifecycle.lifecycle_run import GET, OURS, apply, written
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_site import MemorySite


def by(site: MemorySite):
    return make_context(site, engine="lifecycle", live_from="object:current")


def test_rule_that_this_run_wrote_goes_where_none_stood_before(site: MemorySite) -> None:
    site.put("current", body=b"new")
    site.deploy("young", days=3)
    site.proxy.call_before("POST", r"\?delete", lambda: site.put("current", body=b"old-2"), nth=1)
    (account,) = apply(by(site))
    assert written(site) == ["logs", OURS[0], OURS[2]]
    assert account.outcome is RunOutcome.PARTIAL


def test_rules_that_came_after_a_saved_plan_are_held_at_the_end(site: MemorySite) -> None:
    site.put("current", body=b"new")
    run = by(site)
    saved = run.make_plan(run.open_bucket())
    assert not saved.rules
    assert apply(by(site))[0].outcome is RunOutcome.APPLIED
    (begun,) = open_run([run], [saved]).reconcile_rules([saved])
    site.put("current", body=b"old-2")
    begun.revoke_rules()
    assert written(site) == ["logs", OURS[0], OURS[2]]


def test_rules_that_only_the_new_plan_saw_are_held_at_the_end(site: MemorySite) -> None:
    site.put("current", body=b"new")
    site.deploy("young", days=3)
    run = make_context(site, engine="direct", live_from="object:current", skip_changed="true")
    saved = run.make_plan(run.open_bucket())
    assert apply(by(site))[0].outcome is RunOutcome.APPLIED
    site.put("current", body=b"old-2")
    site.deploy("young", days=3)
    one = open_run([run], [saved])
    site.proxy.answer(*GET, "<Error><Code>AccessDenied</Code></Error>", status=403, nth=1)
    one.apply_plans(one.reconcile_rules([saved]), is_fresh=False)
    assert "ci3/old-2/" not in written(site)
