"""The workflow run around us: its inputs, event and commits, and where it wants its results."""

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

# Its `core` would load requests, for identity tokens that it is not asked for.
from actions_toolkit.command import issue, issue_command
from actions_toolkit.file_command import issue_file_command, prepare_key_value_message

from ci3.core.formatting import counted, visible
from ci3.errors import SettingsError

SUMMARY_LIMIT_BYTES = 1_000_000
"""Under the 1,048,576 bytes past which the runner drops a summary whole."""

_ANNOTATION_LIMIT = 4000
_ANNOTATIONS_SHOWN = 9
"""Of each kind: GitHub shows ten of a step, and the last says how many there are more.

Source: https://docs.github.com/actions/reference/limits
"""

_COMMIT = re.compile(r"(?!0+$)[0-9a-f]{7,64}")
_QUEUED = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([0-9]{1,10})-[0-9a-f]{40,64}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._:/-]+")

# The runner ends a line at CR, LF or both, passes over white space, and takes `::name` for a
# command; the older `##[name]` it finds anywhere in a line:
# https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
_COMMAND = re.compile(r"(?:^|(?<=[\r\n]))\s*:(?=:)|##(?=\[)")
_COMMAND_BEGUN = re.compile(r"[:#]$")

# Where events name the commit that they are about:
# https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
_COMMIT_PATHS = (
    ("pull_request", "head", "sha"),
    ("merge_group", "head_sha"),
    ("workflow_run", "head_sha"),
    ("deployment", "sha"),
    ("after",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """What a workflow run says of itself; texts are empty where it says nothing."""

    repository: str
    run_url: str
    api_url: str
    commits: tuple[str, ...]
    pull_request: int | None
    base_commit: str = ""
    """Of a pull request: what it would be merged into."""
    pushed_commit: str = ""
    """Of a push to a branch: the branch's new head, which may be that of a pull request."""
    commit_url: str = ""
    """Where GitHub shows commits; a hash follows it."""


def read_inputs(environ: Mapping[str, str]) -> dict[str, str]:
    """Collect the action's inputs by name, known or not: `INPUT_KEEP-COUNT` is `keep-count`."""
    return {
        name.removeprefix("INPUT_").lower(): value
        for name, value in environ.items()
        if name.startswith("INPUT_")
    }


def read_run(environ: Mapping[str, str]) -> WorkflowRun:
    """Read what the environment and the event's payload say of this run.

    Raises SettingsError for a payload that is named but can't be read: the commit that it is about
    would go unprotected.
    """
    event = _read_event(environ.get("GITHUB_EVENT_PATH", ""))
    server = environ.get("GITHUB_SERVER_URL", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    run_id = environ.get("GITHUB_RUN_ID", "")
    named = (environ.get("GITHUB_SHA", ""), *(_at(event, *path) for path in _COMMIT_PATHS))
    number = _number(event)
    home = f"{server}/{repository}" if server and repository else ""
    is_push = environ.get("GITHUB_EVENT_NAME", "") == "push"
    is_to_branch = str(_at(event, "ref")).startswith("refs/heads/")
    return WorkflowRun(
        repository=repository,
        run_url=f"{home}/actions/runs/{run_id}" if home and run_id else "",
        api_url=environ.get("GITHUB_API_URL", ""),
        commits=tuple(dict.fromkeys(filter(None, map(_commit, named)))),
        pull_request=number,
        base_commit=_commit(_at(event, "pull_request", "base", "sha")),
        pushed_commit=_commit(_at(event, "after")) if is_push and is_to_branch else "",
        commit_url=f"{home}/commit/" if _ADDRESS.fullmatch(home) else "",
    )


def _read_event(path: str) -> object:
    if not path:
        return {}
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(
            f"the event's payload {path} can't be read: {exc}",
            "GITHUB_EVENT_PATH must name the file that the runner wrote. Nothing was deleted.",
        ) from exc


def _at(event: object, *path: str) -> object:
    for part in path:
        event = event.get(part) if isinstance(event, dict) else None
    return event


def _commit(value: object) -> str:
    """Take what is a commit's hash, and nothing else."""
    return value if isinstance(value, str) and _COMMIT.fullmatch(value) else ""


def _number(event: object) -> int | None:
    """Find the pull request that an event names; one in a merge queue stands in its branch."""
    number = _at(event, "pull_request", "number")
    if isinstance(number, int):
        return number
    queued = _QUEUED.fullmatch(str(_at(event, "merge_group", "head_ref")))
    return int(queued[1]) if queued else None


class Runner:
    """Writes results where the runner reads them."""

    def __init__(self, summary_path: str) -> None:
        self._summary_path = summary_path
        self._has_warned = False
        self._hidden: set[str] = set()
        self._said = {"notice": 0, "warning": 0, "error": 0}

    def hide(self, secret: str) -> None:
        """Have a secret masked in the log; to say it again would be to show it."""
        if secret and secret not in self._hidden:
            self._hidden.add(secret)
            issue("add-mask", secret)

    def set_output(self, name: str, value: str | int) -> None:
        """Set one of the action's outputs; where that is impossible, only a warning says so."""
        path = os.environ.get("GITHUB_OUTPUT", "")
        if not path:
            return
        try:
            Path(path).touch()  # where there is no file, the toolkit raises a bare Exception
            text = str(value).encode("utf-8", "backslashreplace").decode()
            issue_file_command("OUTPUT", prepare_key_value_message(name, text))
        except OSError as exc:
            self._warn_unwritten("outputs", exc)

    def write_summary(self, markdown: str) -> None:
        """Add Markdown to the job's summary; where that is impossible, only a warning says so."""
        if not self._summary_path:
            return
        try:
            with Path(self._summary_path).open(
                "a", encoding="utf-8", errors="backslashreplace"
            ) as file:
                file.write(markdown)
        except OSError as exc:
            self._warn_unwritten("summary", exc)

    def notice(self, message: str) -> None:
        """Annotate the run with something to know."""
        self._annotate("notice", message)

    def warn(self, message: str) -> None:
        """Annotate the run with a warning."""
        self._annotate("warning", message)

    def fail(self, message: str) -> None:
        """Annotate the run with an error; the exit code is the caller's."""
        self._annotate("error", message)

    def say(self, text: str) -> None:
        """Write a line into the log, and nowhere else."""
        sys.stdout.write(f"{neutral(visible(text))}\n")

    def end_annotations(self) -> None:
        """Say how many annotations of each kind stand in the log alone, if there are any."""
        for kind, count in self._said.items():
            if (left := count - _ANNOTATIONS_SHOWN) > 0:
                self._said[kind] = 0
                self._annotate(kind, f"{counted(left, f'more {kind}')}: see the log.")

    def _annotate(self, kind: str, message: str) -> None:
        self._said[kind] += 1
        if self._said[kind] > _ANNOTATIONS_SHOWN:
            self.say(f"{kind}: {message}")
            return
        # The toolkit's own `error` would write out the properties that it has not: file=,line=,…
        issue_command(kind, {"title": "ci3"}, _short(message))

    def begin_group(self, title: str) -> None:
        """Begin a part of the log that can be folded."""
        issue("group", neutral(title))

    def end_group(self) -> None:
        """End the part of the log that began last."""
        issue("endgroup")

    def _warn_unwritten(self, what: str, exc: OSError) -> None:
        """Say once that the runner does not take what is written: no reason to stop."""
        if not self._has_warned:
            self._has_warned = True
            self.warn(f"the {what} of this step can't be written: {exc.strerror}")


def _short(message: str) -> str:
    return message if len(message) <= _ANNOTATION_LIMIT else f"{message[:_ANNOTATION_LIMIT]} …"


def neutral(text: str) -> str:
    """Keep text from being read as a command by the runner, in either form that it knows."""
    return _COMMAND.sub(_broken, text)


def _broken(found: re.Match[str]) -> str:
    return f"{found[0]}\u200b"


class NeutralStream:
    """A text stream whose every line is neutral to the runner, however it is cut into writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        """Write whole lines; the beginning of an unfinished one waits for its end."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._stream.write(f"{neutral(line)}\n")
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, also of an unfinished line."""
        self._stream.write(_COMMAND_BEGUN.sub(_broken, neutral(self._rest)))
        self._rest = ""
        self._stream.flush()

    def isatty(self) -> bool:
        """A log is no terminal."""
        return False
