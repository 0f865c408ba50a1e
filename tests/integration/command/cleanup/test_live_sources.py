"""Each live source in a complete run: what it names is kept; a failure refuses the plan."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from ci3.cli.main import main
from tests.support.github.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.support.plan_issues import deployment_reasons
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.web_site import WebSite, running_site
from tests.unit.live.test_aws_cloudfront import add_distribution

LIVE = "ab12cd3" + "0" * 33
MISSING = "dead123" + "0" * 33
ALL = {"d0", "d1", "d2", LIVE}


@dataclass
class Servers:
    """The servers from which live sources are read."""

    bucket: Bucket
    proxy: FaultProxy
    github: FakeGitHub
    site: WebSite
    cloudfront: object
    ssm: object


@pytest.fixture
def servers(site: Bucket, proxy: FaultProxy, s3_url: str, monkeypatch) -> Iterator[Servers]:
    """A bucket whose oldest deployment is the live one, and live sources that name nothing yet."""
    get_backend("cloudfront")[DEFAULT_ACCOUNT_ID]["aws"].reset()
    get_backend("ssm")[DEFAULT_ACCOUNT_ID]["us-east-1"].reset()
    for days, name in enumerate(("d0", "d1", "d2", LIVE)):
        site.deploy(name, days=100 * days + 1)
    for service in ("CLOUDFRONT", "SSM"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", proxy.url)
    with (
        FakeGitHub() as github,
        running_site() as web,
        closing(boto3.client("cloudfront", endpoint_url=s3_url)) as cloudfront,
        closing(boto3.client("ssm", endpoint_url=s3_url)) as ssm,
    ):
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        yield Servers(site, proxy, github, web, cloudfront, ssm)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A live source, how to make it name a commit or folder, and how to make it fail."""

    text: str
    point: Callable[[Servers, str], object]
    fail: Callable[[Servers], object]
    must_be_found: bool = True


def write_object(servers: Servers, name: str) -> None:
    servers.bucket.put("version.json", body=json.dumps({"commit": name}).encode())


def point_distribution(servers: Servers, name: str) -> None:
    domain = f"{servers.bucket.name}.s3.eu-central-1.amazonaws.com"
    add_distribution(servers.cloudfront, (domain, f"/{name}"), aliases=("www.example.org",))


def write_parameter(servers: Servers, name: str) -> None:
    servers.ssm.put_parameter(Name="/site/live", Value=name, Type="String", Overwrite=True)


LAST_PLAN_REQUEST = "versioning"
"""The last request of a plan."""

DENIED = error("AccessDenied")
SOURCES = {
    "github-deployments": Source(
        text="github-deployments:production",
        point=lambda servers, name: servers.github.content.deploy("production", name, "success"),
        fail=lambda servers: servers.github.fail_next("GET", "deployments", 404, {"message": "no"}),
    ),
    "open-pull-requests": Source(
        text="open-pull-requests",
        point=lambda servers, name: servers.github.content.open_pull_request(12, name),
        fail=lambda servers: servers.github.fail_next("GET", "pulls", 403, {"message": "no"}),
        must_be_found=False,
    ),
    "branches": Source(
        text="branches",
        point=lambda servers, name: servers.github.content.branches.update(main=name),
        fail=lambda servers: servers.github.fail_next("GET", "branches", 401, {"message": "no"}),
        must_be_found=False,
    ),
    "cloudfront": Source(
        text="cloudfront",
        point=point_distribution,
        fail=lambda servers: servers.proxy.answer("GET", "/distribution", DENIED, status=403),
    ),
    "ssm": Source(
        text="ssm:/site/live",
        point=write_parameter,
        fail=lambda servers: servers.ssm.delete_parameter(Name="/site/live"),
    ),
    "object": Source(
        text="object:version.json#commit",
        point=write_object,
        fail=lambda servers: servers.bucket.remove("version.json"),
    ),
    "url": Source(
        text="url:{site}/live.txt",
        point=lambda servers, name: servers.site.answer("/live.txt", f"{name}\n".encode()),
        fail=lambda servers: servers.site.answer("/live.txt", b"gone", 404),
    ),
}


@pytest.fixture(params=SOURCES.values(), ids=SOURCES.keys())
def source(request) -> Source:
    return request.param


def make_argv(servers: Servers, source: Source, command: str, *options: str) -> list[str]:
    text = source.text.format(site=servers.site.url)
    rules = ["--keep-count", "1", "--match", "[a-f0-9]+"]
    return [command, *servers.bucket.options(), *rules, "--live-from", text, *options]


def test_deployment_that_a_live_source_names_is_kept_with_evidence(
    servers, source, capsys, assert_screen
):
    source.point(servers, LIVE)

    assert main(make_argv(servers, source, "plan-cleanup", "--output", "json")) == 0
    evidence = deployment_reasons(capsys.readouterr().out, LIVE)["live"]
    assert "ab12cd3" in evidence
    assert_screen(evidence)
    assert main(make_argv(servers, source, "cleanup", "--auto-approve")) == 0

    assert servers.bucket.folders() == {"d0", LIVE}


def test_source_that_fails_keeps_everything_and_refuses(servers, source, capsys, assert_screen):
    source.point(servers, LIVE)
    source.fail(servers)

    assert main(make_argv(servers, source, "cleanup", "--auto-approve")) == 4

    assert servers.bucket.folders() == ALL
    assert servers.proxy.find_requests("POST", "delete") == []
    captured = capsys.readouterr()
    assert f"live-from {source.text.split('{')[0]}" in captured.err
    assert_screen(captured.err)
    assert not list(Path().glob("*.jsonl"))


def test_source_that_fails_after_the_plan_keeps_everything_and_refuses(servers, source):
    source.point(servers, LIVE)
    servers.proxy.call_before("GET", LAST_PLAN_REQUEST, lambda: source.fail(servers), nth=1)

    assert main(make_argv(servers, source, "cleanup", "--auto-approve")) == 4

    assert servers.bucket.folders() == ALL
    assert servers.proxy.find_requests("POST", "delete") == []


def test_live_source_without_an_existing_deployment_refuses_if_one_is_required(
    servers, source, capsys, assert_screen
):
    source.point(servers, MISSING)

    code = main(make_argv(servers, source, "cleanup", "--auto-approve"))

    if source.must_be_found:
        assert code == 4
        assert servers.bucket.folders() == ALL
        assert_screen(capsys.readouterr().err)
    else:
        assert code == 0
        assert servers.bucket.folders() == {"d0"}


def test_plan_with_a_failed_source_is_shown_and_saved_but_not_applyable(servers, source, capsys):
    source.point(servers, LIVE)
    source.fail(servers)

    options = ("--output", "json", "--plan-file", "plan.json")
    assert main(make_argv(servers, source, "plan-cleanup", *options)) == 4

    plan = json.loads(capsys.readouterr().out)
    assert plan == json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert plan["applyable"] is False
    assert [refusal["code"] for refusal in plan["refusals"]] == ["live-source-unreadable"]


def test_deployment_that_a_pointer_names_after_the_plan_is_kept(servers, capsys, assert_screen):
    source = SOURCES["object"]
    source.point(servers, "d0")
    servers.proxy.call_before("GET", LAST_PLAN_REQUEST, lambda: source.point(servers, LIVE), nth=1)

    assert main(make_argv(servers, source, "cleanup", "--auto-approve")) == 3

    assert servers.bucket.folders() == {"d0", LIVE}
    assert_screen(capsys.readouterr().out)


def test_github_source_without_a_token_names_the_variable(servers, monkeypatch, capsys):
    monkeypatch.delenv("GITHUB_TOKEN")

    assert main(make_argv(servers, SOURCES["branches"], "cleanup", "--auto-approve")) == 4

    assert "GITHUB_TOKEN" in capsys.readouterr().err
    assert servers.bucket.folders() == ALL


def test_secret_in_the_query_of_a_url_is_never_shown(servers, capsys):
    servers.site.answer("/live.txt", LIVE.encode())
    source = Source(
        text="url:{site}/live.txt?key=s3cr3t",
        point=lambda *_: None,
        fail=lambda *_: None,
    )

    for output in ("table", "json", "markdown"):
        options = ("--output", output, "--plan-file", f"{output}.json")
        assert main(make_argv(servers, source, "plan-cleanup", *options)) == 0
        captured = capsys.readouterr()
        saved = Path(f"{output}.json").read_text(encoding="utf-8")
        assert "s3cr3t" not in captured.out + captured.err + saved
        assert "live.txt" in captured.out


def test_folder_that_contains_the_pointer_is_kept(servers, capsys, assert_screen):
    for name in ("file", "live.json"):
        servers.bucket.put(f"config/{name}", days=999, body=json.dumps({"commit": LIVE}).encode())

    options = [*servers.bucket.options(), "--keep-count", "1"]
    options += ["--live-from", "object:config/live.json#commit"]
    assert main(["plan-cleanup", *options, "--output", "json"]) == 0
    reasons = deployment_reasons(capsys.readouterr().out, "config")
    assert_screen(reasons["live"])
    assert main(["cleanup", *options, "--auto-approve"]) == 0

    assert servers.bucket.folders() == {"d0", LIVE, "config"}


def test_distribution_with_an_unknown_folder_refuses(servers, capsys, assert_screen):
    point_distribution(servers, "d0")
    domain = f"{servers.bucket.name}.s3.amazonaws.com"
    add_distribution(servers.cloudfront, (domain, ""), aliases=("shop.example.org",))

    assert main(make_argv(servers, SOURCES["cloudfront"], "cleanup", "--auto-approve")) == 4

    assert servers.bucket.folders() == ALL
    assert_screen(capsys.readouterr().err)


def test_explanation_shows_that_an_unreadable_source_prevents_deletion(
    servers, capsys, assert_screen
):
    source = SOURCES["object"]

    options = ["--live-from", source.text, "--keep-count", "1", *servers.bucket.options()]
    assert main(["explain", "d2", *options]) == 0

    assert_screen(capsys.readouterr().out)


def test_record_that_a_cleanup_in_a_workflow_may_have_created_hides_nothing(servers):
    """On a terminal it can't be determined which workflow created a record."""
    for name in ("d1".ljust(40, "0"), LIVE, "d0".ljust(40, "0")):
        servers.bucket.deploy(name, days=1000 if name == LIVE else 900)
        url = servers.github.content.run(7, "deploy.yml")
        servers.github.content.deploy("production", name, "success", log_url=url)

    source = SOURCES["github-deployments"]
    assert main(make_argv(servers, source, "cleanup", "--auto-approve")) == 0

    assert servers.bucket.folders() == {"d0", "d0".ljust(40, "0"), LIVE}
    assert not [request for request in servers.github.requests if "/runs/" in request.path]
