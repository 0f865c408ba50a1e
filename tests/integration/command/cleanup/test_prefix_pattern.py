"""Prefix patterns on the command line: saved plans, journals, and the commands that only read."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.apps import MATCH, PATTERN, commit, deploy_app, list_deployments
from tests.support.crash import small_batches
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

APPS = ("blog", "docs", "shop")
NEWEST_OF_EACH = [{0}, {0}, {0}]
DELETE = r"\?delete"


@pytest.fixture
def apps(site: Bucket) -> Bucket:
    for app in APPS:
        deploy_app(site, app)
    return site


def run_command(bucket: Bucket, command: str, *options: str, pattern: str = PATTERN) -> int:
    target_options = [*bucket.options(), "--prefix", pattern, "--match", MATCH]
    return main([command, *target_options, *options])


def clean_up(bucket: Bucket, *options: str, pattern: str = PATTERN) -> int:
    settings = ("--keep-count", "1", "--journal-file", "ci3.jsonl", "--auto-approve")
    return run_command(bucket, "cleanup", *settings, *options, pattern=pattern)


def save_plan(bucket: Bucket) -> None:
    options = ("--keep-count", "1", "--plan-file", "plan.json")
    assert run_command(bucket, "plan-cleanup", *options) == 0


def list_remaining(bucket: Bucket) -> list[set[int]]:
    return [list_deployments(bucket, app) for app in APPS]


def test_each_app_is_cleaned_up_with_a_separate_journal(apps: Bucket) -> None:
    assert clean_up(apps) == 0
    assert list_remaining(apps) == NEWEST_OF_EACH
    assert {path.name for path in Path().glob("*.jsonl")} == {f"ci3-{app}.jsonl" for app in APPS}


def test_journals_of_folders_with_similar_names_differ(apps: Bucket) -> None:
    for app in ("Shop", "shop+1", "shop-1", "shop 1"):
        deploy_app(apps, app)
    assert clean_up(apps) == 0
    assert len(list(Path().glob("ci3-*.jsonl"))) == len(APPS) + 4


def test_default_journal_has_the_folder_in_its_name(apps: Bucket) -> None:
    assert run_command(apps, "cleanup", "--keep-count", "1", "--auto-approve") == 0
    assert len(list(Path().glob("ci3-journal-*-shop.jsonl"))) == 1


@pytest.mark.parametrize("pattern", [PATTERN, ""])
def test_saved_plan_is_applied_to_its_targets_and_to_no_later_one(
    apps: Bucket, pattern: str
) -> None:
    save_plan(apps)
    deploy_app(apps, "wiki")
    options = ["--prefix", pattern] if pattern else []
    saved = ["--plan-file", "plan.json", "--auto-approve"]
    assert main(["cleanup", *apps.options(), *options, *saved]) == 0
    assert list_remaining(apps) == NEWEST_OF_EACH
    assert list_deployments(apps, "wiki") == {0, 1, 2}
    journals = {path.name.rpartition("-")[2] for path in Path().glob("*.jsonl")}
    assert journals == {f"{app}.jsonl" for app in APPS}


@pytest.mark.parametrize("pattern", ["apps/*/staging/", "apps/s*/production/", "apps/shop/*/"])
def test_saved_plan_for_other_targets_is_refused(apps: Bucket, pattern: str) -> None:
    save_plan(apps)
    before = apps.content()
    assert clean_up(apps, "--plan-file", "plan.json", pattern=pattern) == 2
    assert apps.content() == before


def test_target_that_was_deleted_since_the_plan_is_skipped(apps: Bucket) -> None:
    save_plan(apps)
    for key in [key for key in apps.content() if key.startswith("apps/docs/")]:
        apps.remove(key)
    assert clean_up(apps, "--plan-file", "plan.json", "--skip-changed") == 0
    assert list_remaining(apps) == [{0}, set(), {0}]


def test_saved_plan_of_a_policy_file_with_a_pattern_and_a_plain_target(apps: Bucket) -> None:
    apps.deploy("site/new", days=1)
    apps.deploy("site/old", days=2)
    lines = [
        f"defaults: {{bucket: {apps.name}, keep-count: 1, journal-file: ci3.jsonl}}",
        "targets:",
        "- prefix: site",
        "  match: new|old",
        f"- prefix: {PATTERN}",
        f"  match: '{MATCH}'",
    ]
    Path("policy.yml").write_text("\n".join(lines), encoding="utf-8")
    options = ["--policy-file", "policy.yml", "--endpoint-url", apps.endpoint_url]
    assert main(["plan-cleanup", *options, "--plan-file", "plan.json"]) == 0
    assert len(json.loads(Path("plan.json").read_text(encoding="utf-8"))["plans"]) == 4
    deploy_app(apps, "wiki")
    assert main(["cleanup", *options, "--plan-file", "plan.json", "--auto-approve"]) == 0
    assert list_remaining(apps) == NEWEST_OF_EACH
    assert not any(key.startswith("site/old/") for key in apps.content())
    assert list_deployments(apps, "wiki") == {0, 1, 2}
    names = {path.name for path in Path().glob("*.jsonl")}
    assert names == {"ci3-1.jsonl", *(f"ci3-2-{app}.jsonl" for app in APPS)}


def test_saved_plan_without_a_plain_target_of_the_policy_file_is_refused(apps: Bucket) -> None:
    lines = [f"defaults: {{bucket: {apps.name}, match: '{MATCH}', keep-count: 1}}", "targets:"]
    pattern, plain = f"- prefix: {PATTERN}", "- prefix: site"
    options = ["--policy-file", "policy.yml", "--endpoint-url", apps.endpoint_url]
    Path("policy.yml").write_text("\n".join([*lines, pattern]), encoding="utf-8")
    assert main(["plan-cleanup", *options, "--plan-file", "plan.json"]) == 0
    Path("policy.yml").write_text("\n".join([*lines, pattern, plain]), encoding="utf-8")
    before = apps.content()
    assert main(["cleanup", *options, "--plan-file", "plan.json", "--auto-approve"]) == 2
    assert apps.content() == before


@pytest.mark.parametrize("command", [["plan-cleanup"], ["cleanup", "--auto-approve"]])
def test_lifecycle_rules_in_another_target_are_refused_before_any_request(
    apps: Bucket, proxy: FaultProxy, command: list[str]
) -> None:
    lines = [
        f"defaults: {{bucket: {apps.name}, match: '{MATCH}', keep-count: 1}}",
        "targets:",
        f"- prefix: {PATTERN}",
        "- {prefix: site, engine: lifecycle}",
    ]
    Path("policy.yml").write_text("\n".join(lines), encoding="utf-8")
    options = ["--policy-file", "policy.yml", "--endpoint-url", proxy.url]
    assert main([*command, *options]) == 2
    assert not proxy.requests


@pytest.mark.parametrize(
    ("folder", "exit_code"), [(PATTERN, 0), ("apps/shop/production/", 2), ("apps/*/staging/", 2)]
)
@pytest.mark.parametrize("is_saved", [True, False])
def test_journal_folder_may_be_written_with_the_pattern(
    apps: Bucket, folder: str, exit_code: int, *, is_saved: bool
) -> None:
    if is_saved:
        save_plan(apps)
    plan = ["--plan-file", "plan.json"] if is_saved else []
    journal = f"s3://{apps.name}/{folder}.ci3/journals/"
    assert clean_up(apps, "--journal-file", journal, *plan) == exit_code
    assert list_remaining(apps) == (NEWEST_OF_EACH if exit_code == 0 else [{0, 1, 2}] * 3)
    stored = {key.partition(".ci3/")[0] for key in apps.content() if ".ci3/" in key}
    assert len(stored) == (3 if exit_code == 0 else 0)


@pytest.mark.parametrize("journal", ["ci3.jsonl", "s3://"])
def test_one_app_is_restored_from_its_journal(apps: Bucket, journal: str) -> None:
    apps.enable_versioning()
    for app in APPS:
        deploy_app(apps, app)
    assert clean_up(apps, "--journal-file", journal) == 0
    name, options = "ci3-docs.jsonl", []
    if journal == "s3://":
        prefix = "apps/docs/production/.ci3/journals/"
        keys = sorted(key for key in apps.content() if key.startswith(prefix))
        run_id = next(key.split("/")[5] for key in keys if key.count("/") > prefix.count("/"))
        name = f"s3://{apps.name}/{prefix}{run_id}/"
        options = ["--endpoint-url", apps.endpoint_url]
    assert main(["restore", name, *options, "--auto-approve"]) == 0
    assert list_remaining(apps) == [{0}, {0, 1, 2}, {0}]


@pytest.mark.parametrize("options", [[], ["--prefix", PATTERN]])
def test_one_app_is_resumed_with_a_protected_name_of_another(
    apps: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    small_batches(monkeypatch)
    deploy_app(apps, "docs", count=6)
    pattern = r"\?delete"
    proxy.answer("POST", pattern, status=403, body=error("ExpiredToken"), nth=3)
    protect = ("--protect", commit("shop", 2))
    assert clean_up(apps, *protect) == 3
    proxy.forget_rules()
    remaining = list_remaining(apps)
    assert remaining[0] == {0}
    assert {0} < remaining[1] < {0, 1, 2, 3, 4, 5}
    argv = ["--resume", "ci3-docs.jsonl", "--auto-approve", "--endpoint-url", proxy.url]
    assert main(["cleanup", *argv, *options]) == 0
    assert list_remaining(apps) == [{0}, {0}, {0, 1, 2}]


def test_resume_refuses_a_name_that_is_in_no_target_any_more(
    apps: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    deploy_app(apps, "docs", count=6)
    proxy.answer("POST", DELETE, status=403, body=error("ExpiredToken"), nth=3)
    assert clean_up(apps, "--protect", commit("shop", 2)) == 3
    proxy.forget_rules()
    apps.remove(f"apps/shop/production/{commit('shop', 2)}/file-00000")
    before = apps.content()
    argv = ["--resume", "ci3-docs.jsonl", "--auto-approve", "--endpoint-url", proxy.url]
    assert main(["cleanup", *argv]) == 4
    assert apps.content() == before


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (["list-deployments"], 3),
        (["simulate"], 3),
        (["doctor"], 3),
        (["explain", commit("docs", 1)], 1),
        (["list-objects", commit("docs", 1)], 1),
    ],
)
def test_commands_that_read_work_on_each_target(
    apps: Bucket, capsys: pytest.CaptureFixture[str], command: list[str], count: int
) -> None:
    assert run_command(apps, *command, "--output", "json") == 0
    assert len(json.loads(capsys.readouterr().out)["targets"]) == count


def test_simulation_is_compared_with_a_policy_of_the_same_pattern(
    apps: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"keep-count: 2\nmatch: '{MATCH}'\nlive-from: object:live/{{folder}}\n"
    Path("other.yml").write_text(text, encoding="utf-8")
    options = ["--against", "other.yml", "--output", "json"]
    assert run_command(apps, "simulate", *options) == 0
    assert len(json.loads(capsys.readouterr().out)["targets"]) == 3


def test_saved_plan_is_applied_with_few_requests(apps: Bucket, proxy: FaultProxy) -> None:
    save_plan(apps)
    proxy.requests.clear()
    assert clean_up(apps, "--plan-file", "plan.json") == 0
    # At the start, and for the newer plans.
    assert len(proxy.find_requests("GET", r"\?lifecycle")) == 2
    folders = r"(?=.*prefix=apps%2Fdocs%2Fproduction%2F(&|$))(?=.*delimiter)"
    # For the newer plan, and to check that what was deleted is absent.
    assert len(proxy.find_requests("GET", folders)) == 2


def test_restore_without_a_journal_is_for_one_target(apps: Bucket) -> None:
    options = [*apps.options(), "--prefix", PATTERN]
    assert main(["restore", "x", "--deleted-since", "2h", *options]) == 2
    assert main(["restore", "--run-id", "r1", *options]) == 2
