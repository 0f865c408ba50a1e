"""A plan with an inventory report, and its apply, against a real S3 server."""

import json
from types import SimpleNamespace

from tests.support.s3.inventory_reports import FOLDER, InventoryReport, row, to_csv, to_parquet
from tests.system.real_s3.conftest import NAMES


def deliver(seaweedfs, write, file_format):
    """Report on what is in the bucket, into another one."""
    listed = seaweedfs.client.list_objects_v2(Bucket="reported")["Contents"]
    rows = [
        row(one["Key"], size=one["Size"], bucket="reported", LastModifiedDate=one["LastModified"])
        for one in listed
    ]

    def put(key, *, body):
        seaweedfs.client.put_object(Bucket="reports", Key=key, Body=body)

    InventoryReport(
        files=[write(rows[::2]), write(rows[1::2])],
        source="reported",
        destination="reports",
        file_format=file_format,
    ).deliver(SimpleNamespace(put=put))
    return sum("/" in one["Key"] for one in rows)


def plan(ci3, *options):
    code, out, err = ci3("plan-cleanup", "--bucket", "reported", "--output", "json", *options)
    assert code == 0, err
    return {
        one["name"]: (one["object_count"], one["size_bytes"], one["complete"], one["decision"])
        for one in json.loads(out)["deployments"]
    }


def test_plan_by_report_is_the_plan_by_listing_and_is_applied(ci3, seaweedfs):
    by_report = ("--inventory", f"s3://reports/{FOLDER}")
    for write, file_format in ((to_csv, "CSV"), (to_parquet, "Parquet")):
        count = deliver(seaweedfs, write, file_format)
        for keep_count in ("9", "3"):
            rule = ("--keep-count", keep_count)
            found = plan(ci3, *rule, *by_report)
            assert found == plan(ci3, *rule)
            assert sum(one[0] for one in found.values()) == count

    code, _, err = ci3(
        "cleanup", "--bucket", "reported", "--keep-count", "3", "--auto-approve", *by_report
    )
    assert code == 0, err
    left = seaweedfs.content("reported")
    assert left == {key: body for one in NAMES[1:] for key, body in one.items()} | {
        key: body for key, body in NAMES[0].items() if not key.startswith("a/")
    }
