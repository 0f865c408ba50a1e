"""Suggestions for unknown names of settings, options and commands."""

import pytest

from ci3.config.policy_schema import POLICY_KEYS
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.config.unknown_names import (
    _EQUIVALENTS,
    refuse_unknown,
    suggest_command,
    suggest_option,
)
from ci3.errors import SettingsError

OPTIONS = ["--yes", "--bucket-name", "--bucket", "--keep-count", "--keep-within", "--protect"]


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("keep", "keep-count"),
        ("KEEP_LAST", "keep-count"),
        ("older-than", "keep-within"),
        ("aws-region", "region"),
        ("exclude", "protect"),
        ("keep-cuont", "keep-count"),
        ("Live_From", "live-from"),
    ],
)
def test_similar_setting_is_suggested(name, setting):
    with pytest.raises(SettingsError) as caught:
        refuse_unknown(name, "input x", SETTINGS_BY_NAME)
    assert f"{name!r}" in caught.value.message
    assert caught.value.message.endswith(f" {setting}?")


@pytest.mark.parametrize(
    ("name", "value"), [("dry-run", "plan"), ("DRY_RUN", "plan"), ("force", "apply")]
)
def test_mode_is_suggested_for_names_of_other_tools(name, value):
    with pytest.raises(SettingsError) as caught:
        refuse_unknown(name, "input x", SETTINGS_BY_NAME)
    assert f"mode: {value}" in caught.value.message


@pytest.mark.parametrize("name", ["xyz", "q", "mode", "dry-run"])
def test_setting_that_is_no_policy_key_is_not_suggested(name):
    with pytest.raises(SettingsError) as caught:
        refuse_unknown(name, "policy.yml, line 1", POLICY_KEYS)
    assert caught.value.message.count(".") == 2


@pytest.mark.parametrize(
    ("option", "suggested"),
    [
        ("--force", "--yes"),
        ("--dry-run", "ci3 plan-cleanup"),
        ("--keep", "--keep-count"),
        ("--older-than", "--keep-within"),
        ("--bukcet-name", "--bucket-name"),
        ("--s3-bucket", "--bucket"),
    ],
)
def test_similar_option_is_suggested(option, suggested):
    assert suggested in suggest_option(option, OPTIONS)


def test_unknown_option_without_a_near_name_has_no_suggestion():
    assert suggest_option("--xyz", OPTIONS) == ""


def test_command_without_the_option_yes_never_suggests_it():
    assert "--yes" not in suggest_option("--force", ["--bucket-name"])


def test_names_of_other_tools_lead_to_settings():
    assert set(_EQUIVALENTS) <= set(SETTINGS_BY_NAME)
    names = [name for names in _EQUIVALENTS.values() for name in names]
    assert len(names) == len(set(names))
    assert not set(names) & set(SETTINGS_BY_NAME)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("plan", "plan-cleanup"),
        ("DRY_RUN", "plan-cleanup"),
        ("apply", "cleanup"),
        ("ls", "list-deployments"),
        ("undo", "restore"),
    ],
)
def test_similar_command_is_suggested(name, command):
    assert command in suggest_command(name)


def test_unknown_command_without_a_near_name_has_no_suggestion():
    assert suggest_command("xyz") == ""
