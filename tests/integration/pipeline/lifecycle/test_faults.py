"""Rules are read again, confirmed, and put back where in doubt, also beside others who write."""

import re
from collections.abc import Callable

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.result import RunOutcome
from ci3.engine.lifecycle.update import ConfigurationUpdater
from ci3.errors import RefusedError
from ci3.pipeline.approval import Approval, approve_plan
from ci3.pipeline.run import open_run
from tests.integration.pipeline.lifecycle.lifecycle_run import FOREIGN, GET, OURS, PUT, Ran, written
from tests.support.cleanup_run import delete_approved, make_context
from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite

THEIRS = config(foreign_rule("theirs", "tmp/"))


@pytest.mark.parametrize("how", ["more", "again", "gone"])
def test_deployment_that_changed_since_the_plan_gets_no_rule(site: MemorySite, how: str) -> None:
    run = make_context(site, engine="lifecycle")
    plan = run.make_plan(reader := run.open_bucket())
    match how:
        case "more":
            site.put("old-2/more", days=20)
        case "again":
            site.put("old-2/file-00000", days=0)
        case _:
            for number in range(3):
                site.remove(f"old-2/file-0000{number}")
    result = delete_approved(run, approve_plan(run, plan, reader, is_fresh=True), reader)
    assert result.expiring_names == {"old-1", "old-3"}
    assert result.outcome is (RunOutcome.APPLIED if how == "gone" else RunOutcome.PARTIAL)
    assert "ci3/old-2/" not in written(site)


def test_deployment_that_cannot_be_listed_again_gets_no_rule(site: MemorySite) -> None:
    run = make_context(site, engine="lifecycle")
    plan = run.make_plan(reader := run.open_bucket())
    for pattern in ("prefix=old-2", "start-after=old-2", "prefix=&"):
        site.proxy.answer("GET", pattern, "<html/>")
    result = delete_approved(run, approve_plan(run, plan, reader, is_fresh=True), reader)
    assert result.outcome is RunOutcome.PARTIAL
    assert "ci3/old-2/" not in written(site)


def test_pin_that_came_meanwhile_stops_the_rule_at_the_last_gate(site: MemorySite) -> None:
    run = make_context(site, engine="lifecycle")
    plan = run.make_plan(reader := run.open_bucket())
    approved = Approval(plan=plan, to_delete=plan.to_delete, pins=pin_protected(["old-2"]))
    result = delete_approved(run, approved, reader)
    assert result.outcome is RunOutcome.PARTIAL
    assert site.lifecycle == FOREIGN
    assert not site.proxy.find_requests(*PUT)


def undone(ran: Ran, site: MemorySite) -> None:
    """Nothing of it stands, and everybody is told so."""
    assert ran.outcome is RunOutcome.PARTIAL
    assert site.lifecycle == FOREIGN
    assert ran.result.expiring_names == set()
    assert all(one.problem for one in ran.result.deployments)


def test_write_that_is_denied_is_told_and_changes_nothing(site: MemorySite) -> None:
    site.proxy.answer(*PUT, "<Error><Code>AccessDenied</Code></Error>", status=403)
    ran = Ran(site)
    undone(ran, site)
    assert "s3:PutLifecycleConfiguration" in ran.stop_reason
    assert ran.record("rules-outcome")["outcome"] == "not-written"
    assert len(site.proxy.find_requests(*PUT)) == 1


def test_nothing_is_deleted_directly_once_rules_went_wrong(site: MemorySite) -> None:
    site.deploy("young", days=3)
    site.proxy.answer(*PUT, status=400)
    ran = Ran(site)
    undone(ran, site)
    assert "young" in site.folders()
    assert [one.method for one in site.proxy.requests if one.is_write] == ["PUT"]


@pytest.mark.parametrize("how", ["500", "503", "dropped"])
def test_answer_lost_after_the_deed_is_looked_up_and_not_sent_again(
    site: MemorySite, how: str
) -> None:
    if how == "dropped":
        site.proxy.drop(*PUT, nth=1)
    else:
        site.proxy.call_before(*PUT, lambda: None)
        answer = site._s3.answer

        def late(request: Request) -> Answer:
            done = answer(request)
            is_write = request.method == "PUT" and "lifecycle" in request.target
            return Answer(status=int(how), body=b"") if is_write else done

        site.proxy._upstream = late
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED, ran.stop_reason
    assert len(site.proxy.find_requests(*PUT)) == 1
    assert set(written(site)) == {"logs", *OURS}


def test_write_that_fails_without_a_deed_is_told(site: MemorySite, assert_screen) -> None:
    site.proxy.answer(*PUT, status=500, nth=1)
    ran = Ran(site)
    undone(ran, site)
    assert_screen(ran.stop_reason)
    assert [one.body for one in site.proxy.find_requests(*PUT)][1:] == [FOREIGN]


def test_write_that_shows_too_late_is_put_back_all_the_same(
    site: MemorySite, assert_screen
) -> None:
    for nth in range(3, 10):
        site.proxy.answer(*GET, FOREIGN, nth=nth)
    ran = Ran(site)
    undone(ran, site)
    assert_screen(ran.stop_reason)
    assert [one.body for one in site.proxy.find_requests(*PUT)][1:] == [FOREIGN]


def test_what_shows_only_after_a_while_is_waited_for(site: MemorySite) -> None:
    for nth in (3, 4):
        site.proxy.answer(*GET, FOREIGN, nth=nth)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED, ran.stop_reason
    assert 0.5 in ran.pauses


def test_configuration_that_cannot_be_read_after_the_write_is_put_back(
    site: MemorySite, assert_screen
) -> None:
    site.proxy.answer(*GET, "<html/>", nth=3)
    ran = Ran(site)
    undone(ran, site)
    assert_screen(ran.stop_reason)
    assert ran.record("rules-outcome")["outcome"] == "rolled-back"


def test_rules_that_may_stand_are_told_where_nothing_can_be_read_any_more(
    site: MemorySite,
    assert_screen,
) -> None:
    site.proxy.call_before(*PUT, lambda: site.proxy.answer(*GET, status=403))
    ran = Ran(site)
    assert ran.outcome is RunOutcome.PARTIAL
    assert_screen(ran.stop_reason)
    assert ran.record("rules-outcome")["outcome"] == "unknown"


def test_s3_that_does_not_confirm_the_rules_gets_back_what_stood_there(
    site: MemorySite, assert_screen
) -> None:
    site.proxy.answer("HEAD", "old-", headers={"Content-Length": "1"})
    ran = Ran(site)
    undone(ran, site)
    assert_screen(ran.stop_reason)
    assert sum(ran.pauses) == 120


def test_kept_object_that_would_expire_by_our_rule_puts_everything_back(
    site: MemorySite, assert_screen
) -> None:
    def claim(request: Request) -> Answer:
        rule_id = rule_ids(site.lifecycle)[-1].replace("/", "%2F")
        header = f'expiry-date="Fri, 23 Dec 2027 00:00:00 GMT", rule-id="{rule_id}"'
        return Answer(status=200, body=b"", headers={"x-amz-expiration": header})

    answer = site._s3.answer
    site.proxy._upstream = lambda one: (
        claim(one) if one.method == "HEAD" and "/new/" in one.target else answer(one)
    )
    ran = Ran(site)
    undone(ran, site)
    assert_screen(ran.stop_reason)


@pytest.mark.parametrize(("shown", "outcome"), [(2, RunOutcome.APPLIED), (99, RunOutcome.PARTIAL)])
def test_older_rule_of_ours_that_shows_on_what_is_kept_is_waited_for(
    site: MemorySite, shown: int, outcome: RunOutcome
) -> None:
    header = {"x-amz-expiration": 'rule-id="ci3%2Fnew%2F20261101T000000Z"'}
    for nth in range(1, shown):
        site.proxy.answer("HEAD", "/new/", headers=header, nth=nth)
    ran = Ran(site)
    assert ran.outcome is outcome, ran.stop_reason
    assert ("new/file-00000" in ran.stop_reason) is (outcome is RunOutcome.PARTIAL)
    assert ran.pauses


def test_rule_of_others_that_deletes_sooner_does_not_stand_for_ours(
    site: MemorySite, assert_screen
) -> None:
    site.lifecycle = config(foreign_rule("all", "", 2))
    ran = Ran(site)
    assert ran.outcome is RunOutcome.PARTIAL
    assert_screen(ran.stop_reason)
    assert site.lifecycle == config(foreign_rule("all", "", 2))


def race(site: MemorySite, what: Callable[[], None], at: int) -> None:
    """Have somebody else write right before the so-manieth reading."""
    site.proxy.call_before(*GET, what, nth=at)


def test_lost_race_is_noticed_and_what_the_other_wrote_stays(
    site: MemorySite, assert_screen
) -> None:
    race(site, lambda: setattr(site, "lifecycle", THEIRS), at=3)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.PARTIAL
    assert_screen(ran.stop_reason)
    assert site.lifecycle == THEIRS


def test_race_that_is_lost_while_s3_is_asked_is_noticed_too(
    site: MemorySite, assert_screen
) -> None:
    site.proxy.call_before("HEAD", "/old-3/", lambda: setattr(site, "lifecycle", THEIRS), nth=1)
    answer = site._s3.answer
    rule_id: list[str] = []

    def ask(request: Request) -> Answer:
        rule_id.extend(one for one in rule_ids(site.lifecycle) if one.startswith("ci3/"))
        if request.method != "HEAD" or "/old-" not in request.target:
            return answer(request)
        name = request.target.split("/")[2]
        mine = next(one for one in rule_id if f"/{name}/" in one)
        return Answer(status=200, body=b"", headers={"x-amz-expiration": f'rule-id="{mine}"'})

    site.proxy._upstream = ask
    ran = Ran(site)
    assert ran.outcome is RunOutcome.PARTIAL
    assert_screen(ran.stop_reason)
    assert site.lifecycle == THEIRS


def test_rule_that_another_added_to_ours_stays_beside_them(site: MemorySite) -> None:
    def add() -> None:
        site.lifecycle = site.lifecycle.replace(
            b"</Lifecy", foreign_rule("x").encode() + b"</Lifecy"
        )

    race(site, add, at=3)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED, ran.stop_reason
    assert set(written(site)) == {"logs", "x", *OURS}


def test_part_of_ours_that_another_lost_is_taken_away_and_theirs_stays(
    site: MemorySite, assert_screen
) -> None:
    def cut() -> None:
        kept = re.sub(rb"<Rule><ID>ci3/old-2/.*?</Rule>", b"", site.lifecycle)
        site.lifecycle = kept.replace(b"</Lifecy", foreign_rule("x").encode() + b"</Lifecy")

    race(site, cut, at=3)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.PARTIAL
    assert_screen(ran.stop_reason)
    assert written(site) == ["logs", "x"]


def test_change_before_the_write_is_built_upon(site: MemorySite) -> None:
    race(site, lambda: setattr(site, "lifecycle", THEIRS), at=2)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED, ran.stop_reason
    assert set(written(site)) == {"theirs", *OURS}
    assert ran.record("rules")["before"].encode() == THEIRS


def test_rule_that_was_taken_away_is_not_written_again_where_s3_shows_it_once_more(
    site: MemorySite,
) -> None:
    assert Ran(site).outcome is RunOutcome.APPLIED
    older = site.lifecycle
    site.deploy("old-1", days=0)
    site.deploy("old-4", days=30)
    site.proxy.requests.clear()
    # The plan reads it, reconciling reads it twice, and then comes an answer that is out of date.
    site.proxy.answer(*GET, older, nth=4)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.APPLIED, ran.stop_reason
    assert set(written(site)) == {"logs", "ci3/old-2/", "ci3/old-3/", "ci3/old-4/"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_roll_back_that_is_interrupted_reports_that_rules_may_remain(
    site: MemorySite, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], assert_screen
) -> None:
    """The rules are read again at the end of the run all the same."""

    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(ConfigurationUpdater, "roll_back", fail)
    site.proxy.answer(*PUT, status=500, nth=1)
    ran = Ran(site)
    assert ran.outcome is RunOutcome.PARTIAL
    assert_screen(ran.stop_reason)
    assert all(deployment.problem for deployment in ran.result.deployments)
    assert ran.record("rules-outcome")["outcome"] == "unknown"
    assert ran.account.reconciled is not None


def test_refused_plan_writes_no_rule(site: MemorySite) -> None:
    one = open_run([make_context(site, engine="lifecycle", protect="nowhere")])
    begun = one.reconcile_rules(one.make_plans())
    with pytest.raises(RefusedError):
        one.apply_plans(begun, is_fresh=True)
    assert site.lifecycle == FOREIGN
