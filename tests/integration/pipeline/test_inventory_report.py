"""`inventory`: what a report is used for, and what is listed all the same."""

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

ALONE = r"prefix=\w+%2F(&|$)"
"""A listing of one deployment."""


def plan_by(site: Bucket, url: str, **settings: str) -> Plan:
    run = make_context(site, inventory=url, **{"keep_count": "2", "match": r"d\d+", **settings})
    return run.make_plan(run.open_bucket())


def fates(plan: Plan) -> dict[str, str]:
    return {one.deployment.name: one.action.value for one in plan.decisions}


def reported(plan: Plan) -> set[str]:
    return {one.deployment.name for one in plan.decisions if one.deployment.is_from_report}


@pytest.fixture(params=["CSV", "Parquet"])
def written(request: pytest.FixtureRequest, furnished: Bucket) -> InventoryReport:
    """A report of it in either format, its rows in no order and over three files."""
    rows = rows_of(furnished)
    random.Random(7).shuffle(rows)  # noqa: S311 - a test's
    write = to_csv if request.param == "CSV" else to_parquet
    files = [write(rows[number::3]) for number in range(3)]
    return report_of(furnished, files=files, file_format=request.param)


def test_plan_by_report_is_the_plan_by_listing(furnished, written):
    by_listing = plan_by(furnished, "")
    by_report = plan_by(furnished, written.deliver(furnished))

    assert fates(by_report) == fates(by_listing)
    told = [(one.deployment.object_count, one.deployment.size_bytes, one.deployment.newest_at,
             one.deployment.is_complete, one.reasons) for one in by_report.decisions]  # fmt: skip
    assert told == [(one.deployment.object_count, one.deployment.size_bytes,
                     one.deployment.newest_at, one.deployment.is_complete, one.reasons)
                    for one in by_listing.decisions]  # fmt: skip


def test_what_stays_and_decides_nothing_is_not_listed(furnished, proxy):
    url = report_of(furnished).deliver(furnished)
    plan = plan_by(furnished, url, protect="d5\nd4")

    # d2 and d3 go, for d0 and d1 are newer; d4 and d5 would go were they not protected.
    assert fates(plan) == {"d0": "keep", "d1": "keep", "d2": "delete", "d3": "delete",
                           "d4": "keep", "d5": "keep"}  # fmt: skip
    assert reported(plan) == {"d4", "d5"}
    assert plan.totals.bytes_to_keep == 4 * 3
    assert not proxy.find_requests("GET", "prefix=d[45]")


def test_nothing_is_listed_in_full_where_nothing_is_due(furnished, proxy):
    plan = plan_by(furnished, report_of(furnished).deliver(furnished), keep_count="6")

    assert not plan.to_delete
    assert len(reported(plan)) == 6
    assert len(proxy.find_requests("GET", "list-type=2")) == 1


def test_deployment_made_after_the_report_is_listed_and_counts(furnished, assert_screen):
    url = report_of(furnished).deliver(furnished)
    furnished.deploy("d9", days=0)

    plan = plan_by(furnished, url)

    assert fates(plan)["d9"] == "keep"
    assert fates(plan)["d1"] == "delete"
    assert "d9" not in reported(plan)
    [note] = [one for one in plan.warnings if one.code is WarningCode.INVENTORY_REPORT]
    assert_screen(note.message)


def test_deployment_that_changed_since_the_report_is_judged_as_it_is_now(furnished):
    url = report_of(furnished).deliver(furnished)
    furnished.put("d5/hot-fix.js", days=0)

    assert fates(plan_by(furnished, url))["d5"] == "keep"


def test_deployment_that_only_the_report_has_is_none(furnished):
    rows = [*rows_of(furnished), row("d7/x", bucket=furnished.name)]
    url = report_of(furnished, files=[to_csv(rows)]).deliver(furnished)
    assert "d7" not in fates(plan_by(furnished, url))


def test_newer_ones_that_the_report_invents_doom_nothing(furnished):
    """By the report d4 and d5 are the newest; in truth they are the oldest."""
    rows = [row(f"d{number}/file-{file:05}", days=60 - 10 * number, bucket=furnished.name)
            for number in range(6) for file in range(3)]  # fmt: skip
    plan = plan_by(furnished, report_of(furnished, files=[to_csv(rows)]).deliver(furnished))

    by_listing = fates(plan_by(furnished, ""))
    assert {name for name, fate in fates(plan).items() if fate == "delete"} <= {
        name for name, fate in by_listing.items() if fate == "delete"
    }
    assert fates(plan)["d0"] == "keep"


def test_first_object_costs_one_request_for_each_that_the_due_go_for(site, proxy):
    for number in range(4):
        site.deploy(f"d{number}", days=10 * number + 1, files=1005)
    url = report_of(site).deliver(site)
    plan = plan_by(site, url, age_from="first-object", keep_count="3")

    assert fates(plan) == {"d0": "keep", "d1": "keep", "d2": "keep", "d3": "delete"}
    assert [len(proxy.find_requests("GET", rf"prefix=d{number}")) for number in range(3)] == [
        1,
        1,
        1,
    ]
    assert not reported(plan)


def test_what_stays_for_its_age_is_listed_only_where_something_goes_for_it(furnished, proxy):
    url = report_of(furnished).deliver(furnished)
    plan = plan_by(furnished, url, keep_count="1", keep_within="35d")

    # d5 is due, since d4 followed it 41 days ago; d4 is kept, as d3 followed it 31 days ago.
    assert {name for name, fate in fates(plan).items() if fate == "delete"} == {"d5"}
    assert reported(plan) == {"d1", "d2", "d3"}


def test_apply_by_report_deletes_what_is_due(furnished):
    url = report_of(furnished).deliver(furnished)
    ran = apply(furnished, keep_count="2", inventory=url, match=r"d\d")

    assert ran.exit_code == ExitCode.DONE
    assert furnished.folders() == {"d0", "d1", "inventory"}


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_report_is_read_once_for_the_plan_and_the_plan_after_the_question(furnished, proxy, forks):
    url = report_of(furnished).deliver(furnished)
    ran = apply(
        furnished, keep_count="2", inventory=url, match=r"d\d", before_approval=lambda: None
    )

    assert ran.result.deployments_deleted == 4
    assert len(proxy.find_requests("GET", "manifest.json")) == 1
    assert len(proxy.find_requests("GET", "data/file-0")) == 1


def test_folder_that_the_reports_are_delivered_to_is_no_deployment(furnished):
    plan = plan_by(furnished, report_of(furnished).deliver(furnished), match="")

    assert "inventory" not in fates(plan)
    assert "inventory/" in [entry.name for entry in plan.ignored]


def test_report_in_another_bucket_is_read_there(furnished, local_s3):
    reports = local_s3.new_bucket()
    url = report_of(furnished, destination=reports.name).deliver(reports)

    assert len(plan_by(furnished, url).to_delete) == 4


def test_newest_report_that_is_whole_is_found_by_its_folder(furnished, proxy):
    report_of(furnished).deliver(furnished)
    for newer in ("2026-11-25T01-00Z/manifest.json", "2026-11-26T01-00Z/manifest.checksum"):
        furnished.put(f"{FOLDER}{newer}", body=b"not whole")
    for other in ("data/x", "hive/dt=2026-11-27-01-00/symlink.txt", "zzzz/manifest.json"):
        furnished.put(f"{FOLDER}{other}")
    old = f"{FOLDER}2026-11-23T01-00Z/manifest."
    furnished.put(f"{old}json", body=b"old")
    furnished.put(f"{old}checksum", body=b"old")
    plan = plan_by(furnished, f"s3://{furnished.name}/{FOLDER}")

    assert len(plan.to_delete) == 4
    assert [
        one.target.partition("daily/")[2] for one in proxy.find_requests("GET", "manifest.json")
    ] == ["2026-11-24T01-00Z/manifest.json"]


def test_folder_without_a_whole_report_is_an_error(furnished, assert_screen):
    furnished.put(f"{FOLDER}2026-11-25T01-00Z/manifest.json")
    with pytest.raises(AccessError) as caught:
        plan_by(furnished, f"s3://{furnished.name}/{FOLDER}")
    assert_screen(caught.value.full_message)


def test_rows_outside_the_prefix_are_passed_over(site):
    for name in ("a", "b"):
        site.deploy(f"app/{name}", days=1)
    for key in ("app/", "app/index.html", "app", "apps/a/x", "a/x", "b/x"):
        site.put(key, days=400)
    plan = plan_by(site, report_of(site).deliver(site), prefix="app", match="", keep_count="9")

    told = {one.deployment.name: one.deployment.object_count for one in plan.decisions}
    assert told == {"a": 3, "b": 3}
    assert reported(plan) == {"a", "b"}


@pytest.mark.parametrize("write", [to_csv, to_parquet])
def test_report_of_all_versions_counts_current_objects_alone(furnished, write):
    name = furnished.name
    rows = [{**one, "VersionId": "v2"} for one in rows_of(furnished)]
    rows += [row(f"d{number}/file-00000", size=999, bucket=name, IsLatest=False)
             for number in range(6)]  # fmt: skip
    gone = {"bucket": name, "Size": None}
    rows += [row("d4/gone", IsDeleteMarker=True, **gone),
             row("d4/older", IsLatest=False, IsDeleteMarker=True, **gone)]  # fmt: skip
    form = "CSV" if write is to_csv else "Parquet"
    report = report_of(
        furnished, files=[write(rows, ALL_VERSIONS)], columns=ALL_VERSIONS, file_format=form
    )
    plan = plan_by(furnished, report.deliver(furnished), keep_count="6")

    assert {one.deployment.object_count for one in plan.decisions} == {3}
    assert {one.deployment.size_bytes for one in plan.decisions} == {3}
    assert len(reported(plan)) == 6


@pytest.mark.parametrize("write", [to_csv, to_parquet])
def test_keys_are_read_as_they_are(site, write):
    names = ("a b", "a+b", "100%", "é%2F", '"x,y"')
    for name in names:
        site.deploy(name, days=1, files=2)
    form = "CSV" if write is to_csv else "Parquet"
    report = report_of(site, files=[write(rows_of(site))], file_format=form)
    plan = plan_by(site, report.deliver(site), match="", keep_count="9")

    assert {one.deployment.name: one.deployment.object_count for one in plan.decisions} == (
        dict.fromkeys(names, 2)
    )
    assert len(reported(plan)) == len(names)


def test_required_file_is_found_in_the_rows(furnished):
    furnished.put("d0/index.html", days=1)
    url = report_of(furnished).deliver(furnished)
    plan = plan_by(furnished, url, required_file="index.html")

    assert {one.deployment.name for one in plan.decisions if one.deployment.is_complete} == {"d0"}


def test_plan_file_keeps_what_the_report_said(furnished):
    run = make_context(
        furnished, keep_count="6", match=r"d\d", inventory=report_of(furnished).deliver(furnished)
    )
    plan = run.make_plan(run.open_bucket())
    text = dump_plan(plan)

    assert load_plans(text, "plan.json")[0].decisions == plan.decisions
    assert json.loads(text)["deployments"][0]["fingerprint"] is None
    assert json.loads(text)["policy"]["inventory"]["value"].endswith("/manifest.json")


def test_command_says_where_its_numbers_come_from(furnished, capsys, assert_screen):
    url = report_of(furnished).deliver(furnished)
    options = [*furnished.options(), "--match", r"d\d", "--keep-count", "2", "--protect", "d5"]
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
def test_command_tells_by_its_exit_code_why_it_did_not_plan(furnished, changes, code):
    url = report_of(furnished, **changes).deliver(furnished)
    options = [*furnished.options(), "--match", r"d\d", "--inventory", url, "--auto-approve"]
    assert main(["cleanup", *options]) == code
    assert len(furnished.folders()) == 7


def test_saved_plan_and_journal_are_gone_on_with_by_the_report_that_they_name(furnished):
    url = report_of(furnished).deliver(furnished)
    options = [*furnished.options(), "--match", r"d\d", "--keep-count", "2", "--inventory", url]
    assert main(["plan-cleanup", *options, "--plan-file", "plan.json"]) == ExitCode.DONE
    words = ["cleanup", "--plan-file", "plan.json", "--journal-file", "journal.jsonl"]
    assert main([*words, "--auto-approve"]) == ExitCode.DONE
    assert furnished.folders() == {"d0", "d1", "inventory"}
    assert main(["cleanup", "--resume", "journal.jsonl", "--auto-approve"]) == ExitCode.DONE


def test_saved_plan_can_be_applied_with_a_newer_report(furnished, local_s3):
    url = report_of(furnished).deliver(furnished)
    options = [*furnished.options(), "--match", r"d\d", "--keep-count", "2", "--inventory", url]
    assert main(["plan-cleanup", *options, "--plan-file", "plan.json"]) == ExitCode.DONE
    for key in [key for key in furnished.content() if key.startswith(FOLDER)]:
        furnished.remove(key)
    reports = local_s3.new_bucket()
    newer = report_of(furnished, destination=reports.name).deliver(reports)
    words = ["cleanup", "--plan-file", "plan.json", "--auto-approve"]
    assert main(words) == ExitCode.ACCESS
    assert main([*words, "--inventory", newer]) == ExitCode.DONE
    assert furnished.folders() == {"d0", "d1"}
