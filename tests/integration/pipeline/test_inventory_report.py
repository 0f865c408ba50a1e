"""`inventory`: what a report is used for, what is listed all the same, and what is refused."""

import gzip
import itertools
import json
import random

import pytest

from ci3.cli.main import main
from ci3.core.model.issues import WarningCode
from ci3.core.plan.json_reader import load_plans
from ci3.core.plan.json_writer import dump_plan
from ci3.core.plan.plan import Plan
from ci3.engine.inventory import report_csv as report_rows
from ci3.engine.inventory.report_csv import CHUNK_BYTES
from ci3.errors import AccessError, Ci3Error, ExitCode, ListingError, RefusedError
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.inventory_reports import (
    ALL_VERSIONS,
    CURRENT,
    FOLDER,
    MANIFEST,
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


def refusal(site: Bucket, report: InventoryReport, **settings: str) -> Ci3Error:
    with pytest.raises(Ci3Error) as caught:
        plan_by(site, report.deliver(site), **settings)
    assert "Nothing was planned or deleted" in caught.value.hint
    return caught.value


@pytest.fixture
def furnished(site: Bucket) -> Bucket:
    """Six deployments of three files, `d0` the newest; with keep-count 2 four of them go."""
    for number in range(6):
        site.deploy(f"d{number}", days=10 * number + 1)
    return site


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


def test_deployment_made_after_the_report_is_listed_and_counts(furnished):
    url = report_of(furnished).deliver(furnished)
    furnished.deploy("d9", days=0)

    plan = plan_by(furnished, url)

    assert fates(plan)["d9"] == "keep"
    assert fates(plan)["d1"] == "delete"
    assert "d9" not in reported(plan)
    [note] = [one for one in plan.warnings if one.code is WarningCode.INVENTORY_REPORT]
    assert "20 hours ago" in note.message
    assert "1 that the report does not have" in note.message


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
    assert ("inventory/", "where inventory reports are") in [
        (one.name, one.reason) for one in plan.ignored
    ]


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


def test_folder_without_a_whole_report_is_an_error(furnished):
    furnished.put(f"{FOLDER}2026-11-25T01-00Z/manifest.json")
    with pytest.raises(AccessError, match="no report in it that was delivered whole"):
        plan_by(furnished, f"s3://{furnished.name}/{FOLDER}")


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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "other"}, "is a report of the bucket other"),
        ({"changed": {"destinationBucket": "arn:aws:s3:::other"}}, "are in the bucket other"),
        ({"file_format": "ORC"}, "in ORC, which ci3 does not read"),
        ({"columns": CURRENT[:3]}, "without LastModifiedDate"),
        ({"columns": CURRENT[:2]}, "without Size, LastModifiedDate"),
        (
            {"columns": (*ALL_VERSIONS[:3], "Size", "LastModifiedDate")},
            "without IsLatest, IsDeleteMarker",
        ),
    ],
)
def test_report_that_can_not_tell_is_refused_with_what_to_do(furnished, changes, told):
    error = refusal(furnished, report_of(furnished, **changes))
    assert isinstance(error, RefusedError)
    assert told in error.message


def test_report_of_another_prefix_is_refused(furnished):
    report = report_of(furnished, files=[to_csv([row("other/x", bucket=furnished.name)])])
    assert "has nothing under" in refusal(furnished, report).message


@pytest.mark.parametrize("missing", ["manifest.checksum", "data/file-1.csv", "manifest.json"])
def test_report_of_which_a_file_is_missing_is_an_error(furnished, missing):
    url = report_of(furnished).deliver(furnished)
    [key] = [key for key in furnished.content() if key.endswith(missing)]
    furnished.remove(key)
    with pytest.raises(AccessError, match="NoSuchKey") as caught:
        plan_by(furnished, url)
    if missing == "manifest.checksum":
        assert "may still be delivering it" in caught.value.hint


def test_manifest_that_does_not_fit_its_checksum_is_an_error(furnished):
    report = report_of(furnished)
    url = report.deliver(furnished)
    furnished.put(MANIFEST, body=report.manifest() + b" ")
    with pytest.raises(ListingError, match=r"not what its manifest\.checksum says"):
        plan_by(furnished, url)


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_file_that_is_not_what_the_manifest_says_is_an_error(furnished, form):
    write = to_csv if form == "CSV" else to_parquet
    rows = rows_of(furnished)
    report = report_of(furnished, files=[write(rows[:9]), write(rows[9:])], file_format=form)
    url = report.deliver(furnished)
    furnished.put(report.key_of(1), body=write([*rows[9:-1], {**rows[-1], "Size": 2}]))
    with pytest.raises(ListingError, match=r"its MD5 is another|bytes came"):
        plan_by(furnished, url)
    furnished.put(report.key_of(1), body=write(rows[9:])[:-1])
    with pytest.raises(ListingError, match="bytes came"):
        plan_by(furnished, url)


@pytest.mark.parametrize(
    "changed",
    [
        {"files": None},
        {"files": [{"key": "x", "size": -1, "MD5checksum": "0" * 32}]},
        {"files": [{"key": "x", "size": 1, "MD5checksum": "0"}]},
        {"creationTimestamp": "soon"},
        {"creationTimestamp": "9" * 30},
        {"fileFormat": "XML"},
        {"sourceBucket": 7},
    ],
)
def test_manifest_of_another_form_is_an_error(furnished, changed):
    error = refusal(furnished, report_of(furnished, changed=changed))
    assert isinstance(error, ListingError)
    assert "is no manifest of S3 Inventory" in error.message


LINE = b'"site","d0/x","1","2026-11-01T00:00:00.000Z","e"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LINE + b'"site","d0/x","1"\n', "row 2 has 3 fields"),
        (LINE + b"\n" + LINE, "row 2 has 0 fields"),
        (LINE.replace(b'"1"', b'"many"'), "a size is no number"),
        (LINE.replace(b'"1"', b'""'), "a size is no number"),
        (LINE.replace(b'"1"', b'"-1"'), "a size is below 0"),
        (LINE.replace(b"2026", b"once"), "a time can't be read"),
        (LINE.replace(b"2026", b"1999"), "a time can't be read"),
        (LINE.replace(b"00Z", b"00"), "a time can't be read"),
        (LINE.replace(b"site", b"other"), "rows of another bucket"),
        (LINE.replace(b"x", b"\xff"), "not UTF-8"),
        (LINE + b'"' + b"x" * 5_000_000, "a row is longer than any"),
        (LINE[:-1] + b'"e', "after row 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_row_that_can_not_be_read_is_an_error(furnished, text, told):
    files = [gzip.compress(text.replace(b"site", furnished.name.encode()))]
    error = refusal(furnished, report_of(furnished, files=files))
    assert isinstance(error, ListingError)
    assert told in error.message


@pytest.mark.parametrize("cut_at", range(1, 9))
def test_file_that_breaks_off_anywhere_is_an_error(furnished, cut_at):
    whole = to_csv(rows_of(furnished))
    files = [whole[: -len(whole) * cut_at // 9]]
    error = refusal(furnished, report_of(furnished, files=files))
    assert "it breaks off" in error.message


def test_file_that_is_no_gzip_is_an_error(furnished):
    assert "it is no gzip" in refusal(furnished, report_of(furnished, files=[LINE])).message


def test_file_of_several_gzip_members_is_read_to_its_end(furnished):
    rows = rows_of(furnished)
    report = report_of(furnished, files=[to_csv(rows[:7]) + to_csv(rows[7:])])
    plan = plan_by(furnished, report.deliver(furnished), keep_count="6")
    assert sum(one.deployment.object_count for one in plan.decisions) == len(rows)


def test_file_that_unpacks_without_end_is_an_error_in_little_memory():
    member = gzip.compress(b"\n" * 5 * CHUNK_BYTES)
    unpacked = report_rows._unpack(itertools.repeat(member), "here")
    with pytest.raises(ListingError, match="unpacks to over 400 times its size"):
        assert all(len(chunk) <= CHUNK_BYTES for chunk in unpacked)


def test_command_says_where_its_numbers_come_from(furnished, capsys):
    url = report_of(furnished).deliver(furnished)
    options = [*furnished.options(), "--match", r"d\d", "--keep-count", "2", "--protect", "d5"]
    assert main(["plan-cleanup", *options, "--inventory", url]) == ExitCode.DONE
    told = " ".join(capsys.readouterr().out.split())
    assert "what is said of 1 deployment is from the inventory report of 20" in told


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
