"""The runner's interface for a step: inputs, outputs, summary, annotations, masks, groups."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Its `core` would load requests, for identity tokens that it is not asked for.
from actions_toolkit.command import issue, issue_command
from actions_toolkit.file_command import issue_file_command, prepare_key_value_message

from ci3.core.formatting import counted, visible
from ci3.github.log_escape import neutral

SUMMARY_LIMIT_BYTES = 1_000_000
"""Under the 1,048,576 bytes past which the runner drops a summary whole."""
_ANNOTATION_LIMIT = 4000
_ANNOTATIONS_SHOWN = 9
"""Of each kind: GitHub shows ten of a step, and the last says how many there are more.

Source: https://docs.github.com/actions/reference/limits
"""


def read_inputs(environ: Mapping[str, str]) -> dict[str, str]:
    """Collect the action's inputs by name, known or not: `INPUT_KEEP-COUNT` is `keep-count`."""
    return {
        name.removeprefix("INPUT_").lower(): value
        for name, value in environ.items()
        if name.startswith("INPUT_")
    }


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
