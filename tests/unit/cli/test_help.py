"""The help of commands: grouped options, choices, required options, examples."""

import pytest
from click.testing import CliRunner

from ci3.cli.cleanup import cleanup, plan_cleanup
from ci3.cli.doctor import doctor
from ci3.cli.iam_policy import iam_policy
from ci3.cli.inspect import explain, list_deployments, list_objects
from ci3.cli.main import _cli
from ci3.cli.restore import restore
from ci3.cli.simulate import simulate
from ci3.config.groups import SETTING_GROUPS
from ci3.config.settings import SETTINGS

COMMANDS = {
    command.name: command
    for command in (
        cleanup,
        doctor,
        explain,
        iam_policy,
        list_deployments,
        list_objects,
        plan_cleanup,
        restore,
        simulate,
    )
}


def read_sections(command, width=80):
    """Return the lines of a command's help by section title."""
    text = CliRunner().invoke(command, ["--help"], terminal_width=width).output
    sections, title = {"": []}, ""
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            title = line.removesuffix(":")
            sections[title] = []
        sections[title].append(line)
    return {title: "\n".join(lines) for title, lines in sections.items()}


def test_every_setting_is_in_exactly_one_group():
    names = [name for names in SETTING_GROUPS.values() for name in names]
    assert sorted(names) == sorted(setting.name for setting in SETTINGS)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_shown_in_the_groups_of_the_docs(name):
    command = COMMANDS[name]
    sections = read_sections(command)
    for title, names in SETTING_GROUPS.items():
        for setting in SETTINGS:
            if setting.name in names and setting.options:
                has_option = any(param.name == setting.field_name for param in command.params)
                is_shown = f"--{setting.name} " in sections.get(title, "").replace(",", " ")
                assert is_shown is has_option, (title, setting.name)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("width", [60, 80])
def test_help_fits_the_terminal(name, width):
    lines = "\n".join(read_sections(COMMANDS[name], width).values()).splitlines()
    option_lines = [line for line in lines if not line.startswith("    ci3 ")]
    assert max(map(len, option_lines)) <= width


def test_choices_are_shown():
    sections = read_sections(cleanup, 100)
    assert "--engine [direct|lifecycle|auto]" in sections["Limits and deletion method"]
    assert "--age-from [span|oldest|newest|first-object|name]" in sections["Deployments"]


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (plan_cleanup, "[required without --policy-file]"),
        (cleanup, "[required without --policy-file or --plan-file or --resume]"),
        (restore, "[required without JOURNAL]"),
    ],
)
def test_help_shows_when_the_bucket_is_not_required(command, note):
    section = read_sections(command)["Bucket and access"]
    assert note in " ".join(section.split())


@pytest.mark.parametrize("command", [cleanup, restore])
def test_yes_is_an_alias_of_auto_approve(command):
    option = next(param for param in command.params if param.name == "auto_approve")
    assert {*option.opts} == {"-y", "--yes", "--auto-approve"}


@pytest.mark.parametrize("width", [80, 100])
def test_help_of_the_program_fits_the_terminal(width):
    text = CliRunner().invoke(_cli, ["--help"], terminal_width=width).output
    assert max(map(len, text.splitlines())) <= 80
