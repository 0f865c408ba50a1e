"""A plan with an inventory report, and its apply, against a real S3 server."""

import json
from types import SimpleNamespace

from tests.support.s3.inventory_reports import FOLDER, InventoryReport, row, to_csv, to_parquet
from tests.system.real_s3.conftest import NAMES


def deliver(seaweedfs, write, file_format):
    """Write an inventory report on one bucket into another bucket; return the number of objects."""
    listed = seaweedfs.client.list_objects_v2(Bucket="reported")["Contents"]
    rows = [
        row(
            entry["Key"],
            size=entry["Size"],
            bucket="reported",
            LastModifiedDate=entry["LastModified"],
        )
        for entry in listed
    ]

    def put(key, *, body):
        seaweedfs.client.put_object(Bucket="reports", Key=key, Body=body)

    InventoryReport(
        files=[write(rows[::2]), write(rows[1::2])],
        source="reported",
        destination="reports",
        file_format=file_format,
    ).deliver(SimpleNamespace(put=put))
    return sum("/" in row["Key"] for row in rows)


def run_plan(ci3, *options):
    code, out, err = ci3("plan-cleanup", "--bucket", "reported", "--output", "json", *options)
    assert code == 0, err
    return {
        entry["name"]: (
            entry["object_count"],
            entry["size_bytes"],
            entry["complete"],
            entry["decision"],
        )
        for entry in json.loads(out)["deployments"]
    }


def test_plan_by_report_equals_the_plan_by_listing_and_is_applied(ci3, seaweedfs):
    by_report = ("--inventory", f"s3://reports/{FOLDER}")
    for write, file_format in ((to_csv, "CSV"), (to_parquet, "Parquet")):
        count = deliver(seaweedfs, write, file_format)
        for keep_count in ("9", "3"):
            rule = ("--keep-count", keep_count)
            plan_by_report = run_plan(ci3, *rule, *by_report)
            assert plan_by_report == run_plan(ci3, *rule)
            assert sum(object_count for object_count, *_ in plan_by_report.values()) == count

    code, _, err = ci3(
        "cleanup", "--bucket", "reported", "--keep-count", "3", "--auto-approve", *by_report
    )
    assert code == 0, err
    assert seaweedfs.content("reported") == {
        key: body for content in NAMES[1:] for key, body in content.items()
    } | {key: body for key, body in NAMES[0].items() if not key.startswith("a/")}
