"""All live sources are read, in order, and a failed source does not affect the others."""

import threading
from contextlib import closing

import boto3
import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.github.api import GitHubApi
from ci3.github.http import GitHubTransport
from ci3.live.reader import read_live_sources
from tests.support.github.fake_github import FakeGitHub
from tests.support.messages import words_in
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.web_site import running_site

COMMIT = "ab12cd3" + "0" * 33


@pytest.fixture
def api():
    with FakeGitHub() as fake:
        fake.content.deploy("production", COMMIT, "success")
        fake.content.open_pull_request(12, COMMIT)
        fake.content.branches["main"] = COMMIT
        yield GitHubApi(
            GitHubTransport(api_url=fake.url, token=fake.token, repository=fake.repository)
        )


def read_sources(
    bucket: Bucket, *texts: str, prefix: str = "", github: GitHubApi | None = None
) -> tuple[LiveReading, ...]:
    reader = BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)
    return read_live_sources(
        [LiveSource.parse(text) for text in texts],
        bucket=reader,
        prefix=prefix,
        region="us-east-1",
        github=github,
    )


def test_every_source_is_read_and_readings_are_in_the_order_of_the_sources(
    bucket, s3_url, monkeypatch, api
):
    for service in ("CLOUDFRONT", "SSM"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", s3_url)
    with closing(boto3.client("ssm")) as ssm:
        ssm.put_parameter(Name=f"/{bucket.name}", Value="release-1", Type="String")
    origin = {
        "Id": "site",
        "DomainName": f"{bucket.name}.s3.amazonaws.com",
        "OriginPath": "/app/release-2",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    with closing(boto3.client("cloudfront")) as cloudfront:
        cloudfront.create_distribution(
            DistributionConfig={
                "CallerReference": bucket.name,
                "Origins": {"Quantity": 1, "Items": [origin]},
                "DefaultCacheBehavior": {
                    "TargetOriginId": "site",
                    "ViewerProtocolPolicy": "allow-all",
                },
                "Comment": "",
                "Enabled": True,
            }
        )
    bucket.put("current", body=b"release-3")
    with running_site() as site:
        site.answer("/live", b"release-4")
        texts = [
            f"url:{site.url}/live",
            "github-deployments:production",
            "object:current",
            "open-pull-requests",
            f"ssm:/{bucket.name}",
            "cloudfront",
            "branches",
        ]
        readings = read_sources(bucket, *texts, prefix="app/", github=api)

    assert [str(reading.source) for reading in readings] == texts
    assert [reading.problem for reading in readings] == [""] * 7
    assert [[reference.name for reference in reading.references] for reading in readings] == [
        ["release-4"],
        [COMMIT],
        ["release-3"],
        [COMMIT],
        ["release-1"],
        ["release-2"],
        [COMMIT],
    ]


def test_without_sources_there_are_no_readings(bucket):
    assert read_sources(bucket) == ()


def test_failed_source_does_not_affect_the_others(site: Bucket, proxy: FaultProxy, api):
    site.put("current", body=b"release-1")
    proxy.answer("GET", "denied", error("AccessDenied"), status=403)
    denied, pointer, branches = read_sources(
        site, "object:denied", "object:current", "branches", github=api
    )

    assert "AccessDenied" in denied.problem
    assert denied.references == ()
    assert [reference.name for reference in pointer.references] == ["release-1"]
    assert [reference.name for reference in branches.references] == [COMMIT]


@pytest.mark.parametrize("text", ["github-deployments", "open-pull-requests", "branches"])
def test_github_without_a_client_is_a_problem_that_names_what_to_set(bucket, text):
    [reading] = read_sources(bucket, text)

    assert reading.references == ()
    for name in ("github-token", "GITHUB_REPOSITORY", "GITHUB_TOKEN"):
        assert name in reading.problem


def test_sources_are_read_at_the_same_time(bucket):
    barrier = threading.Barrier(3, timeout=30)
    with running_site() as site:
        for path in ("/a", "/b", "/c"):
            site.answer(path, path[1:].encode())
            answer = site.pages[path]
            site.pages[path] = lambda handler, answer=answer: (barrier.wait(), answer(handler))
        readings = read_sources(bucket, *(f"url:{site.url}{path}" for path in ("/a", "/b", "/c")))

    assert [reading.problem for reading in readings] == ["", "", ""]


class BrokenReader(BucketReader):
    """A reader that raises an unexpected error."""

    def __init__(self, exc: BaseException) -> None:
        self.bucket = "my-site"
        self._exc = exc

    def read_first_bytes(self, *_: object) -> bytes:
        raise self._exc


def read_broken(exc: BaseException) -> tuple[LiveReading, ...]:
    return read_live_sources(
        [LiveSource.parse("object:current"), LiveSource.parse("branches")],
        bucket=BrokenReader(exc),
        prefix="",
        region="",
        github=None,
    )


def test_unexpected_error_is_a_problem_of_its_source_without_the_error_text():
    broken, branches = read_broken(KeyError("s3cr3t"))

    assert broken.references == ()
    assert {"KeyError", "test_reader.py"} <= words_in(broken.problem.partition(", line")[0])
    assert "s3cr3t" not in broken.problem
    assert "github-token" in branches.problem


def test_interrupt_is_raised():
    with pytest.raises(KeyboardInterrupt):
        read_broken(KeyboardInterrupt())
