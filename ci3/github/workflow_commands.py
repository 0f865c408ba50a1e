"""The runner's interface for a step: inputs, outputs, summary, annotations, masks, groups."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Not `actions_toolkit.core`: that imports requests, for identity tokens.
from actions_toolkit.command import issue, issue_command
from actions_toolkit.file_command import issue_file_command, prepare_key_value_message

from ci3.core.formatting import escape_control_chars, pluralize
from ci3.github.log_escape import escape_commands

SUMMARY_LIMIT_BYTES = 1_000_000
"""Below 1,048,576 bytes, above which the runner drops the whole summary."""
OUTPUT_LIMIT_CHARACTERS = 400_000
"""Maximum length of one output: all outputs of a job may have 1 MB together, in UTF-16.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
"""
_ANNOTATION_LIMIT = 4000
_ANNOTATIONS_SHOWN = 9
"""Per kind. GitHub shows ten per step, and the tenth is the number of omitted ones.

Source: https://docs.github.com/actions/reference/limits
"""


def read_inputs(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the action's inputs by name, known or not: `INPUT_KEEP-COUNT` is `keep-count`."""
    return {
        name.removeprefix("INPUT_").lower(): value
        for name, value in environ.items()
        if name.startswith("INPUT_")
    }


class Runner:
    """Writes results to the runner: log, annotations, outputs and summary."""

    def __init__(self, summary_path: str) -> None:
        self._summary_path = summary_path
        self._has_warned = False
        self._masked: set[str] = set()
        self._counts = {"notice": 0, "warning": 0, "error": 0}

    def mask_secret(self, secret: str) -> None:
        """Mask a secret in the log; only once, since the command itself contains the secret."""
        if secret and secret not in self._masked:
            self._masked.add(secret)
            issue("add-mask", secret)

    def set_output(self, name: str, value: str | int) -> None:
        """Set one of the action's outputs; if that fails, warn."""
        path = os.environ.get("GITHUB_OUTPUT", "")
        if not path:
            return
        try:
            Path(path).touch()  # without the file, the toolkit raises a bare Exception
            text = str(value).encode("utf-8", "backslashreplace").decode()
            issue_file_command("OUTPUT", prepare_key_value_message(name, text))
        except OSError as exc:
            self._warn_once("outputs", exc)

    def write_summary(self, markdown: str) -> None:
        """Append Markdown to the job's summary; if that fails, warn."""
        if not self._summary_path:
            return
        try:
            with Path(self._summary_path).open(
                "a", encoding="utf-8", errors="backslashreplace"
            ) as file:
                file.write(markdown)
        except OSError as exc:
            self._warn_once("summary", exc)

    def add_notice(self, message: str) -> None:
        """Add a notice annotation."""
        self._annotate("notice", message)

    def add_warning(self, message: str) -> None:
        """Add a warning annotation."""
        self._annotate("warning", message)

    def add_error(self, message: str) -> None:
        """Add an error annotation; the exit code is up to the caller."""
        self._annotate("error", message)

    def log(self, text: str) -> None:
        """Write a line to the log only."""
        sys.stdout.write(f"{escape_commands(escape_control_chars(text))}\n")

    def report_omitted_annotations(self) -> None:
        """Add an annotation per kind with the number of annotations that are only in the log."""
        for kind, count in self._counts.items():
            if (omitted_count := count - _ANNOTATIONS_SHOWN) > 0:
                self._counts[kind] = 0
                self._annotate(kind, f"{pluralize(omitted_count, f'more {kind}')}: see the log.")

    def _annotate(self, kind: str, message: str) -> None:
        self._counts[kind] += 1
        if self._counts[kind] > _ANNOTATIONS_SHOWN:
            self.log(f"{kind}: {message}")
            return
        # The toolkit's own `error` would also write its empty properties: file=,line=,…
        issue_command(kind, {"title": "ci3"}, _truncate(message))

    def begin_group(self, title: str) -> None:
        """Begin a collapsible group of log lines."""
        issue("group", escape_commands(title))

    def end_group(self) -> None:
        """End the group that was begun last."""
        issue("endgroup")

    def _warn_once(self, file_kind: str, exc: OSError) -> None:
        """Warn, once, that a file of the runner cannot be written: no reason to stop."""
        if not self._has_warned:
            self._has_warned = True
            self.add_warning(f"the {file_kind} of this step cannot be written: {exc.strerror}")


def _truncate(message: str) -> str:
    return message if len(message) <= _ANNOTATION_LIMIT else f"{message[:_ANNOTATION_LIMIT]} …"
