"""Leaving deployments to S3: rules written, read again, confirmed, and put back where in doubt."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings

from ci3.applying import delete
from ci3.approval import Approved, approve
from ci3.core.account import Account, with_reconciled
from ci3.core.model import Outcome
from ci3.core.pins import protect
from ci3.core.plan import Plan, WarningCode
from ci3.errors import RefusedError
from ci3.run import hold_rules, open_run
from tests.core.lifecycle_texts import configurations, foreign_rule, whole
from tests.engine.road import cleanup
from tests.fault_proxy import Answer, Request
from tests.memory_lifecycle import rule_ids
from tests.memory_site import MemorySite, reached

FOREIGN = whole(f" <!-- ours, hands off -->\n{foreign_rule()}\n")
DOOMED = ("old-1", "old-2", "old-3")
PUT, GET = ("PUT", r"\?lifecycle"), ("GET", r"\?lifecycle")
NOTHING = "None of the new rules stands now"


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """One deployment to keep and three that are old enough for a rule, beside a rule of others."""
    site = MemorySite()
    site.deploy("new", days=1)
    for days, name in enumerate(DOOMED, start=20):
        site.deploy(name, days=days)
    site.lifecycle = FOREIGN
    with reached(site.proxy.take):
        yield site


class Ran:
    """One apply with engine: lifecycle, and what became of it."""

    def __init__(self, site: MemorySite, **changes: str) -> None:
        self.pauses: list[float] = []
        run = cleanup(site, pauses=self.pauses, **({"engine": "lifecycle"} | changes))
        self.journal_file = run.settings.journal_file
        (self.account,) = apply(run)
        self.result, self.plan = self.account.result, self.account.plan

    @property
    def outcome(self) -> Outcome:
        return self.account.outcome

    @property
    def told(self) -> str:
        return self.result.stopped

    @property
    def records(self) -> list[dict]:
        return [json.loads(line) for line in Path(self.journal_file).read_text().splitlines()]

    def record(self, name: str) -> dict:
        return next(one for one in self.records if one["record"] == name)


def apply(run, *, meanwhile=lambda: None, later=lambda: None, is_fresh: bool = True) -> tuple:
    """Plan, reconcile and apply as both faces do, with what happens after each of the first."""
    one = open_run([run])
    plans = one.make_plans()
    meanwhile()
    begun = one.reconcile(plans)
    later()
    accounts = one.apply(begun, is_fresh=is_fresh) if one.has_work(begun) else hold_rules(begun)
    return with_reconciled(accounts, [each.reconciled for each in begun])


def plan_of(site: MemorySite, **changes: str) -> Plan:
    run = cleanup(site, **({"engine": "lifecycle"} | changes))
    return run.make_plan(run.open_bucket())


def written(site: MemorySite) -> list[str]:
    """The IDs of the rules that stand, without when they expire."""
    return [re.sub(r"[0-9TZ]+$", "", one) for one in rule_ids(site.lifecycle)]


OURS = [f"ci3/{name}/" for name in DOOMED]


# What is written.


def test_each_old_deployment_gets_a_rule_and_nothing_is_deleted(site: MemorySite) -> None:
    before = site.content()
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED
    assert written(site) == ["logs", *OURS]
    assert ran.result.expiring == set(DOOMED)
    assert (ran.result.deployments_deleted, ran.result.bytes_deleted) == (0, 0)
    assert ran.account.numbers["deployments-expiring"] == 3
    assert ran.account.numbers["objects-deleted"] == 0
    assert site.content() == before
    assert [one.method for one in site.proxy.requests if one.is_write] == ["PUT"]
    assert "<Days>20</Days>" in site.lifecycle.decode()


def test_younger_ones_are_deleted_directly_in_the_same_run(site: MemorySite) -> None:
    site.deploy("young", days=3)
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED
    assert ran.result.deployments_deleted == 1
    assert ran.result.expiring == set(DOOMED)
    assert "young" not in site.folders()
    assert [one["record"] for one in ran.records] == [
        "header", "rules", "rules-outcome", "intent", "outcome", "end",
    ]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(configurations())
def test_rules_of_others_stay_byte_for_byte_through_apply_and_reconcile(raw: bytes) -> None:
    site = MemorySite()
    site.deploy("new", days=1)
    site.deploy("old-1", days=20)
    site.lifecycle = raw
    with reached(site.proxy.take):
        ran = Ran(site)
        assert ran.result.expiring == {"old-1"}, ran.told
        rest = re.sub(rb"<((?:s3:|a:)?)Rule><\1ID>ci3/.*?</\1Rule>", b"", site.lifecycle)
        assert rest == raw
        assert site.lifecycle != raw
        for key in [key for key in site.content() if key.startswith("old-1/")]:
            site.remove(key)
        (account,) = apply(cleanup(site, engine="lifecycle"))
        assert [one.name for one in account.reconciled.removed] == ["old-1"]
        assert site.lifecycle == raw


def test_bucket_without_rules_has_none_again_when_all_is_done(site: MemorySite) -> None:
    site.lifecycle = b""
    assert Ran(site).outcome is Outcome.APPLIED
    assert len(rule_ids(site.lifecycle)) == 3
    for key in [key for key in site.content() if key.startswith("old-")]:
        site.remove(key)
    (account,) = apply(cleanup(site, engine="lifecycle"))
    assert account.outcome is Outcome.NOTHING_TO_DELETE
    assert site.lifecycle == b""
    assert site.proxy.sent("DELETE", r"\?lifecycle")


def test_default_minimum_size_for_transitions_is_echoed(site: MemorySite) -> None:
    site.transition_minimum = "varies_by_storage_class"
    assert Ran(site).outcome is Outcome.APPLIED
    assert site.transition_minimum == "varies_by_storage_class"


def test_journal_has_what_stood_there_and_the_rules_before_they_are_written(
    site: MemorySite,
) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        (path,) = Path().glob("journal-*.jsonl")
        seen.append([json.loads(line)["record"] for line in path.read_text().splitlines()])

    site.proxy.before(*PUT, look)
    ran = Ran(site)
    assert seen == [["header", "rules"]]
    intent = ran.record("rules")
    assert intent["before"].encode() == FOREIGN
    assert {one["prefix"] for one in intent["rules"]} == {f"{name}/" for name in DOOMED}
    assert ran.record("rules-outcome")["outcome"] == "written"


def test_versioned_bucket_keeps_what_is_hidden_for_the_time_of_an_undo(site: MemorySite) -> None:
    site.enable_versioning()
    assert Ran(site).outcome is Outcome.APPLIED
    assert site.lifecycle.count(b"<NoncurrentDays>30</NoncurrentDays>") == 3


def test_plan_alone_writes_nothing(site: MemorySite) -> None:
    plan_of(site)
    assert all(one.method in ("GET", "HEAD") for one in site.proxy.requests)


# What forbids it.


def refused(site: MemorySite, **changes: str) -> str:
    plan = plan_of(site, **changes)
    assert not plan.applyable
    return "; ".join(one.message for one in plan.refusals)


def test_unknown_element_refuses(site: MemorySite) -> None:
    site.lifecycle = whole("<Rule><ID>a</ID><Status>Enabled</Status><Novelty/></Rule>")
    assert "<Novelty> in Rule, which ci3 does not know" in refused(site)


def test_mfa_delete_refuses(site: MemorySite) -> None:
    site.enable_versioning()
    site._bucket.needs_mfa = True
    assert "MFA delete" in refused(site)


def test_delete_versions_refuses_where_there_are_any(site: MemorySite) -> None:
    assert plan_of(site, delete_versions="true").applyable
    site.enable_versioning()
    assert "delete-versions names each version" in refused(site, delete_versions="true")


def test_unknown_versioning_refuses(site: MemorySite) -> None:
    site.proxy.answer("GET", r"\?versioning", status=403)
    assert "s3:GetBucketVersioning" in refused(site)


def test_not_knowing_all_that_is_kept_refuses(site: MemorySite) -> None:
    for number in range(1001):
        site.put(f"new/{number:05}", days=1)
    assert "take another age-from" in refused(site, age_from="first-object")


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, ""), (501, ""), (404, ""), (200, ""), (200, "<html/>"), (200, FOREIGN[:99])],
)
def test_configuration_that_cannot_be_read_refuses(
    site: MemorySite, status: int, body: str | bytes
) -> None:
    site.proxy.answer(*GET, body, status=status)
    assert "must read the bucket's lifecycle rules" in refused(site)
    assert plan_of(site, engine="direct").applyable


def test_rules_beyond_what_a_bucket_holds_wait_for_a_later_run(site: MemorySite) -> None:
    site.lifecycle = whole("".join(foreign_rule(f"r{number}") for number in range(998)))
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED
    assert ran.result.expiring == {"old-2", "old-3"}
    assert ran.plan.totals.delete == 2
    (warning,) = [one for one in ran.plan.warnings if one.code is WarningCode.LIFECYCLE]
    assert "1 deployment more would go, and will in later runs" in warning.message
    assert len(rule_ids(site.lifecycle)) == 1000


# What goes wrong in the midst of it.


@pytest.mark.parametrize("how", ["more", "again", "gone"])
def test_deployment_that_changed_since_the_plan_gets_no_rule(site: MemorySite, how: str) -> None:
    run = cleanup(site, engine="lifecycle")
    plan = run.make_plan(reader := run.open_bucket())
    match how:
        case "more":
            site.put("old-2/more", days=20)
        case "again":
            site.put("old-2/file-00000", days=0)
        case _:
            for number in range(3):
                site.remove(f"old-2/file-0000{number}")
    result = delete(run, approve(run, plan, reader, is_fresh=True), reader)
    assert result.expiring == {"old-1", "old-3"}
    assert result.outcome is (Outcome.APPLIED if how == "gone" else Outcome.PARTIAL)
    assert "ci3/old-2/" not in written(site)


def test_deployment_that_cannot_be_listed_again_gets_no_rule(site: MemorySite) -> None:
    run = cleanup(site, engine="lifecycle")
    plan = run.make_plan(reader := run.open_bucket())
    for pattern in ("prefix=old-2", "start-after=old-2", "prefix=&"):
        site.proxy.answer("GET", pattern, "<html/>")
    result = delete(run, approve(run, plan, reader, is_fresh=True), reader)
    assert result.outcome is Outcome.PARTIAL
    assert "ci3/old-2/" not in written(site)


def test_pin_that_came_meanwhile_stops_the_rule_at_the_last_gate(site: MemorySite) -> None:
    run = cleanup(site, engine="lifecycle")
    plan = run.make_plan(reader := run.open_bucket())
    approved = Approved(plan=plan, due=plan.doomed, pins=protect(["old-2"]))
    result = delete(run, approved, reader)
    assert result.outcome is Outcome.PARTIAL
    assert site.lifecycle == FOREIGN
    assert not site.proxy.sent(*PUT)


def undone(ran: Ran, site: MemorySite) -> None:
    """Nothing of it stands, and everybody is told so."""
    assert ran.outcome is Outcome.PARTIAL
    assert site.lifecycle == FOREIGN
    assert ran.result.expiring == set()
    assert all(one.problem for one in ran.result.deployments)


def test_write_that_is_denied_is_told_and_changes_nothing(site: MemorySite) -> None:
    site.proxy.answer(*PUT, "<Error><Code>AccessDenied</Code></Error>", status=403)
    ran = Ran(site)
    undone(ran, site)
    assert "s3:PutLifecycleConfiguration" in ran.told
    assert ran.record("rules-outcome")["outcome"] == "not-written"
    assert len(site.proxy.sent(*PUT)) == 1


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
        site.proxy.before(*PUT, lambda: None)
        answer = site._s3.answer

        def late(request: Request) -> Answer:
            done = answer(request)
            is_write = request.method == "PUT" and "lifecycle" in request.target
            return Answer(status=int(how), body=b"") if is_write else done

        site.proxy._upstream = late
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED, ran.told
    assert len(site.proxy.sent(*PUT)) == 1
    assert set(written(site)) == {"logs", *OURS}


def test_write_that_fails_without_a_deed_is_told(site: MemorySite) -> None:
    site.proxy.answer(*PUT, status=500, nth=1)
    ran = Ran(site)
    undone(ran, site)
    assert NOTHING in ran.told
    assert [one.body for one in site.proxy.sent(*PUT)][1:] == [FOREIGN]


def test_write_that_shows_too_late_is_put_back_all_the_same(site: MemorySite) -> None:
    for nth in range(3, 10):
        site.proxy.answer(*GET, FOREIGN, nth=nth)
    ran = Ran(site)
    undone(ran, site)
    assert "S3 took what was written, and does not show it" in ran.told
    assert [one.body for one in site.proxy.sent(*PUT)][1:] == [FOREIGN]


def test_what_shows_only_after_a_while_is_waited_for(site: MemorySite) -> None:
    for nth in (3, 4):
        site.proxy.answer(*GET, FOREIGN, nth=nth)
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED, ran.told
    assert 0.5 in ran.pauses


def test_configuration_that_cannot_be_read_after_the_write_is_put_back(site: MemorySite) -> None:
    site.proxy.answer(*GET, "<html/>", nth=3)
    ran = Ran(site)
    undone(ran, site)
    assert NOTHING in ran.told
    assert ran.record("rules-outcome")["outcome"] == "put-back"


def test_rules_that_may_stand_are_told_where_nothing_can_be_read_any_more(
    site: MemorySite,
) -> None:
    site.proxy.before(*PUT, lambda: site.proxy.answer(*GET, status=403))
    ran = Ran(site)
    assert ran.outcome is Outcome.PARTIAL
    assert "The rules may stand all the same" in ran.told
    assert ran.record("rules-outcome")["outcome"] == "unknown"


def test_s3_that_does_not_confirm_the_rules_gets_back_what_stood_there(site: MemorySite) -> None:
    site.proxy.answer("HEAD", "old-", headers={"Content-Length": "1"})
    ran = Ran(site)
    undone(ran, site)
    assert "S3 does not say that it will delete old-" in ran.told
    assert NOTHING in ran.told
    assert sum(ran.pauses) == 120


def test_kept_object_that_would_expire_by_our_rule_puts_everything_back(site: MemorySite) -> None:
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
    assert "S3 would delete new/file-00000 by a rule, and it is to be kept" in ran.told


@pytest.mark.parametrize(("shown", "outcome"), [(2, Outcome.APPLIED), (99, Outcome.PARTIAL)])
def test_older_rule_of_ours_that_shows_on_what_is_kept_is_waited_for(
    site: MemorySite, shown: int, outcome: Outcome
) -> None:
    header = {"x-amz-expiration": 'rule-id="ci3%2Fnew%2F20261101T000000Z"'}
    for nth in range(1, shown):
        site.proxy.answer("HEAD", "/new/", headers=header, nth=nth)
    ran = Ran(site)
    assert ran.outcome is outcome, ran.told
    assert ("it is to be kept" in ran.told) is (outcome is Outcome.PARTIAL)
    assert ran.pauses


def test_rule_of_others_that_deletes_sooner_does_not_stand_for_ours(site: MemorySite) -> None:
    site.lifecycle = whole(foreign_rule("all", "", 2))
    ran = Ran(site)
    assert ran.outcome is Outcome.PARTIAL
    assert "another rule (all)" in ran.told
    assert site.lifecycle == whole(foreign_rule("all", "", 2))


# Others who write at the same time.

THEIRS = whole(foreign_rule("theirs", "tmp/"))


def race(site: MemorySite, what: Callable[[], None], at: int) -> None:
    """Have somebody else write right before the so-manieth reading."""
    site.proxy.before(*GET, what, nth=at)


def test_lost_race_is_noticed_and_what_the_other_wrote_stays(site: MemorySite) -> None:
    race(site, lambda: setattr(site, "lifecycle", THEIRS), at=3)
    ran = Ran(site)
    assert ran.outcome is Outcome.PARTIAL
    assert "somebody else wrote the bucket's lifecycle rules at the same time" in ran.told
    assert site.lifecycle == THEIRS


def test_race_that_is_lost_while_s3_is_asked_is_noticed_too(site: MemorySite) -> None:
    site.proxy.before("HEAD", "/old-3/", lambda: setattr(site, "lifecycle", THEIRS), nth=1)
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
    assert ran.outcome is Outcome.PARTIAL
    assert "3 rules of ci3's not there" in ran.told
    assert site.lifecycle == THEIRS


def test_rule_that_another_added_to_ours_stays_beside_them(site: MemorySite) -> None:
    def add() -> None:
        site.lifecycle = site.lifecycle.replace(
            b"</Lifecy", foreign_rule("x").encode() + b"</Lifecy"
        )

    race(site, add, at=3)
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED, ran.told
    assert set(written(site)) == {"logs", "x", *OURS}


def test_part_of_ours_that_another_lost_is_taken_away_and_theirs_stays(site: MemorySite) -> None:
    def cut() -> None:
        kept = re.sub(rb"<Rule><ID>ci3/old-2/.*?</Rule>", b"", site.lifecycle)
        site.lifecycle = kept.replace(b"</Lifecy", foreign_rule("x").encode() + b"</Lifecy")

    race(site, cut, at=3)
    ran = Ran(site)
    assert ran.outcome is Outcome.PARTIAL
    assert "1 rule of ci3's not there" in ran.told
    assert written(site) == ["logs", "x"]


def test_change_before_the_write_is_built_upon(site: MemorySite) -> None:
    race(site, lambda: setattr(site, "lifecycle", THEIRS), at=2)
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED, ran.told
    assert set(written(site)) == {"theirs", *OURS}
    assert ran.record("rules")["before"].encode() == THEIRS


def test_rule_that_was_taken_away_is_not_written_again_where_s3_shows_it_once_more(
    site: MemorySite,
) -> None:
    assert Ran(site).outcome is Outcome.APPLIED
    older = site.lifecycle
    site.deploy("old-1", days=0)
    site.deploy("old-4", days=30)
    site.proxy.requests.clear()
    # The plan reads it, reconciling reads it twice, and then comes an answer that is out of date.
    site.proxy.answer(*GET, older, nth=4)
    ran = Ran(site)
    assert ran.outcome is Outcome.APPLIED, ran.told
    assert set(written(site)) == {"logs", "ci3/old-2/", "ci3/old-3/", "ci3/old-4/"}


def test_refused_plan_writes_no_rule(site: MemorySite) -> None:
    one = open_run([cleanup(site, engine="lifecycle", protect="nowhere")])
    begun = one.reconcile(one.make_plans())
    with pytest.raises(RefusedError):
        one.apply(begun, is_fresh=True)
    assert site.lifecycle == FOREIGN


# What another run, or another S3, makes of rules.


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (rb"(<Days>[0-9]+</Days>)(?=</Expiration>)", rb"\1<Novel>1</Novel>"),
        (rb"<Prefix>(old-[0-9])/</Prefix>", rb"<Prefix>\1</Prefix>"),
    ],
    ids=["an element more", "a prefix without its slash"],
)
def test_rules_that_stand_otherwise_than_they_were_written_are_taken_out(
    site: MemorySite, pattern: bytes, replacement: bytes
) -> None:
    def rewrite() -> None:
        site.lifecycle = re.sub(pattern, replacement, site.lifecycle)

    site.proxy.before(*GET, rewrite, nth=3)
    ran = Ran(site)
    stand = [one for one in rule_ids(site.lifecycle) if one.startswith("ci3/")]
    said = ran.record("rules-outcome")["outcome"]
    assert ran.outcome is Outcome.PARTIAL
    assert (stand == [], said) in {(True, "put-back"), (False, "unknown")}


def test_rules_under_other_ids_are_not_said_to_be_gone(site: MemorySite) -> None:
    def rename() -> None:
        site.lifecycle = re.sub(
            rb"<ID>ci3/(old-[0-9])/[^<]*</ID>", rb"<ID>r-\1</ID>", site.lifecycle
        )

    site.proxy.before(*GET, rename, nth=3)
    ran = Ran(site)
    assert ran.outcome is Outcome.PARTIAL
    assert ran.record("rules-outcome")["outcome"] == "unknown"
    assert "rules for the same folders are new: r-old-1, r-old-2, r-old-3" in ran.told


def test_two_runs_at_once_leave_one_rule_for_a_folder(site: MemorySite) -> None:
    first = open_run([cleanup(site, engine="lifecycle")])
    begun = first.reconcile(first.make_plans())
    later = cleanup(site, engine="lifecycle")
    later = replace(later, clock=lambda: datetime.now(UTC) + timedelta(seconds=5))
    assert apply(later)[0].outcome is Outcome.APPLIED
    (account,) = first.apply(begun, is_fresh=True)
    assert account.outcome is Outcome.APPLIED
    assert written(site) == ["logs", *OURS]


def test_rules_of_what_is_kept_go_also_where_followers_are_refused(site: MemorySite) -> None:
    site.enable_versioning()
    assert Ran(site).outcome is Outcome.APPLIED
    for number in range(3):
        site.remove(f"old-1/file-{number:05}")
    refused = "<Error><Code>InvalidArgument</Code><Message>no</Message></Error>"
    site.proxy.answer(*PUT, refused, status=400, nth=1)
    (account,) = apply(cleanup(site, engine="lifecycle", protect="old-2"))
    assert "ci3/old-2/" not in written(site)
    assert {one.name for one in account.reconciled.removed} == {"old-1", "old-2"}


def test_left_behind_rule_that_cannot_be_read_is_told_with_any_engine(site: MemorySite) -> None:
    site.lifecycle = FOREIGN.replace(b"</Rule>", b"<Novel>1</Novel></Rule>", 1)
    ran = Ran(site, engine="direct")
    assert ran.outcome is Outcome.APPLIED
    (warning,) = ran.plan.warnings
    assert warning.code is WarningCode.LIFECYCLE
    assert "Novel" in warning.message


# What goes live during a run.


@pytest.fixture
def pointed(site: MemorySite) -> MemorySite:
    """The site with a rule for each old deployment, and a pointer to the new one."""
    site.put("current", body=b"new")
    assert Ran(site, live_from="object:current").outcome is Outcome.APPLIED
    return site


def by_pointer(site: MemorySite, **changes: str):
    return cleanup(site, **({"engine": "lifecycle", "live_from": "object:current"} | changes))


def told(account: Account) -> list[tuple[str, str]]:
    return [(one.name, one.message) for one in account.reconciled.removed]


@pytest.mark.parametrize("due", [False, True])
@pytest.mark.parametrize("when", ["meanwhile", "later"])
@pytest.mark.parametrize("is_fresh", [True, False])
def test_rule_of_what_goes_live_during_a_run_is_taken_away(
    pointed: MemorySite, when: str, due: bool, is_fresh: bool
) -> None:
    if due:
        pointed.deploy("old-9", days=40)
    roll_back = {when: lambda: pointed.put("current", body=b"old-2")}
    (account,) = apply(by_pointer(pointed), is_fresh=is_fresh, **roll_back)
    assert account.outcome is (Outcome.APPLIED if due else Outcome.NOTHING_TO_DELETE)
    assert written(pointed) == ["logs", "ci3/old-1/", "ci3/old-3/", *["ci3/old-9/"] * due]
    ((name, why),) = told(account)
    assert name == "old-2"
    assert why.startswith("kept now (live: ")
    assert account.expiring_count == 2 + due


def test_rule_goes_first_of_what_went_live_while_it_was_listed(pointed: MemorySite) -> None:
    one = open_run([by_pointer(pointed)])
    plans = one.make_plans()
    pointed.put("current", body=b"old-2")
    (begun,) = one.reconcile(plans)
    assert [one.name for one in begun.reconciled.removed] == ["old-2"]
    assert written(pointed) == ["logs", "ci3/old-1/", "ci3/old-3/"]


def test_rule_of_this_run_goes_for_what_goes_live_while_it_deletes(pointed: MemorySite) -> None:
    pointed.deploy("old-9", days=40)
    pointed.deploy("young", days=3)
    pointed.proxy.before("POST", r"\?delete", lambda: pointed.put("current", body=b"old-9"), nth=1)
    (account,) = apply(by_pointer(pointed))
    assert account.outcome is Outcome.PARTIAL
    assert written(pointed) == ["logs", *OURS]
    assert account.result.expiring == frozenset()
    (one,) = [one for one in account.result.deployments if one.name == "old-9"]
    assert one.problem.startswith("kept: its rule was taken away again: kept now (live: ")
    assert "young" not in pointed.folders()


@pytest.mark.parametrize("due", [False, True])
@pytest.mark.parametrize("when", ["meanwhile", "later"])
def test_no_rule_stands_where_what_is_live_cannot_be_read_at_the_end(
    pointed: MemorySite, when: str, due: bool
) -> None:
    if due:
        pointed.deploy("young", days=3)
    run = by_pointer(pointed)
    forget = {when: lambda: pointed.remove("current")}
    if due:
        with pytest.raises(RefusedError, match="current"):
            apply(run, **forget)
    else:
        (account,) = apply(run, **forget)
        assert account.outcome is Outcome.PARTIAL
        assert {name for name, _ in told(account)} == set(DOOMED)
        assert "live-from object:current could not be read" in account.reconciled.doubt
    assert written(pointed) == ["logs"]
    assert "young" in pointed.folders() or not due


def test_what_went_wrong_says_which_rules_went_too(pointed: MemorySite) -> None:
    pointed.deploy("young", days=3)
    with pytest.raises(RefusedError) as caught:
        apply(by_pointer(pointed), later=lambda: pointed.remove("current"))
    assert "3 lifecycle rules for old-3, old-2, old-1 were taken away" in caught.value.hint or (
        "3 lifecycle rules for old-1, old-2, old-3 were taken away" in caught.value.hint
    )


def test_rule_of_what_a_new_plan_keeps_is_taken_away(pointed: MemorySite) -> None:
    pointed.deploy("old-9", days=40)
    (account,) = apply(
        by_pointer(pointed), is_fresh=False, later=lambda: pointed.deploy("old-3", days=0)
    )
    assert "ci3/old-3/" not in written(pointed)
    assert "old-3" in {name for name, _ in told(account)}


def test_rule_that_cannot_be_taken_away_at_the_end_is_told(pointed: MemorySite) -> None:
    def roll_back() -> None:
        pointed.put("current", body=b"old-2")
        pointed.proxy.answer(*PUT, "<Error><Code>AccessDenied</Code></Error>", status=403)

    (account,) = apply(by_pointer(pointed), later=roll_back)
    assert account.outcome is Outcome.PARTIAL
    assert "s3:PutLifecycleConfiguration" in account.reconciled.problem


def test_saved_plan_is_held_against_what_is_live_at_the_end(pointed: MemorySite) -> None:
    run = by_pointer(pointed)
    for key in [key for key in pointed.content() if key.startswith("old-3/")]:
        pointed.remove(key)
    saved = run.make_plan(run.open_bucket())
    one = open_run([run], [saved])
    (begun,) = one.reconcile([saved])
    pointed.put("current", body=b"old-2")
    account = begun.hold_rules()
    assert written(pointed) == ["logs", "ci3/old-1/"]
    assert [name for name, _ in told(account)] == ["old-2"]


def test_nothing_is_read_again_where_no_rule_stands(site: MemorySite) -> None:
    site.put("current", body=b"new")
    for name in DOOMED:
        for key in [key for key in site.content() if key.startswith(f"{name}/")]:
            site.remove(key)
    plan_of(site, live_from="object:current")
    asked = len(site.proxy.requests)
    apply(by_pointer(site))
    assert len(site.proxy.requests) == 2 * asked
