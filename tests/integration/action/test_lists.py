"""Lists in one line are refused in inputs, options and policy files."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main

LISTS = [
    ("protect", "stable, release-*"),
    ("protect", "stable release-*"),
    ("protect", '["stable", "release-*"]'),
    ("protect", "- stable"),
    ("live-from", "object:live.txt, cloudfront"),
    ("live-from", "object:live.txt cloudfront"),
    ("live-from", '["object:live.txt"]'),
]


@pytest.fixture
def bucket(bucket):
    """Three more deployments, older than `site-6`."""
    for days, name in enumerate(("release-2", "release-1", "stable")):
        bucket.deploy(name, days=10 * days + 1)
    bucket.put("live.txt", body=b"stable")
    return bucket


@pytest.fixture
def content(bucket):
    """The bucket's content; check that a test does not change it."""
    before = bucket.content()
    yield before
    assert bucket.content() == before


@pytest.mark.usefixtures("content")
@pytest.mark.parametrize(("name", "line"), LISTS)
def test_list_in_a_line_of_an_input_is_refused(act, name, line):
    run = act(mode="apply", keep_count="1", **{name: line})

    (error,) = run.annotations("error")
    assert run.exit_code == 2
    assert f"{name}: |\n  " in error.replace("%0A", "\n")
    assert f"    {name}: |\n      " in run.summary


@pytest.mark.usefixtures("content")
@pytest.mark.parametrize(("name", "line"), LISTS)
def test_list_in_an_option_is_refused(bucket, capsys, name, line):
    command = ["cleanup", *bucket.options(), "--auto-approve", "--keep-count", "1"]

    assert main([*command, f"--{name}", line]) == 2
    assert f"\n--{name} " in capsys.readouterr().err


@pytest.mark.usefixtures("content")
@pytest.mark.parametrize("style", ["folded", "quoted", "item"])
@pytest.mark.parametrize(("name", "line"), LISTS)
def test_list_in_a_policy_file_is_refused(bucket, capsys, name, line, style):
    value = {
        "folded": ">\n  " + line,
        "quoted": json.dumps(line),
        "item": f"\n- {json.dumps(line)}",
    }[style]
    Path("ci3.yml").write_text(f"keep-count: 1\n{name}: {value}\n", encoding="utf-8")

    command = ["cleanup", *bucket.options(), "--auto-approve", "--policy-file", "ci3.yml"]
    assert main(command) == 2
    assert f"\n{name}:\n- " in capsys.readouterr().err


@pytest.mark.parametrize(("name", "line"), LISTS)
def test_iam_policy_denies_nothing_for_a_list_in_a_line(capsys, name, line):
    assert main(["iam-policy", "apply", "--bucket-name", "my-site", f"--{name}", line]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("quote", ["'", '"'])
def test_name_in_quotes_is_protected_also_by_a_saved_plan(bucket, quote):
    bucket.deploy("my release, old", days=99)
    protect = f"{quote}my release, old{quote}"
    rules = ["--keep-count", "1", "--match", ".*", "--protect", protect]

    assert main(["plan-cleanup", *bucket.options(), *rules, "--plan-file", "plan.json"]) == 0
    assert main(["cleanup", "--auto-approve", "--plan-file", "plan.json"]) == 0
    assert bucket.folders() == {"site-6", "my release, old"}


def test_names_on_separate_lines_are_protected(bucket, act):
    run = act(mode="apply", keep_count="1", protect="stable\n\n  release-*  \n")

    assert run.exit_code == 0
    assert bucket.folders() == {"site-6", "release-1", "release-2", "stable"}
