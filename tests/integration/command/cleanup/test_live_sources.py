"""Each live source in a whole run: what it names is kept however old, and its failure refuses."""

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
from tests.unit.live.test_aws_cloudfront import distribute

LIVE = "ab12cd3" + "0" * 33
GONE = "dead123" + "0" * 33
ALL = {"d0", "d1", "d2", LIVE}


@dataclass
class World:
    """Everything that a live source may be read from."""

    bucket: Bucket
    proxy: FaultProxy
    github: FakeGitHub
    site: WebSite
    cloudfront: object
    ssm: object


@pytest.fixture
def world(site: Bucket, proxy: FaultProxy, s3_url: str, monkeypatch) -> Iterator[World]:
    """A bucket whose oldest deployment is the live one, and sources that say nothing yet."""
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
        yield World(site, proxy, github, web, cloudfront, ssm)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A live source: how it comes to name a commit or folder, and how it fails."""

    text: str
    point: Callable[[World, str], object]
    fail: Callable[[World], object]
    must_be_found: bool = True


def say_in_object(world: World, name: str) -> None:
    world.bucket.put("version.json", body=json.dumps({"commit": name}).encode())


def serve(world: World, name: str) -> None:
    domain = f"{world.bucket.name}.s3.eu-central-1.amazonaws.com"
    distribute(world.cloudfront, (domain, f"/{name}"), aliases=("www.example.org",))


def parameter(world: World, name: str) -> None:
    world.ssm.put_parameter(Name="/site/live", Value=name, Type="String", Overwrite=True)


AFTER_THE_READING = "versioning"
"""What a plan asks last of all."""

DENIED = error("AccessDenied")
SOURCES = {
    "github-deployments": Source(
        text="github-deployments:production",
        point=lambda world, name: world.github.content.deploy("production", name, "success"),
        fail=lambda world: world.github.fail_next("GET", "deployments", 404, {"message": "no"}),
    ),
    "open-pull-requests": Source(
        text="open-pull-requests",
        point=lambda world, name: world.github.content.open_pull_request(12, name),
        fail=lambda world: world.github.fail_next("GET", "pulls", 403, {"message": "no"}),
        must_be_found=False,
    ),
    "branches": Source(
        text="branches",
        point=lambda world, name: world.github.content.branches.update(main=name),
        fail=lambda world: world.github.fail_next("GET", "branches", 401, {"message": "no"}),
        must_be_found=False,
    ),
    "cloudfront": Source(
        text="cloudfront",
        point=serve,
        fail=lambda world: world.proxy.answer("GET", "/distribution", DENIED, status=403),
    ),
    "ssm": Source(
        text="ssm:/site/live",
        point=parameter,
        fail=lambda world: world.ssm.delete_parameter(Name="/site/live"),
    ),
    "object": Source(
        text="object:version.json#commit",
        point=say_in_object,
        fail=lambda world: world.bucket.remove("version.json"),
    ),
    "url": Source(
        text="url:{site}/live.txt",
        point=lambda world, name: world.site.answer("/live.txt", f"{name}\n".encode()),
        fail=lambda world: world.site.answer("/live.txt", b"gone", 404),
    ),
}


@pytest.fixture(params=SOURCES.values(), ids=SOURCES.keys())
def source(request) -> Source:
    return request.param


def argv(world: World, source: Source, command: str, *more: str) -> list[str]:
    text = source.text.format(site=world.site.url)
    rules = ["--keep-count", "1", "--match", "[a-f0-9]+"]
    return [command, *world.bucket.options(), *rules, "--live-from", text, *more]


def test_what_a_source_names_is_kept_however_old_with_its_evidence(
    world, source, capsys, assert_screen
):
    source.point(world, LIVE)

    assert main(argv(world, source, "plan-cleanup", "--output", "json")) == 0
    evidence = deployment_reasons(capsys.readouterr().out, LIVE)["live"]
    assert "ab12cd3" in evidence
    assert_screen(evidence)
    assert main(argv(world, source, "cleanup", "--auto-approve")) == 0

    assert world.bucket.folders() == {"d0", LIVE}


def test_source_that_fails_keeps_everything_and_refuses(world, source, capsys, assert_screen):
    source.point(world, LIVE)
    source.fail(world)

    assert main(argv(world, source, "cleanup", "--auto-approve")) == 4

    assert world.bucket.folders() == ALL
    assert world.proxy.find_requests("POST", "delete") == []
    shown = capsys.readouterr()
    assert f"live-from {source.text.split('{')[0]}" in shown.err
    assert_screen(shown.err)
    assert not list(Path().glob("*.jsonl"))


def test_source_that_fails_after_the_plan_keeps_everything_and_refuses(world, source):
    source.point(world, LIVE)
    world.proxy.call_before("GET", AFTER_THE_READING, lambda: source.fail(world), nth=1)

    assert main(argv(world, source, "cleanup", "--auto-approve")) == 4

    assert world.bucket.folders() == ALL
    assert world.proxy.find_requests("POST", "delete") == []


def test_source_that_names_nothing_that_is_there_refuses_unless_it_may(
    world, source, capsys, assert_screen
):
    source.point(world, GONE)

    code = main(argv(world, source, "cleanup", "--auto-approve"))

    if source.must_be_found:
        assert code == 4
        assert world.bucket.folders() == ALL
        assert_screen(capsys.readouterr().err)
    else:
        assert code == 0
        assert world.bucket.folders() == {"d0"}


def test_plan_of_a_failing_source_is_shown_and_saved_and_not_applyable(world, source, capsys):
    source.point(world, LIVE)
    source.fail(world)

    options = ("--output", "json", "--plan-file", "plan.json")
    assert main(argv(world, source, "plan-cleanup", *options)) == 4

    plan = json.loads(capsys.readouterr().out)
    assert plan == json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert plan["applyable"] is False
    assert [one["code"] for one in plan["refusals"]] == ["live-source-unreadable"]


def test_pointer_that_moves_after_the_plan_keeps_what_it_names_then(world, capsys, assert_screen):
    source = SOURCES["object"]
    source.point(world, "d0")
    world.proxy.call_before("GET", AFTER_THE_READING, lambda: source.point(world, LIVE), nth=1)

    assert main(argv(world, source, "cleanup", "--auto-approve")) == 3

    assert world.bucket.folders() == {"d0", LIVE}
    assert_screen(capsys.readouterr().out)


def test_github_source_without_a_token_says_what_to_set(world, monkeypatch, capsys):
    monkeypatch.delenv("GITHUB_TOKEN")

    assert main(argv(world, SOURCES["branches"], "cleanup", "--auto-approve")) == 4

    assert "GITHUB_TOKEN" in capsys.readouterr().err
    assert world.bucket.folders() == ALL


def test_secret_in_an_addresss_query_is_shown_nowhere(world, capsys):
    world.site.answer("/live.txt", LIVE.encode())
    source = Source(
        text="url:{site}/live.txt?key=s3cr3t",
        point=lambda *_: None,
        fail=lambda *_: None,
    )

    for output in ("table", "json", "markdown"):
        options = ("--output", output, "--plan-file", f"{output}.json")
        assert main(argv(world, source, "plan-cleanup", *options)) == 0
        shown = capsys.readouterr()
        saved = Path(f"{output}.json").read_text(encoding="utf-8")
        assert "s3cr3t" not in shown.out + shown.err + saved
        assert "live.txt" in shown.out


def test_folder_that_holds_the_pointer_is_kept(world, capsys, assert_screen):
    for name in ("file", "live.json"):
        world.bucket.put(f"config/{name}", days=999, body=json.dumps({"commit": LIVE}).encode())

    options = [*world.bucket.options(), "--keep-count", "1"]
    options += ["--live-from", "object:config/live.json#commit"]
    assert main(["plan-cleanup", *options, "--output", "json"]) == 0
    reasons = deployment_reasons(capsys.readouterr().out, "config")
    assert_screen(reasons["live"])
    assert main(["cleanup", *options, "--auto-approve"]) == 0

    assert world.bucket.folders() == {"d0", LIVE, "config"}


def test_distribution_whose_folder_can_not_be_told_refuses(world, capsys, assert_screen):
    serve(world, "d0")
    domain = f"{world.bucket.name}.s3.amazonaws.com"
    distribute(world.cloudfront, (domain, ""), aliases=("shop.example.org",))

    assert main(argv(world, SOURCES["cloudfront"], "cleanup", "--auto-approve")) == 4

    assert world.bucket.folders() == ALL
    assert_screen(capsys.readouterr().err)


def test_explanation_says_that_nothing_goes_while_a_source_can_not_be_read(
    world, capsys, assert_screen
):
    source = SOURCES["object"]

    options = ["--live-from", source.text, "--keep-count", "1", *world.bucket.options()]
    assert main(["explain", "d2", *options]) == 0

    assert_screen(capsys.readouterr().out)


def test_record_that_a_cleanup_in_a_workflow_may_have_created_hides_nothing(world):
    """On a terminal it can't be determined which workflow created a record."""
    for name in ("d1".ljust(40, "0"), LIVE, "d0".ljust(40, "0")):
        world.bucket.deploy(name, days=1000 if name == LIVE else 900)
        url = world.github.content.run(7, "deploy.yml")
        world.github.content.deploy("production", name, "success", log_url=url)

    source = SOURCES["github-deployments"]
    assert main(argv(world, source, "cleanup", "--auto-approve")) == 0

    assert world.bucket.folders() == {"d0", "d0".ljust(40, "0"), LIVE}
    assert not [request for request in world.github.requests if "/runs/" in request.path]
