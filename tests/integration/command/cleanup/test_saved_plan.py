"""A saved plan that is applied later deletes only what it names and what has not changed."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.bucket import Bucket

ALL = {f"d{number}" for number in range(5)}
PLAN = ["--plan-file", "plan.json"]


@pytest.fixture
def site(site: Bucket) -> Bucket:
    """Five deployments ten days apart, `d0` the newest, and a file at the root."""
    for number in range(5):
        site.deploy(f"d{number}", days=10 * number + 1)
    site.put("index.html")
    return site


@pytest.fixture
def saved_plan(site: Bucket, capsys) -> dict:
    """Save a plan to keep two and delete `d2`, `d3` and `d4`; return its JSON."""
    assert main(["plan-cleanup", *site.options(), "--keep-count", "2", *PLAN]) == 0
    capsys.readouterr()
    return json.loads(Path("plan.json").read_text(encoding="utf-8"))


def apply(*options: str) -> int:
    return main(["cleanup", *PLAN, "--auto-approve", *options])


def edit_plan(change) -> None:
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    change(plan)
    Path("plan.json").write_text(json.dumps(plan), encoding="utf-8")


def test_saved_plan_is_applied_with_its_own_settings(site, saved_plan, capsys):
    assert apply("--output", "json") == 0

    assert site.folders() == {"d0", "d1"}
    result = json.loads(capsys.readouterr().out)
    assert (result["outcome"], result["plan-id"]) == ("applied", saved_plan["plan_id"])
    header = json.loads(Path(result["journal-file"]).read_text().splitlines()[0])
    assert header["plan_id"] == saved_plan["plan_id"]


def test_apply_does_not_change_the_plan_file(site, saved_plan):
    before = Path("plan.json").read_bytes()
    assert apply() == 0
    assert Path("plan.json").read_bytes() == before


def test_deployment_that_only_a_new_plan_would_delete_is_kept(site, saved_plan):
    site.deploy("d9", days=0)

    assert apply() == 0

    assert site.folders() == {"d9", "d0", "d1"}


@pytest.mark.parametrize(
    "change",
    [
        lambda site: site.put("d3/more", days=31),
        lambda site: site.put("d3/file-00000", days=30),
        lambda site: site.remove("d3/file-00000"),
        lambda site: site.put("d3/file-00000", days=0, body=b"other"),
    ],
    ids=["object added", "same bytes again", "object gone", "other bytes"],
)
def test_change_after_the_plan_is_reported_and_nothing_is_deleted(  # noqa: PLR0917 - fixtures
    site, saved_plan, proxy, capsys, assert_screen, change
):
    change(site)

    assert apply() == 5

    assert site.folders() == {"d0", "d1", "d2", "d3", "d4"}
    assert proxy.deletions == []
    assert_screen(capsys.readouterr().out, is_shared=True)
    assert not list(Path().glob("*.jsonl"))


def test_unchanged_deployments_are_deleted_if_changed_ones_are_skipped(
    site, saved_plan, capsys, assert_screen
):
    site.put("d3/more", days=31)

    assert apply("--skip-changed") == 0

    assert site.folders() == {"d0", "d1", "d3"}
    assert_screen(capsys.readouterr().out)


@pytest.mark.parametrize("options", [(), ("--skip-changed",)])
def test_deployment_that_was_deleted_since_the_plan_is_ignored(site, saved_plan, options):
    for key in [key for key in site.keys() if key.startswith("d3/")]:  # noqa: SIM118
        site.remove(key)

    assert apply(*options) == 0

    assert site.folders() == {"d0", "d1"}


def test_folder_that_is_no_deployment_any_more_is_not_reported_as_deleted(
    site, saved_plan, capsys, assert_screen
):
    assert apply("--match", "d[0124]") == 5

    assert site.folders() == {"d0", "d1", "d2", "d3", "d4"}
    assert_screen(capsys.readouterr().out)


@pytest.mark.parametrize("live_name", ["d9", "d0"])
def test_live_source_may_name_a_deployment_that_is_newer_than_the_plan(site, capsys, live_name):
    site.put("current", body=b"d0")
    argv = [*site.options(), "--keep-count", "2", "--live-from", "object:current", *PLAN]
    assert main(["plan-cleanup", *argv]) == 0
    site.deploy("d9", days=0)
    site.put("current", body=live_name.encode())

    assert apply() == 0

    assert site.folders() == {"d9", "d0", "d1"}


def test_live_source_that_names_no_deployment_refuses(site, capsys):
    site.put("current", body=b"d0")
    argv = [*site.options(), "--keep-count", "2", "--live-from", "object:current", *PLAN]
    assert main(["plan-cleanup", *argv]) == 0
    site.put("current", body=b"elsewhere")

    assert apply() == 4

    assert site.folders() == {"d0", "d1", "d2", "d3", "d4"}


@pytest.mark.parametrize(
    "options",
    [
        ("--protect", "d3"),
        ("--keep-count", "4"),
        ("--keep-within", "30d"),
        ("--live-from", "object:index.html"),
    ],
    ids=lambda options: options[0],
)
def test_plan_is_stale_if_new_settings_keep_a_deployment(
    site, saved_plan, capsys, assert_screen, options
):
    site.put("index.html", body=b"d3")

    assert apply(*options) == 5

    assert site.folders() == ALL
    assert_screen(capsys.readouterr().out)


def test_new_settings_cannot_delete_more_than_the_plan(site, saved_plan):
    assert apply("--keep-count", "1") == 0
    assert site.folders() == {"d0", "d1"}


def test_plan_is_not_applied_without_a_terminal_or_approval(
    site, saved_plan, capsys, assert_screen
):
    assert main(["cleanup", *PLAN]) == 4
    assert site.folders() == ALL
    assert_screen(capsys.readouterr().err)


def set_other_bucket(plan):
    plan["target"]["bucket"] = "elsewhere"


def delete_first_deployment(plan):
    plan["deployments"][0]["decision"] = "delete"


@pytest.mark.parametrize(
    "change",
    [
        delete_first_deployment,
        set_other_bucket,
        lambda plan: plan.update(format="ci3-plan/3"),
        lambda plan: plan.update(surprise=1),
        lambda plan: plan.clear(),
    ],
    ids=["decision", "bucket", "format", "unknown key", "empty"],
)
def test_edited_or_invalid_plan_is_refused(site, saved_plan, capsys, assert_screen, change):
    edit_plan(change)

    assert apply() == 2

    assert site.folders() == ALL
    assert_screen(capsys.readouterr().err)


@pytest.mark.parametrize(
    "content",
    [None, b"\xff", b"[" * 99_999, b""],
    ids=["missing", "not UTF-8", "nested", "empty"],
)
def test_missing_or_unreadable_plan_file_is_refused(site, capsys, assert_screen, content):
    if content is not None:
        Path("plan.json").write_bytes(content)

    assert apply(*site.options()) == 2

    assert site.folders() == ALL
    assert_screen(capsys.readouterr().err)


@pytest.mark.parametrize(
    "options", [("--bucket-name", "elsewhere"), ("--prefix", "d1")], ids=lambda options: options[0]
)
def test_plan_for_another_target_is_refused(site, saved_plan, capsys, assert_screen, options):
    assert apply(*options) == 2

    assert_screen(capsys.readouterr().err)
    assert site.folders() == ALL


def test_plan_for_another_endpoint_is_refused(site, saved_plan, s3_url, capsys, assert_screen):
    assert apply("--endpoint-url", s3_url) == 4

    assert_screen(capsys.readouterr().err)
    assert site.folders() == ALL


def test_plan_made_before_versioning_was_enabled_is_refused(
    site, saved_plan, capsys, assert_screen
):
    site.enable_versioning()

    assert apply() == 4

    assert_screen(capsys.readouterr().err)


def test_refused_plan_is_refused_again(site, capsys):
    rules = ["--keep-count", "2", "--max-delete", "1"]
    assert main(["plan-cleanup", *site.options(), *rules, *PLAN]) == 4

    assert apply() == 4
    assert apply("--max-delete", "5") == 4

    assert site.folders() == ALL


def test_new_limit_refuses(site, saved_plan):
    assert apply("--max-delete", "2") == 4
    assert site.folders() == ALL


def test_live_source_that_cannot_be_read_at_the_apply_refuses(site, capsys):
    site.put("live.txt", body=b"d4")
    rules = ["--keep-count", "2", "--live-from", "object:live.txt"]
    assert main(["plan-cleanup", *site.options(), *rules, *PLAN]) == 0
    site.remove("live.txt")

    assert apply() == 4

    assert site.folders() == ALL


def test_url_whose_query_was_not_saved_must_be_given_again(site, capsys, assert_screen):
    url = "url:http://127.0.0.1:9/live?key=s3cr3t"
    assert main(["plan-cleanup", *site.options(), "--live-from", url, *PLAN]) == 4
    capsys.readouterr()

    assert apply() == 2
    assert_screen(capsys.readouterr().err)
    assert apply("--live-from", url) == 4


def test_plans_of_several_targets_are_applied_and_stale_together(
    site, local_s3, proxy, capsys, assert_screen
):
    second_site = local_s3.new_bucket()
    for number in range(3):
        second_site.deploy(f"d{number}", days=10 * number + 1)
    text = (
        f"defaults:\n  keep-count: 2\n  endpoint-url: {proxy.url}\n"
        f"targets:\n  - bucket: {site.name}\n  - bucket: {second_site.name}\n"
    )
    Path("policy.yml").write_text(text, encoding="utf-8")
    assert main(["plan-cleanup", "--policy-file", "policy.yml", *PLAN]) == 0
    second_site.put("d2/more", days=21)
    capsys.readouterr()

    assert apply() == 5
    assert site.folders() == ALL
    assert_screen(capsys.readouterr().out)

    assert apply("--policy-file", "policy.yml", "--skip-changed") == 0
    assert site.folders() == {"d0", "d1"}
    assert second_site.folders() == {"d0", "d1", "d2"}
