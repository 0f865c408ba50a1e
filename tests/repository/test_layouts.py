"""The examples of docs/layouts.md, each run on a bucket with the folders that the page shows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.repository.layout_examples import (
    NOT_A_DEPLOYMENT,
    PAGE,
    Example,
    extend_hash,
    read_examples,
)
from tests.support.github.fake_github import FakeGitHub
from tests.support.s3.bucket import Bucket

EXAMPLES = read_examples()
GITHUB_SOURCES = re.compile("live-from:[^#]*(github-deployments|open-pull-requests|branches)")
LIVE_EXAMPLES = [
    name for name, example in EXAMPLES.items() if GITHUB_SOURCES.search(example.settings)
]


@dataclass(frozen=True, kw_only=True)
class World:
    """The bucket and the GitHub of an example."""

    bucket: Bucket
    github: FakeGitHub
    capsys: pytest.CaptureFixture[str]

    def prepare(self, example: Example) -> None:
        """Create what the example shows: the bucket, GitHub's state and the policy file."""
        example.fill_bucket(self.bucket)
        example.fill_repository(self.github.content)
        settings = re.sub("bucket: [a-z-]+", f"bucket: {self.bucket.name}", example.settings)
        Path("ci3.yml").write_text(settings, encoding="utf-8")

    def run(self, command: str, *arguments: str) -> int:
        options = ("--policy-file", "ci3.yml", "--endpoint-url", self.bucket.endpoint_url)
        return main([command, *options, *arguments])

    def clean_up(self) -> int:
        return self.run("cleanup", "--auto-approve")

    def plan(self) -> list[Mapping[str, Sequence[Mapping[str, object]]]]:
        """Return the plan of each target as JSON."""
        self.capsys.readouterr()
        self.run("plan-cleanup", "--output", "json")
        content = json.loads(self.capsys.readouterr().out)
        return content.get("plans", [content])

    def list_codes(self, key: str) -> set[str]:
        """Return the codes of the plan's `refusals` or `warnings`."""
        return {issue["code"] for plan in self.plan() for issue in plan[key]}

    def list_decisions(self) -> dict[str, str]:
        """Return the decision and reason codes of each deployment by its path."""
        return {
            deployment["prefix"].rstrip("/"): _format_decision(deployment)
            for plan in self.plan()
            for deployment in plan["deployments"]
        }


def _format_decision(deployment: Mapping[str, Sequence[Mapping[str, str]]]) -> str:
    codes = dict.fromkeys(reason["code"] for reason in deployment["reasons"])
    return f"{deployment['decision']}: {' '.join(codes)}"


def replace_setting(name: str, old: str, new: str = "") -> Example:
    """Return an example with other settings."""
    example = EXAMPLES[name]
    assert old in example.settings
    return replace(example, settings=example.settings.replace(old, new))


@pytest.fixture
def world(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[World]:
    with FakeGitHub() as github:
        monkeypatch.setenv("GITHUB_TOKEN", github.token)
        monkeypatch.setenv("GITHUB_REPOSITORY", github.repository)
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        yield World(bucket=bucket, github=github, capsys=capsys)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_keeps_and_deletes_as_in_its_plan(name: str, world: World) -> None:
    example = EXAMPLES[name]
    world.prepare(example)
    before = world.bucket.keys()
    assert world.list_decisions() == {
        folder: decision
        for folder, decision in example.decisions.items()
        if decision != NOT_A_DEPLOYMENT
    }
    assert world.clean_up() == ExitCode.DONE
    deleted = {key for key in before if key.rpartition("/")[0] in example.deleted}
    assert deleted
    assert world.bucket.keys() == before - deleted


@pytest.mark.parametrize("name", EXAMPLES)
def test_plan_on_the_page_has_each_folder_of_its_tree(name: str) -> None:
    assert EXAMPLES[name].decisions.keys() == EXAMPLES[name].folders


def test_every_policy_file_on_the_page_is_run() -> None:
    assert PAGE.read_text(encoding="utf-8").count("```yaml") == len(EXAMPLES)


@pytest.mark.parametrize("name", LIVE_EXAMPLES)
def test_nothing_is_deleted_if_a_live_source_cannot_be_read(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.prepare(EXAMPLES[name])
    before = world.bucket.keys()
    monkeypatch.delenv("GITHUB_TOKEN")
    assert world.clean_up() == ExitCode.REFUSED
    assert world.bucket.keys() == before


def test_nothing_is_deleted_if_the_pointer_of_an_app_is_missing(world: World) -> None:
    world.prepare(EXAMPLES["many-apps"])
    world.bucket.remove("apps/blog/current")
    before = world.bucket.keys()
    assert world.clean_up() == ExitCode.REFUSED
    assert world.bucket.keys() == before


REFUSED = {
    "nested-deployments": replace(EXAMPLES["environments"], settings="bucket: my-site\n"),
    "mixed-names": replace_setting("other-folders", "match: '[0-9a-f]{7,40}'\n"),
    "hexadecimal-names": replace_setting("copied-commits", "keep-count: 2\n", "age-from: name\n"),
    "in-two-targets": replace_setting("two-kinds", r"'build-\d+'", "'.+-.+'"),
}
"""Examples with other settings, by the code of the refusal."""


@pytest.mark.parametrize("code", REFUSED)
def test_settings_that_the_page_warns_about_are_refused(code: str, world: World) -> None:
    world.prepare(REFUSED[code])
    before = world.bucket.keys()
    assert world.list_codes("refusals") == {code}
    assert world.clean_up() == ExitCode.REFUSED
    assert world.bucket.keys() == before


def test_environment_at_the_root_without_match_is_refused(world: World) -> None:
    old = "- match: '[0-9a-f]{7,40}' # production"
    world.prepare(replace_setting("environments-at-root", old, "- max-delete: 90%"))
    before = world.bucket.keys()
    assert world.clean_up() == ExitCode.USAGE
    assert world.bucket.keys() == before


def test_files_that_are_rewritten_keep_all_deployments_by_default(world: World) -> None:
    world.prepare(replace_setting("changed-later", "age-from: oldest\n"))
    before = world.bucket.keys()
    assert "never-deletable" in world.list_codes("warnings")
    assert world.clean_up() == ExitCode.DONE
    assert world.bucket.keys() == before


def test_numbers_of_a_copied_bucket_only_warn_by_default(world: World) -> None:
    world.prepare(replace_setting("copied-builds", "age-from: name\n"))
    assert world.list_codes("warnings") == {"names-contradict-times"}
    assert world.list_codes("refusals") == set()
    assert world.list_decisions()["build-11"] == "delete: superseded"


def test_copies_of_commits_are_treated_as_uploads(world: World) -> None:
    hours = {"0b96d14": 722, "c85fa32": 721, "e7730c9": 720}
    lines = [f"  {name}/ {age} hours ago" for name, age in hours.items()]
    world.prepare(replace(EXAMPLES["copied-commits"], tree="\n".join(["my-site/", *lines])))
    world.github.content.deploy("production", extend_hash("e7730c9"), "success")
    assert world.list_codes("refusals") == world.list_codes("warnings") == set()
    assert world.list_decisions()["0b96d14"] == "delete: superseded"


@pytest.mark.parametrize(("new_count", "deleted"), [(1, set()), (2, {"build-8", "build-9"})])
def test_copies_of_the_same_time_are_kept_until_enough_are_newer(
    new_count: int, deleted: set[str], world: World
) -> None:
    hours = {number: 1 if number > 11 - new_count else 50 for number in range(8, 12)}
    lines = [f"  build-{number}/ {age} hours ago" for number, age in hours.items()]
    example = replace(EXAMPLES["copied-builds"], tree="\n".join(["my-app/", *lines]))
    world.prepare(example)
    assert world.clean_up() == ExitCode.DONE
    assert example.folders - world.bucket.folders() == deleted
