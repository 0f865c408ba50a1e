"""What a run left that ended within a deployment is no complete deployment to later plans."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ci3.cli.main import main
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.plan.plan import Plan
from ci3.pipeline.unfinished import MAX_RUNS
from tests.support.cleanup_run import apply, make_context
from tests.support.crash import small_batches
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import Answer, FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
JOURNALS = ".ci3/journals/"
PARTS = r"\.ci3/journals/[^?]*\.jsonl"
LISTING = r"list-type=2.*prefix=[^&]*\.ci3%2Fjournals%2F"
IN_30_MINUTES = -0.021


@pytest.fixture
def small(site: MemorySite, monkeypatch: pytest.MonkeyPatch) -> MemorySite:
    """Two new deployments and two old ones, of three objects each; batches of two."""
    small_batches(monkeypatch)
    for name, days in (("new", 1), ("mid", 5), ("old", 10), ("oldest", 20)):
        site.deploy(name, days=days)
    return site


def end_early(
    site: MemorySite, *options: str, is_killed: bool = True, at: int = 2, journal: str = "s3://"
) -> str:
    """Let a run lose its access at a batch, or be killed there; return the URL of its journal.

    The first batch has two objects of `old`, the second its last and one of `oldest`.
    """
    refused = Answer(status=403, body=error("AccessDenied").encode(), headers={})
    before = set(journal_keys(site))

    def kill() -> None:
        if is_killed:
            site.proxy.answer("PUT", ".", error("AccessDenied"), status=403)

    for nth in range(at, at + 20):
        site.proxy._add_rule("POST", DELETE, nth, before=kill, canned=refused)
    fixed = ["--keep-count", "2", "--concurrency", "1"]
    command = ["cleanup", *site.options(), *fixed, "--journal-file", journal]
    assert main([*command, *options, "--auto-approve"]) == 3
    site.proxy._rules.clear()
    site.proxy.requests.clear()
    folders = {key.rpartition("/")[0] for key in set(journal_keys(site)) - before}
    return f"s3://{site.name}/{folders.pop()}/" if folders else ""


def journal_keys(site: MemorySite) -> list[str]:
    return sorted(key for key in site.content() if JOURNALS in key and key.endswith(".jsonl"))


def make_plan(site: MemorySite, keep_count: int = 3, *, hours: float = 0, **settings: str) -> Plan:
    """Plan now, or some hours later."""
    context = make_context(
        site,
        keep_count=str(keep_count),
        clock=lambda: datetime.now(UTC) + timedelta(hours=hours),
        **settings,
    )
    return context.make_plan(context.open_bucket())


def decision(plan: Plan, name: str) -> Decision:
    return next(found for found in plan.decisions if found.deployment.name == name)


def is_partly_deleted(plan: Plan, name: str) -> bool:
    found = decision(plan, name)
    codes = {reason.code for reason in found.reasons}
    has_reason = ReasonCode.PARTLY_DELETED in codes
    assert not (has_reason and found.deployment.is_complete)
    return has_reason


def to_delete(plan: Plan) -> set[str]:
    return {found.deployment.name for found in plan.to_delete}


@pytest.mark.parametrize("required_file", ["", "file-00002"])
@pytest.mark.parametrize("is_killed", [True, False])
@pytest.mark.parametrize("age_from", ["span", "first-object"])
def test_complete_deployment_is_not_deleted_for_a_remainder(
    small: MemorySite, age_from: str, required_file: str, *, is_killed: bool
) -> None:
    options = ["--required-file", required_file] if required_file else []
    end_early(small, "--age-from", age_from, *options, is_killed=is_killed)
    left = small.content()
    assert 0 < len([key for key in left if key.startswith("old/")]) < 3
    settings = {"age_from": age_from} | ({"required_file": required_file} if options else {})

    ran = apply(small, keep_count="3", **settings)

    assert to_delete(ran.plan) == set()
    assert is_partly_deleted(ran.plan, "old")
    assert small.content().items() >= left.items()

    small.deploy("next", days=0.5)
    ran = apply(small, keep_count="3", **settings)
    assert to_delete(ran.plan) == {"old", "oldest"}
    assert is_partly_deleted(ran.plan, "old")
    assert small.folders() == {"next", "new", "mid", ".ci3"}


def test_deployment_of_which_the_run_deleted_nothing_counts(small: MemorySite) -> None:
    end_early(small)
    plan = make_plan(small)
    assert not is_partly_deleted(plan, "oldest")
    assert decision(plan, "oldest").deployment.is_complete


def test_deployment_uploaded_to_since_then_stays_and_does_not_count(small: MemorySite) -> None:
    end_early(small)
    small.put("old/file-00000", days=IN_30_MINUTES)
    plan = make_plan(small, keep_count=1)
    assert is_partly_deleted(plan, "old")
    assert to_delete(plan) == {"mid", "oldest"}


def test_deployment_deployed_again_in_full_counts(small: MemorySite) -> None:
    end_early(small)
    small.deploy("old", days=IN_30_MINUTES)
    plan = make_plan(small)
    assert not is_partly_deleted(plan, "old")
    assert to_delete(plan) == {"oldest"}


def test_remainders_of_two_runs_are_both_recognized(small: MemorySite) -> None:
    end_early(small)
    small.deploy("other", days=30)
    end_early(small)
    assert "oldest/file-00000" not in small.content()
    plan = make_plan(small, keep_count=4)
    assert is_partly_deleted(plan, "oldest")
    assert to_delete(plan) == set()

    small.deploy("old", days=IN_30_MINUTES)  # the second run had deleted the rest of it
    plan = make_plan(small, keep_count=3)
    assert not is_partly_deleted(plan, "old")
    assert to_delete(plan) == {"oldest", "other"}


def test_resumed_run_deletes_its_remainder_and_is_finished(small: MemorySite) -> None:
    journal = end_early(small)
    access = ["--endpoint-url", small.endpoint_url, "--auto-approve"]
    assert main(["cleanup", "--resume", journal, *access]) == 0
    assert small.folders() == {"new", "mid", ".ci3"}
    check_cost_of_finished_journals(small)


def test_resume_records_that_nothing_is_left_if_the_run_could_not(small: MemorySite) -> None:
    journal = end_early(small)
    command = ["cleanup", "--resume", journal, "--endpoint-url", small.endpoint_url]
    assert main([*command, "--auto-approve"]) == 0
    marks = [key for key in small.content() if key.endswith(".finished")]
    small.remove(marks.pop())
    assert main([*command, "--auto-approve"]) == 0
    check_cost_of_finished_journals(small)


def check_cost_of_finished_journals(site: MemorySite) -> None:
    """A plan sends one request more than without journals, and reads none."""
    site.proxy.requests.clear()
    make_plan(site, hours=1)
    with_journals = len(site.proxy.requests)
    assert len(site.proxy.find_requests("GET", LISTING)) == 1
    assert site.proxy.find_requests("GET", PARTS) == []
    for key in [key for key in site.content() if key.startswith(".ci3/")]:
        site.remove(key)
    site.proxy.requests.clear()
    make_plan(site)
    assert len(site.proxy.requests) == with_journals - 1
    assert not any("journals" in request.target for request in site.proxy.requests)


def test_finished_journals_change_nothing_and_cost_one_request(small: MemorySite) -> None:
    command = ["cleanup", *small.options(), "--journal-file", "s3://", "--auto-approve"]
    assert main([*command, "--keep-count", "3"]) == 0
    assert main([*command, "--keep-count", "2"]) == 0
    assert len({key.rpartition("/")[0] for key in journal_keys(small)}) == 2
    small.deploy("old", days=10)  # older than the journal, and approved otherwise by it
    plan = make_plan(small, keep_count=2, hours=1)
    assert to_delete(plan) == {"old"}
    assert not is_partly_deleted(plan, "old")
    check_cost_of_finished_journals(small)


def test_journal_of_another_prefix_changes_nothing(small: MemorySite) -> None:
    for name, days in (("old", 10), ("other", 20)):
        small.deploy(f"app/{name}", days=days)
    end_early(small, "--match", "new|mid|old.*")
    small.remove("app/old/file-00000")
    plan = make_plan(small, keep_count=1, prefix="app/")
    assert to_delete(plan) == {"other"}
    assert small.proxy.find_requests("GET", PARTS) == []


def damage(site: MemorySite) -> None:
    site.put(journal_keys(site)[0], body=b"{}\n")


def copy_from_another_prefix(site: MemorySite) -> None:
    key = journal_keys(site)[0]
    header = json.loads(site.content()[key][0])
    header["target"]["prefix"] = "app/"
    site.put(key, body=json.dumps(header).encode() + b"\n")


def deny_reading(site: MemorySite) -> None:
    site.proxy.answer("GET", PARTS, error("AccessDenied"), status=403)


def begin_many_later_runs(site: MemorySite) -> None:
    header = json.loads(site.content()[journal_keys(site)[0]][0])
    for number in range(MAX_RUNS):
        header |= {"run_id": f"29990101T000000Z-{number:08}", "deployments": []}
        line = json.dumps(header).encode() + b"\n"
        site.put(f"{JOURNALS}{header['run_id']}/00000001.jsonl", body=line)


@pytest.mark.parametrize(
    "spoil", [damage, copy_from_another_prefix, deny_reading, begin_many_later_runs]
)
def test_what_is_older_than_an_unread_journal_stays_and_does_not_count(
    small: MemorySite, spoil
) -> None:
    end_early(small)
    spoil(small)
    small.deploy("again", days=IN_30_MINUTES)
    small.deploy("again-2", days=IN_30_MINUTES * 2)

    plan = make_plan(small, keep_count=1)

    assert plan.is_applyable
    assert to_delete(plan) == {"again"}
    for name in ("new", "mid", "old", "oldest"):
        assert is_partly_deleted(plan, name)
    assert WarningCode.UNFINISHED_RUN in {warning.code for warning in plan.warnings}


def test_what_is_left_stays_where_the_journal_lacks_a_part(small: MemorySite) -> None:
    end_early(small)
    small.remove(journal_keys(small)[1])
    plan = make_plan(small, keep_count=1)
    assert is_partly_deleted(plan, "old")
    assert to_delete(plan) == {"mid", "oldest"}


def test_plan_is_refused_where_the_journals_cannot_be_listed(small: MemorySite) -> None:
    end_early(small)
    small.proxy.answer("GET", LISTING, error("AccessDenied"), status=403)
    plan = make_plan(small)
    assert {refusal.code for refusal in plan.refusals} == {RefusalCode.UNREADABLE_DEPLOYMENT}


def test_finished_runs_need_no_permission_to_read_journals(small: MemorySite) -> None:
    command = ["cleanup", *small.options(), "--journal-file", "s3://", "--auto-approve"]
    assert main([*command, "--keep-count", "3"]) == 0
    deny_reading(small)
    plan = make_plan(small, keep_count=2, hours=1)
    assert to_delete(plan) == {"old"}
    assert WarningCode.UNFINISHED_RUN not in {warning.code for warning in plan.warnings}


def test_deletion_of_a_run_that_continues_is_not_counted_either(
    small: MemorySite, proxy: FaultProxy
) -> None:
    """Another job plans while the run is between two batches."""
    plans: list[Plan] = []
    proxy.call_before("POST", DELETE, lambda: plans.append(make_plan(small)), nth=2)
    command = ["cleanup", *small.options(), "--keep-count", "2", "--journal-file", "s3://"]
    assert main([*command, "--auto-approve"]) == 0
    assert is_partly_deleted(plans[0], "old")
    assert to_delete(plans[0]) == set()


def test_run_that_ends_while_deployments_are_listed_counts_as_unfinished(
    small: MemorySite, proxy: FaultProxy
) -> None:
    """The listing shows a part of `old`; the journals are listed when nothing of it is left."""
    end_early(small)
    journal = f"s3://{small.name}/{journal_keys(small)[0].rpartition('/')[0]}/"
    access = ["--endpoint-url", small.endpoint_url, "--auto-approve"]
    exit_codes: list[int] = []
    proxy.call_before(
        "GET",
        LISTING,
        lambda: exit_codes.append(main(["cleanup", "--resume", journal, *access])),
        nth=1,
    )
    plan = make_plan(small)
    assert exit_codes == [0]
    assert is_partly_deleted(plan, "old")
    assert to_delete(plan) == set()


@pytest.mark.parametrize(
    ("journal", "options"),
    [("j.jsonl", []), ("s3://", []), ("j.jsonl", ["--required-file", "file-00002"])],
    ids=["local journal", "stored journal", "required file"],
)
def test_early_end_says_what_counts_as_a_deployment_without_a_stored_journal(
    small: MemorySite, capsys, assert_screen, journal: str, options: list[str]
) -> None:
    end_early(small, *options, journal=journal, is_killed=False)
    assert_screen(capsys.readouterr().out)
