"""Invalid settings: exit code 2, one error that names them, and no request."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from ci3.config.fields import Kind
from ci3.config.settings import SETTINGS_BY_NAME
from tests.integration.command.bad_input.conftest import CLEANUP, PLAN
from tests.support.github.fake_runner import parse_commands
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--keep-count", "0"),
        ("--keep-count", "-1"),
        ("--keep-count", "three"),
        ("--match", "("),
        ("--bucket-name", "site--use1-az4--x-s3"),
        ("--bucket-name", "s3://site/app"),
        ("--bucket-name", "no such name"),
        ("--endpoint-url", "127.0.0.1:9000"),
        ("--prefix", "/app"),
        ("--max-delete", "101%"),
        ("--protect", "app/a"),
        ("--policy-file", "nowhere.yml"),
    ],
)
def test_value_that_does_not_fit(  # noqa: PLR0917 - a table's columns
    ci3, live: Bucket, proxy: FaultProxy, option: str, value: str, assert_screen
) -> None:
    result = ci3(*CLEANUP, *live.options(), option, value)
    result.check_error(2, value)
    assert_screen(result.err)
    assert proxy.requests == []


BAD_VALUES = [
    ("keep-within", "10"),
    ("keep-within", "-3d"),
    ("keep-within", "3 days"),
    ("keep-within", "1.5d"),
    ("keep-within", "\uff11\uff14d"),
    ("keep-within", "999999w"),
    ("keep-within", "9999999999d"),
    ("expire-closed", "3"),
    ("expire-closed", "-3d"),
    ("keep-daily", "7.5"),
    ("keep-daily", "yes"),
    ("keep-weekly", "-1"),
    ("keep-monthly", "9999999999"),
    ("group-by", "pr-.*"),
    ("group-by", "(pr-.*"),
    ("match", "[[:alpha:]]+"),
    ("required-file", "/index.html"),
    ("required-file", "assets/"),
    ("age-from", "spam"),
    ("addressing-style", "vhost"),
    ("inventory", "s3://reports/my-site"),
    ("inventory", "s3:///manifest.json"),
    ("inventory", "https://reports.example.org/manifest.json"),
    ("live-from", "cloudfrnt"),
    ("live-from", "ssm:"),
    ("live-from", "url:file:///etc/passwd"),
    ("live-from", "cloudfront:x"),
    ("live-from", "branches\nbranches"),
    ("max-delete-bytes", "100"),
    ("max-delete-bytes", "-1GB"),
    ("max-delete-bytes", "1e3MB"),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_error_for_a_bad_option_value_names_the_option(  # noqa: PLR0917 - a table's columns
    ci3, live: Bucket, proxy: FaultProxy, command: Sequence[str], name: str, value: str
) -> None:
    result = ci3(*command, *live.options(), f"--{name}", value)
    result.check_error(2, f" --{name}")
    assert proxy.requests == []


def test_messages_for_bad_values(ci3, live: Bucket, assert_screen) -> None:
    results = [ci3(*PLAN, *live.options(), f"--{name}", value) for name, value in BAD_VALUES]
    assert_screen("\n".join(result.err for result in results))


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_error_for_a_bad_value_in_a_policy_file_names_its_line(
    ci3, live: Bucket, proxy: FaultProxy, name: str, value: str
) -> None:
    yaml_value = value if SETTINGS_BY_NAME[name].kind is Kind.COUNT else json.dumps(value)
    for text, line in (
        (f"{name}: {yaml_value}\n", 1),
        (f"targets:\n- prefix: app\n- prefix: docs\n  {name}: {yaml_value}\n", 4),
        (f"defaults:\n  {name}: {yaml_value}\ntargets: [{{prefix: app}}]\n", 2),
    ):
        Path("policy.yml").write_text(text, encoding="utf-8")
        result = ci3(*CLEANUP, *live.options(), "--policy-file", "policy.yml")
        result.check_error(2, "policy.yml", name)
        assert re.search(rf"policy\.yml\D+{line}\b", result.err)
    assert proxy.requests == []


@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_error_for_a_bad_input_value_names_the_input(
    act, live: Bucket, proxy: FaultProxy, name: str, value: str
) -> None:
    code, log = act({"mode": "apply", name: value})
    errors = [message for kind, message in parse_commands(log) if kind == "error"]
    assert (code, len(errors)) == (2, 1)
    assert f" {name}: " in errors[0]
    assert proxy.requests == []


BAD_TARGETS = [
    "targets: []\n",
    "- prefix: app\n",
    "targets: [{prefix: app}]\nkeep-count: 3\n",
    "targets: [{prefix: app, plan-file: a}]\n",
    "targets:\n- {prefix: app}\n- {prefix: app/}\n",
    "targets:\n- {prefix: app}\n- {prefix: app/x/y}\n",
    "a: &a [x]\nb: [*a, *a]\n",
    "",
    "# " + "x" * 5_000_000,
]


@pytest.mark.parametrize("text", BAD_TARGETS, ids=lambda text: text[:30])
@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_bad_targets_are_an_error_before_any_request(
    ci3, live: Bucket, proxy: FaultProxy, command: Sequence[str], text: str
) -> None:
    Path("policy.yml").write_text(text, encoding="utf-8")
    result = ci3(*command, *live.options(), "--policy-file", "policy.yml")
    result.check_error(2, "policy.yml" if "plan-file" not in text else "plan-file")
    assert proxy.requests == []


def test_messages_for_bad_targets(ci3, live: Bucket, assert_screen) -> None:
    errors = []
    for text in BAD_TARGETS:
        Path("policy.yml").write_text(text, encoding="utf-8")
        errors.append(ci3(*PLAN, *live.options(), "--policy-file", "policy.yml").err)
    assert_screen("\n".join(errors))


@pytest.mark.parametrize("command", [PLAN, CLEANUP])
def test_unknown_option_suggests_the_nearest(ci3, live: Bucket, command: Sequence[str]) -> None:
    result = ci3(*command, *live.options(), "--keep-cuont", "3")
    result.check_error(2, "--keep-cuont", "--keep-count", f"{command[0]} --help")


def test_unknown_command_is_an_error(ci3) -> None:
    ci3("clean").check_error(2, "clean", "ci3 --help")


def test_no_command_shows_the_help(ci3) -> None:
    result = ci3()
    assert (result.code, result.out) == (2, "")
    assert "Examples:" in result.err


def test_unknown_key_in_a_policy_file_suggests_the_nearest(ci3, live: Bucket) -> None:
    Path("policy.yml").write_text("bucket: x\nkeep-cuont: 3\n", encoding="utf-8")
    result = ci3(*CLEANUP, *live.options(), "--policy-file", "policy.yml")
    result.check_error(2, "policy.yml", " 2:", "keep-cuont", "keep-count")
