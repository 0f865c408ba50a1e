"""The container's arguments, in all supported forms."""

import pytest

from ci3.cli.container import read_container_arguments, run_in_container
from ci3.errors import ExitCode, SettingsError

COMMAND = ["plan-cleanup", "--bucket-name", "my-site"]


@pytest.mark.parametrize(
    "arguments",
    [
        COMMAND,
        ["ci3", *COMMAND],
        ["sh", "-c", "plan-cleanup --bucket-name my-site"],
        ["sh", "-c", "ci3 plan-cleanup --bucket-name my-site"],
        ["/bin/sh", "-c", "  plan-cleanup --bucket-name my-site\n"],
        ["bash", "-c", "plan-cleanup --bucket-name 'my-site'"],
        ["sh", "-c", "plan-cleanup \\\n  --bucket-name my-site"],
        ["/bin/bash", "-c", 'plan-cleanup --bucket-name "my-site"'],
    ],
)
def test_shell_and_name_of_the_command_may_precede_it(arguments):
    assert read_container_arguments(arguments) == COMMAND


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'[0-9a-f]{40}'", "[0-9a-f]{40}"),
        ("'(main|next)-.*$'", "(main|next)-.*$"),
        ('"(main|next)-.*"', "(main|next)-.*"),
        (r"a\|b", "a|b"),
        ("'cost $5'", "cost $5"),
        ("release-*", "release-*"),
        ("ssm:/live#commit", "ssm:/live#commit"),
        ("'it'\"'\"'s'", "it's"),
        ("a~b", "a~b"),
    ],
)
def test_quoted_text_in_a_shell_command_is_one_literal_value(text, value):
    arguments = read_container_arguments(["sh", "-c", f"plan-cleanup --match {text} --output json"])
    assert arguments == ["plan-cleanup", "--match", value, "--output", "json"]


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("plan-cleanup && rm -r x", "&"),
        ("plan-cleanup; ci3 cleanup", ";"),
        ("plan-cleanup\ncleanup", "\n"),
        ("plan-cleanup | tee log", "|"),
        ("plan-cleanup > plan.txt", ">"),
        ("plan-cleanup < plan.txt", "<"),
        ("(plan-cleanup)", "("),
        ("plan-cleanup --bucket-name $BUCKET", "$"),
        ('plan-cleanup --bucket-name "$BUCKET"', "$"),
        (r'plan-cleanup --match "\$"', "$"),
        ('plan-cleanup --bucket-name "`cat name`"', "`"),
        ("plan-cleanup --bucket-name `cat name`", "`"),
        ("plan-cleanup --plan-file ~/plan.json", "~"),
        ("plan-cleanup # a comment", "#"),
    ],
)
def test_operators_and_expansions_of_a_shell_are_refused(text, operator):
    with pytest.raises(SettingsError) as caught:
        read_container_arguments(["sh", "-c", text])
    assert repr(operator) in caught.value.message


@pytest.mark.parametrize(
    "arguments",
    [["sh"], ["sh", "-c"], ["sh", "script.sh"], ["sh", "-c", "--help", "more"], ["sh", "-c", "'a"]],
)
def test_incomplete_shell_command_exits_with_the_code_for_usage(arguments, capsys):
    assert run_in_container(arguments) == ExitCode.USAGE
    assert capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["ci3", "--help"], ["sh", "-c", "plan-cleanup --help"]])
def test_help_is_shown_in_each_form(arguments, capsys):
    assert run_in_container(arguments) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("Usage: ci3 ")


def test_empty_arguments_stay_empty():
    assert read_container_arguments([]) == []
