"""Lifecycle rules are verified after they are written, and rolled back if that fails.

Other clients may change the configuration at the same time.
"""

import re
from collections.abc import Callable

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.result import RunOutcome
from ci3.engine.lifecycle.update import ConfigurationUpdater
from ci3.errors import RefusedError
from ci3.pipeline.approval import Approval, approve_plan
from ci3.pipeline.run import open_run
from tests.integration.pipeline.lifecycle.lifecycle_run import (
    FOREIGN,
    GET,
    MANAGED_RULES,
    PUT,
    LifecycleRun,
    list_rules,
)
from tests.support.cleanup_run import delete_approved, make_context
from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite

RULES_OF_OTHER_CLIENT = config(foreign_rule("theirs", "tmp/"))


@pytest.mark.parametrize("change", ["new file", "same bytes", "deleted"])
def test_deployment_that_changed_since_the_plan_gets_no_rule(site: MemorySite, change: str) -> None:
    context = make_context(site, engine="lifecycle")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    match change:
        case "new file":
            site.put("old-2/more", days=20)
        case "same bytes":
            site.put("old-2/file-00000", days=0)
        case _:
            for number in range(3):
                site.remove(f"old-2/file-0000{number}")
    result = delete_approved(context, approve_plan(context, plan, reader, is_fresh=True), reader)
    assert result.expiring_names == {"old-1", "old-3"}
    assert result.outcome is (RunOutcome.APPLIED if change == "deleted" else RunOutcome.PARTIAL)
    assert "ci3/old-2/" not in list_rules(site)


def test_deployment_that_cannot_be_listed_again_gets_no_rule(site: MemorySite) -> None:
    context = make_context(site, engine="lifecycle")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    for pattern in ("prefix=old-2", "start-after=old-2", "prefix=&"):
        site.proxy.answer("GET", pattern, "<html/>")
    result = delete_approved(context, approve_plan(context, plan, reader, is_fresh=True), reader)
    assert result.outcome is RunOutcome.PARTIAL
    assert "ci3/old-2/" not in list_rules(site)


def test_gate_stops_a_rule_for_a_deployment_pinned_after_the_plan(site: MemorySite) -> None:
    context = make_context(site, engine="lifecycle")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    approved = Approval(plan=plan, to_delete=plan.to_delete, pins=pin_protected(["old-2"]))
    result = delete_approved(context, approved, reader)
    assert result.outcome is RunOutcome.PARTIAL
    assert site.lifecycle == FOREIGN
    assert not site.proxy.find_requests(*PUT)


def check_rolled_back(run: LifecycleRun, site: MemorySite) -> None:
    """Check that no rule was added, and that each deployment has a problem."""
    assert run.outcome is RunOutcome.PARTIAL
    assert site.lifecycle == FOREIGN
    assert run.result.expiring_names == set()
    assert all(deployment.problem for deployment in run.result.deployments)


def test_denied_write_is_reported_and_changes_nothing(site: MemorySite) -> None:
    site.proxy.answer(*PUT, "<Error><Code>AccessDenied</Code></Error>", status=403)
    run = LifecycleRun(site)
    check_rolled_back(run, site)
    assert "s3:PutLifecycleConfiguration" in run.stop_reason
    assert run.find_record("rules-outcome")["outcome"] == "not-written"
    assert len(site.proxy.find_requests(*PUT)) == 1


def test_nothing_is_deleted_directly_if_the_rules_cannot_be_written(site: MemorySite) -> None:
    site.deploy("young", days=3)
    site.proxy.answer(*PUT, status=400)
    run = LifecycleRun(site)
    check_rolled_back(run, site)
    assert "young" in site.folders()
    assert [request.method for request in site.proxy.requests if request.is_write] == ["PUT"]


@pytest.mark.parametrize("fault", ["500", "503", "dropped"])
def test_write_with_a_lost_response_is_verified_and_not_sent_again(
    site: MemorySite, fault: str
) -> None:
    if fault == "dropped":
        site.proxy.drop(*PUT, nth=1)
    else:
        site.proxy.call_before(*PUT, lambda: None)
        answer = site._s3.answer

        def answer_with_error(request: Request) -> Answer:
            response = answer(request)
            is_write = request.method == "PUT" and "lifecycle" in request.target
            return Answer(status=int(fault), body=b"") if is_write else response

        site.proxy._upstream = answer_with_error
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED, run.stop_reason
    assert len(site.proxy.find_requests(*PUT)) == 1
    assert set(list_rules(site)) == {"logs", *MANAGED_RULES}


def test_write_that_fails_without_effect_is_reported(site: MemorySite, assert_screen) -> None:
    site.proxy.answer(*PUT, status=500, nth=1)
    run = LifecycleRun(site)
    check_rolled_back(run, site)
    assert_screen(run.stop_reason)
    assert [request.body for request in site.proxy.find_requests(*PUT)][1:] == [FOREIGN]


def test_rules_that_s3_does_not_return_in_time_are_rolled_back(
    site: MemorySite, assert_screen
) -> None:
    for nth in range(3, 10):
        site.proxy.answer(*GET, FOREIGN, nth=nth)
    run = LifecycleRun(site)
    check_rolled_back(run, site)
    assert_screen(run.stop_reason)
    assert [request.body for request in site.proxy.find_requests(*PUT)][1:] == [FOREIGN]


def test_run_waits_until_s3_returns_the_new_rules(site: MemorySite) -> None:
    for nth in (3, 4):
        site.proxy.answer(*GET, FOREIGN, nth=nth)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED, run.stop_reason
    assert 0.5 in run.pauses


def test_rules_are_rolled_back_if_they_cannot_be_read_after_the_write(
    site: MemorySite, assert_screen
) -> None:
    site.proxy.answer(*GET, "<html/>", nth=3)
    run = LifecycleRun(site)
    check_rolled_back(run, site)
    assert_screen(run.stop_reason)
    assert run.find_record("rules-outcome")["outcome"] == "rolled-back"


def test_rules_that_may_remain_are_reported_if_they_cannot_be_read(
    site: MemorySite,
    assert_screen,
) -> None:
    site.proxy.call_before(*PUT, lambda: site.proxy.answer(*GET, status=403))
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.stop_reason)
    assert run.find_record("rules-outcome")["outcome"] == "unknown"


def test_rules_that_s3_does_not_confirm_are_rolled_back(site: MemorySite, assert_screen) -> None:
    site.proxy.answer("HEAD", "old-", headers={"Content-Length": "1"})
    run = LifecycleRun(site)
    check_rolled_back(run, site)
    assert_screen(run.stop_reason)
    assert sum(run.pauses) == 120


def test_rules_that_would_delete_a_kept_object_are_rolled_back(
    site: MemorySite, assert_screen
) -> None:
    def answer_with_expiration(request: Request) -> Answer:
        rule_id = rule_ids(site.lifecycle)[-1].replace("/", "%2F")
        header = f'expiry-date="Fri, 23 Dec 2027 00:00:00 GMT", rule-id="{rule_id}"'
        return Answer(status=200, body=b"", headers={"x-amz-expiration": header})

    answer = site._s3.answer
    site.proxy._upstream = lambda request: (
        answer_with_expiration(request)
        if request.method == "HEAD" and "/new/" in request.target
        else answer(request)
    )
    run = LifecycleRun(site)
    check_rolled_back(run, site)
    assert_screen(run.stop_reason)


@pytest.mark.parametrize(
    ("nth_without_rule", "outcome"), [(2, RunOutcome.APPLIED), (99, RunOutcome.PARTIAL)]
)
def test_run_waits_while_s3_still_reports_a_removed_rule_for_a_kept_object(
    site: MemorySite, nth_without_rule: int, outcome: RunOutcome
) -> None:
    header = {"x-amz-expiration": 'rule-id="ci3%2Fnew%2F20261101T000000Z"'}
    for nth in range(1, nth_without_rule):
        site.proxy.answer("HEAD", "/new/", headers=header, nth=nth)
    run = LifecycleRun(site)
    assert run.outcome is outcome, run.stop_reason
    assert ("new/file-00000" in run.stop_reason) is (outcome is RunOutcome.PARTIAL)
    assert run.pauses


def test_foreign_rule_that_deletes_sooner_does_not_confirm_a_managed_rule(
    site: MemorySite, assert_screen
) -> None:
    site.lifecycle = config(foreign_rule("all", "", 2))
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.stop_reason)
    assert site.lifecycle == config(foreign_rule("all", "", 2))


def change_before_read(site: MemorySite, change: Callable[[], None], nth: int) -> None:
    """Let another client change the rules right before ci3 reads them for the n-th time."""
    site.proxy.call_before(*GET, change, nth=nth)


def test_concurrent_change_that_replaces_the_rules_is_reported_and_kept(
    site: MemorySite, assert_screen
) -> None:
    change_before_read(site, lambda: setattr(site, "lifecycle", RULES_OF_OTHER_CLIENT), nth=3)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.stop_reason)
    assert site.lifecycle == RULES_OF_OTHER_CLIENT


def test_concurrent_change_during_confirmation_is_reported_and_kept(
    site: MemorySite, assert_screen
) -> None:
    site.proxy.call_before(
        "HEAD", "/old-3/", lambda: setattr(site, "lifecycle", RULES_OF_OTHER_CLIENT), nth=1
    )
    answer = site._s3.answer
    managed_ids: list[str] = []

    def answer_with_managed_rule(request: Request) -> Answer:
        ids = rule_ids(site.lifecycle)
        managed_ids.extend(rule_id for rule_id in ids if rule_id.startswith("ci3/"))
        if request.method != "HEAD" or "/old-" not in request.target:
            return answer(request)
        name = request.target.split("/")[2]
        expiration = next(
            f'rule-id="{rule_id}"' for rule_id in managed_ids if f"/{name}/" in rule_id
        )
        return Answer(status=200, body=b"", headers={"x-amz-expiration": expiration})

    site.proxy._upstream = answer_with_managed_rule
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.stop_reason)
    assert site.lifecycle == RULES_OF_OTHER_CLIENT


def test_rule_that_another_client_adds_is_kept(site: MemorySite) -> None:
    def add_rule() -> None:
        site.lifecycle = site.lifecycle.replace(
            b"</Lifecy", foreign_rule("x").encode() + b"</Lifecy"
        )

    change_before_read(site, add_rule, nth=3)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED, run.stop_reason
    assert set(list_rules(site)) == {"logs", "x", *MANAGED_RULES}


def test_managed_rules_are_removed_if_another_client_removes_some_of_them(
    site: MemorySite, assert_screen
) -> None:
    def remove_rule() -> None:
        kept = re.sub(rb"<Rule><ID>ci3/old-2/.*?</Rule>", b"", site.lifecycle)
        site.lifecycle = kept.replace(b"</Lifecy", foreign_rule("x").encode() + b"</Lifecy")

    change_before_read(site, remove_rule, nth=3)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.stop_reason)
    assert list_rules(site) == ["logs", "x"]


def test_change_before_the_write_is_kept(site: MemorySite) -> None:
    change_before_read(site, lambda: setattr(site, "lifecycle", RULES_OF_OTHER_CLIENT), nth=2)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED, run.stop_reason
    assert set(list_rules(site)) == {"theirs", *MANAGED_RULES}
    assert run.find_record("rules")["before"].encode() == RULES_OF_OTHER_CLIENT


def test_removed_rule_is_not_written_again_after_a_stale_response(
    site: MemorySite,
) -> None:
    assert LifecycleRun(site).outcome is RunOutcome.APPLIED
    stale_rules = site.lifecycle
    site.deploy("old-1", days=0)
    site.deploy("old-4", days=30)
    site.proxy.requests.clear()
    # The plan reads the rules once, and reconciling reads them twice; the next response is stale.
    site.proxy.answer(*GET, stale_rules, nth=4)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.APPLIED, run.stop_reason
    assert set(list_rules(site)) == {"logs", "ci3/old-2/", "ci3/old-3/", "ci3/old-4/"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_interrupted_rollback_reports_that_rules_may_remain(
    site: MemorySite, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], assert_screen
) -> None:
    """The rules are still read again at the end of the run."""

    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(ConfigurationUpdater, "roll_back", fail)
    site.proxy.answer(*PUT, status=500, nth=1)
    run = LifecycleRun(site)
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.stop_reason)
    assert all(deployment.problem for deployment in run.result.deployments)
    assert run.find_record("rules-outcome")["outcome"] == "unknown"
    assert run.target_result.reconciled is not None


def test_refused_plan_writes_no_rule(site: MemorySite) -> None:
    run = open_run([make_context(site, engine="lifecycle", protect="nowhere")])
    target_runs = run.reconcile_rules(run.make_plans())
    with pytest.raises(RefusedError):
        run.apply_plans(target_runs, is_fresh=True)
    assert site.lifecycle == FOREIGN
