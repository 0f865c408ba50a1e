"""The examples of docs/layouts.md, each run on a bucket with the folders that the page shows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.repository.layout_examples import NOT_A_DEPLOYMENT, PAGE, Example, read_examples
from tests.support.github.fake_github import FakeGitHub
from tests.support.s3.bucket import Bucket

EXAMPLES = read_examples()


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        monkeypatch.setenv("GITHUB_TOKEN", fake.token)
        monkeypatch.setenv("GITHUB_REPOSITORY", fake.repository)
        monkeypatch.setenv("GITHUB_API_URL", fake.url)
        yield fake


def prepare(example: Example, bucket: Bucket, github: FakeGitHub) -> list[str]:
    """Create what the example shows; return the options for its settings and bucket."""
    example.fill_bucket(bucket)
    example.fill_repository(github.content)
    settings = re.sub("bucket: [a-z-]+", f"bucket: {bucket.name}", example.settings)
    Path("ci3.yml").write_text(settings, encoding="utf-8")
    return ["--policy-file", "ci3.yml", "--endpoint-url", bucket.endpoint_url]


def read_decisions(output: str) -> dict[str, str]:
    """Return the decision and reason codes of each deployment of a plan by its path."""
    plans = json.loads(output)
    return {
        deployment["prefix"].rstrip("/"): " ".join(
            [f"{deployment['decision']}:", *(reason["code"] for reason in deployment["reasons"])]
        )
        for plan in plans.get("plans", [plans])
        for deployment in plan["deployments"]
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_keeps_and_deletes_what_its_plan_says(
    name: str, bucket: Bucket, github: FakeGitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    example = EXAMPLES[name]
    options = prepare(example, bucket, github)
    before = bucket.keys()

    assert main(["plan-cleanup", *options, "--output", "json"]) == ExitCode.DONE
    decisions = read_decisions(capsys.readouterr().out)
    assert decisions == {
        folder: decision
        for folder, decision in example.decisions.items()
        if decision != NOT_A_DEPLOYMENT
    }

    assert main(["cleanup", *options, "--auto-approve"]) == ExitCode.DONE
    deleted = {key for key in before if key.rpartition("/")[0] in example.deleted}
    assert bucket.keys() == before - deleted
    assert deleted


@pytest.mark.parametrize("name", EXAMPLES)
def test_plan_on_the_page_has_each_folder_of_its_tree(name: str) -> None:
    assert EXAMPLES[name].decisions.keys() == EXAMPLES[name].folders


def test_every_policy_file_on_the_page_is_run() -> None:
    assert PAGE.read_text(encoding="utf-8").count("```yaml") == len(EXAMPLES)
