"""Parsing of live sources, and the folder that a path or text means."""

import pytest

from ci3.core.live.sources import LiveKind, LiveSource, extract_folder, extract_name
from tests.support.golden import assert_messages


@pytest.mark.parametrize(
    ("text", "kind", "argument", "field"),
    [
        ("github-deployments", "github-deployments", "", ""),
        ("github-deployments:production", "github-deployments", "production", ""),
        ("github-deployments:a b: c#d", "github-deployments", "a b: c#d", ""),
        ("open-pull-requests", "open-pull-requests", "", ""),
        ("branches", "branches", "", ""),
        ("cloudfront", "cloudfront", "", ""),
        ("ssm:/my-site/live", "ssm", "/my-site/live", ""),
        ("ssm:/my-site/live:3#web.live", "ssm", "/my-site/live:3", "web.live"),
        ("ssm:arn:aws:ssm:x:1:parameter/y", "ssm", "arn:aws:ssm:x:1:parameter/y", ""),
        ("object:app/current", "object", "app/current", ""),
        ("object:version.json#commit", "object", "version.json", "commit"),
        ("url:https://www.example.org:8443/a?b=c", "url", "https://www.example.org:8443/a?b=c", ""),
        ("url:http://10.0.0.1/v.json#a.b", "url", "http://10.0.0.1/v.json", "a.b"),
    ],
)  # fmt: skip
def test_source_is_parsed_from_a_setting(text, kind, argument, field):
    assert LiveSource.parse(text) == LiveSource(kind=LiveKind(kind), argument=argument, field=field)


@pytest.mark.parametrize(
    "text",
    [
        "github-deployments",
        "github-deployments:production",
        "cloudfront",
        "ssm:/my-site/live#web.live",
        "object:version.json#commit",
        "url:https://www.example.org/version.json#commit",
    ],
)
def test_source_is_formatted_as_it_was_parsed(text):
    assert str(LiveSource.parse(text)) == text


def test_query_of_a_url_is_not_shown():
    source = LiveSource.parse("url:https://www.example.org/live?key=s3cr3t#commit")

    assert str(source) == "url:https://www.example.org/live?…#commit"


NO_SOURCES = [
    "",
    "cloudfrnt",
    "CloudFront",
    "cloudfront:",
    "cloudfront:E2ABC",
    "branches:main",
    "open-pull-requests:1",
    "github-deployments:",
    "ssm",
    "ssm:",
    "ssm:#commit",
    "object",
    "object:version.json#",
    "url",
    "url:www.example.org",
    "url:file:///etc/hostname",
    "url:ftp://www.example.org/",
    "https://www.example.org/live",
]


@pytest.mark.parametrize("text", NO_SOURCES)
def test_invalid_source_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are golden
        LiveSource.parse(text)


def test_messages_are_the_golden_ones():
    cases = []
    for text in NO_SOURCES:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - as above
            LiveSource.parse(text)
        cases.append((text, caught.value))
    assert_messages(__file__, cases)


def test_kinds_on_github_and_kinds_that_are_not_required():
    on_github = {kind for kind in LiveKind if kind.is_on_github}
    optional = {kind for kind in LiveKind if not kind.is_required}

    assert on_github == {"github-deployments", "open-pull-requests", "branches"}
    assert optional == {"open-pull-requests", "branches"}


@pytest.mark.parametrize(
    ("path", "prefix", "name"),
    [
        ("/ab12cd3", "", "ab12cd3"),
        ("ab12cd3", "", "ab12cd3"),
        ("/ab12cd3/", "", "ab12cd3"),
        ("/ab12cd3/web/index.html", "", "ab12cd3"),
        ("/app/ab12cd3/x", "app/", "ab12cd3"),
        ("app/web/ab12cd3", "app/web/", "ab12cd3"),
        ("", "", ""),
        ("/", "", ""),
        ("/app", "app/", ""),
        ("/app/", "app/", ""),
        ("/apps/ab12cd3", "app/", ""),
        ("/ab12cd3", "app/", ""),
        ("/x/app/ab12cd3", "app/", ""),
    ],
)
def test_folder_is_the_first_one_under_the_prefix(path, prefix, name):
    assert extract_folder(path, prefix) == name


@pytest.mark.parametrize(
    ("text", "prefix", "name"),
    [
        ("ab12cd3", "", "ab12cd3"),
        (" ab12cd3\n", "app/", "ab12cd3"),
        ("ab12cd3/", "", "ab12cd3"),
        ("/ab12cd3", "app/", "ab12cd3"),
        ("release 1", "", "release 1"),
        ("app/ab12cd3", "app/", "ab12cd3"),
        ("/app/ab12cd3/index.html", "app/", "ab12cd3"),
        ("s3://my-site/ab12cd3", "", "ab12cd3"),
        ("s3://my-site/app/ab12cd3/", "app/", "ab12cd3"),
        ("app/ab12cd3", "", "app"),
        ("", "", ""),
        ("/", "", ""),
        ("web/ab12cd3", "app/", ""),
        ("s3://my-site", "", ""),
        ("s3://my-site/", "", ""),
        ("s3://my-site/ab12cd3", "app/", ""),
        ("s3://my-site-2/ab12cd3", "", ""),
    ],
)
def test_pointer_means_a_folder_a_commit_or_a_path_to_one(text, prefix, name):
    assert extract_name(text, "my-site", prefix) == name
