"""All live sources together: each is read, in order, and none brings the others down."""

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


def read(
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


def test_every_source_is_read_and_answers_in_its_place(bucket, s3_url, monkeypatch, api):
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
        readings = read(bucket, *texts, prefix="app/", github=api)

    assert [str(one.source) for one in readings] == texts
    assert [one.problem for one in readings] == [""] * 7
    assert [[sighting.name for sighting in one.references] for one in readings] == [
        ["release-4"],
        [COMMIT],
        ["release-3"],
        [COMMIT],
        ["release-1"],
        ["release-2"],
        [COMMIT],
    ]


def test_no_source_is_no_reading(bucket):
    assert read(bucket) == ()


def test_source_that_fails_leaves_the_others_alone(site: Bucket, proxy: FaultProxy, api):
    site.put("current", body=b"release-1")
    proxy.answer("GET", "denied", error("AccessDenied"), status=403)
    denied, read_well, on_github = read(
        site, "object:denied", "object:current", "branches", github=api
    )

    assert "AccessDenied" in denied.problem
    assert denied.references == ()
    assert [one.name for one in read_well.references] == ["release-1"]
    assert [one.name for one in on_github.references] == [COMMIT]


@pytest.mark.parametrize("text", ["github-deployments", "open-pull-requests", "branches"])
def test_github_without_a_client_is_a_problem_that_says_what_to_set(bucket, text):
    [reading] = read(bucket, text)

    assert reading.references == ()
    for name in ("github-token", "GITHUB_REPOSITORY", "GITHUB_TOKEN"):
        assert name in reading.problem


def test_sources_are_read_at_the_same_time(bucket):
    meeting = threading.Barrier(3, timeout=30)
    with running_site() as site:
        for path in ("/a", "/b", "/c"):
            site.answer(path, path[1:].encode())
            answer = site.pages[path]
            site.pages[path] = lambda handler, answer=answer: (meeting.wait(), answer(handler))
        readings = read(bucket, *(f"url:{site.url}{path}" for path in ("/a", "/b", "/c")))

    assert [one.problem for one in readings] == ["", "", ""]


class Broken(BucketReader):
    """A reader with a bug in it."""

    def __init__(self, exc: BaseException) -> None:
        self.bucket = "my-site"
        self._exc = exc

    def read_first_bytes(self, *_: object) -> bytes:
        raise self._exc


def read_broken(exc: BaseException) -> tuple[LiveReading, ...]:
    return read_live_sources(
        [LiveSource.parse("object:current"), LiveSource.parse("branches")],
        bucket=Broken(exc),
        prefix="",
        region="",
        github=None,
    )


def test_bug_in_a_reader_is_that_sources_problem_and_shows_no_words_of_its_own():
    broken, other = read_broken(KeyError("s3cr3t"))

    assert broken.references == ()
    assert {"KeyError", "test_reader.py"} <= words_in(broken.problem.partition(", line")[0])
    assert "s3cr3t" not in broken.problem
    assert "github-token" in other.problem


def test_interrupt_passes():
    with pytest.raises(KeyboardInterrupt):
        read_broken(KeyboardInterrupt())
