"""Invalid settings are refused with their location, and no secret is shown."""

import pytest

from ci3.config.resolve import RawSetting, resolve_settings
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.core.model.policy import Origin
from ci3.errors import ExitCode, SettingsError
from tests.support.golden import assert_messages
from tests.unit.config.layers import make_inputs, make_policy, resolve_inputs


def refuse(**texts):
    """Return the error for the texts of one input, after checking that it begins with its name."""
    [name] = texts
    with pytest.raises(SettingsError) as caught:
        resolve_inputs(**texts)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.message.startswith(f"input {name.replace('_', '-')}: ")
    return caught.value


@pytest.mark.parametrize("texts", [{}, {"bucket": " "}])
def test_missing_bucket_is_refused_with_both_ways_to_set_it(texts):
    with pytest.raises(SettingsError) as caught:
        resolve_settings(make_inputs(**texts))

    assert caught.value.exit_code is ExitCode.USAGE
    assert "bucket" in caught.value.message
    assert "--bucket-name" in caught.value.hint


BAD_VALUES = [
    ("keep_count", "0"),
    ("keep_count", "-1"),
    ("keep_count", "three"),
    ("keep_count", "5.0"),
    ("keep_count", "1_000"),
    ("keep_count", "٣"),
    ("keep_count", "1e3"),
    ("keep_count", "9" * 10),
    ("keep_count", "5\n6"),
    ("match", "("),
    ("match", "*"),
    ("match", "a{99999999999999999999}"),
    ("bucket", "x--x-s3"),
    ("bucket", "my-site--usw2-az1--x-s3"),
    ("bucket", "my-point--usw2-az1--xa-s3"),
    ("bucket", "arn:aws:s3express:us-west-2:1:bucket/b"),
    ("bucket", "s3://a/b"),
    ("bucket", "s3://my-site"),
    ("bucket", "a/b"),
    ("bucket", "ab"),
    ("bucket", "x" * 64),
    ("bucket", "https://a"),
    ("bucket", "my-site\nother"),
    ("bucket", "bücket"),
    ("region", "eu central"),
    ("region", "EU-CENTRAL-1"),
    ("prefix", "/site"),
    ("prefix", "/"),
    ("prefix", "a//b"),
    ("prefix", "site//"),
    ("endpoint_url", "minio:9000"),
    ("endpoint_url", "ftp://minio"),
    ("endpoint_url", "https://"),
    ("endpoint_url", "https://h:99999"),
    ("endpoint_url", "https://h:port"),
    ("endpoint_url", "https://[::1"),
    ("endpoint_url", "https://h h/"),
    ("endpoint_url", "https://h/#part"),
    ("github_api_url", "api.github.com"),
    ("max_delete", "150%"),
    ("max_delete", "101%"),
    ("max_delete", "-1"),
    ("max_delete", "50 %"),
    ("max_delete", "half"),
    ("max_delete", "%"),
    ("protect", "site/live"),
    ("protect", "/"),
    ("mode", "aply"),
    ("mode", "Apply"),
    ("comment", "on"),
    ("issue", "open"),
    ("match", "[[:alpha:]]+"),
    ("keep_within", "10"),
    ("keep_within", "-3d"),
    ("keep_within", "999999w"),
    ("keep_within", "5h\n6h"),
    ("expire_closed", "3"),
    ("expire_closed", "0"),
    ("expire_closed", "-3d"),
    ("expire_closed", "never"),
    ("keep_daily", "7.5"),
    ("keep_daily", "-1"),
    ("keep_daily", "+1"),
    ("keep_weekly", "٣"),
    ("keep_monthly", "9" * 10),
    ("group_by", "pr-.*"),
    ("group_by", r"(?:pr)-\(a\)"),
    ("group_by", "(pr-.*"),
    ("required_file", "/index.html"),
    ("required_file", "assets/"),
    ("required_file", "a//b"),
    ("required_file", "../index.html"),
    ("required_file", "a/./b"),
    ("age_from", "spam"),
    ("live_from", "cloudfrnt"),
    ("live_from", "CloudFront"),
    ("live_from", "cloudfront:x"),
    ("live_from", "ssm:"),
    ("live_from", "ssm"),
    ("live_from", "github-deployments:"),
    ("live_from", "object:a.json#"),
    ("live_from", "url:file:///etc/passwd"),
    ("live_from", "url:https://"),
    ("live_from", "url:https://h:99999"),
    ("live_from", "url:https://h/a b"),
    ("max_delete_bytes", "100"),
    ("max_delete_bytes", "-1GB"),
    ("max_delete_bytes", "1e3MB"),
    ("max_delete_bytes", "50%"),
]


@pytest.mark.parametrize(("name", "text"), BAD_VALUES)
def test_invalid_value_is_refused_with_its_location_and_the_doc_of_the_setting(name, text):
    error = refuse(**{name: text})

    assert f": {text!r} " in error.message
    assert error.hint == SETTINGS_BY_NAME[name.replace("_", "-")].doc


@pytest.mark.parametrize(
    ("lines", "source"),
    [
        ("branches\ncloudfront\nbranches", "'branches'"),
        (["cloudfront", "cloudfront"], "'cloudfront'"),
        ("url:https://h\nurl:https://h", "'url:https://h'"),
        (
            "github-deployments:a\ngithub-deployments\ngithub-deployments:a",
            "'github-deployments:a'",
        ),
    ],
)
def test_live_source_named_twice_in_one_layer_is_refused(lines, source):
    error = refuse(live_from=lines)

    assert source in error.message
    assert error.hint != SETTINGS_BY_NAME["live-from"].doc


def test_each_line_of_protect_is_checked():
    assert "'a/b'" in refuse(protect="fine\na/b").message


def test_two_values_for_one_setting_are_refused():
    assert refuse(prefix=["a", "b"]).hint != SETTINGS_BY_NAME["prefix"].doc


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("keep-cout", "keep-count"),
        ("KEEP_COUNT", "keep-count"),
        ("protects", "protect"),
        ("zzz", ""),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(name, nearest):
    raw_setting = RawSetting(texts=("1",), origin=Origin.INPUT, where="inputs")

    with pytest.raises(SettingsError) as caught:
        resolve_settings(make_inputs(bucket="my-site"), {name: raw_setting})

    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.message.startswith("inputs: ")
    suggestion = caught.value.message.partition(f"{name!r}.")[2]
    assert suggestion.rstrip("?").rpartition(" ")[2] == nearest


def test_unknown_name_is_refused_even_when_empty():
    with pytest.raises(SettingsError, match="'protects'"):
        resolve_settings(make_inputs(bucket="my-site", protects=""))


SECRET = "sEcReT"


@pytest.mark.parametrize(
    "address",
    [
        f"https://key:{SECRET}@minio.example.org",
        f"https://{SECRET}@minio.example.org",
        f"https://key:{SECRET}/x@minio.example.org",
        f"key:{SECRET}@minio.example.org",
        f"ftp://key:{SECRET}@minio.example.org",
        f"https://key:{SECRET}@[::1",
        f"https://minio.example.org/?X-Amz-Signature={SECRET}",
    ],
)
@pytest.mark.parametrize("name", ["endpoint_url", "github_api_url"])
def test_address_with_credentials_is_refused_without_showing_them(name, address):
    error = refuse(**{name: address})

    assert SECRET not in f"{error!r} {error.message} {error.hint}"


@pytest.mark.parametrize(
    "address",
    [
        f"https://key:{SECRET}@www.example.org",
        f"https://{SECRET}@www.example.org/a",
        f"https://key:{SECRET}/x@www.example.org",
        f"ftp://key:{SECRET}@www.example.org",
        f"https://[::1?token={SECRET}",
    ],
)
def test_live_source_with_credentials_is_refused_without_showing_them(address):
    error = refuse(live_from=f"url:{address}")

    assert SECRET not in f"{error!r} {error.message} {error.hint}"


def test_live_source_with_a_token_is_not_shown_when_named_twice():
    error = refuse(live_from=f"url:https://h?token={SECRET}\n" * 2)

    assert SECRET not in f"{error!r} {error.full_message}"


def test_secret_is_in_no_repr():
    raw_settings = make_inputs(bucket="my-site", github_token=SECRET)

    assert resolve_settings(raw_settings).github_token == SECRET
    settings = resolve_settings(raw_settings)
    assert SECRET not in f"{raw_settings!r} {settings!r} {settings}"


def test_secret_given_twice_is_in_no_message():
    error = refuse(github_token=[SECRET, "b"])

    assert SECRET not in f"{error!r} {error.full_message}"


def test_invalid_value_in_a_policy_file_is_refused_with_its_line():
    with pytest.raises(SettingsError, match=r"^ci3\.yml.* keep-count: 'x' "):
        resolve_settings(make_policy(bucket="a-site", keep_count="x"), make_inputs(mode="plan"))


def test_overridden_invalid_value_is_ignored():
    assert (
        resolve_settings(
            make_policy(keep_count="x"), make_inputs(bucket="a-site", keep_count="3")
        ).keep_count
        == 3
    )


def test_messages_are_the_golden_ones():
    bad_values = [(f"{name}={text}", refuse(**{name: text}).message) for name, text in BAD_VALUES]
    others = {
        "live source named twice": {"live_from": "branches\nbranches"},
        "secret live source named twice": {"live_from": "url:https://h?token=x\n" * 2},
        "secret address": {"endpoint_url": f"https://key:{SECRET}@minio.example.org"},
        "second line of protect": {"protect": "fine\na/b"},
        "two values": {"prefix": ["a", "b"]},
        "unknown": {"zzz": "1"},
        "similar to a setting": {"protects": "1"},
    }
    other_errors = [(case, refuse(**texts)) for case, texts in others.items()]
    assert_messages(__file__, bad_values + other_errors)
