"""`engine: lifecycle` in a workflow: summary, comment and outputs count nothing as deleted."""

import re

import pytest

from ci3.errors import ExitCode, begin_sentence
from tests.support.action_reports import comment_of, headline, lines_after_groups, without_tables
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, Request

BY_S3 = {"mode": "apply", "keep_count": "4", "engine": "lifecycle"}


@pytest.fixture
def bucket(site: Bucket, proxy: FaultProxy) -> Bucket:
    """Six deployments, two of them to delete, on an S3 server that confirms lifecycle rules."""

    def confirm(request: Request) -> None:
        if request.method != "PUT" or not request.target.endswith("?lifecycle"):
            return
        rules = re.findall("<ID>(ci3/.*?)</ID>.*?<Prefix>(.*?)</Prefix>", request.body.decode())
        for rule_id, prefix in rules:
            header = f'expiry-date="Fri, 01 Jan 2027 00:00:00 GMT", rule-id="{rule_id}"'
            proxy.answer("HEAD", f"/{prefix}", headers={"x-amz-expiration": header})

    proxy.on_request = confirm
    return site


def test_summary_comment_and_outputs_report_that_s3_deletes_later(act, bucket, github) -> None:
    run = act(**BY_S3)
    assert run.exit_code == 0
    assert run.outputs["outcome"] == "applied"
    assert run.outputs["deployments-expiring"] == "2"
    assert run.outputs["deployments-deleted"] == "0"
    assert (run.outputs["objects-deleted"], run.outputs["bytes-deleted"]) == ("0", "0")
    assert headline(comment_of(github)) == headline(run.summary)
    for text in (run.summary, comment_of(github)):
        assert "7 days" in text
        assert "`ci3 restore" in text
    assert len(bucket.keys()) == 6 * 3 + 1


def test_plan_reports_rules_to_remove_and_apply_removes_them(
    act, bucket, github, assert_screen
) -> None:
    act(**BY_S3)
    bucket.deploy("site-1", days=0)
    plan = act(**BY_S3 | {"mode": "plan", "keep_count": "5"})
    (warning,) = plan.annotations("warning")
    assert begin_sentence(warning) in plan.summary
    assert_screen(warning, "plan")
    rules = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert len(rules) == 2

    run = act(**BY_S3 | {"keep_count": "5"})

    assert run.exit_code == 0
    assert begin_sentence(warning) not in run.summary
    assert_screen(without_tables(run.summary), "apply")
    assert not run.annotations("warning")
    (rule,) = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert rule["ID"].startswith("ci3/site-2/")


def test_error_of_an_apply_names_the_rules_that_were_removed(
    act, bucket, proxy, assert_screen
) -> None:
    bucket.put("current", body=b"site-5")
    settings = BY_S3 | {"live_from": "object:current"}
    assert act(**settings).exit_code == 0
    bucket.deploy("site-0", days=60)
    proxy.call_before("GET", "/current", lambda: bucket.remove("current"), nth=3)

    run = act(**settings)

    assert run.exit_code == ExitCode.REFUSED
    assert_screen(run.summary, "summary")
    assert_screen("\n".join(run.annotations("error")), "annotations")


def test_rule_of_a_deployment_that_goes_live_during_the_run_is_removed(
    act, bucket, proxy, assert_screen
) -> None:
    bucket.put("current", body=b"site-5")
    settings = BY_S3 | {"live_from": "object:current"}
    assert act(**settings).exit_code == 0
    # The plan reads the rules and the live source; at the end both are read again.
    proxy.call_before("GET", r"\?lifecycle", lambda: bucket.put("current", body=b"site-1"), nth=2)

    run = act(**settings)

    assert run.exit_code == 0
    assert run.outputs["deployments-expiring"] == "1"
    assert_screen(without_tables(run.summary), "summary")
    assert_screen(lines_after_groups(run.log), "log")
    (rule,) = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert rule["ID"].startswith("ci3/site-2/")


def test_restore_removes_the_rules(act, bucket, assert_screen) -> None:
    journal = act(**BY_S3).outputs["journal-file"]
    run = act(mode="restore", journal_file=journal)
    assert run.exit_code == 0
    assert_screen(without_tables(run.summary))
    assert bucket.proxy.find_requests("DELETE", r"\?lifecycle")


def test_rejected_rules_fail_the_step_and_are_reported(act, bucket, proxy, assert_screen) -> None:
    proxy.answer("PUT", r"\?lifecycle", status=403)
    run = act(**BY_S3)
    assert run.exit_code == 3
    assert run.outputs["outcome"] == "partial"
    assert run.outputs["deployments-expiring"] == "0"
    assert_screen("\n".join(run.annotations("error")))
