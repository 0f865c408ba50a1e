"""Complete runs on folders named after pull requests, branches, tags and describe names."""

import json
from collections.abc import Iterator, Sequence

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.support.github.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.support.plan_issues import warning_codes
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

HEAD = "a1b2c3d4" + "0" * 32
OTHER = "deadbeef" + "0" * 32
LAST_PLAN_REQUEST = "versioning"
"""The last request of a plan."""


@pytest.fixture
def github(monkeypatch) -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        yield github


def deploy(bucket: Bucket, names: Sequence[str]) -> set[str]:
    """Deploy the names; the first is the newest."""
    for days, name in enumerate(names, start=2):
        bucket.deploy(name, days=days)
    return {*names}


def clean(bucket: Bucket, source: str, *options: str) -> int:
    rules = ["--keep-count", "1", "--match", ".*", "--live-from", source]
    return main(["cleanup", *bucket.options(), *rules, "--auto-approve", *options])


def open_three(github: FakeGitHub) -> None:
    for number in (2, 5, 7):
        github.content.open_pull_request(number, OTHER, branch=f"topic/{number}")


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ([f"pr-{number}" for number in range(8, 0, -1)], ["pr-8", "pr-2", "pr-5", "pr-7"]),
        ([f"PR_{number}" for number in range(8, 0, -1)], ["PR_8", "PR_2", "PR_5", "PR_7"]),
        ([f"{number}" for number in range(8, 0, -1)], ["8", "2", "5", "7"]),
        (
            ["preview-8", "mr7", "pull_5", "preview-5", "preview-52", "pr-2-web"],
            ["preview-8", "mr7", "pull_5", "preview-5"],
        ),
        (["topic-1", "topic-2", "topic-3", "topic_5"], ["topic-1", "topic-2", "topic_5"]),
        (
            ["web", "pr-2-2222222", "pr-2-1111111", "topic-7-2222222", "topic-7-1111111"],
            ["web", "pr-2-2222222", "topic-7-2222222"],
        ),
    ],
)
def test_previews_of_open_pull_requests_are_kept(*, bucket, github, names, kept):
    deploy(bucket, names)
    open_three(github)

    assert clean(bucket, "open-pull-requests") == ExitCode.DONE

    assert bucket.folders() == {*kept}


def test_older_preview_of_an_open_pull_request_whose_head_is_deployed_is_deleted(bucket, github):
    deploy(bucket, ["web", "pr-12-2222222", "pr-12-a1b2c3d", "pr-12-1111111", "pr-13-1111111"])
    github.content.open_pull_request(12, HEAD)

    assert clean(bucket, "open-pull-requests") == ExitCode.DONE

    assert bucket.folders() == {"web", "pr-12-a1b2c3d"}


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (
            ["feature-b", "main", "develop", "feature-a", "feature-c", "master"],
            ["feature-b", "main", "develop", "feature-a"],
        ),
        (
            ["x", "Main", "DEVELOP", "feature_a", "feature.a", "feature", "a"],
            ["x", "Main", "DEVELOP", "feature_a", "feature.a"],
        ),
        (
            ["x-1111111", "main-3333333", "main-2222222", "develop-2222222", "develop-1111111"],
            ["x-1111111", "main-3333333", "develop-2222222"],
        ),
        (
            ["x-1111111", "main-3333333", "main-a1b2c3d", "v1-2-ga1b2c3d4", "main-1111111"],
            ["x-1111111", "main-a1b2c3d", "v1-2-ga1b2c3d4"],
        ),
    ],
)
def test_folders_of_branches_are_kept(*, bucket, github, names, kept):
    deploy(bucket, names)
    github.content.branches = {"main": HEAD, "develop": OTHER, "feature/a": OTHER}

    assert clean(bucket, "branches") == ExitCode.DONE

    assert bucket.folders() == {*kept}


@pytest.mark.parametrize("ref", ["v1.2.0", "refs/tags/v1.2.0"])
@pytest.mark.parametrize("name", ["v1.2.0", "v1-2-0", "V1.2.0"])
@pytest.mark.parametrize("source", ["github-deployments", "github-deployments:production"])
def test_deployed_tag_is_kept(*, bucket, github, ref, name, source):
    deploy(bucket, ["v1.4.0", "v1.3.0", name, "v1.2.00", "v1.1.0"])
    github.content.deploy("production", HEAD, "success", ref=ref)

    assert clean(bucket, source) == ExitCode.DONE

    assert bucket.folders() == {"v1.4.0", name}


@pytest.mark.parametrize(
    "name", ["v1.2.3-2-ga1b2c3d", "web_v1-2-gA1B2C3D4", "a1b2c3d", "v1.2.3-2-ga1b2c3d4-dirty"]
)
@pytest.mark.parametrize("text", ["v1.2.3-2-ga1b2c3d", HEAD, "a1b2c3d", "v1-0-ga1b2c3d4-dirty"])
def test_pointer_and_folder_may_be_describe_names(bucket, name, text):
    deploy(bucket, ["v1.2.3-4-g4444444", "v1.2.3-3-g3333333", name, "v1.2.3-1-g1111111"])
    bucket.put("current", body=text.encode())

    assert clean(bucket, "object:current") == ExitCode.DONE

    assert bucket.folders() == {"v1.2.3-4-g4444444", name}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("open-pull-requests", [f"build-{number}" for number in range(5)]),
        ("open-pull-requests", ["2026-11-23", "20261122", "20261121"]),
        ("open-pull-requests", ["v1.2.0", "v1.1.0", "main"]),
        ("branches", [f"pr-{number}" for number in range(5)]),
        ("branches", [f"build-{number}" for number in range(5)]),
        ("branches", ["v1.2.0", "v1.1.0", "20261121"]),
    ],
)
def test_live_source_that_can_match_no_folder_refuses(*, bucket, github, source, names):
    deployed = deploy(bucket, names)
    github.content.branches = {"trunk": HEAD}
    github.content.open_pull_request(12, HEAD)

    assert clean(bucket, source) == ExitCode.REFUSED

    assert bucket.folders() == deployed


@pytest.mark.parametrize("source", ["open-pull-requests", "branches"])
def test_source_without_open_pull_requests_or_matching_branches_keeps_nothing(
    bucket, github, source, capsys
):
    deploy(bucket, ["build-3", "build-2", "build-1"])
    rules = ["--keep-count", "1", "--match", ".*", "--live-from", source]

    assert main(["plan-cleanup", *bucket.options(), *rules, "--output", "json"]) == ExitCode.DONE
    assert warning_codes(capsys.readouterr().out) == []
    assert clean(bucket, source) == ExitCode.DONE

    assert bucket.folders() == {"build-3"}


@pytest.mark.parametrize(
    ("opened", "names", "kept"),
    [
        ("pr-2", ["pr-9", "pr-2", "pr-1"], {"pr-9", "pr-2"}),
        (
            "topic",
            ["pr-9", "topic-2222222", "topic-1111111"],
            {"pr-9", "topic-2222222", "topic-1111111"},
        ),  # neither is certain to remain, so both are kept
    ],
)
def test_pull_request_that_is_opened_after_the_plan_is_kept(  # noqa: PLR0917 - a table
    site, proxy: FaultProxy, github, opened, names, kept
):
    before = site.folders()
    deploy(site, [f"{name}" for name in names])
    number, branch = (2, "x") if opened == "pr-2" else (77, "topic")
    proxy.call_before(
        "GET",
        LAST_PLAN_REQUEST,
        lambda: github.content.open_pull_request(number, OTHER, branch=branch),
        nth=1,
    )

    code = clean(site, "open-pull-requests", "--match", "(pr|topic)-.*")

    assert code == ExitCode.PARTIAL
    assert site.folders() - before - {".ci3"} == kept


def test_saved_plan_and_explanation_name_the_newest_of_a_branch(
    bucket, github, capsys, assert_screen
):
    deploy(bucket, ["web-9999999", "main-2222222", "main-1111111"])
    github.content.branches = {"main": HEAD}
    options = [*bucket.options(), "--keep-count", "1", "--live-from", "branches", "--match", ".*"]

    assert main(["plan-cleanup", *options, "--plan-file", "plan.json", "--output", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert {deployment["name"]: deployment["decision"] for deployment in plan["deployments"]} == {
        "web-9999999": "keep",
        "main-2222222": "keep",
        "main-1111111": "delete",
    }
    assert main(["explain", "main-2222222", *options]) == ExitCode.DONE
    assert_screen(capsys.readouterr().out)

    bucket.deploy("main-3333333", days=1)
    assert main(["cleanup", *options, "--plan-file", "plan.json", "--auto-approve"]) == 0
    assert bucket.folders() == {"web-9999999", "main-2222222", "main-3333333"}


def test_previous_build_is_kept_if_the_newest_is_deleted_after_the_plan(bucket, github):
    deploy(bucket, ["web-9999999", "main-2222222", "main-1111111"])
    github.content.branches = {"main": HEAD}
    options = [*bucket.options(), "--keep-count", "1", "--live-from", "branches"]
    assert main(["plan-cleanup", *options, "--plan-file", "plan.json"]) == ExitCode.DONE
    for key in [key for key in bucket.content() if key.startswith("main-2222222/")]:
        bucket.remove(key)

    code = main(
        ["cleanup", *options, "--plan-file", "plan.json", "--auto-approve", "--skip-changed"]
    )

    assert code == ExitCode.DONE
    assert bucket.folders() == {"web-9999999", "main-1111111"}


@pytest.fixture
def comment_event(tmp_path, monkeypatch) -> None:
    """Variables of a workflow run for a comment on pull request 7."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"issue": {"number": 7, "pull_request": {}}}))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_EVENT_NAME", "issue_comment")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))


def clean_all(bucket: Bucket) -> int:
    rules = ["--keep-count", "1", "--match", ".*"]
    return main(["cleanup", *bucket.options(), *rules, "--auto-approve"])


@pytest.mark.usefixtures("comment_event")
def test_head_of_a_commented_pull_request_is_kept(bucket, github):
    deploy(bucket, ["web", "web-1", HEAD])
    github.content.open_pull_request(7, HEAD)

    assert clean_all(bucket) == ExitCode.DONE

    assert bucket.folders() == {"web", HEAD}


@pytest.mark.usefixtures("comment_event", "github")
def test_nothing_is_deleted_without_a_token_to_read_the_pull_request(bucket, monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN")
    names = deploy(bucket, ["web", "web-1", HEAD])

    assert clean_all(bucket) == ExitCode.USAGE

    assert bucket.folders() == names
