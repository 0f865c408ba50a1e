"""`inventory`: what is taken from a report, and what is still listed."""

import json
import random

import pytest

from ci3.cli.main import main
from ci3.core.model.issues import WarningCode
from ci3.core.plan.json_reader import load_plans
from ci3.core.plan.json_writer import dump_plan
from ci3.core.plan.plan import Plan
from ci3.errors import AccessError, ExitCode
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.inventory_reports import (
    ALL_VERSIONS,
    FOLDER,
    InventoryReport,
    report_of,
    row,
    rows_of,
    to_csv,
    to_parquet,
)


def make_plan(site: Bucket, url: str, **settings: str) -> Plan:
    context = make_context(site, inventory=url, **{"keep_count": "2", "match": r"d\d+", **settings})
    return context.make_plan(context.open_bucket())


def list_actions(plan: Plan) -> dict[str, str]:
    return {decision.deployment.name: decision.action.value for decision in plan.decisions}


def list_reported_names(plan: Plan) -> set[str]:
    return {
        decision.deployment.name
        for decision in plan.decisions
        if decision.deployment.is_from_report
    }


def summarize(plan: Plan) -> list[tuple[object, ...]]:
    return [
        (
            decision.deployment.object_count,
            decision.deployment.size_bytes,
            decision.deployment.newest_at,
            decision.deployment.is_complete,
            decision.reasons,
        )
        for decision in plan.decisions
    ]


@pytest.fixture(params=["CSV", "Parquet"])
def report(request: pytest.FixtureRequest, seeded_site: Bucket) -> InventoryReport:
    """A report of the six deployments in three files, with rows in random order."""
    rows = rows_of(seeded_site)
    random.Random(7).shuffle(rows)  # noqa: S311 - not for security
    write = to_csv if request.param == "CSV" else to_parquet
    files = [write(rows[number::3]) for number in range(3)]
    return report_of(seeded_site, files=files, file_format=request.param)


def test_plan_by_report_is_the_plan_by_listing(seeded_site, report):
    by_listing = make_plan(seeded_site, "")
    by_report = make_plan(seeded_site, report.deliver(seeded_site))

    assert list_actions(by_report) == list_actions(by_listing)
    assert summarize(by_report) == summarize(by_listing)


def test_kept_deployment_that_supersedes_nothing_is_not_listed(seeded_site, proxy):
    url = report_of(seeded_site).deliver(seeded_site)
    plan = make_plan(seeded_site, url, protect="d5\nd4")

    # d2 and d3 are superseded by d0 and d1; d4 and d5 are, too, but they are protected.
    assert list_actions(plan) == {"d0": "keep", "d1": "keep", "d2": "delete", "d3": "delete",
                           "d4": "keep", "d5": "keep"}  # fmt: skip
    assert list_reported_names(plan) == {"d4", "d5"}
    assert plan.totals.bytes_to_keep == 4 * 3
    assert not proxy.find_requests("GET", "prefix=d[45]")


def test_no_deployment_is_listed_if_none_is_to_delete(seeded_site, proxy):
    plan = make_plan(seeded_site, report_of(seeded_site).deliver(seeded_site), keep_count="6")

    assert not plan.to_delete
    assert len(list_reported_names(plan)) == 6
    assert len(proxy.find_requests("GET", "list-type=2")) == 1


def test_deployment_newer_than_the_report_is_listed_and_counts(seeded_site, assert_screen):
    url = report_of(seeded_site).deliver(seeded_site)
    seeded_site.deploy("d9", days=0)

    plan = make_plan(seeded_site, url)

    assert list_actions(plan)["d9"] == "keep"
    assert list_actions(plan)["d1"] == "delete"
    assert "d9" not in list_reported_names(plan)
    [warning] = [item for item in plan.warnings if item.code is WarningCode.INVENTORY_REPORT]
    assert_screen(warning.message)


def test_deployment_that_changed_since_the_report_is_evaluated_in_its_current_state(
    seeded_site,
):
    url = report_of(seeded_site).deliver(seeded_site)
    seeded_site.put("d5/hot-fix.js", days=0)

    assert list_actions(make_plan(seeded_site, url))["d5"] == "keep"


def test_deployment_that_exists_only_in_the_report_is_ignored(seeded_site):
    rows = [*rows_of(seeded_site), row("d7/x", bucket=seeded_site.name)]
    url = report_of(seeded_site, files=[to_csv(rows)]).deliver(seeded_site)
    assert "d7" not in list_actions(make_plan(seeded_site, url))


def test_wrong_times_in_the_report_delete_nothing(seeded_site):
    """According to the report, d4 and d5 are the newest, but they are the oldest."""
    rows = [row(f"d{number}/file-{file:05}", days=60 - 10 * number, bucket=seeded_site.name)
            for number in range(6) for file in range(3)]  # fmt: skip
    plan = make_plan(seeded_site, report_of(seeded_site, files=[to_csv(rows)]).deliver(seeded_site))

    by_listing = list_actions(make_plan(seeded_site, ""))
    assert {name for name, action in list_actions(plan).items() if action == "delete"} <= {
        name for name, action in by_listing.items() if action == "delete"
    }
    assert list_actions(plan)["d0"] == "keep"


def test_first_object_lists_one_page_of_each_successor(site, proxy):
    for number in range(4):
        site.deploy(f"d{number}", days=10 * number + 1, files=1005)
    url = report_of(site).deliver(site)
    plan = make_plan(site, url, age_from="first-object", keep_count="3")

    assert list_actions(plan) == {"d0": "keep", "d1": "keep", "d2": "keep", "d3": "delete"}
    assert [len(proxy.find_requests("GET", rf"prefix=d{number}")) for number in range(3)] == [
        1,
        1,
        1,
    ]
    assert not list_reported_names(plan)


def test_deployment_kept_for_its_age_is_listed_only_if_it_supersedes_another(seeded_site, proxy):
    url = report_of(seeded_site).deliver(seeded_site)
    plan = make_plan(seeded_site, url, keep_count="1", keep_within="35d")

    # d5 was superseded by d4 41 days ago, and d4 by d3 31 days ago, which is within 35 days.
    assert {name for name, action in list_actions(plan).items() if action == "delete"} == {"d5"}
    assert list_reported_names(plan) == {"d1", "d2", "d3"}


def test_apply_by_report_deletes_the_old_deployments(seeded_site):
    url = report_of(seeded_site).deliver(seeded_site)
    run = apply(seeded_site, keep_count="2", inventory=url, match=r"d\d")

    assert run.exit_code == ExitCode.DONE
    assert seeded_site.folders() == {"d0", "d1", "inventory"}


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_report_is_read_once_for_the_plan_and_the_plan_at_approval(seeded_site, proxy, forks):
    url = report_of(seeded_site).deliver(seeded_site)
    run = apply(
        seeded_site, keep_count="2", inventory=url, match=r"d\d", before_approval=lambda: None
    )

    assert run.result.deployments_deleted == 4
    assert len(proxy.find_requests("GET", "manifest.json")) == 1
    assert len(proxy.find_requests("GET", "data/file-0")) == 1


def test_folder_of_the_reports_is_not_a_deployment(seeded_site):
    plan = make_plan(seeded_site, report_of(seeded_site).deliver(seeded_site), match="")

    assert "inventory" not in list_actions(plan)
    assert "inventory/" in [entry.name for entry in plan.ignored]


def test_report_in_another_bucket_is_read_there(seeded_site, local_s3):
    reports = local_s3.new_bucket()
    url = report_of(seeded_site, destination=reports.name).deliver(reports)

    assert len(make_plan(seeded_site, url).to_delete) == 4


def test_newest_complete_report_in_a_folder_is_used(seeded_site, proxy):
    report_of(seeded_site).deliver(seeded_site)
    for file in ("2026-11-25T01-00Z/manifest.json", "2026-11-26T01-00Z/manifest.checksum"):
        seeded_site.put(f"{FOLDER}{file}", body=b"incomplete")
    for file in ("data/x", "hive/dt=2026-11-27-01-00/symlink.txt", "zzzz/manifest.json"):
        seeded_site.put(f"{FOLDER}{file}")
    older_manifest = f"{FOLDER}2026-11-23T01-00Z/manifest."
    seeded_site.put(f"{older_manifest}json", body=b"old")
    seeded_site.put(f"{older_manifest}checksum", body=b"old")
    plan = make_plan(seeded_site, f"s3://{seeded_site.name}/{FOLDER}")

    assert len(plan.to_delete) == 4
    assert [
        request.target.partition("daily/")[2]
        for request in proxy.find_requests("GET", "manifest.json")
    ] == ["2026-11-24T01-00Z/manifest.json"]


def test_folder_without_a_complete_report_is_an_error(seeded_site, assert_screen):
    seeded_site.put(f"{FOLDER}2026-11-25T01-00Z/manifest.json")
    with pytest.raises(AccessError) as caught:
        make_plan(seeded_site, f"s3://{seeded_site.name}/{FOLDER}")
    assert_screen(caught.value.full_message)


def test_rows_outside_the_prefix_are_ignored(site):
    for name in ("a", "b"):
        site.deploy(f"app/{name}", days=1)
    for key in ("app/", "app/index.html", "app", "apps/a/x", "a/x", "b/x"):
        site.put(key, days=400)
    plan = make_plan(site, report_of(site).deliver(site), prefix="app", match="", keep_count="9")

    counts = {
        decision.deployment.name: decision.deployment.object_count for decision in plan.decisions
    }
    assert counts == {"a": 3, "b": 3}
    assert list_reported_names(plan) == {"a", "b"}


@pytest.mark.parametrize("write", [to_csv, to_parquet])
def test_report_of_all_versions_counts_only_current_objects(seeded_site, write):
    name = seeded_site.name
    rows = [{**current_row, "VersionId": "v2"} for current_row in rows_of(seeded_site)]
    rows += [row(f"d{number}/file-00000", size=999, bucket=name, IsLatest=False)
             for number in range(6)]  # fmt: skip
    marker = {"bucket": name, "Size": None, "IsDeleteMarker": True}
    rows += [row("d4/gone", **marker),
             row("d4/older", IsLatest=False, **marker)]  # fmt: skip
    file_format = "CSV" if write is to_csv else "Parquet"
    report = report_of(
        seeded_site,
        files=[write(rows, ALL_VERSIONS)],
        columns=ALL_VERSIONS,
        file_format=file_format,
    )
    plan = make_plan(seeded_site, report.deliver(seeded_site), keep_count="6")

    assert {decision.deployment.object_count for decision in plan.decisions} == {3}
    assert {decision.deployment.size_bytes for decision in plan.decisions} == {3}
    assert len(list_reported_names(plan)) == 6


@pytest.mark.parametrize("write", [to_csv, to_parquet])
def test_keys_with_special_characters_are_read_unchanged(site, write):
    names = ("a b", "a+b", "100%", "é%2F", '"x,y"')
    for name in names:
        site.deploy(name, days=1, files=2)
    file_format = "CSV" if write is to_csv else "Parquet"
    report = report_of(site, files=[write(rows_of(site))], file_format=file_format)
    plan = make_plan(site, report.deliver(site), match="", keep_count="9")

    assert {
        decision.deployment.name: decision.deployment.object_count for decision in plan.decisions
    } == (dict.fromkeys(names, 2))
    assert len(list_reported_names(plan)) == len(names)


def test_required_file_is_found_in_the_rows(seeded_site):
    seeded_site.put("d0/index.html", days=1)
    url = report_of(seeded_site).deliver(seeded_site)
    plan = make_plan(seeded_site, url, required_file="index.html")

    assert {
        decision.deployment.name for decision in plan.decisions if decision.deployment.is_complete
    } == {"d0"}


def test_plan_file_contains_the_data_of_the_report(seeded_site):
    url = report_of(seeded_site).deliver(seeded_site)
    plan = make_plan(seeded_site, url, keep_count="6", match=r"d\d")
    text = dump_plan(plan)

    assert load_plans(text, "plan.json")[0].decisions == plan.decisions
    assert json.loads(text)["deployments"][0]["fingerprint"] is None
    assert json.loads(text)["policy"]["inventory"]["value"].endswith("/manifest.json")


def test_command_shows_the_source_of_its_numbers(seeded_site, capsys, assert_screen):
    url = report_of(seeded_site).deliver(seeded_site)
    options = [*seeded_site.options(), "--match", r"d\d", "--keep-count", "2", "--protect", "d5"]
    assert main(["plan-cleanup", *options, "--inventory", url]) == ExitCode.DONE
    assert_screen(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"file_format": "ORC"}, ExitCode.REFUSED),
        ({"changed": {"files": []}}, ExitCode.REFUSED),
        ({"changed": {"sourceBucket": None}}, ExitCode.ACCESS),
        ({"files": [b"no gzip"]}, ExitCode.ACCESS),
    ],
)
def test_exit_code_depends_on_why_the_report_cannot_be_used(seeded_site, changes, code):
    url = report_of(seeded_site, **changes).deliver(seeded_site)
    options = [*seeded_site.options(), "--match", r"d\d", "--inventory", url, "--auto-approve"]
    assert main(["cleanup", *options]) == code
    assert len(seeded_site.folders()) == 7


def test_saved_plan_and_journal_use_the_report_that_they_name(seeded_site):
    url = report_of(seeded_site).deliver(seeded_site)
    options = [*seeded_site.options(), "--match", r"d\d", "--keep-count", "2", "--inventory", url]
    assert main(["plan-cleanup", *options, "--plan-file", "plan.json"]) == ExitCode.DONE
    command = ["cleanup", "--plan-file", "plan.json", "--journal-file", "journal.jsonl"]
    assert main([*command, "--auto-approve"]) == ExitCode.DONE
    assert seeded_site.folders() == {"d0", "d1", "inventory"}
    assert main(["cleanup", "--resume", "journal.jsonl", "--auto-approve"]) == ExitCode.DONE


def test_saved_plan_can_be_applied_with_a_newer_report(seeded_site, local_s3):
    url = report_of(seeded_site).deliver(seeded_site)
    options = [*seeded_site.options(), "--match", r"d\d", "--keep-count", "2", "--inventory", url]
    assert main(["plan-cleanup", *options, "--plan-file", "plan.json"]) == ExitCode.DONE
    for key in [key for key in seeded_site.content() if key.startswith(FOLDER)]:
        seeded_site.remove(key)
    reports = local_s3.new_bucket()
    newer_url = report_of(seeded_site, destination=reports.name).deliver(reports)
    command = ["cleanup", "--plan-file", "plan.json", "--auto-approve"]
    assert main(command) == ExitCode.ACCESS
    assert main([*command, "--inventory", newer_url]) == ExitCode.DONE
    assert seeded_site.folders() == {"d0", "d1"}
