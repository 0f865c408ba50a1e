"""The recipes of docs/policies.md, each run on a bucket with the deployments of its table."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3
import jsonschema
import pytest
import yaml

import ci3
from ci3.cli.main import main
from ci3.core.live.sources import LiveKind
from ci3.core.model.decision import ReasonCode
from ci3.errors import ExitCode
from tests.repository.recipe_tables import HUGE, LIVE, TABLES, Row
from tests.support.github.fake_github import FakeGitHub
from tests.support.s3.bucket import Bucket

DOCS = Path(ci3.__file__).parents[1] / "docs"
PAGE = (DOCS / "policies.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- recipe: (\S+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))

PARAMETER = "/my-site/live"
APPS = ("shop", "blog")
LIVE_RECIPES = sorted(name for name, text in BLOCKS.items() if "live-from:" in text)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A recipe's policy file in the working folder, and a bucket for it."""

    bucket: Bucket
    options: Sequence[str] = ()

    def run(self, command: str, *options: str) -> int:
        endpoint = ["--endpoint-url", self.bucket.endpoint_url]
        argv = [command, "--policy-file", "ci3.yml", *endpoint, *self.options, *options]
        return main(argv)

    def fill(self, rows: Sequence[Row]) -> None:
        now = datetime.now(UTC)
        for row in rows:
            for file in row.files:
                self.bucket.put(f"{row.name}/{file}", days=row.age_days(now))

    def list_folders(self) -> set[str]:
        return {re.sub(r"(/a)?/[^/]*$", "", key) for key in self.bucket.content() if "/" in key}


def prepare_case(name: str, bucket: Bucket) -> Case:
    """Write a recipe of the page with the URL of the test's bucket; return its case."""
    recipe, *options = name.split(" --")
    text = BLOCKS[recipe.partition(",")[0]]
    url = f"{bucket.endpoint_url}/{bucket.name}"
    text = re.sub("bucket: [a-z-]+", f"bucket: {bucket.name}", text)
    Path("ci3.yml").write_text(text.replace("https://www.example.org", url), encoding="utf-8")
    return Case(
        bucket=bucket, options=[word for option in options for word in f"--{option}".split()]
    )


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture(autouse=True)
def _aws(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", s3_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", s3_url)


@pytest.fixture
def live(bucket: Bucket, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Create everything that names the live deployment."""
    bucket.put("current", body=LIVE.encode())
    bucket.put("version.json", body=json.dumps({"commit": LIVE}).encode())
    ssm, cloudfront = (
        boto3.client(service, endpoint_url=bucket.endpoint_url) for service in ("ssm", "cloudfront")
    )
    ssm.put_parameter(Name=PARAMETER, Type="String", Value=f"/{LIVE}")
    for app in APPS:
        ssm.put_parameter(Name=f"/{app}/live", Type="String", Value=LIVE)
    created = cloudfront.create_distribution(
        DistributionConfig=make_distribution(bucket.name, f"/{LIVE}")
    )
    monkeypatch.setenv("GITHUB_TOKEN", github.token)
    monkeypatch.setenv("GITHUB_REPOSITORY", github.repository)
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    github.content.deploy("production", LIVE + "0" * 33, "success")
    yield
    for name in (PARAMETER, *(f"/{app}/live" for app in APPS)):
        ssm.delete_parameter(Name=name)
    cloudfront.delete_distribution(Id=created["Distribution"]["Id"], IfMatch=created["ETag"])


def make_distribution(bucket_name: str, origin_path: str) -> dict[str, object]:
    origin = {
        "Id": "site",
        "DomainName": f"{bucket_name}.s3.us-east-1.amazonaws.com",
        "OriginPath": origin_path,
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    behaviour = {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all"}
    return {
        "CallerReference": bucket_name,
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
    }


def read_decisions(plans: str) -> dict[str, str]:
    """Return the decision and reason codes of each deployment by its prefix."""
    content = json.loads(plans)
    return {
        deployment["prefix"].rstrip("/"): " ".join(
            [f"{deployment['decision']}:", *(reason["code"] for reason in deployment["reasons"])]
        )
        for plan in content.get("plans", [content])
        for deployment in plan["deployments"]
    }


@pytest.mark.parametrize("name", TABLES)
def test_recipe_keeps_and_deletes_the_deployments_of_its_table(
    name: str, bucket: Bucket, live: None, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, case = TABLES[name], prepare_case(name, bucket)
    case.fill(rows)
    assert case.run("plan-cleanup", "--output", "json") == ExitCode.DONE
    actual = read_decisions(capsys.readouterr().out)
    assert actual == {row.name: row.decision for row in rows if row.decision != "ignored"}
    assert case.run("cleanup", "--auto-approve") == ExitCode.DONE
    kept = {row.name for row in rows if not row.decision.startswith("delete")}
    assert case.list_folders() == kept


def test_every_policy_on_the_page_is_run() -> None:
    assert PAGE.count("```yaml") == len(BLOCKS)
    assert {name.split(",")[0] for name in TABLES} == set(BLOCKS)


@pytest.mark.parametrize("text", BLOCKS.values(), ids=BLOCKS.keys())
def test_policy_on_the_page_fits_its_schema(text: str) -> None:
    schema = json.loads((DOCS / "policy.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(text), schema)


@pytest.mark.parametrize("name", [*LiveKind, *ReasonCode])
def test_page_documents_every_reason_and_live_source(name: str) -> None:
    assert re.search(f"`{name}[`:]", PAGE)


@pytest.mark.parametrize("recipe", LIVE_RECIPES)
def test_nothing_is_deleted_if_a_live_source_cannot_be_read(
    recipe: str, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    case = prepare_case(recipe, bucket)
    case.fill(TABLES[recipe])
    before = case.list_folders()
    assert case.run("cleanup", "--auto-approve") == ExitCode.REFUSED
    assert "live-from" in capsys.readouterr().err
    assert case.list_folders() == before


def test_more_deletions_than_max_delete_allows_are_refused(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    case = prepare_case("brake", bucket)
    case.fill((*TABLES["brake"], Row("d0", 7, "delete: superseded")))
    before = case.list_folders()
    assert case.run("cleanup", "--auto-approve") == ExitCode.REFUSED
    assert "max-delete" in capsys.readouterr().err
    assert case.list_folders() == before
    assert case.run("cleanup", "--auto-approve", "--max-delete", "90%") == ExitCode.DONE
    assert case.list_folders() == before - {"d0", "d1"}


def test_only_huge_deployments_to_delete_are_listed_completely(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    case = prepare_case("huge", bucket)
    case.fill(TABLES["huge"])
    assert case.run("plan-cleanup", "--output", "json") == ExitCode.DONE
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert totals["objects_to_delete"] == len(HUGE)
    assert totals["bytes_to_keep"] is None


def test_required_file_that_no_deployment_has_keeps_all_and_causes_a_warning(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    case = prepare_case("half-uploaded", bucket)
    case.fill(TABLES["half-uploaded"])
    before = case.list_folders()
    assert case.run("cleanup", "--auto-approve", "--required-file", "Index.html") == ExitCode.DONE
    assert "Index.html" in capsys.readouterr().out
    assert case.list_folders() == before


@pytest.mark.parametrize("line", sorted(set(re.findall("`ci3 ([^`]* --[^`]*)`", PAGE))))
def test_command_on_the_page_runs_and_changes_nothing(
    line: str, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    case = prepare_case("busy, by the calendar", bucket)
    case.fill(TABLES["busy, by the calendar"])
    Path("new.yml").write_text("bucket: my-site\nkeep-count: 1\n", encoding="utf-8")
    before = case.list_folders()
    argv = line.replace("ab12cd3", "2024-01-30-16-00").split()
    assert main([*argv, *bucket.options()]) == ExitCode.DONE
    assert capsys.readouterr().out
    assert case.list_folders() == before
