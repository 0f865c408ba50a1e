"""Every setting: its default, its precedence, and its values."""

import re
import subprocess
import sys
from datetime import timedelta

import pytest

from ci3.config.modes import Mode, PostPolicy
from ci3.config.resolve import resolve_settings
from ci3.config.settings import SETTINGS, SETTINGS_BY_NAME
from ci3.constants import DEFAULT_KEEP_COUNT, MINIMUM_KEEP_COUNT
from ci3.core.live.sources import LiveKind, LiveSource
from ci3.core.model.policy import DeleteLimit, Origin, PolicyEntry
from ci3.core.retention.age_order import AgeFrom
from ci3.core.units import ByteSize, Duration
from ci3.errors import SettingsError
from tests.support.paths import ROOT
from tests.unit.config.layers import make_inputs, make_policy, resolve_inputs


def make_url_source(address, field=""):
    return LiveSource(kind=LiveKind.URL, argument=address, field=field)


def test_defaults_delete_nothing_and_keep_five():
    settings = resolve_inputs()

    assert settings.mode is Mode.PLAN
    assert settings.keep_count == DEFAULT_KEEP_COUNT == 5
    assert (settings.comment, settings.issue) == (PostPolicy.CHANGES, PostPolicy.NEVER)
    assert settings.github_api_url == "https://api.github.com"
    assert (settings.protect, settings.match, settings.max_delete) == ((), None, None)
    assert (settings.keep_within, settings.group_by, settings.max_delete_bytes) == (None,) * 3
    assert (settings.keep_daily, settings.keep_weekly, settings.keep_monthly) == (0, 0, 0)
    assert (settings.age_from, settings.live_from) == (AgeFrom.SPAN, ())
    assert settings.inventory is None
    assert settings.expire_closed is None
    texts = "region prefix endpoint_url plan_file journal_file policy_file comment_id github_token"
    assert {getattr(settings, name) for name in (*texts.split(" "), "required_file")} == {""}
    assert settings.recorded == {}


def test_every_setting_but_the_bucket_has_a_default():
    assert [setting.name for setting in SETTINGS if setting.is_required] == ["bucket"]


def test_each_value_is_parsed():
    settings = resolve_inputs(
        region="eu-central-1",
        prefix="a/b",
        endpoint_url="https://minio.example.org:9000/",
        mode="apply",
        keep_count="3",
        match=r"[0-9a-f]{40}",
        protect="release-1\n\n  v*  \nlive/\n",
        max_delete="50%",
        comment="never",
        issue="always",
        keep_within="8w",
        keep_daily="7",
        keep_weekly="4",
        keep_monthly="12",
        group_by=r"(pr-\d+)-.*",
        required_file="app/index.html",
        age_from="first-object",
        inventory="s3://reports/my-site/daily/2026-11-24T01-00Z/manifest.json",
        live_from="cloudfront\n\nssm:/live#commit\n",
        max_delete_bytes="1.5GiB",
        expire_closed="3d",
    )

    assert (settings.bucket, settings.region) == ("my-site", "eu-central-1")
    assert settings.prefix == "a/b/"
    assert settings.endpoint_url == "https://minio.example.org:9000"
    assert (settings.mode, settings.comment) == (Mode.APPLY, PostPolicy.NEVER)
    assert settings.issue is PostPolicy.ALWAYS
    assert settings.keep_count == 3
    assert str(settings.match) == r"[0-9a-f]{40}"
    assert settings.protect == ("release-1", "v*", "live")
    assert settings.max_delete == DeleteLimit(amount=50, is_percent=True)
    assert settings.keep_within == Duration(text="8w", length=timedelta(weeks=8))
    assert (settings.keep_daily, settings.keep_weekly, settings.keep_monthly) == (7, 4, 12)
    assert str(settings.group_by) == r"(pr-\d+)-.*"
    assert (settings.required_file, settings.age_from) == ("app/index.html", AgeFrom.FIRST_OBJECT)
    assert (settings.inventory.bucket, settings.inventory.folder) == ("reports", "my-site/daily/")
    assert settings.live_from == (
        LiveSource(kind=LiveKind.CLOUDFRONT),
        LiveSource(kind=LiveKind.SSM, argument="/live", field="commit"),
    )
    assert settings.max_delete_bytes == ByteSize(text="1.5GiB", size_bytes=3 * 2**29)
    assert settings.expire_closed == Duration(text="3d", length=timedelta(days=3))


@pytest.mark.parametrize("text", ["0d", "0h", "36h"])
def test_expire_closed_needs_match(text):
    assert resolve_inputs(match=".*", expire_closed=text).recorded["expire-closed"].value == text
    for where in ("", "ci3.yml, line 3, target 1"):
        with pytest.raises(SettingsError) as error:
            resolve_settings(make_inputs(bucket="my-site", expire_closed=text), where=where)
        assert error.value.message.startswith(where)
        assert "match" in error.value.hint


def test_input_overrides_policy_file_and_policy_file_overrides_default():
    settings = resolve_settings(
        make_policy(bucket="a-site", keep_count="7", prefix="a"), make_inputs(keep_count="9")
    )

    assert (settings.bucket, settings.prefix, settings.keep_count) == ("a-site", "a/", 9)


@pytest.mark.parametrize("empty", ["", " ", "\n", "\t\n "])
def test_empty_input_is_unset(empty):
    settings = resolve_settings(
        make_policy(bucket="a-site", keep_count="7", protect=["live"]),
        make_inputs(bucket=empty, keep_count=empty, protect=empty, mode=empty, match=empty),
    )

    assert (settings.bucket, settings.keep_count, settings.protect) == ("a-site", 7, ("live",))
    assert (settings.mode, settings.match) == (Mode.PLAN, None)


def test_repeated_option_and_lines_are_the_same():
    assert resolve_inputs(protect=["a", "b\nc"]).protect == ("a", "b", "c")


def test_space_around_a_value_is_not_part_of_it():
    assert resolve_inputs(bucket=" my-site\n", keep_count=" 3 ").bucket == "my-site"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("bucket", "arn:aws:s3:eu-west-1:123456789012:accesspoint/site", None),
        ("bucket", "Old.Bucket_1", None),
        ("keep_count", str(MINIMUM_KEEP_COUNT), MINIMUM_KEEP_COUNT),
        ("keep_count", "+5", 5),
        ("keep_count", "010", 10),
        ("max_delete", "0", DeleteLimit(amount=0, is_percent=False)),
        ("max_delete", "100%", DeleteLimit(amount=100, is_percent=True)),
        ("max_delete", "101", DeleteLimit(amount=101, is_percent=False)),
        ("endpoint_url", "http://[::1]:9000", None),
        ("endpoint_url", "https://h/base", None),
        ("prefix", "site/", "site/"),
        ("prefix", "a b/c", "a b/c/"),
        ("protect", "release-*", ("release-*",)),
        ("keep_daily", "0", 0),
        ("required_file", "..a/.b", "..a/.b"),
        ("live_from", "url:https://h/@1?a=b@c", (make_url_source("https://h/@1?a=b@c"),)),
        ("live_from", "url:http://h#a.b", (make_url_source("http://h", "a.b"),)),
    ],
)
def test_value_at_the_limit_is_accepted(name, text, value):
    assert getattr(resolve_inputs(**{name: text}), name) == (text if value is None else value)


def test_layers_are_merged_as_documented():
    settings = resolve_settings(
        make_policy(bucket="my-site", keep_count="5", protect="a"),
        make_inputs(keep_count="3", protect="b"),
    )
    assert (settings.keep_count, settings.protect) == (3, ("a", "b"))


def test_protected_names_of_all_layers_are_combined():
    settings = resolve_settings(
        make_policy(bucket="my-site", protect=["live", "v*"]), make_inputs(protect="v*\nrelease-1")
    )
    assert settings.protect == ("live", "v*", "release-1")
    assert settings.recorded["protect"].origin is Origin.INPUT


def test_live_source_in_two_layers_is_used_once():
    settings = resolve_settings(
        make_policy(bucket="my-site", live_from=["branches", "cloudfront"]),
        make_inputs(live_from="cloudfront\nssm:/live"),
    )
    assert [str(source) for source in settings.live_from] == ["branches", "cloudfront", "ssm:/live"]
    assert settings.recorded["live-from"] == PolicyEntry(
        value=("branches", "cloudfront", "ssm:/live"), origin=Origin.INPUT
    )


def test_live_sources_that_differ_in_anything_are_two():
    assert len(resolve_inputs(live_from="object:a\nobject:a#b\nobject:b\nssm:a").live_from) == 4


def test_token_is_the_only_secret_and_has_no_option_and_no_policy_key():
    [secret] = [setting for setting in SETTINGS if setting.is_secret]

    assert (secret.name, secret.options, secret.is_policy_key) == ("github-token", (), False)
    assert not secret.is_recorded


def test_value_other_than_the_default_is_recorded_with_its_origin():
    settings = resolve_settings(
        make_policy(keep_count="7", match="[0-9a-f]+", protect="a\nb", max_delete="20"),
        make_policy(
            keep_within="14d", keep_daily="7", max_delete_bytes="1.5GiB", age_from="oldest"
        ),
        make_inputs(bucket="my-site", max_delete="50%", mode="apply", github_token="t"),
    )

    assert settings.recorded == {
        "keep-count": PolicyEntry(value=7, origin=Origin.POLICY_FILE),
        "match": PolicyEntry(value="[0-9a-f]+", origin=Origin.POLICY_FILE),
        "protect": PolicyEntry(value=("a", "b"), origin=Origin.POLICY_FILE),
        "max-delete": PolicyEntry(value="50%", origin=Origin.INPUT),
        "keep-within": PolicyEntry(value="14d", origin=Origin.POLICY_FILE),
        "keep-daily": PolicyEntry(value=7, origin=Origin.POLICY_FILE),
        "max-delete-bytes": PolicyEntry(value="1.5GiB", origin=Origin.POLICY_FILE),
        "age-from": PolicyEntry(value="oldest", origin=Origin.POLICY_FILE),
    }


def test_explicit_default_is_not_recorded():
    assert resolve_inputs(keep_count="5", keep_daily="0").recorded == {}


def test_age_from_is_recorded_whenever_it_is_set():
    recorded = resolve_inputs(age_from="span").recorded

    assert recorded == {"age-from": PolicyEntry(value="span", origin=Origin.INPUT)}


def test_settings_that_affect_decisions_are_recorded():
    recorded = [setting.name for setting in SETTINGS if setting.is_recorded]

    location = {"bucket", "region", "prefix", "endpoint-url", "role-to-assume"}
    output = {"mode", "plan-file", "journal-file", "policy-file", "comment", "comment-id", "issue"}
    applying = {"resume", "skip-changed", "timeout", "concurrency"}
    applying |= {"probe-deletes", "probe-restore"}
    github = {"github-token", "github-api-url"}
    assert (
        set(recorded)
        == {setting.name for setting in SETTINGS} - location - output - applying - github
    )


def test_names_have_hyphens_and_options_are_unique():
    options = [option for setting in SETTINGS for option in setting.options]

    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", setting.name) for setting in SETTINGS)
    assert len(set(options)) == len(options)
    assert SETTINGS_BY_NAME["bucket"].options == ("--bucket-name", "--bucket")
    assert SETTINGS_BY_NAME["region"].options == ("--aws-region", "--region")


def test_files_generated_from_the_settings_are_up_to_date():
    completed = subprocess.run(
        [sys.executable, "-m", "tools.docs.generate", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "")


def test_every_setting_is_in_the_docs_and_in_the_actions_inputs():
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    table = page.partition("<!-- begin settings")[2].partition("<!-- end settings")[0]
    action = (ROOT / "action.yml").read_text(encoding="utf-8")

    for setting in SETTINGS:
        assert table.count(f"\n| `{setting.name}` | ") == 1
        assert f"\n  {setting.name}:\n    description: '" in action
