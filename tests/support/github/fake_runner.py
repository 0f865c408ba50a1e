"""A fake of GitHub's runner for one step: writes the event and files, reads log and outputs.

Source of the log's format:
https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from tests.support.github.fake_github import REPOSITORY, TOKEN

COMMANDS = {
    "add-mask",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
}
RUN_ID = 42
WORKFLOW = "cleanup.yml"
MERGE_SHA = "a" * 40
HEAD_SHA = "b" * 40
PULL_REQUEST_NUMBER = 7
PULL_REQUEST = {
    "number": PULL_REQUEST_NUMBER,
    "pull_request": {"number": PULL_REQUEST_NUMBER, "head": {"sha": HEAD_SHA}},
}


class FakeStep:
    """One step of a workflow run, with its files in a folder."""

    def __init__(self, folder: Path, event: object = PULL_REQUEST, event_name: str = "") -> None:
        self.folder = folder
        is_push = isinstance(event, dict) and "after" in event and "pull_request" not in event
        self.event_name = event_name or ("push" if is_push else "pull_request")
        folder.mkdir(exist_ok=True)
        for name in ("output", "summary"):
            (folder / name).touch()
        (folder / "event.json").write_text(json.dumps(event))

    def environ(
        self, inputs: Mapping[str, str], api_url: str = "", *, process_folder: str = ""
    ) -> dict[str, str]:
        """Return the step's environment; its process has the folder at `process_folder`."""
        folder = process_folder or str(self.folder)
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": api_url,
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_EVENT_PATH": f"{folder}/event.json",
            "GITHUB_OUTPUT": f"{folder}/output",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": str(RUN_ID),
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_SHA": MERGE_SHA,
            "GITHUB_STEP_SUMMARY": f"{folder}/summary",
            "GITHUB_WORKFLOW": "cleanup",
            "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/{WORKFLOW}@refs/heads/main",
            "INPUT_GITHUB-TOKEN": TOKEN,
            **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
        }

    @property
    def outputs(self) -> dict[str, str]:
        return read_outputs((self.folder / "output").read_text())

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text()


def read_outputs(text: str) -> dict[str, str]:
    """Parse a file of outputs, `name=value` or in blocks; the last value of a name counts."""
    outputs = {}
    lines = iter(text.split("\n"))
    for line in filter(None, lines):
        name, has_equals_sign, line_value = line.partition("=")
        if has_equals_sign and "<<" not in name:
            outputs[name] = line_value
            continue
        name, delimiter = line.split("<<", 1)
        value = []
        while (part := next(lines)) != delimiter:
            value.append(part)
        outputs[name] = "\n".join(value)
    return outputs


def parse_commands(log: str) -> list[tuple[str, str]]:
    """Return the (name, message) of each command in a log, in both forms that the runner reads."""
    return [command for line in re.split("\r\n|\r|\n", log) if (command := _parse_command(line))]


def _parse_command(line: str) -> tuple[str, str] | None:
    forms = (
        re.fullmatch(r"\s*::(.*?)::(.*)", line, re.DOTALL),
        re.search(r"##\[(.*?)\](.*)", line, re.DOTALL),
    )
    for match in filter(None, forms):
        name = match[1].partition(" ")[0].lower()
        if name in COMMANDS:
            return name, unquote(match[2])
    return None
