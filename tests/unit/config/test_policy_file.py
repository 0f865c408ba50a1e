"""The policy file: its keys, and the meaning of their values."""

import re
from pathlib import Path

import pytest

from ci3.config.fields import Kind
from ci3.config.modes import PostPolicy
from ci3.config.named_policy import read_named_policy
from ci3.config.policy_file import MAXIMUM_BYTES, POLICY_KEYS, read_policy_file, read_policy_text
from ci3.config.resolve import RawSetting
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.config.targets import PolicyFile
from ci3.core.live.sources import LiveKind
from ci3.core.model.decision import Engine
from ci3.core.model.policy import DeleteLimit, Origin
from ci3.core.retention.age_order import AgeFrom
from ci3.errors import SettingsError
from tests.unit.config.policy_files import check_location, list_texts, resolve_policy, write_policy


def read_texts(content):
    policy = read_policy_file(write_policy(content))
    assert policy.targets == ()
    return list_texts(policy.defaults)


def read_settings(content):
    (target_settings,) = resolve_policy(f"bucket: my-site\n{content}")
    assert not target_settings.has_targets
    return target_settings


def test_every_key_is_read():
    content = r"""
bucket: my-site            # a remark
region: eu-central-1
prefix: site/
endpoint-url: https://minio.example.org
addressing-style: virtual
keep-count: 3
match: '[0-9a-f]{40}'
protect:
  - release-*
  - "live"
live-from:
  - github-deployments:production
  - object:version.json#commit
keep-within: 14d
keep-daily: 7
keep-weekly: 4
keep-monthly: 0
group-by: '(pr-\d+)-.*'
required-file: index.html
expire-closed: 3d
age-from: oldest
inventory: s3://reports/my-site/daily/2026-11-24T01-00Z/manifest.json
max-delete: 50%
max-delete-bytes: 1.5GiB
delete-versions: true
engine: lifecycle
plan-file: plan.json
journal-file: journal.jsonl
timeout: 30m
concurrency: 4
comment: never
comment-id: site
issue: changes
"""
    (settings,) = resolve_policy(content)

    assert set(read_texts(content)) == set(POLICY_KEYS)
    assert (settings.bucket, settings.prefix, settings.keep_count) == ("my-site", "site/", 3)
    assert settings.protect == ("release-*", "live")
    assert [source.kind for source in settings.live_from] == [
        LiveKind.GITHUB_DEPLOYMENTS,
        LiveKind.OBJECT,
    ]
    assert (str(settings.keep_within), settings.keep_daily, settings.keep_weekly) == ("14d", 7, 4)
    assert str(settings.expire_closed) == "3d"
    assert (settings.age_from, settings.required_file) == (AgeFrom.OLDEST, "index.html")
    assert settings.inventory.bucket == "reports"
    assert settings.max_delete == DeleteLimit(amount=50, is_percent=True)
    assert settings.max_delete_bytes.size_bytes == 3 * 2**29
    assert settings.delete_versions is True
    assert settings.issue is PostPolicy.CHANGES
    assert settings.engine is Engine.LIFECYCLE


def test_text_of_another_file_has_its_name_in_locations():
    name = "main:ci3.yml"
    policy = read_policy_text("bucket: my-site\n", name)

    where = policy.defaults["bucket"].where
    assert where.startswith(name)
    assert where.endswith("bucket")
    for text in ("a: 1", "- a", "x" * (MAXIMUM_BYTES + 1), "a: '\udcff'"):
        with pytest.raises(SettingsError, match=f"^{name}"):
            read_policy_text(text, name)


@pytest.mark.parametrize("texts", [(), ("",), (" ",)])
def test_without_a_name_there_is_no_policy(texts):
    raw_settings = {
        "policy-file": RawSetting(texts=texts, origin=Origin.INPUT, where="input policy-file")
    }

    assert read_named_policy(raw_settings) == read_named_policy({}) == PolicyFile()


def test_named_policy_is_read():
    setting = RawSetting(texts=(f" {write_policy('bucket: a')}\n",), origin=Origin.INPUT, where="")

    assert list_texts(read_named_policy({"policy-file": setting}).defaults) == {"bucket": ("a",)}


def test_value_has_its_line_and_origin():
    raw_settings = read_policy_file(
        write_policy("# top\nbucket: my-site\n\nkeep-count: 3\n")
    ).defaults

    check_location(raw_settings["keep-count"].where, 4, "keep-count")
    assert raw_settings["keep-count"].origin is Origin.POLICY_FILE


@pytest.mark.parametrize(
    ("yaml_text", "names"),
    [
        ("[1234567, 0123456, 12e4567]", ("1234567", "0123456", "12e4567")),
        ("[0x1234567, 1_000_000, 1:30:00]", ("0x1234567", "1_000_000", "1:30:00")),
        ("[true, no, on, 2026-11-02]", ("true", "no", "on", "2026-11-02")),
        ("[.inf, 1.50, -0, 0o17]", (".inf", "1.50", "-0", "0o17")),
        ("[null, ~, Null]", ("null", "~", "Null")),
        ("1234567", ("1234567",)),
        ("|\n  one\n  two\n", ("one", "two")),
        ("\n- one\n- two\n", ("one", "two")),
        ("\n- one\n-\n- ''\n", ("one",)),
        ("[]", ()),
        ("null", ()),
        ("", ()),
        ("'null'", ("null",)),
        ("!!binary aGk=", ("aGk=",)),
    ],
)
def test_name_is_read_as_written(yaml_text, names):
    assert read_settings(f"protect: {yaml_text}").protect == names


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("prefix: 0123456", "prefix", "0123456/"),
        ("prefix: 1.0", "prefix", "1.0/"),
        ("comment-id: on", "comment_id", "on"),
        ("max-delete: 20", "max_delete", DeleteLimit(amount=20, is_percent=False)),
        ("max-delete: '20'", "max_delete", DeleteLimit(amount=20, is_percent=False)),
        ("keep-count: ~", "keep_count", 5),
        ("keep-count:", "keep_count", 5),
        ("comment:", "comment", "changes"),
    ],
)
def test_plain_value_is_read_as_written_and_an_empty_one_is_unset(line, field, value):
    assert getattr(read_settings(line), field) == value


@pytest.mark.parametrize("start", ["\ufeff", "%YAML 1.1\n---\n", "---\n", "# remark\n\n"])
def test_usual_beginnings_of_a_file_are_accepted(start):
    assert read_texts(f"{start}prefix: app\n") == {"prefix": ("app",)}


@pytest.mark.parametrize("end", ["...\n", "", "\r\n", "\n# remark"])
def test_usual_ends_of_a_file_are_accepted(end):
    assert read_texts(f"prefix: app\n{end}") == {"prefix": ("app",)}


def test_unused_anchor_is_accepted():
    assert read_texts("protect: &names [a]\n") == {"protect": ("a",)}


def test_largest_file_is_read():
    content = "bucket: my-site\n# ".ljust(MAXIMUM_BYTES, "x")

    assert read_texts(content) == {"bucket": ("my-site",)}


# Targets.

TARGETS = """\
defaults:
  keep-count: 3
  protect: [release-*]
  comment: never
targets:
  - bucket: my-site
    prefix: app
  # a remark
  - bucket: my-docs
    keep-count: 9
    protect: live
"""


def test_targets_are_read_with_their_lines_and_defaults():
    policy = read_policy_file(write_policy(TARGETS))

    assert list_texts(policy.defaults) == {
        "keep-count": ("3",),
        "protect": ("release-*",),
        "comment": ("never",),
    }
    assert [(target.line, list_texts(target.raw_settings)) for target in policy.targets] == [
        (6, {"bucket": ("my-site",), "prefix": ("app",)}),
        (9, {"bucket": ("my-docs",), "keep-count": ("9",), "protect": ("live",)}),
    ]
    check_location(policy.targets[1].raw_settings["keep-count"].where, 10, "keep-count")
    assert policy.targets[1].raw_settings["keep-count"].origin is Origin.POLICY_FILE


ONE_TARGET = "targets: [{bucket: a-site}]"


def test_targets_need_no_defaults_and_may_precede_them():
    policy = read_policy_file(write_policy(f"{ONE_TARGET}\ndefaults: {{keep-count: 1}}\n"))

    assert list_texts(policy.defaults) == {"keep-count": ("1",)}
    assert [list_texts(target.raw_settings) for target in policy.targets] == [
        {"bucket": ("a-site",)}
    ]
    assert read_policy_file(write_policy(ONE_TARGET)).defaults == {}


def test_every_setting_of_a_folder_may_differ_between_targets():
    run_keys = {"comment", "comment-id", "issue", "plan-file", "journal-file", "timeout"}
    run_keys |= {"concurrency"}
    for name in set(POLICY_KEYS) - run_keys:
        value = "true" if SETTINGS_BY_NAME[name].kind is Kind.FLAG else "1"
        policy = read_policy_text(f"targets:\n- {name}: {value}\n", "ci3.yml")
        assert set(policy.targets[0].raw_settings) == {name}


@pytest.mark.parametrize("name", ["plan-file", "journal-file"])
@pytest.mark.parametrize(
    "path",
    [
        "/etc/cron.d/a",
        "../plan.json",
        "a/../../plan.json",
        "out/plan.json",
        "out-file",
        "loop",
        "/",
    ],
)
def test_file_outside_of_the_workspace_is_refused(tmp_path: Path, name: str, path: str) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    Path("out").symlink_to("/")
    Path("out-file").symlink_to("/plan.json")
    Path("loop").symlink_to("loop")
    raw_settings = {"policy-file": make_policy_setting(write_policy(f"{name}: {path}\n"))}
    for folder in ("", str(workspace)):
        with pytest.raises(SettingsError, match=re.escape(repr(path))):
            read_named_policy(raw_settings, folder)


@pytest.mark.parametrize(
    "line",
    ["plan-file: plan.json", "plan-file: a/../plan.json", "journal-file: in/j.jsonl",
     "journal-file: s3://site/.ci3/journals/1/"],
)  # fmt: skip
def test_file_inside_of_the_workspace_is_accepted(line: str) -> None:
    Path("in").symlink_to(".")
    assert read_named_policy({"policy-file": make_policy_setting(write_policy(line))}).defaults


def make_policy_setting(path: str) -> RawSetting:
    return RawSetting(texts=(path,), origin=Origin.OPTION, where="option --policy-file")


@pytest.mark.parametrize("value", ["", "null", "''", "' '"])
@pytest.mark.parametrize("name", ["expire-closed", "keep-within", "max-delete"])
def test_target_cannot_remove_a_default_with_an_empty_value(name: str, value: str) -> None:
    targets = f"targets:\n- {{prefix: a}}\n- prefix: b\n  {name}: {value}\n"
    with pytest.raises(SettingsError, match=f"line 4, {name}: "):
        read_policy_file(write_policy(f"{targets}defaults: {{bucket: b, {name}: 3d}}\n"))
    for defaults in ("", f", {name}: {value}".rstrip()):
        assert read_policy_file(
            write_policy(f"{targets}defaults: {{bucket: b{defaults}}}\n")
        ).targets


def test_empty_list_in_a_target_adds_nothing_to_the_default() -> None:
    policy = read_policy_file(
        write_policy("defaults: {bucket: b, protect: [x]}\ntargets:\n- {prefix: a, protect: []}\n")
    )
    assert policy.targets
