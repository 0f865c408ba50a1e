"""CloudFront as a live source, on an in-process CloudFront and with scripted responses."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import boto3
import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from ci3.core.live.sources import LiveReading, LiveSource
from ci3.live.aws import list_origins, read_cloudfront
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.support.s3.answers import HTML, error
from tests.support.s3.fault_proxy import FaultProxy

CLOUDFRONT = LiveSource.parse("cloudfront")
DISTRIBUTIONS = "/2020-05-31/distribution"


@pytest.fixture(autouse=True)
def _aws(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send CloudFront requests to the proxy in front of the in-process one, which is empty."""
    get_backend("cloudfront")[DEFAULT_ACCOUNT_ID]["aws"].reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", proxy.url)


@pytest.fixture
def cloudfront(s3_url: str) -> Iterator[Any]:
    """A client that may change the in-process CloudFront."""
    with closing(boto3.client("cloudfront", endpoint_url=s3_url)) as client:
        yield client


def add_distribution(client: Any, *origins: tuple[str, str], aliases: tuple[str, ...] = ()) -> str:
    """Create a distribution and return its ID."""
    items = [
        {
            "Id": f"origin-{number}",
            "DomainName": domain,
            "OriginPath": path,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        for number, (domain, path) in enumerate(origins)
    ]
    response = client.create_distribution(
        DistributionConfig={
            "CallerReference": str(origins),
            "Aliases": {"Quantity": len(aliases), "Items": list(aliases)},
            "Origins": {"Quantity": len(items), "Items": items},
            "DefaultCacheBehavior": {
                "TargetOriginId": "origin-0",
                "ViewerProtocolPolicy": "allow-all",
            },
            "Comment": "",
            "Enabled": True,
        }
    )
    return response["Distribution"]["Id"]


def make_page(*summaries: str, more: str = "false", marker: str = "", quantity: int = -1):
    """Return a page of CloudFront's list as XML."""
    next_marker = f"<NextMarker>{marker}</NextMarker>" if marker else ""
    return (
        '<DistributionList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Marker/>'
        f"<MaxItems>100</MaxItems><IsTruncated>{more}</IsTruncated>{next_marker}"
        f"<Quantity>{len(summaries) if quantity < 0 else quantity}</Quantity>"
        f"<Items>{''.join(summaries)}</Items></DistributionList>"
    )


def make_summary(
    domain: str, path: str, *, staging: str = "false", enabled: str = "true", aliases: str = ""
) -> str:
    names = "".join(f"<CNAME>{alias}</CNAME>" for alias in aliases.split())
    return (
        "<DistributionSummary><Id>E2ABC</Id><DomainName>d1.cloudfront.net</DomainName>"
        f"<Aliases><Quantity>{len(aliases.split())}</Quantity><Items>{names}</Items></Aliases>"
        "<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id>"
        f"<DomainName>{domain}</DomainName><OriginPath>{path}</OriginPath>"
        "</Origin></Items></Origins>"
        f"<Enabled>{enabled}</Enabled><Staging>{staging}</Staging></DistributionSummary>"
    )


def read_live(bucket: str = "my-site", prefix: str = "", pattern: str = "") -> LiveReading:
    read_origins = partial(list_origins, bucket, region="us-east-1")
    return read_cloudfront(CLOUDFRONT, read_origins, bucket=bucket, prefix=prefix, pattern=pattern)


def list_names(reading: LiveReading) -> list[str]:
    assert reading.problem == ""
    return [reference.name for reference in reading.references]


def get_problem(reading: LiveReading) -> str:
    assert reading.references == ()
    return reading.problem


def test_origin_path_of_a_distribution_on_this_bucket_is_live(cloudfront) -> None:
    distribution_id = add_distribution(
        cloudfront, ("my-site.s3.amazonaws.com", "/ab12cd3"), aliases=("www.example.org",)
    )
    add_distribution(cloudfront, ("other-site.s3.amazonaws.com", "/f00ba12"))
    [reference] = read_live().references

    assert reference.name == "ab12cd3"
    words = words_in(reference.evidence)
    assert {"CloudFront", distribution_id, "/ab12cd3", "www.example.org"} <= words


def test_every_page_of_distributions_is_read(cloudfront, proxy: FaultProxy) -> None:
    for number in range(105):
        add_distribution(cloudfront, ("my-site.s3.amazonaws.com", f"/release-{number:03}"))

    assert list_names(read_live()) == [f"release-{number:03}" for number in range(105)]
    assert len(proxy.find_requests("GET", DISTRIBUTIONS)) == 2


def test_every_origin_of_a_distribution_counts_once(cloudfront) -> None:
    add_distribution(
        cloudfront,
        ("my-site.s3.amazonaws.com", "/ab12cd3"),
        ("api.s3.amazonaws.com", "/f00ba12"),
        ("my-site.s3.eu-west-1.amazonaws.com", "/release-1/web"),
        ("my-site.s3.eu-west-1.amazonaws.com", "/ab12cd3"),
    )

    assert list_names(read_live()) == ["ab12cd3", "release-1"]


STATES = [
    ({}, "", {"d1.cloudfront.net"}),
    ({}, "a.org", {"a.org"}),
    ({}, "a.org b.org", {"a.org", "1"}),
    ({}, "a.org b.org c.org", {"a.org", "2"}),
    ({"staging": "true"}, "a.org", {"a.org", "staging"}),
    ({"enabled": "false"}, "a.org", {"a.org", "disabled"}),
    ({"staging": "true", "enabled": "false"}, "a.org", {"a.org", "staging", "disabled"}),
]


def read_evidence(proxy: FaultProxy, states: dict[str, str], aliases: str) -> str:
    summary = make_summary("my-site.s3.amazonaws.com", "/ab12cd3", aliases=aliases, **states)
    proxy.answer("GET", DISTRIBUTIONS, make_page(summary))
    [reference] = read_live().references
    return reference.evidence


@pytest.mark.parametrize(("states", "aliases", "values"), STATES)
def test_staging_and_disabled_distributions_count_and_are_marked(
    proxy: FaultProxy, states: dict[str, str], aliases: str, values: set[str]
) -> None:
    words = words_in(read_evidence(proxy, states, aliases))

    assert {"E2ABC", "/ab12cd3", *values} <= words
    assert ("staging" in words, "disabled" in words) == ("staging" in states, "enabled" in states)


def test_evidence_is_the_golden_one(proxy: FaultProxy) -> None:
    cases = [
        (f"{states} {aliases}", read_evidence(proxy, states, aliases))
        for states, aliases, _ in STATES
    ]
    assert_messages(__file__, cases, table="evidence")


@pytest.mark.parametrize(
    ("domain", "path"),
    [
        ("my.site.s3.amazonaws.com", "/ab12cd3"),
        ("my.site.s3.eu-central-1.amazonaws.com", "/ab12cd3"),
        ("my.site.s3-eu-central-1.amazonaws.com", "/ab12cd3"),
        ("my.site.s3-website-eu-west-1.amazonaws.com", "/ab12cd3"),
        ("my.site.s3-website.eu-central-1.amazonaws.com", "/ab12cd3"),
        ("my.site.s3.dualstack.us-gov-west-1.amazonaws.com", "/ab12cd3"),
        ("my.site.s3-accelerate.amazonaws.com", "/ab12cd3"),
        ("my.site.s3-accelerate.dualstack.amazonaws.com", "/ab12cd3"),
        ("my.site.s3-fips.us-east-1.amazonaws.com", "/ab12cd3"),
        ("my.site.s3.cn-north-1.amazonaws.com.cn", "/ab12cd3"),
        ("my.site.s3.eusc-de-east-1.amazonaws.eu", "/ab12cd3"),
        ("my.site.s3-website.us-iso-east-1.c2s.ic.gov", "/ab12cd3"),
        ("s3.eusc-de-east-1.amazonaws.eu", "/my.site/ab12cd3"),
        ("My.Site.S3.EU-Central-1.AmazonAWS.com", "/ab12cd3"),
        ("s3.amazonaws.com", "/my.site/ab12cd3"),
        ("s3.eu-central-1.amazonaws.com", "/my.site/ab12cd3"),
        ("S3-eu-west-1.amazonaws.com", "/my.site/ab12cd3/deeper"),
        ("s3.dualstack.eu-west-1.amazonaws.com", "/my.site/ab12cd3"),
        ("s3.cn-north-1.amazonaws.com.cn", "/my.site/ab12cd3"),
    ],
)
def test_every_s3_domain_of_a_bucket_is_recognized(
    proxy: FaultProxy, domain: str, path: str
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, make_page(make_summary(domain, path)))

    assert list_names(read_live("my.site")) == ["ab12cd3"]


@pytest.mark.parametrize(
    ("domain", "path"),
    [
        ("myxsite.s3.amazonaws.com", "/ab12cd3"),
        ("a.my.site.s3.amazonaws.com", "/ab12cd3"),
        ("site.s3.amazonaws.com", "/ab12cd3"),
        ("my.site.s3.amazonaws.com.example.org", "/ab12cd3"),
        ("my.site.s4.amazonaws.com", "/ab12cd3"),
        ("my.site.s3.amazonaws.example", "/ab12cd3"),
        ("my.site.execute-api.eu-west-1.amazonaws.com", "/ab12cd3"),
        ("my.site", "/ab12cd3"),
        ("s3.amazonaws.com", "/ab12cd3"),
        ("s3.amazonaws.com", "/my.site-2/ab12cd3"),
        ("s3.amazonaws.com", "/MY.SITE/ab12cd3"),
        ("s3.example.org", "/my.site/ab12cd3"),
    ],
)
def test_origin_that_is_not_the_bucket_is_ignored(
    proxy: FaultProxy, domain: str, path: str
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, make_page(make_summary(domain, path)))

    assert "s3://my.site" in words_in(get_problem(read_live("my.site")))


@pytest.mark.parametrize(
    ("path", "prefix", "name"),
    [
        ("/app/ab12cd3", "app/", "ab12cd3"),
        ("/app/web/ab12cd3/x", "app/web/", "ab12cd3"),
        ("/my%20app/r%C3%A9lease+1", "my app/", "rélease+1"),
    ],
)
def test_live_deployment_is_the_folder_below_the_prefix(
    proxy: FaultProxy, path: str, prefix: str, name: str
) -> None:
    summary = make_summary("my-site.s3.amazonaws.com", path)
    proxy.answer("GET", DISTRIBUTIONS, make_page(summary))

    assert list_names(read_live(prefix=prefix)) == [name]


@pytest.mark.parametrize(
    ("domain", "path", "prefix", "shown_path"),
    [
        ("my-site.s3.amazonaws.com", "", "", "/"),
        ("my-site.s3.amazonaws.com", "/app", "app/", "/app"),
        ("my-site.s3.amazonaws.com", "/apps/ab12cd3", "app/", "/apps/ab12cd3"),
        ("my-site.s3.amazonaws.com", "/ab12cd3", "app/", "/ab12cd3"),
        ("s3.amazonaws.com", "/my-site", "", "/"),
    ],
)
def test_origin_without_a_deployment_is_a_problem_that_shows_its_path(
    proxy: FaultProxy, domain: str, path: str, prefix: str, shown_path: str
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, make_page(make_summary(domain, path)))

    assert {"E2ABC", shown_path} <= words_in(get_problem(read_live(prefix=prefix)))


def test_distribution_with_one_origin_on_a_deployment_is_no_problem(cloudfront) -> None:
    host = "my-site.s3.amazonaws.com"
    add_distribution(cloudfront, (host, ""), (host, "/ab12cd3"))

    assert list_names(read_live()) == ["ab12cd3"]


@pytest.mark.parametrize(("path", "prefix"), [("", ""), ("", "app/"), ("/app", "app/")])
def test_distribution_with_origins_above_the_deployments_only_is_a_problem(
    cloudfront, path: str, prefix: str
) -> None:
    add_distribution(cloudfront, ("my-site.s3.amazonaws.com", path), aliases=("www.example.org",))
    add_distribution(cloudfront, ("my-site.s3.amazonaws.com", f"/{prefix}ab12cd3"))

    assert "www.example.org" in words_in(get_problem(read_live(prefix=prefix)))


def test_distribution_on_another_part_of_the_bucket_is_no_problem(cloudfront) -> None:
    add_distribution(cloudfront, ("my-site.s3.amazonaws.com", "/images"))
    add_distribution(cloudfront, ("my-site.s3.amazonaws.com", "/app/ab12cd3"))

    assert list_names(read_live(prefix="app/")) == ["ab12cd3"]


@pytest.mark.parametrize(
    ("paths", "live_names"),
    [
        (["/sites/a"], ["a"]),
        (["/sites/a", "/"], ["a"]),
        (["/"], None),
        (["/sites"], None),
        (["/docs"], []),
    ],
)
def test_origin_paths_next_to_another_distribution_as_in_the_docstring(
    cloudfront, paths: list[str], live_names: list[str] | None
) -> None:
    domain = "my-site.s3.amazonaws.com"
    add_distribution(cloudfront, (domain, "/sites/base"))
    add_distribution(cloudfront, *((domain, path) for path in paths))
    reading = read_live(prefix="sites/")

    if live_names is None:
        assert "CloudFront" in get_problem(reading)
    else:
        assert sorted(list_names(reading)) == sorted([*live_names, "base"])


def test_no_distribution_at_all_is_a_problem() -> None:
    assert {"CloudFront", "s3://my-site"} <= words_in(get_problem(read_live()))


SUMMARY = make_summary("my-site.s3.amazonaws.com", "/ab12cd3")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, make_page(SUMMARY, more="true"), id="more, and no marker"),
        pytest.param(200, make_page(SUMMARY, more="true", marker="again"), id="the same marker"),
        pytest.param(200, make_page(SUMMARY, marker="m"), id="no more, and a marker"),
        pytest.param(200, make_page(SUMMARY, quantity=2), id="fewer than it says"),
        pytest.param(200, make_page(SUMMARY, more="").replace("<IsTruncated></IsTruncated>", ""),
                     id="not a word of more"),
        pytest.param(200, "<DistributionList/>", id="an empty list"),
        pytest.param(200, "", id="an empty body"),
        pytest.param(200, HTML, id="a login page"),
        pytest.param(200, HTML.partition("\n")[2], id="a login page that is XML"),
        pytest.param(200, make_page(SUMMARY, SUMMARY.replace("Origins>", "Origin>")),
                     id="no origins"),
        pytest.param(403, error("AccessDenied"), id="denied"),
        pytest.param(503, error("ServiceUnavailable"), id="unavailable"),
        pytest.param(400, error("ExpiredToken"), id="expired"),
    ],
)  # fmt: skip
def test_list_that_cannot_be_trusted_is_a_problem(
    proxy: FaultProxy, pauses: list[float], status: int, body: str
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, body, status=status)

    assert "CloudFront" in get_problem(read_live())


def test_failed_second_page_discards_the_first(proxy: FaultProxy, pauses: list[float]) -> None:
    proxy.answer("GET", DISTRIBUTIONS, make_page(SUMMARY, more="true", marker="m"))
    proxy.answer("GET", "Marker=m", error("AccessDenied"), status=403)

    assert "AccessDenied" in get_problem(read_live())


def test_problem_of_a_denied_read_links_the_required_permissions(proxy: FaultProxy) -> None:
    proxy.answer("GET", DISTRIBUTIONS, error("AccessDenied"), status=403)

    assert {"AccessDenied", "iam-policy"} <= words_in(get_problem(read_live()))


def test_unreachable_cloudfront_is_a_problem(
    closed_port_url: str, monkeypatch, pauses: list[float]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", closed_port_url)

    assert closed_port_url in get_problem(read_live())


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_missing_credentials_are_a_problem(monkeypatch, name: str) -> None:
    monkeypatch.delenv(name)

    assert "AWS_ACCESS_KEY_ID" in words_in(get_problem(read_live()))


def test_unknown_profile_is_a_problem(monkeypatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert "nobody" in get_problem(read_live())


def test_messages_are_the_golden_ones(proxy: FaultProxy, pauses: list[float]) -> None:
    host = "my-site.s3.amazonaws.com"
    cases: dict[str, object] = {"no distribution": get_problem(read_live())}
    for case, listed in {
        "live": [make_summary(host, "/ab12cd3")],
        "no folder": [make_summary(host, "")],
        "above the folders": [make_summary(host, ""), make_summary(host, "/ab12cd3")],
    }.items():
        proxy.answer("GET", DISTRIBUTIONS, make_page(*listed))
        reading = read_live()
        cases[case] = reading.problem or reading.references[0].evidence
    proxy.answer("GET", DISTRIBUTIONS, HTML)
    cases["a login page"] = get_problem(read_live())
    proxy.answer("GET", DISTRIBUTIONS, make_page(SUMMARY, more="true"))
    cases["a page without a marker"] = get_problem(read_live())
    assert_messages(__file__, cases.items())


PATTERN = "apps/*/production/"
SHOP = "apps/shop/production/"
BLOG = "apps/blog/production/"


def test_origin_paths_of_a_pattern_are_live_in_their_targets(cloudfront) -> None:
    domain = "my-site.s3.amazonaws.com"
    add_distribution(cloudfront, (domain, f"/{SHOP}ab12cd3"), (domain, "/apps/shop"))
    add_distribution(cloudfront, (domain, f"/{BLOG}9c41e07"))
    add_distribution(cloudfront, (domain, "/docs"), (domain, "/apps/blog/staging/f00ba12"))
    readings = [read_live(prefix=prefix, pattern=PATTERN) for prefix in (SHOP, BLOG)]
    assert [reading.problem for reading in readings] == ["", ""]
    assert readings[0] == readings[1]
    assert {(live.prefix, live.name) for live in readings[0].references} == {
        (SHOP, "ab12cd3"),
        (BLOG, "9c41e07"),
    }


@pytest.mark.parametrize(
    ("path", "prefixes"),
    [
        ("", {SHOP, BLOG}),
        ("/apps", {SHOP, BLOG}),
        ("/apps/shop", {SHOP, BLOG}),
        ("/apps/shop/production/", {SHOP, BLOG}),
        ("/apps/docs", {SHOP, BLOG}),
    ],
)
def test_origin_above_the_folders_of_a_pattern_is_a_problem(
    cloudfront, path: str, prefixes: set[str]
) -> None:
    domain = "my-site.s3.amazonaws.com"
    add_distribution(cloudfront, (domain, f"/{BLOG}9c41e07"))
    add_distribution(cloudfront, (domain, path))
    assert list_problem_prefixes() == prefixes


@pytest.mark.parametrize(
    ("path", "prefixes"),
    [
        ("", {BLOG}),
        ("/apps", {BLOG}),
        ("/apps/shop", set()),
        (f"/{SHOP}", set()),
        ("/apps/blog", {SHOP, BLOG}),
        (f"/{BLOG}", {SHOP, BLOG}),
        ("/apps/Shop/production", {SHOP, BLOG}),
    ],
)
def test_origin_in_a_folder_of_one_target_does_not_count_for_another(
    cloudfront, path: str, prefixes: set[str]
) -> None:
    domain = "my-site.s3.amazonaws.com"
    add_distribution(cloudfront, (domain, f"/{SHOP}ab12cd3"), (domain, path))
    assert list_problem_prefixes() == prefixes


def list_problem_prefixes() -> set[str]:
    return {prefix for prefix in (SHOP, BLOG) if read_live(prefix=prefix, pattern=PATTERN).problem}
