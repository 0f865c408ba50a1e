"""A run with several targets: one plan, refusal, apply and report."""

import json
from pathlib import Path

import pytest

from ci3.aws.bucket import BucketReader
from ci3.cli.main import main
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.local_s3 import LocalS3

NAMES = {f"d{days}" for days in range(4)}


def deploy_all(bucket: Bucket) -> Bucket:
    for days in range(4):
        bucket.deploy(f"d{days}", days=10 * days + 1)
    return bucket


@pytest.fixture
def first(site: Bucket) -> Bucket:
    return deploy_all(site)


@pytest.fixture
def second(local_s3: LocalS3, proxy: FaultProxy) -> Bucket:
    bucket = deploy_all(local_s3.new_bucket())
    bucket.endpoint_url = proxy.url
    return bucket


def write_policy(*targets: str, defaults: str = "keep-count: 2") -> list[str]:
    """Write a policy file; return the options that name it."""
    items = "\n".join(f"  - {target.replace(chr(10), chr(10) + '    ')}" for target in targets)
    text = f"defaults:\n  {defaults}\ntargets:\n{items}\n"
    Path("policy.yml").write_text(text, encoding="utf-8")
    return ["--policy-file", "policy.yml"]


@pytest.fixture
def target_options(first: Bucket, second: Bucket, proxy: FaultProxy) -> list[str]:
    options = write_policy(f"bucket: {first.name}", f"bucket: {second.name}\nkeep-count: 3")
    return [*options, "--endpoint-url", proxy.url]


def test_each_target_is_decided_by_its_own_rules(
    target_options, first, second, capsys, assert_screen
):
    assert main(["cleanup", *target_options, "--auto-approve"]) == 0

    assert first.folders() == {"d0", "d1"}
    assert second.folders() == {"d0", "d1", "d2"}
    assert_screen(capsys.readouterr().out)


def test_plans_of_all_targets_are_in_one_file(target_options, capsys):
    argv = ["plan-cleanup", *target_options, "--output", "json", "--plan-file", "plan.json"]
    assert main(argv) == 0

    written = Path("plan.json").read_text(encoding="utf-8")
    assert written == capsys.readouterr().out
    assert [plan["totals"]["delete"] for plan in json.loads(written)["plans"]] == [2, 1]


def test_refusal_of_one_target_keeps_all_targets(first, second, proxy, capsys, assert_screen):
    options = write_policy(f"bucket: {first.name}", f"bucket: {second.name}\nmax-delete: 1")

    argv = ["cleanup", *options, "--endpoint-url", proxy.url, "--auto-approve"]
    assert main(argv) == 4

    assert first.folders() == second.folders() == NAMES
    assert proxy.deletions == []
    assert_screen(capsys.readouterr().err)
    assert not list(Path().glob("*.jsonl"))


def test_target_that_cannot_be_listed_keeps_all_targets(first, second, proxy):
    options = write_policy(f"bucket: {first.name}", "bucket: not-there")

    argv = ["cleanup", *options, "--endpoint-url", proxy.url, "--auto-approve"]
    assert main(argv) == 6

    assert first.folders() == NAMES
    assert proxy.deletions == []


def test_run_that_stops_in_one_target_does_not_start_the_next(
    target_options, first, second, proxy, capsys
):
    expired = "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>"
    proxy.answer("POST", f"/{first.name}.*delete", expired, status=400)

    assert main(["cleanup", *target_options, "--auto-approve", "--output", "json"]) == 3

    result = json.loads(capsys.readouterr().out)
    assert (result["outcome"], result["deployments-deleted"]) == ("partial", 0)
    assert [target["outcome"] for target in result["targets"]] == ["partial", "partial"]
    assert first.folders() == second.folders() == NAMES
    assert [request for request in proxy.deletions if second.name in request.target] == []


def test_deletions_are_reported_if_the_journal_of_a_later_target_cannot_be_created(
    target_options, first, second, capsys, assert_screen
):
    journal = Path("journal-2.jsonl")
    first.proxy.call_before("POST", "delete", lambda: journal.write_text("older", encoding="utf-8"))

    argv = ["cleanup", *target_options, "--journal-file", "journal.jsonl", "--auto-approve"]
    assert main(argv) == 3

    assert first.folders() == {"d0", "d1"}
    assert second.folders() == NAMES
    assert_screen(capsys.readouterr().out)
    assert journal.read_text(encoding="utf-8") == "older"


def test_existing_journal_of_a_later_target_is_an_error_before_the_plans(
    target_options, first, second, capsys
):
    Path("journal-2.jsonl").touch()

    argv = ["cleanup", *target_options, "--journal-file", "journal.jsonl", "--auto-approve"]
    assert main(argv) == 2

    assert first.folders() == second.folders() == NAMES
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "journal-2.jsonl" in captured.err


def test_total_of_targets_has_the_skipped_deployments(target_options, first, capsys, assert_screen):
    assert main(["plan-cleanup", *target_options, "--plan-file", "plan.json"]) == 0
    first.put("d2/more", days=1)
    capsys.readouterr()

    saved_plan = ["--plan-file", "plan.json", "--skip-changed"]
    assert main(["cleanup", *target_options, *saved_plan, "--auto-approve"]) == 0
    assert_screen(capsys.readouterr().out)


def test_each_target_has_a_separate_journal(target_options, first, second, capsys):
    argv = ["cleanup", *target_options, "--journal-file", "journal.jsonl", "--auto-approve"]
    assert main([*argv, "--output", "json"]) == 0

    assert json.loads(capsys.readouterr().out)["journal-file"] == "journal-1.jsonl\njournal-2.jsonl"
    for number, bucket in enumerate((first, second), 1):
        header = json.loads(Path(f"journal-{number}.jsonl").read_text().splitlines()[0])
        assert header["target"]["bucket"] == bucket.name


def test_targets_are_listed_with_their_urls(target_options, first, second, capsys):
    assert main(["list-deployments", *target_options, "--output", "json"]) == 0
    targets = json.loads(capsys.readouterr().out)["targets"]
    assert [target["url"] for target in targets] == [f"s3://{first.name}/", f"s3://{second.name}/"]
    assert {deployment["name"] for deployment in targets[1]["deployments"]} == NAMES

    assert main(["list-deployments", *target_options]) == 0
    assert f"s3://{second.name}/\nDeployment" in capsys.readouterr().out


def test_deployment_is_found_in_whichever_target_has_it(target_options, second, capsys):
    second.deploy("elsewhere", days=100)

    assert main(["list-objects", "elsewhere", *target_options]) == 0
    assert "elsewhere/file-00000" in capsys.readouterr().out
    assert main(["explain", "elsewhere", *target_options, "--output", "json"]) == 0
    (explanation,) = json.loads(capsys.readouterr().out)["targets"]
    assert (explanation["name"], explanation["decision"]) == ("elsewhere", "delete")
    assert main(["explain", "nowhere", *target_options]) == 2


def test_both_targets_are_replayed(target_options, first, second, capsys):
    assert main(["simulate", *target_options, "--output", "json"]) == 0
    targets = json.loads(capsys.readouterr().out)["targets"]
    assert [target["url"] for target in targets] == [f"s3://{first.name}/", f"s3://{second.name}/"]


def test_deployment_that_goes_live_while_an_earlier_target_is_deleted_is_kept(
    first, second, proxy, capsys, assert_screen
):
    second.put("live.txt", body=b"d0")
    target = f"bucket: {second.name}\nlive-from: object:live.txt\nmatch: d."
    options = write_policy(f"bucket: {first.name}", target)
    proxy.call_before(
        "POST", f"/{first.name}.*delete", lambda: second.put("live.txt", body=b"d3"), nth=1
    )

    argv = ["cleanup", *options, "--endpoint-url", proxy.url, "--auto-approve"]
    assert main(argv) == 3

    assert first.folders() == {"d0", "d1"}
    assert second.folders() == {"d0", "d1", "d3"}
    assert_screen(capsys.readouterr().out)


def test_failed_live_source_of_a_later_target_keeps_that_target_and_is_reported(
    first, second, proxy, capsys
):
    second.put("live.txt", body=b"d0")
    target = f"bucket: {second.name}\nlive-from: object:live.txt\nmatch: d."
    options = write_policy(f"bucket: {first.name}", target)
    proxy.call_before("POST", f"/{first.name}.*delete", lambda: second.remove("live.txt"), nth=1)

    argv = ["cleanup", *options, "--endpoint-url", proxy.url, "--auto-approve"]
    assert main([*argv, "--output", "json"]) == 3

    assert second.folders() == NAMES
    result = json.loads(capsys.readouterr().out)
    assert [target["deployments-deleted"] for target in result["targets"]] == [2, 0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_deletions_of_an_earlier_target_are_reported_if_a_later_one_fails(  # noqa: PLR0917
    target_options, first, second, monkeypatch, capsys, error
):
    original_open_writer = BucketReader.open_writer

    def open_writer(reader):
        if reader.bucket == second.name:
            raise error
        return original_open_writer(reader)

    monkeypatch.setattr(BucketReader, "open_writer", open_writer)

    assert main(["cleanup", *target_options, "--auto-approve", "--output", "json"]) == 3

    result = json.loads(capsys.readouterr().out)
    assert [target["deployments-deleted"] for target in result["targets"]] == [2, 0]
    assert (first.folders(), second.folders()) == ({"d0", "d1"}, NAMES)


def test_target_within_a_deployment_of_another_is_detected_by_the_effective_endpoint(
    first, proxy, monkeypatch, capsys, assert_screen
):
    for days in range(3):
        first.deploy(f"staging/d{days}", days=99 + days)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    inner = f"bucket: {first.name}\nprefix: staging\nendpoint-url: {proxy.url}"
    options = write_policy(f"bucket: {first.name}", inner)

    assert main(["cleanup", *options, "--auto-approve"]) == 2

    assert_screen(capsys.readouterr().err)
    assert first.folders() == {*NAMES, "staging"}


def test_deployment_of_one_name_in_two_targets_is_explained_in_both(
    target_options, first, second, capsys, assert_screen
):
    assert main(["explain", "d2", *target_options]) == 0

    assert_screen(capsys.readouterr().out)
