"""What CloudFront says is live, on the in-process CloudFront and from scripted answers."""

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
    """Point CloudFront at the proxy in front of the in-process one, which is empty."""
    get_backend("cloudfront")[DEFAULT_ACCOUNT_ID]["aws"].reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", proxy.url)


@pytest.fixture
def cloudfront(s3_url: str) -> Iterator[Any]:
    """A client that may change the in-process CloudFront."""
    with closing(boto3.client("cloudfront", endpoint_url=s3_url)) as client:
        yield client


def distribute(client: Any, *origins: tuple[str, str], aliases: tuple[str, ...] = ()) -> str:
    """Make a distribution; gives its id."""
    items = [
        {
            "Id": f"origin-{number}",
            "DomainName": domain,
            "OriginPath": path,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        for number, (domain, path) in enumerate(origins)
    ]
    made = client.create_distribution(
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
    return made["Distribution"]["Id"]


def distributions(*summaries: str, more: str = "false", marker: str = "", quantity: int = -1):
    """A page of CloudFront's list, as XML."""
    next_marker = f"<NextMarker>{marker}</NextMarker>" if marker else ""
    return (
        '<DistributionList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Marker/>'
        f"<MaxItems>100</MaxItems><IsTruncated>{more}</IsTruncated>{next_marker}"
        f"<Quantity>{len(summaries) if quantity < 0 else quantity}</Quantity>"
        f"<Items>{''.join(summaries)}</Items></DistributionList>"
    )


def summary(
    domain: str, path: str, *, staging: str = "false", enabled: str = "true", aliases: str = ""
) -> str:
    names = "".join(f"<CNAME>{one}</CNAME>" for one in aliases.split())
    return (
        "<DistributionSummary><Id>E2ABC</Id><DomainName>d1.cloudfront.net</DomainName>"
        f"<Aliases><Quantity>{len(aliases.split())}</Quantity><Items>{names}</Items></Aliases>"
        "<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id>"
        f"<DomainName>{domain}</DomainName><OriginPath>{path}</OriginPath>"
        "</Origin></Items></Origins>"
        f"<Enabled>{enabled}</Enabled><Staging>{staging}</Staging></DistributionSummary>"
    )


def served(bucket: str = "my-site", prefix: str = "", pattern: str = "") -> LiveReading:
    read_origins = partial(list_origins, bucket, region="us-east-1")
    return read_cloudfront(CLOUDFRONT, read_origins, bucket=bucket, prefix=prefix, pattern=pattern)


def names(reading: LiveReading) -> list[str]:
    assert reading.problem == ""
    return [one.name for one in reading.references]


def problem(reading: LiveReading) -> str:
    assert reading.references == ()
    return reading.problem


def test_origin_path_of_a_distribution_on_this_bucket_is_live(cloudfront) -> None:
    number = distribute(
        cloudfront, ("my-site.s3.amazonaws.com", "/ab12cd3"), aliases=("www.example.org",)
    )
    distribute(cloudfront, ("other-site.s3.amazonaws.com", "/f00ba12"))
    [sighting] = served().references

    assert sighting.name == "ab12cd3"
    words = words_in(sighting.evidence)
    assert {"CloudFront", number, "/ab12cd3", "www.example.org"} <= words


def test_every_page_of_distributions_is_read(cloudfront, proxy: FaultProxy) -> None:
    for number in range(105):
        distribute(cloudfront, ("my-site.s3.amazonaws.com", f"/release-{number:03}"))

    assert names(served()) == [f"release-{number:03}" for number in range(105)]
    assert len(proxy.find_requests("GET", DISTRIBUTIONS)) == 2


def test_every_origin_of_a_distribution_counts_and_equal_ones_once(cloudfront) -> None:
    distribute(
        cloudfront,
        ("my-site.s3.amazonaws.com", "/ab12cd3"),
        ("api.s3.amazonaws.com", "/f00ba12"),
        ("my-site.s3.eu-west-1.amazonaws.com", "/release-1/web"),
        ("my-site.s3.eu-west-1.amazonaws.com", "/ab12cd3"),
    )

    assert names(served()) == ["ab12cd3", "release-1"]


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
    one = summary("my-site.s3.amazonaws.com", "/ab12cd3", aliases=aliases, **states)
    proxy.answer("GET", DISTRIBUTIONS, distributions(one))
    [reference] = served().references
    return reference.evidence


@pytest.mark.parametrize(("states", "aliases", "values"), STATES)
def test_staging_and_disabled_distributions_count_and_say_so(
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
def test_bucket_is_known_by_every_name_of_s3(proxy: FaultProxy, domain: str, path: str) -> None:
    proxy.answer("GET", DISTRIBUTIONS, distributions(summary(domain, path)))

    assert names(served("my.site")) == ["ab12cd3"]


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
def test_origin_that_is_another_bucket_or_none_says_nothing(
    proxy: FaultProxy, domain: str, path: str
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, distributions(summary(domain, path)))

    assert "s3://my.site" in words_in(problem(served("my.site")))


@pytest.mark.parametrize(
    ("path", "prefix", "name"),
    [
        ("/app/ab12cd3", "app/", "ab12cd3"),
        ("/app/web/ab12cd3/x", "app/web/", "ab12cd3"),
        ("/my%20app/r%C3%A9lease+1", "my app/", "rélease+1"),
    ],
)
def test_folder_is_the_one_under_the_prefix(
    proxy: FaultProxy, path: str, prefix: str, name: str
) -> None:
    one = summary("my-site.s3.amazonaws.com", path)
    proxy.answer("GET", DISTRIBUTIONS, distributions(one))

    assert names(served(prefix=prefix)) == [name]


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
def test_origins_that_name_no_folder_are_a_problem_that_shows_them(
    proxy: FaultProxy, domain: str, path: str, prefix: str, shown_path: str
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, distributions(summary(domain, path)))

    assert {"E2ABC", shown_path} <= words_in(problem(served(prefix=prefix)))


def test_origin_without_a_folder_beside_one_with_a_folder_is_no_problem(cloudfront) -> None:
    host = "my-site.s3.amazonaws.com"
    distribute(cloudfront, (host, ""), (host, "/ab12cd3"))

    assert names(served()) == ["ab12cd3"]


@pytest.mark.parametrize(("path", "prefix"), [("", ""), ("", "app/"), ("/app", "app/")])
def test_distribution_that_serves_what_is_above_the_folders_alone_is_a_problem(
    cloudfront, path: str, prefix: str
) -> None:
    distribute(cloudfront, ("my-site.s3.amazonaws.com", path), aliases=("www.example.org",))
    distribute(cloudfront, ("my-site.s3.amazonaws.com", f"/{prefix}ab12cd3"))

    assert "www.example.org" in words_in(problem(served(prefix=prefix)))


def test_distribution_on_another_part_of_the_bucket_is_no_problem(cloudfront) -> None:
    distribute(cloudfront, ("my-site.s3.amazonaws.com", "/images"))
    distribute(cloudfront, ("my-site.s3.amazonaws.com", "/app/ab12cd3"))

    assert names(served(prefix="app/")) == ["ab12cd3"]


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
def test_origin_paths_beside_another_distribution_as_in_the_docstring(
    cloudfront, paths: list[str], live_names: list[str] | None
) -> None:
    domain = "my-site.s3.amazonaws.com"
    distribute(cloudfront, (domain, "/sites/base"))
    distribute(cloudfront, *((domain, path) for path in paths))
    reading = served(prefix="sites/")

    if live_names is None:
        assert "CloudFront" in problem(reading)
    else:
        assert sorted(names(reading)) == sorted([*live_names, "base"])


def test_no_distribution_at_all_is_a_problem() -> None:
    assert {"CloudFront", "s3://my-site"} <= words_in(problem(served()))


ONE = summary("my-site.s3.amazonaws.com", "/ab12cd3")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, distributions(ONE, more="true"), id="more, and no marker"),
        pytest.param(200, distributions(ONE, more="true", marker="again"), id="the same marker"),
        pytest.param(200, distributions(ONE, marker="m"), id="no more, and a marker"),
        pytest.param(200, distributions(ONE, quantity=2), id="fewer than it says"),
        pytest.param(200, distributions(ONE, more="").replace("<IsTruncated></IsTruncated>", ""),
                     id="not a word of more"),
        pytest.param(200, "<DistributionList/>", id="an empty list"),
        pytest.param(200, "", id="an empty body"),
        pytest.param(200, HTML, id="a login page"),
        pytest.param(200, HTML.partition("\n")[2], id="a login page that is XML"),
        pytest.param(200, distributions(ONE, ONE.replace("Origins>", "Origin>")), id="no origins"),
        pytest.param(403, error("AccessDenied"), id="denied"),
        pytest.param(503, error("ServiceUnavailable"), id="unavailable"),
        pytest.param(400, error("ExpiredToken"), id="expired"),
    ],
)  # fmt: skip
def test_list_that_cannot_be_trusted_is_a_problem(
    proxy: FaultProxy, pauses: list[float], status: int, body: str
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, body, status=status)

    assert "CloudFront" in problem(served())


def test_second_page_that_fails_takes_the_first_with_it(
    proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.answer("GET", DISTRIBUTIONS, distributions(ONE, more="true", marker="m"))
    proxy.answer("GET", "Marker=m", error("AccessDenied"), status=403)

    assert "AccessDenied" in problem(served())


def test_denied_read_says_where_the_permissions_are_listed(proxy: FaultProxy) -> None:
    proxy.answer("GET", DISTRIBUTIONS, error("AccessDenied"), status=403)

    assert {"AccessDenied", "iam-policy"} <= words_in(problem(served()))


def test_cloudfront_where_nobody_answers_is_a_problem(
    closed_port_url: str, monkeypatch, pauses: list[float]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", closed_port_url)

    assert closed_port_url in problem(served())


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_missing_credentials_are_a_problem(monkeypatch, name: str) -> None:
    monkeypatch.delenv(name)

    assert "AWS_ACCESS_KEY_ID" in words_in(problem(served()))


def test_unknown_profile_is_a_problem(monkeypatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert "nobody" in problem(served())


def test_messages_are_the_golden_ones(proxy: FaultProxy, pauses: list[float]) -> None:
    host = "my-site.s3.amazonaws.com"
    cases: dict[str, object] = {"no distribution": problem(served())}
    for case, listed in {
        "live": [summary(host, "/ab12cd3")],
        "no folder": [summary(host, "")],
        "above the folders": [summary(host, ""), summary(host, "/ab12cd3")],
    }.items():
        proxy.answer("GET", DISTRIBUTIONS, distributions(*listed))
        reading = served()
        cases[case] = reading.problem or reading.references[0].evidence
    proxy.answer("GET", DISTRIBUTIONS, HTML)
    cases["a login page"] = problem(served())
    proxy.answer("GET", DISTRIBUTIONS, distributions(ONE, more="true"))
    cases["a page without a marker"] = problem(served())
    assert_messages(__file__, cases.items())


PATTERN = "apps/*/production/"
SHOP = "apps/shop/production/"
BLOG = "apps/blog/production/"


def test_origin_paths_of_a_pattern_are_live_in_their_targets(cloudfront) -> None:
    domain = "my-site.s3.amazonaws.com"
    distribute(cloudfront, (domain, f"/{SHOP}ab12cd3"), (domain, "/apps/shop"))
    distribute(cloudfront, (domain, f"/{BLOG}9c41e07"))
    distribute(cloudfront, (domain, "/docs"), (domain, "/apps/blog/staging/f00ba12"))
    readings = [served(prefix=prefix, pattern=PATTERN) for prefix in (SHOP, BLOG)]
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
    distribute(cloudfront, (domain, f"/{BLOG}9c41e07"))
    distribute(cloudfront, (domain, path))
    assert problem_prefixes() == prefixes


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
    distribute(cloudfront, (domain, f"/{SHOP}ab12cd3"), (domain, path))
    assert problem_prefixes() == prefixes


def problem_prefixes() -> set[str]:
    return {prefix for prefix in (SHOP, BLOG) if served(prefix=prefix, pattern=PATTERN).problem}
