"""The README's workflow, commands and tables are valid."""

import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path

import pytest
import yaml

from ci3.cli.main import main
from ci3.config.settings import SETTINGS, SETTINGS_BY_NAME
from ci3.errors import ExitCode
from tests.support.paths import ROOT
from tests.support.s3.bucket import Bucket

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
[WORKFLOW] = [body for kind, body in BLOCKS if kind == "yaml"]
SHELL_LINES = [line for kind, body in BLOCKS if kind == "sh" for line in body.splitlines() if line]
LAUNCHERS = re.compile("uvx |docker run .*?(?= ci3 )")
"""Commands that run ci3 without installing it, before a command line of ci3."""
COMMANDS = [
    line
    for line in (LAUNCHERS.sub("", line).strip() for line in SHELL_LINES)
    if line.startswith("ci3 ")
]
SETUP_COMMANDS = {"make demo", "pipx install ci3", "pip install .", "docker build -t ci3 ."}
"""Other tests cover these: the container, the package and the demo."""
BUCKET_COMMANDS = [
    line for line in COMMANDS if "--bucket-name" in line and "iam-policy" not in line
]
PREFIX = "ab12cd3"


def make_name(number: int) -> str:
    """Return a commit; the commit of 12 begins with the name in the README's commands."""
    digest = sha1(str(number).encode(), usedforsecurity=False).hexdigest()
    return PREFIX + digest[7:] if number == 12 else digest


@pytest.fixture
def my_site(bucket: Bucket) -> Bucket:
    """Return a bucket with 14 deployments."""
    now = datetime.now(UTC)
    for number in range(14):
        bucket.put_at(f"{make_name(number)}/index.html", now - timedelta(days=number))
    return bucket


def parse_arguments(line: str, bucket: Bucket) -> list[str]:
    arguments = shlex.split(line, comments=True)[1:]
    arguments = [bucket.name if word == "my-site" else word for word in arguments]
    return [*arguments, "--endpoint-url", bucket.endpoint_url]


def test_readme_has_each_command() -> None:
    names = {shlex.split(line)[1] for line in COMMANDS}
    assert names - {"--help"} == {
        *("plan-cleanup", "cleanup", "list-deployments", "list-objects", "explain", "simulate"),
        *("doctor", "restore", "iam-policy"),
    }


@pytest.mark.parametrize("line", [line for line in BUCKET_COMMANDS if " cleanup " not in line])
def test_command_runs(line: str, my_site: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    before = my_site.keys()
    assert main(parse_arguments(line, my_site)) == ExitCode.DONE
    assert capsys.readouterr().out
    assert my_site.keys() == before


def test_cleanup_deletes_and_restore_restores(
    my_site: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    my_site.enable_versioning()
    before = my_site.folders()
    [line] = [line for line in COMMANDS if " cleanup " in line]
    journal = ["--journal-file", "journal.jsonl", "--yes"]
    assert main([*parse_arguments(line, my_site), *journal]) == ExitCode.DONE
    assert len(my_site.folders()) == 10
    assert main(["restore", "journal.jsonl", "--yes"]) == ExitCode.DONE
    assert my_site.folders() == before
    assert capsys.readouterr().out


def test_each_shell_line_is_a_ci3_command_or_a_setup_command() -> None:
    lines = {shlex.join(shlex.split(line, comments=True)) for line in SHELL_LINES}
    remaining_lines = {
        line for line in lines if not LAUNCHERS.sub("", line).strip().startswith("ci3 ")
    }
    assert remaining_lines == SETUP_COMMANDS


def test_help_without_installing_shows_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    [line] = [line for line in COMMANDS if "--help" in line]
    assert main(shlex.split(line, comments=True)[1:]) == ExitCode.DONE
    assert "plan-cleanup" in capsys.readouterr().out


@pytest.mark.parametrize("line", [line for line in COMMANDS if "iam-policy" in line])
def test_policy_is_printed(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(line, comments=True)[1:]) == ExitCode.DONE
    assert "Statement" in yaml.safe_load(capsys.readouterr().out)


def test_workflow_is_valid_with_a_real_owner(tmp_path: Path) -> None:
    path = tmp_path / "cleanup.yml"
    path.write_text(WORKFLOW.replace("OWNER", "octo-org"), encoding="utf-8")
    actionlint = Path(sys.executable).with_name("actionlint")
    completed = subprocess.run([actionlint, path], capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout) == (0, "")


def test_workflow_can_comment_and_sets_known_inputs() -> None:
    [job] = yaml.safe_load(WORKFLOW)["jobs"].values()
    assert job["permissions"]["pull-requests"] == "write"
    step = job["steps"][-1]
    assert step["uses"].startswith("OWNER/ci3@")
    assert {"bucket", "match", "mode"} <= set(step["with"]) <= set(SETTINGS_BY_NAME)


def test_every_input_is_in_one_table() -> None:
    tables = README.partition("## Inputs and outputs")[2].partition("<details><summary>Outputs")[0]
    names = re.findall(r"^\| `([a-z-]+)` \|", tables, re.MULTILINE)
    assert sorted(names) == sorted(setting.name for setting in SETTINGS)
