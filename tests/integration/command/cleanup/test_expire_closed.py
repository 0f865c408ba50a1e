"""`expire-closed` in commands: plans, recheck before a deletion, and wrong settings."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.github.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.support.plan_issues import deployment_reasons, warning_codes
from tests.support.s3.bucket import Bucket
from tests.support.s3.inventory_reports import report_of

NOW = datetime.now(UTC)
RULES = ("--keep-count", "9", "--match", r"(pr-\d+|main)(-\w+)?", "--expire-closed", "3d")


@pytest.fixture
def github(monkeypatch) -> Iterator[FakeGitHub]:
    """A repository with three pull requests that were closed 10 days ago."""
    with FakeGitHub() as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        for number in (12, 13, 14):
            created_at = NOW - timedelta(days=90)
            github.content.open_pull_request(number, f"{number:040x}", created_at=created_at)
            github.content.close_pull_request(number, NOW - timedelta(days=10), is_merged=True)
        yield github


@pytest.fixture
def site(site: Bucket) -> Bucket:
    """A bucket with a preview of each pull request, and the main branch."""
    for number in (12, 13, 14):
        site.deploy(f"pr-{number}", days=20)
    site.deploy("main", days=40)
    return site


def call_before_rereading(github: FakeGitHub, action: Callable[[], object]) -> None:
    """Call an action after the plan, before its pull requests are read again."""
    answer, counts = github.answer, itertools.count(1)

    def answer_counted(received):
        if "/pulls" in received.path and next(counts) == 2:
            action()
        return answer(received)

    github.answer = answer_counted


def run(site: Bucket, command: str, *extra_options: str, rules=RULES) -> int:
    return main([command, *extra_options, *site.options(), *rules])


def test_plan_shows_the_evidence(site, github, capsys, assert_screen):
    github.content.reopen_pull_request(13)

    assert run(site, "plan-cleanup", "--output", "json") == 0

    text = capsys.readouterr().out
    assert deployment_reasons(text, "pr-12").keys() == {"expire-closed"}
    assert deployment_reasons(text, "pr-13").keys() == {"keep-count"}
    assert json.loads(text)["policy"]["expire-closed"]["value"] == "3d"
    assert run(site, "plan-cleanup") == 0
    assert_screen(capsys.readouterr().out, has_table=True)
    assert site.folders() == {"main", "pr-12", "pr-13", "pr-14"}


@pytest.mark.parametrize("name", ["pr-12", "pr-13", "main"])
def test_explanation_shows_the_rule(site, github, capsys, assert_screen, name):
    github.content.reopen_pull_request(13)
    assert run(site, "explain", name) == 0
    assert_screen(capsys.readouterr().out)


def test_pull_request_that_is_reopened_after_the_plan_keeps_its_preview(
    site, github, capsys, assert_screen
):
    call_before_rereading(github, lambda: github.content.reopen_pull_request(13))

    assert run(site, "cleanup", "--auto-approve") == 3

    assert site.folders() == {"main", "pr-13"}
    assert_screen(capsys.readouterr().out)


def test_period_starts_again_if_a_pull_request_is_closed_again_after_the_plan(site, github):
    yesterday = NOW - timedelta(days=1)
    call_before_rereading(github, lambda: github.content.close_pull_request(13, yesterday))

    assert run(site, "cleanup", "--auto-approve") == 3

    assert site.folders() == {"main", "pr-13"}


def test_failure_after_the_plan_keeps_the_previews_and_deletes_the_rest(
    site, github, capsys, assert_screen
):
    for days, commit in enumerate(("a1b2c3d", "b1b2c3d"), start=60):
        site.deploy(f"main-{commit}", days=days)
    denial = {"message": "no"}
    call_before_rereading(github, lambda: github.fail_next("GET", "pulls", 403, denial))

    rules = (*RULES, "--keep-count", "1", "--group-by", "(pr|main).*")
    assert run(site, "cleanup", "--auto-approve", rules=rules) == 3

    assert site.folders() == {"main", "pr-12", "pr-13", "pr-14"}
    assert_screen(capsys.readouterr().out)


def test_saved_plan_is_compared_with_the_current_state_of_pull_requests(site, github):
    assert run(site, "plan-cleanup", "--plan-file", "plan.json") == 0
    github.content.reopen_pull_request(13)
    location = site.options()

    options = ("--plan-file", "plan.json", "--auto-approve")
    assert main(["cleanup", *location, *options]) == 5
    assert site.folders() == {"main", "pr-12", "pr-13", "pr-14"}
    assert main(["cleanup", *location, *options, "--skip-changed"]) == 0

    assert site.folders() == {"main", "pr-13"}


def test_saved_plan_of_another_repository_is_refused(
    site, github, monkeypatch, capsys, assert_screen
):
    assert run(site, "plan-cleanup", "--plan-file", "plan.json") == 0
    assert json.loads(Path("plan.json").read_text())["target"]["repository"] == REPOSITORY
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/backoffice")
    capsys.readouterr()

    options = ("--plan-file", "plan.json", "--auto-approve", "--skip-changed")
    assert main(["cleanup", *site.options(), *options]) == 4

    assert site.folders() == {"main", "pr-12", "pr-13", "pr-14"}
    assert_screen(capsys.readouterr().err)


def test_journal_of_another_repository_is_not_resumed(site, proxy, github, monkeypatch):
    proxy.refuse({"pr-12/file-00001"}, "AccessDenied")
    options = ("--auto-approve", "--journal-file", "journal.jsonl")
    assert run(site, "cleanup", *options) == 3
    proxy.forget_rules()
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/backoffice")

    assert main(["cleanup", *site.options(), "--resume", "journal.jsonl", "--auto-approve"]) == 4

    assert "pr-12/file-00001" in site.content()


@pytest.mark.parametrize(("extra_options", "exit_code"), [((), 5), (("--skip-changed",), 0)])
def test_saved_plan_deletes_nothing_while_github_fails(site, github, extra_options, exit_code):
    assert run(site, "plan-cleanup", "--plan-file", "plan.json") == 0
    github.fail_next("GET", "pulls", 403, {"message": "no"})

    options = ("--plan-file", "plan.json", "--auto-approve", *extra_options)
    assert main(["cleanup", *site.options(), *options]) == exit_code

    assert site.folders() == {"main", "pr-12", "pr-13", "pr-14"}


@pytest.mark.parametrize("extra_options", [(), ("--required-file", "file-00000")])
def test_interrupted_deletion_is_resumed_with_the_current_state_of_pull_requests(
    site, proxy, github, extra_options
):
    rules = (*RULES, "--group-by", r"(pr-\d+|main).*", *extra_options)
    denied_keys = {"pr-12/file-00001", "pr-13/file-00001", "pr-14/file-00001"}
    proxy.refuse(denied_keys, "AccessDenied")
    options = ("--auto-approve", "--journal-file", "journal.jsonl")
    assert run(site, "cleanup", *options, rules=rules) == 3
    assert {key for key in site.content() if key.startswith("pr-")} == denied_keys
    proxy.forget_rules()
    github.content.reopen_pull_request(12)

    assert main(["cleanup", *site.options(), "--resume", "journal.jsonl", "--auto-approve"]) == 3

    assert site.folders() == {"main", "pr-12"}


def test_failure_of_the_plan_is_a_warning(site, github, capsys, assert_screen):
    github.fail_next("GET", "pulls", 403, {"message": "no"})
    assert run(site, "plan-cleanup", "--output", "json") == 0
    assert warning_codes(capsys.readouterr().out) == ["expire-closed"]
    github.fail_next("GET", "pulls", 403, {"message": "no"})
    assert run(site, "plan-cleanup") == 0
    assert_screen(capsys.readouterr().out)


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize(
    "arguments",
    [
        (variable, *arguments)
        for variable in ("GITHUB_TOKEN", "GITHUB_REPOSITORY")
        for arguments in (["plan-cleanup"], ["cleanup"], ["explain", "pr-12"])
    ],
)
def test_token_and_repository_are_required(site, monkeypatch, capsys, assert_screen, arguments):
    monkeypatch.delenv(arguments[0])

    assert run(site, *arguments[1:]) == 2

    assert site.folders() == {"main", "pr-12", "pr-13", "pr-14"}
    assert_screen(capsys.readouterr().err, is_shared=True)


def test_policy_file_has_the_setting_and_other_commands_accept_it(site, github, capsys):
    policy = f"bucket: {site.name}\nmatch: '(pr-\\d+|main)(-\\w+)?'\nexpire-closed: 3d\n"
    Path("policy.yml").write_text(policy, encoding="utf-8")
    options = ("--policy-file", "policy.yml", "--endpoint-url", site.endpoint_url)

    assert main(["cleanup", *options, "--auto-approve"]) == 0

    assert site.folders() == {"main"}
    requests = len(github.requests)
    for command in (["list-deployments"], ["list-objects", "main"], ["simulate"]):
        assert main([*command, *options]) == 0
    assert main(["iam-policy", "apply", "--policy-file", "policy.yml"]) == 0
    assert len(github.requests) == requests
    capsys.readouterr()
    assert main(["doctor", *options]) == 0
    assert len(github.requests) == requests  # no preview is left


def test_preview_updated_after_the_inventory_report_is_kept(site, github):
    """The report has the preview as it was 20 days ago; it was deployed again yesterday."""
    url = report_of(site).deliver(site)
    site.put("pr-13/index.html", days=1)
    before = site.folders()

    assert run(site, "cleanup", "--auto-approve", "--inventory", url) == 0

    assert before - site.folders() == {"pr-12", "pr-14"}


@pytest.mark.parametrize("age_from", ["span", "oldest", "newest", "first-object", "name"])
def test_period_counts_from_the_last_upload_with_every_age_from(site, github, age_from):
    site.put("pr-13/z.html", days=1)
    assert run(site, "cleanup", "--auto-approve", "--age-from", age_from) == 0
    assert site.folders() == {"main", "pr-13"}


def test_doctor_warns_if_pull_requests_cannot_be_read(site, github, capsys):
    def find_levels() -> list[str]:
        capsys.readouterr()
        options = ("--match", r"(pr-\d+|main)(-\w+)?", "--expire-closed", "3d")
        assert main(["doctor", *site.options(), *options, "--output", "json"]) == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        return [item["level"] for item in findings if item["topic"] == "expire-closed"]

    assert find_levels() == []
    github.fail_next("GET", "pulls", 403, {"message": "Resource not accessible by integration"})
    assert find_levels() == ["warning"]


def test_doctor_does_not_block_a_target_without_previews(site, github, capsys):
    for number in (12, 13, 14):
        for key in [key for key in site.content() if key.startswith(f"pr-{number}/")]:
            site.remove(key)
    github.content.open_pull_request(20, f"{20:040x}", created_at=NOW - timedelta(days=2))
    options = ("--match", r"pr-\d+", "--live-from", "open-pull-requests")

    assert main(["doctor", *site.options(), *options, "--expire-closed", "3d"]) == 0
    assert main(["doctor", *site.options(), *options]) == 4


def test_preview_takes_no_place_by_its_first_objects_alone(site, github):
    """The first page has only objects that are too new for a preview of the pull request."""
    github.content.close_pull_request(12, NOW - timedelta(days=60))
    site.deploy("pr-12", days=20)
    site.put("pr-12/z.html", days=55)
    site.set_page_size(2)
    rules = ("--match", r"pr-12|main", "--expire-closed", "3d", "--keep-count", "1")

    assert run(site, "cleanup", "--auto-approve", "--age-from", "first-object", rules=rules) == 0

    assert "main" in site.folders()
    assert "pr-12" not in site.folders()
