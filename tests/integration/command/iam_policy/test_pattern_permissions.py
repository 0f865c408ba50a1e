"""The policy printed for a prefix pattern allows what a run requests, and nothing else."""

import json
from collections.abc import Iterator, Mapping

import pytest

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.support.apps import MATCH, commit, deploy_app, list_deployments
from tests.support.s3.iam import IamProxy, RequiredPermission, is_allowed
from tests.support.s3.memory_site import MemorySite, intercept_requests

PATTERNS = ["apps/*/production/", "*/s*/production/", "apps/*/*/", "apps/s*/production/"]


@pytest.fixture
def site() -> MemorySite:
    """A versioned bucket with apps."""
    site = MemorySite()
    site.enable_versioning()
    for app in ("shop", "site"):
        deploy_app(site, app)
        site.put(f"live/{app}", body=commit(app, 2).encode())
    return site


@pytest.fixture
def iam(site: MemorySite) -> Iterator[IamProxy]:
    """An IAM proxy for the bucket that denies everything."""
    proxy = IamProxy(site.answer, {"Statement": []})
    proxy.ignores_probes = False
    with intercept_requests(proxy.handle):
        yield proxy


def print_policy(
    capsys: pytest.CaptureFixture[str], purpose: str, pattern: str, *options: str
) -> Mapping:
    capsys.readouterr()
    target = ["--bucket-name", "site", "--prefix", pattern]
    assert main(["iam-policy", purpose, *target, *options]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_printed_policy_is_enough_for_a_pattern(
    site: MemorySite, iam: IamProxy, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    live = ("--live-from", "object:live/{folder}") if pattern == PATTERNS[0] else ()
    journal = ("--journal-file", "s3://")
    options = [*site.options(), "--prefix", pattern, "--match", MATCH, "--keep-count", "1", *live]
    iam.policy = print_policy(capsys, "plan", pattern, *live)
    assert main(["plan-cleanup", *options]) == 0
    iam.policy = print_policy(capsys, "apply", pattern, *live, *journal)
    assert main(["cleanup", *options, *journal, "--auto-approve"]) == 0
    assert list_deployments(site, "shop") == ({0, 2} if live else {0})
    assert not iam.denied


@pytest.mark.parametrize(
    ("omitted_sid", "exit_code"),
    [
        ("ListDeployments", ExitCode.ACCESS),
        ("DeleteObjects", ExitCode.PARTIAL),
        ("ReadLiveFromObject", ExitCode.REFUSED),
    ],
)
def test_each_statement_for_a_pattern_is_needed(
    site: MemorySite,
    iam: IamProxy,
    capsys: pytest.CaptureFixture[str],
    omitted_sid: str,
    exit_code: ExitCode,
) -> None:
    live = ("--live-from", "object:live/{folder}")
    policy = print_policy(capsys, "apply", PATTERNS[0], *live)
    before = site.content()
    statements = [item for item in policy["Statement"] if item["Sid"] != omitted_sid]
    assert len(statements) == len(policy["Statement"]) - 1
    iam.policy = {"Statement": statements}
    options = [*site.options(), "--prefix", PATTERNS[0], "--match", MATCH, "--keep-count", "1"]
    assert main(["cleanup", *options, *live, "--auto-approve"]) == exit_code
    assert site.content() == before


@pytest.mark.parametrize(
    ("action", "resource", "prefix"),
    [
        ("s3:ListBucket", "", ""),
        ("s3:ListBucket", "", "other/"),
        ("s3:ListBucket", "", "apps/shop/staging/"),
        ("s3:DeleteObject", "/other/shop/production/x/file", ""),
        ("s3:DeleteObject", "/apps/shop/staging/x/file", ""),
        ("s3:DeleteObject", "/apps/shop/production/.ci3/journals/r/1.jsonl", ""),
        ("s3:DeleteObject", "/apps/shop/production/release-1/file", ""),
        ("s3:PutObject", "/apps/shop/production/x/file", ""),
    ],
)
def test_policy_for_a_pattern_allows_nothing_outside_of_it(
    capsys: pytest.CaptureFixture[str], action: str, resource: str, prefix: str
) -> None:
    options = ("--protect", "release-*", "--journal-file", "s3://")
    policy = print_policy(capsys, "apply", PATTERNS[0], *options)
    permission = RequiredPermission(
        action=action, resource=f"arn:aws:s3:::site{resource}", context={"s3:prefix": prefix}
    )
    assert not is_allowed(policy, permission)


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("apps/*/", "apps/"),
        ("*/", ""),
        ("*/apps/*/", "shop/apps/"),
        ("*/*/", ""),
        ("*/*/", "shop/"),
        ("*/*/", "shop/web/"),
        (".*/", ""),
        ("apps/*/production/", "apps/shop/production/"),
    ],
)
@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:DeleteObjectVersion"])
def test_journals_above_and_in_the_targets_may_not_be_deleted(
    capsys: pytest.CaptureFixture[str], pattern: str, folder: str, action: str
) -> None:
    policy = print_policy(capsys, "apply", pattern, "--delete-versions")
    arn = f"arn:aws:s3:::site/{folder}"
    keys = [".ci3/journals/r/00000001.jsonl", ".ci3/restored/r"]
    permissions = [RequiredPermission(action=action, resource=f"{arn}{key}") for key in keys]
    assert [is_allowed(policy, permission) for permission in permissions] == [False, False]


def test_deployments_of_a_pattern_may_be_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    policy = print_policy(capsys, "apply", "*/")
    resource = "arn:aws:s3:::site/shop/ab12cd3/.ci3"
    assert is_allowed(policy, RequiredPermission(action="s3:DeleteObject", resource=resource))


@pytest.mark.parametrize(
    ("prefix", "may_list"),
    [("a$b/w?-shop/apps/", True), ("a$b/wx-shop/apps/", False), ("axb/w?-shop/apps/", False)],
)
def test_segment_of_a_pattern_is_escaped(
    capsys: pytest.CaptureFixture[str], prefix: str, *, may_list: bool
) -> None:
    policy = print_policy(capsys, "plan", "a$b/w?-*/apps/*/")
    permission = RequiredPermission(
        action="s3:ListBucket", resource="arn:aws:s3:::site", context={"s3:prefix": prefix}
    )
    assert is_allowed(policy, permission) is may_list


def test_folder_in_a_live_source_is_a_wildcard(capsys: pytest.CaptureFixture[str]) -> None:
    arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/{folder}/live"
    policy = print_policy(
        capsys, "plan", "*/", "--live-from", "ssm:/{folder}/a*b", "--live-from", f"ssm:{arn}"
    )
    resources = [
        resource
        for statement in policy["Statement"]
        for resource in statement["Resource"]
        if ":ssm:" in resource
    ]
    assert [resource.rpartition("parameter/")[2] for resource in resources] == [
        "*/a${*}b",
        "*/live",
    ]
