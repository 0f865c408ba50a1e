"""`ci3 doctor` on buckets of the local S3 server, and on moto, which enforces IAM policies."""

import json
from dataclasses import replace

import pytest

from ci3.cli.main import main
from ci3.core.doctor.finding import Level
from ci3.core.model.user_pattern import UserPattern
from ci3.errors import ExitCode
from ci3.pipeline.doctor import run_doctor
from ci3.pipeline.expansion import OpenTarget
from tests.support.cleanup_run import make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.moto_iam import use_policy
from tests.support.s3.moto_s3 import MotoBucket

READ_ACTIONS = ["s3:ListBucket", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"]
COMMITS = [f"{number:x}" * 40 for number in range(1, 9)]


def allow_actions(*actions: str) -> dict:
    statement = {"Effect": "Allow", "Action": [*actions], "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def site(site: Bucket) -> Bucket:
    return deploy_commits(site)


@pytest.fixture
def moto_site(moto_bucket: MotoBucket) -> MotoBucket:
    """The same deployments on moto, which enforces policies."""
    return deploy_commits(moto_bucket)


def deploy_commits(site):
    for number, commit in enumerate(COMMITS):
        site.deploy(commit, days=10 * number)
        site.put(f"{commit}/index.html", days=10 * number)
    site.put("robots.txt", days=99)
    return site


@pytest.fixture
def examine(site: Bucket, capsys):
    """Return a function that runs the command: exit code, and findings by topic."""

    def examine(*argv: str, bucket=site) -> tuple[int, dict[str, dict]]:
        capsys.readouterr()
        code = main(["doctor", *bucket.options(), "--output", "json", *argv])
        report = json.loads(capsys.readouterr().out)
        assert report["exit_code"] == code
        return code, {finding["topic"]: finding for finding in report["findings"]}

    return examine


def list_levels(findings: dict[str, dict], *topics: str) -> list[str]:
    return [findings[topic]["level"] for topic in topics]


def test_bucket_without_versions_is_examined_without_write_requests(
    site: Bucket, proxy: FaultProxy, examine
) -> None:
    site.deploy("assets", days=400)
    before = site.content()
    code, findings = examine()
    assert code == ExitCode.REFUSED
    assert list_levels(findings, "list", "versioning", "mixed-names", "delete") == [
        "ok", "note", "problem", "note"]  # fmt: skip
    assert "assets" in findings["mixed-names"]["message"]
    assert "'[0-9a-f]{40}'" in findings["mixed-names"]["message"]
    assert "index.html" in findings["required-file"]["advice"]
    assert [request for request in proxy.requests if request.is_write] == []
    assert site.content() == before


def test_probe_requests_only_keys_that_do_not_exist_and_changes_nothing(
    site: Bucket, proxy: FaultProxy, examine
) -> None:
    site.enable_versioning()
    before, versions = site.content(), site.versions()
    examine("--probe-deletes")
    writes = [request for request in proxy.requests if request.is_write]
    assert writes
    assert all(request.is_probe for request in writes)
    assert (site.content(), site.versions()) == (before, versions)


def test_probe_removes_the_marker_that_an_s3_without_conditions_creates(
    site: Bucket, proxy: FaultProxy, examine, assert_screen
) -> None:
    """moto ignores conditions in batches and creates a marker in a versioned bucket."""
    site.enable_versioning()
    proxy.ignores_probes = False
    proxy.answer(
        "DELETE", "ci3-probe-[^?]*$", "<Error><Code>PreconditionFailed</Code></Error>", status=412
    )
    code, findings = examine("--probe-deletes")
    assert (code, findings["delete"]["level"]) == (ExitCode.DONE, "warning")
    assert_screen(findings["delete"]["message"])
    assert not [key for key, _ in site.versions() if "probe" in key]


def test_versioned_bucket_with_rules_and_uploads_is_examined(site: Bucket, examine) -> None:
    site.enable_versioning()
    site.client.put_bucket_lifecycle_configuration(
        Bucket=site.name,
        LifecycleConfiguration={"Rules": [
            {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""},
             "Expiration": {"Days": 90}, "NoncurrentVersionExpiration": {"NoncurrentDays": 14}},
            {"ID": "asleep", "Status": "Disabled", "Filter": {"Prefix": ""},
             "Expiration": {"Days": 1}},
        ]},
    )  # fmt: skip
    site.begin_upload(f"{COMMITS[0]}/big.bin", days=9)
    _, findings = examine("--match", "[0-9a-f]{40}", "--required-file", "index.html")
    topics = ("versioning", "lifecycle", "uploads", "folders", "required-file")
    assert list_levels(findings, *topics) == ["ok", "warning", "warning", "ok", "ok"]
    assert "for 14 days" in findings["versioning"]["message"]
    assert "tidy" in findings["lifecycle"]["message"]
    assert "90 days" in findings["lifecycle"]["message"]
    assert "1 " in findings["uploads"]["message"]
    assert "9 days" in findings["uploads"]["message"]


def test_missing_permissions_of_an_apply_are_reported(
    moto_site: MotoBucket, examine, monkeypatch
) -> None:
    arn = use_policy(monkeypatch, allow_actions(*READ_ACTIONS), moto_site.endpoint_url)
    code, findings = examine(bucket=moto_site)
    assert code == ExitCode.DONE
    assert arn in findings["identity"]["message"]
    assert list_levels(findings, "list", "list versions", "uploads", "versioning") == [
        "ok", "note", "note", "note"]  # fmt: skip
    assert "iam-policy" in findings["list versions"]["advice"]
    code, findings = examine("--probe-deletes", bucket=moto_site)
    assert (code, findings["delete"]["level"]) == (ExitCode.ACCESS, "problem")


def test_policy_that_allows_everything_allows_deletion(
    moto_site: MotoBucket, examine, monkeypatch, assert_screen
) -> None:
    use_policy(monkeypatch, allow_actions("s3:*"), moto_site.endpoint_url)
    code, findings = examine("--probe-deletes", bucket=moto_site)
    assert code == ExitCode.DONE
    assert list_levels(findings, "list versions", "uploads") == ["ok", "ok"]
    assert_screen(findings["delete"]["message"])


def test_denied_listing_is_a_problem_that_suggests_the_iam_policy(
    moto_site: MotoBucket, examine, monkeypatch
) -> None:
    use_policy(monkeypatch, allow_actions("s3:GetBucketVersioning"), moto_site.endpoint_url)
    code, findings = examine("--prefix", "my app", bucket=moto_site)
    assert code == ExitCode.ACCESS
    assert findings["list"]["level"] == "problem"
    assert "iam-policy" in findings["list"]["advice"]
    assert "'my app'" in findings["list"]["advice"]
    assert "folders" not in findings


def test_missing_bucket_is_one_problem_and_ends_the_checks(
    site: Bucket, proxy: FaultProxy, examine
) -> None:
    site.name = "nowhere-at-all"
    code, findings = examine("--probe-deletes")
    assert code == ExitCode.ACCESS
    assert [topic for topic, finding in findings.items() if finding["level"] == "problem"] == [
        "list"
    ]
    assert len(proxy.requests) == 2


def test_refusal_of_an_apply_is_a_problem(examine) -> None:
    code, findings = examine("--live-from", "object:live.txt", "--protect", "relase-1")
    assert code == ExitCode.REFUSED
    assert list_levels(findings, "live", "protect") == ["problem", "problem"]


@pytest.mark.parametrize("setting", ["match", "group_by"])
def test_pattern_that_takes_too_long_is_a_problem(site: Bucket, setting: str) -> None:
    site.deploy("a" * 60 + "!", days=1)
    context = make_context(site)
    pattern = UserPattern.compile("(a|aa)+", timeout_seconds=0.05)
    settings = replace(context.settings, **{setting: pattern})
    context = replace(context, settings=settings)
    findings = run_doctor(OpenTarget(context=context, bucket=context.open_bucket())).findings
    problems = [finding for finding in findings if finding.level is Level.PROBLEM]
    assert any("(a|aa)+" in finding.message for finding in problems)


def test_branches_and_pull_requests_in_one_bucket_are_no_problem(local_s3, examine) -> None:
    site = local_s3.new_bucket()
    for number, name in enumerate(("main", *(f"pr-{number}" for number in range(1, 10)))):
        site.deploy(name, days=number)
    _, findings = examine(bucket=site)
    assert list_levels(findings, "folders") == ["note"]


def test_bucket_in_another_region_is_reported(proxy: FaultProxy, examine) -> None:
    proxy.answer(
        "GET",
        "max-keys=1",
        "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        headers={"x-amz-bucket-region": "eu-west-3"},
    )
    _, findings = examine()
    assert findings["region"]["level"] == "note"
    assert "eu-west-3" in findings["region"]["advice"]


def test_credentials_of_another_s3_are_not_sent_to_aws(
    site: Bucket, examine, monkeypatch, assert_screen
) -> None:
    """STS is requested only if an STS endpoint other than that of AWS is set."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # a closed port
    _, findings = examine()
    assert findings["identity"]["level"] == "note"
    assert_screen(findings["identity"]["message"])


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_table_and_markdown_show_every_topic(site: Bucket, capsys, output: str) -> None:
    assert main(["doctor", *site.options(), "--output", output]) == ExitCode.DONE
    out = capsys.readouterr().out.replace("&nbsp;", " ")
    assert "[0-9a-f]{40}" in out
    for topic in ("identity", "versioning", "uploads", "required-file"):
        assert f" {topic} " in out
