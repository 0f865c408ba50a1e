"""Later plans do not treat a partly deleted deployment of an unfinished run as complete."""

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
def small_site(site: MemorySite, monkeypatch: pytest.MonkeyPatch) -> MemorySite:
    """Two new deployments and two old ones, of three objects each; batches of two."""
    small_batches(monkeypatch)
    for name, days in (("new", 1), ("mid", 5), ("old", 10), ("oldest", 20)):
        site.deploy(name, days=days)
    return site


def end_early(
    site: MemorySite, *options: str, is_killed: bool = True, at: int = 2, journal: str = "s3://"
) -> str:
    """Let a run lose its access, or be killed, at a batch; return the URL of its journal.

    The first batch has two objects of `old`; the second has the last one, and one of `oldest`.
    """
    refused = Answer(status=403, body=error("AccessDenied").encode(), headers={})
    keys_before = set(list_journal_keys(site))

    def kill() -> None:
        if is_killed:
            site.proxy.answer("PUT", ".", error("AccessDenied"), status=403)

    for nth in range(at, at + 20):
        site.proxy._add_rule("POST", DELETE, nth, before=kill, canned=refused)
    command = ["cleanup", *site.options(), "--keep-count", "2", "--concurrency", "1"]
    assert main([*command, "--journal-file", journal, *options, "--auto-approve"]) == 3
    site.proxy._rules.clear()
    site.proxy.requests.clear()
    folders = {key.rpartition("/")[0] for key in set(list_journal_keys(site)) - keys_before}
    return f"s3://{site.name}/{folders.pop()}/" if folders else ""


def list_journal_keys(site: MemorySite) -> list[str]:
    return sorted(key for key in site.content() if JOURNALS in key and key.endswith(".jsonl"))


def make_plan(site: MemorySite, keep_count: int = 3, *, hours: float = 0, **settings: str) -> Plan:
    """Plan now, or the given number of hours later."""
    context = make_context(
        site,
        keep_count=str(keep_count),
        clock=lambda: datetime.now(UTC) + timedelta(hours=hours),
        **settings,
    )
    return context.make_plan(context.open_bucket())


def find_decision(plan: Plan, name: str) -> Decision:
    return next(decision for decision in plan.decisions if decision.deployment.name == name)


def is_partly_deleted(plan: Plan, name: str) -> bool:
    decision = find_decision(plan, name)
    codes = {reason.code for reason in decision.reasons}
    has_reason = ReasonCode.PARTLY_DELETED in codes
    assert not (has_reason and decision.deployment.is_complete)
    return has_reason


def list_names_to_delete(plan: Plan) -> set[str]:
    return {decision.deployment.name for decision in plan.to_delete}


@pytest.mark.parametrize("required_file", ["", "file-00002"])
@pytest.mark.parametrize("is_killed", [True, False])
@pytest.mark.parametrize("age_from", ["span", "first-object"])
def test_partly_deleted_deployment_does_not_count_for_keep_count(
    small_site: MemorySite, age_from: str, required_file: str, *, is_killed: bool
) -> None:
    options = ["--required-file", required_file] if required_file else []
    end_early(small_site, "--age-from", age_from, *options, is_killed=is_killed)
    remaining = small_site.content()
    assert 0 < len([key for key in remaining if key.startswith("old/")]) < 3
    settings = {"age_from": age_from} | ({"required_file": required_file} if options else {})

    run = apply(small_site, keep_count="3", **settings)

    assert list_names_to_delete(run.plan) == set()
    assert is_partly_deleted(run.plan, "old")
    assert small_site.content().items() >= remaining.items()

    small_site.deploy("next", days=0.5)
    run = apply(small_site, keep_count="3", **settings)
    assert list_names_to_delete(run.plan) == {"old", "oldest"}
    assert is_partly_deleted(run.plan, "old")
    assert small_site.folders() == {"next", "new", "mid", ".ci3"}


def test_deployment_without_deleted_objects_counts_as_complete(small_site: MemorySite) -> None:
    end_early(small_site)
    plan = make_plan(small_site)
    assert not is_partly_deleted(plan, "oldest")
    assert find_decision(plan, "oldest").deployment.is_complete


def test_partly_deleted_deployment_with_a_new_upload_is_kept_and_does_not_count(
    small_site: MemorySite,
) -> None:
    end_early(small_site)
    small_site.put("old/file-00000", days=IN_30_MINUTES)
    plan = make_plan(small_site, keep_count=1)
    assert is_partly_deleted(plan, "old")
    assert list_names_to_delete(plan) == {"mid", "oldest"}


def test_partly_deleted_deployment_counts_after_it_is_deployed_again(
    small_site: MemorySite,
) -> None:
    end_early(small_site)
    small_site.deploy("old", days=IN_30_MINUTES)
    plan = make_plan(small_site)
    assert not is_partly_deleted(plan, "old")
    assert list_names_to_delete(plan) == {"oldest"}


def test_partly_deleted_deployments_of_two_runs_are_recognized(small_site: MemorySite) -> None:
    end_early(small_site)
    small_site.deploy("other", days=30)
    end_early(small_site)
    assert "oldest/file-00000" not in small_site.content()
    plan = make_plan(small_site, keep_count=4)
    assert is_partly_deleted(plan, "oldest")
    assert list_names_to_delete(plan) == set()

    small_site.deploy("old", days=IN_30_MINUTES)  # the second run had deleted the rest of it
    plan = make_plan(small_site, keep_count=3)
    assert not is_partly_deleted(plan, "old")
    assert list_names_to_delete(plan) == {"oldest", "other"}


def test_resume_deletes_the_remaining_objects_and_finishes_the_run(small_site: MemorySite) -> None:
    journal = end_early(small_site)
    access = ["--endpoint-url", small_site.endpoint_url, "--auto-approve"]
    assert main(["cleanup", "--resume", journal, *access]) == 0
    assert small_site.folders() == {"new", "mid", ".ci3"}
    check_cost_of_finished_journals(small_site)


def test_resume_marks_the_run_as_finished_if_the_run_could_not(small_site: MemorySite) -> None:
    journal = end_early(small_site)
    command = ["cleanup", "--resume", journal, "--endpoint-url", small_site.endpoint_url]
    assert main([*command, "--auto-approve"]) == 0
    (finished_key,) = [key for key in small_site.content() if key.endswith(".finished")]
    small_site.remove(finished_key)
    assert main([*command, "--auto-approve"]) == 0
    check_cost_of_finished_journals(small_site)


def check_cost_of_finished_journals(site: MemorySite) -> None:
    """Check that a plan sends one request more than without journals, and reads no journal."""
    site.proxy.requests.clear()
    make_plan(site, hours=1)
    count_with_journals = len(site.proxy.requests)
    assert len(site.proxy.find_requests("GET", LISTING)) == 1
    assert site.proxy.find_requests("GET", PARTS) == []
    for key in [key for key in site.content() if key.startswith(".ci3/")]:
        site.remove(key)
    site.proxy.requests.clear()
    make_plan(site)
    assert len(site.proxy.requests) == count_with_journals - 1
    assert not any("journals" in request.target for request in site.proxy.requests)


def test_finished_journals_change_nothing_and_cost_one_request(small_site: MemorySite) -> None:
    command = ["cleanup", *small_site.options(), "--journal-file", "s3://", "--auto-approve"]
    assert main([*command, "--keep-count", "3"]) == 0
    assert main([*command, "--keep-count", "2"]) == 0
    assert len({key.rpartition("/")[0] for key in list_journal_keys(small_site)}) == 2
    small_site.deploy("old", days=10)  # older than the journal, which has an intent for it
    plan = make_plan(small_site, keep_count=2, hours=1)
    assert list_names_to_delete(plan) == {"old"}
    assert not is_partly_deleted(plan, "old")
    check_cost_of_finished_journals(small_site)


def test_journal_of_another_prefix_changes_nothing(small_site: MemorySite) -> None:
    for name, days in (("old", 10), ("other", 20)):
        small_site.deploy(f"app/{name}", days=days)
    end_early(small_site, "--match", "new|mid|old.*")
    small_site.remove("app/old/file-00000")
    plan = make_plan(small_site, keep_count=1, prefix="app/")
    assert list_names_to_delete(plan) == {"other"}
    assert small_site.proxy.find_requests("GET", PARTS) == []


def damage(site: MemorySite) -> None:
    site.put(list_journal_keys(site)[0], body=b"{}\n")


def copy_from_another_prefix(site: MemorySite) -> None:
    key = list_journal_keys(site)[0]
    header = json.loads(site.content()[key][0])
    header["target"]["prefix"] = "app/"
    site.put(key, body=json.dumps(header).encode() + b"\n")


def deny_reading(site: MemorySite) -> None:
    site.proxy.answer("GET", PARTS, error("AccessDenied"), status=403)


def begin_many_later_runs(site: MemorySite) -> None:
    header = json.loads(site.content()[list_journal_keys(site)[0]][0])
    for number in range(MAX_RUNS):
        header |= {"run_id": f"29990101T000000Z-{number:08}", "deployments": []}
        line = json.dumps(header).encode() + b"\n"
        site.put(f"{JOURNALS}{header['run_id']}/00000001.jsonl", body=line)


@pytest.mark.parametrize(
    "disturb", [damage, copy_from_another_prefix, deny_reading, begin_many_later_runs]
)
def test_deployments_older_than_an_unreadable_journal_are_kept_and_do_not_count(
    small_site: MemorySite, disturb
) -> None:
    end_early(small_site)
    disturb(small_site)
    small_site.deploy("again", days=IN_30_MINUTES)
    small_site.deploy("again-2", days=IN_30_MINUTES * 2)

    plan = make_plan(small_site, keep_count=1)

    assert plan.is_applyable
    assert list_names_to_delete(plan) == {"again"}
    for name in ("new", "mid", "old", "oldest"):
        assert is_partly_deleted(plan, name)
    assert WarningCode.UNFINISHED_RUN in {warning.code for warning in plan.warnings}


def test_partly_deleted_deployment_is_kept_if_a_part_of_the_journal_is_missing(
    small_site: MemorySite,
) -> None:
    end_early(small_site)
    small_site.remove(list_journal_keys(small_site)[1])
    plan = make_plan(small_site, keep_count=1)
    assert is_partly_deleted(plan, "old")
    assert list_names_to_delete(plan) == {"mid", "oldest"}


def test_plan_is_refused_if_the_journals_cannot_be_listed(small_site: MemorySite) -> None:
    end_early(small_site)
    small_site.proxy.answer("GET", LISTING, error("AccessDenied"), status=403)
    plan = make_plan(small_site)
    assert {refusal.code for refusal in plan.refusals} == {RefusalCode.UNREADABLE_DEPLOYMENT}


def test_finished_runs_need_no_permission_to_read_journals(small_site: MemorySite) -> None:
    command = ["cleanup", *small_site.options(), "--journal-file", "s3://", "--auto-approve"]
    assert main([*command, "--keep-count", "3"]) == 0
    deny_reading(small_site)
    plan = make_plan(small_site, keep_count=2, hours=1)
    assert list_names_to_delete(plan) == {"old"}
    assert WarningCode.UNFINISHED_RUN not in {warning.code for warning in plan.warnings}


def test_deployment_that_a_running_cleanup_deletes_does_not_count(
    small_site: MemorySite, proxy: FaultProxy
) -> None:
    """Another job plans while the run is between two batches."""
    plans: list[Plan] = []
    proxy.call_before("POST", DELETE, lambda: plans.append(make_plan(small_site)), nth=2)
    command = ["cleanup", *small_site.options(), "--keep-count", "2", "--journal-file", "s3://"]
    assert main([*command, "--auto-approve"]) == 0
    assert is_partly_deleted(plans[0], "old")
    assert list_names_to_delete(plans[0]) == set()


def test_run_that_ends_while_deployments_are_listed_counts_as_unfinished(
    small_site: MemorySite, proxy: FaultProxy
) -> None:
    """The listing contains a part of `old`, which is deleted before the journals are listed."""
    end_early(small_site)
    journal = f"s3://{small_site.name}/{list_journal_keys(small_site)[0].rpartition('/')[0]}/"
    access = ["--endpoint-url", small_site.endpoint_url, "--auto-approve"]
    exit_codes: list[int] = []
    proxy.call_before(
        "GET",
        LISTING,
        lambda: exit_codes.append(main(["cleanup", "--resume", journal, *access])),
        nth=1,
    )
    plan = make_plan(small_site)
    assert exit_codes == [0]
    assert is_partly_deleted(plan, "old")
    assert list_names_to_delete(plan) == set()


@pytest.mark.parametrize(
    ("journal", "options"),
    [("j.jsonl", []), ("s3://", []), ("j.jsonl", ["--required-file", "file-00002"])],
    ids=["local journal", "stored journal", "required file"],
)
def test_report_of_an_unfinished_run_explains_how_later_plans_treat_its_deployments(
    small_site: MemorySite, capsys, assert_screen, journal: str, options: list[str]
) -> None:
    end_early(small_site, *options, journal=journal, is_killed=False)
    assert_screen(capsys.readouterr().out)
