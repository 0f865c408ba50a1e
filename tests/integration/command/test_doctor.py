"""`ci3 doctor` on buckets of the S3 on loopback, and on moto, which enforces IAM policies."""

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

READING = ["s3:ListBucket", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"]
COMMITS = [f"{number:x}" * 40 for number in range(1, 9)]


def allowing(*actions: str) -> dict:
    statement = {"Effect": "Allow", "Action": [*actions], "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def site(site: Bucket) -> Bucket:
    return fill(site)


@pytest.fixture
def moto_site(moto_bucket: MotoBucket) -> MotoBucket:
    """The same site on moto, which enforces policies."""
    return fill(moto_bucket)


def fill(site):
    for number, commit in enumerate(COMMITS):
        site.deploy(commit, days=10 * number)
        site.put(f"{commit}/index.html", days=10 * number)
    site.put("robots.txt", days=99)
    return site


@pytest.fixture
def examine(site: Bucket, capsys):
    """Run the command on the site; give its exit code, and its findings by topic."""

    def examine(*argv: str, bucket=site) -> tuple[int, dict[str, dict]]:
        capsys.readouterr()
        code = main(["doctor", *bucket.options(), "--output", "json", *argv])
        checkup = json.loads(capsys.readouterr().out)
        assert checkup["exit_code"] == code
        return code, {finding["topic"]: finding for finding in checkup["findings"]}

    return examine


def levels(found: dict[str, dict], *topics: str) -> list[str]:
    return [found[topic]["level"] for topic in topics]


def test_bucket_without_versions_is_described_without_sending_anything_that_writes(
    site: Bucket, proxy: FaultProxy, examine
) -> None:
    site.deploy("assets", days=400)
    before = site.content()
    code, found = examine()
    assert code == ExitCode.REFUSED
    assert levels(found, "list", "versioning", "mixed-names", "delete") == [
        "ok", "note", "problem", "note"]  # fmt: skip
    assert "assets" in found["mixed-names"]["message"]
    assert "'[0-9a-f]{40}'" in found["mixed-names"]["message"]
    assert "index.html" in found["required-file"]["advice"]
    assert [one for one in proxy.requests if one.is_write] == []
    assert site.content() == before


def test_probe_asks_for_keys_that_nobody_has_and_leaves_nothing_behind(
    site: Bucket, proxy: FaultProxy, examine
) -> None:
    site.enable_versioning()
    before, versions = site.content(), site.versions()
    examine("--probe-deletes")
    writes = [one for one in proxy.requests if one.is_write]
    assert writes
    assert all(one.is_probe for one in writes)
    assert (site.content(), site.versions()) == (before, versions)


def test_probe_that_leaves_a_marker_on_a_careless_s3_takes_it_away(
    site: Bucket, proxy: FaultProxy, examine, assert_screen
) -> None:
    """moto ignores conditions in batches, and on a versioned bucket makes a marker then."""
    site.enable_versioning()
    proxy.ignores_probes = False
    proxy.answer(
        "DELETE", "ci3-probe-[^?]*$", "<Error><Code>PreconditionFailed</Code></Error>", status=412
    )
    code, found = examine("--probe-deletes")
    assert (code, found["delete"]["level"]) == (ExitCode.DONE, "warning")
    assert_screen(found["delete"]["message"])
    assert not [key for key, _ in site.versions() if "probe" in key]


def test_versioned_bucket_with_rules_and_strays_is_described(site: Bucket, examine) -> None:
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
    _, found = examine("--match", "[0-9a-f]{40}", "--required-file", "index.html")
    assert levels(found, "versioning", "lifecycle", "uploads", "folders", "required-file") == [
        "ok", "warning", "warning", "ok", "ok"]  # fmt: skip
    assert "for 14 days" in found["versioning"]["message"]
    assert "tidy" in found["lifecycle"]["message"]
    assert "90 days" in found["lifecycle"]["message"]
    assert "1 " in found["uploads"]["message"]
    assert "9 days" in found["uploads"]["message"]


def test_who_may_only_read_is_told_what_an_apply_needs(
    moto_site: MotoBucket, examine, monkeypatch
) -> None:
    arn = use_policy(monkeypatch, allowing(*READING), moto_site.endpoint_url)
    code, found = examine(bucket=moto_site)
    assert code == ExitCode.DONE
    assert arn in found["identity"]["message"]
    assert levels(found, "list", "list versions", "uploads", "versioning") == [
        "ok", "note", "note", "note"]  # fmt: skip
    assert "iam-policy" in found["list versions"]["advice"]
    code, found = examine("--probe-deletes", bucket=moto_site)
    assert (code, found["delete"]["level"]) == (ExitCode.ACCESS, "problem")


def test_who_may_do_everything_may_delete(
    moto_site: MotoBucket, examine, monkeypatch, assert_screen
) -> None:
    use_policy(monkeypatch, allowing("s3:*"), moto_site.endpoint_url)
    code, found = examine("--probe-deletes", bucket=moto_site)
    assert code == ExitCode.DONE
    assert levels(found, "list versions", "uploads") == ["ok", "ok"]
    assert_screen(found["delete"]["message"])


def test_who_may_not_list_learns_which_policy_is_missing(
    moto_site: MotoBucket, examine, monkeypatch
) -> None:
    use_policy(monkeypatch, allowing("s3:GetBucketVersioning"), moto_site.endpoint_url)
    code, found = examine("--prefix", "my app", bucket=moto_site)
    assert code == ExitCode.ACCESS
    assert found["list"]["level"] == "problem"
    assert "iam-policy" in found["list"]["advice"]
    assert "'my app'" in found["list"]["advice"]
    assert "folders" not in found


def test_bucket_that_is_not_there_is_one_problem_and_nothing_more_is_asked(
    site: Bucket, proxy: FaultProxy, examine
) -> None:
    site.name = "nowhere-at-all"
    code, found = examine("--probe-deletes")
    assert code == ExitCode.ACCESS
    assert [topic for topic, one in found.items() if one["level"] == "problem"] == ["list"]
    assert len(proxy.requests) == 2


def test_what_an_apply_would_refuse_is_a_problem(examine) -> None:
    code, found = examine("--live-from", "object:live.txt", "--protect", "relase-1")
    assert code == ExitCode.REFUSED
    assert levels(found, "live", "protect") == ["problem", "problem"]


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


def test_branches_beside_pull_requests_are_no_problem(local_s3, examine) -> None:
    site = local_s3.new_bucket()
    for number, name in enumerate(("main", *(f"pr-{number}" for number in range(1, 10)))):
        site.deploy(name, days=number)
    _, findings = examine(bucket=site)
    assert levels(findings, "folders") == ["note"]


def test_bucket_in_another_region_is_told(proxy: FaultProxy, examine) -> None:
    proxy.answer(
        "GET",
        "max-keys=1",
        "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        headers={"x-amz-bucket-region": "eu-west-3"},
    )
    _, found = examine()
    assert found["region"]["level"] == "note"
    assert "eu-west-3" in found["region"]["advice"]


def test_keys_for_another_s3_are_not_shown_to_aws(
    site: Bucket, examine, monkeypatch, assert_screen
) -> None:
    """The address of an STS that is not AWS's is what lets it be asked."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody listens
    _, found = examine()
    assert found["identity"]["level"] == "note"
    assert_screen(found["identity"]["message"])


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_screens_tell_the_same(site: Bucket, capsys, output: str) -> None:
    assert main(["doctor", *site.options(), "--output", output]) == ExitCode.DONE
    out = capsys.readouterr().out.replace("&nbsp;", " ")
    assert "[0-9a-f]{40}" in out
    for topic in ("identity", "versioning", "uploads", "required-file"):
        assert f" {topic} " in out
