"""Escapes workflow commands in log output: an S3 key must not become a command."""

import re
from typing import TextIO

# The runner ends a line at CR, LF or both, passes over white space, and takes `::name` for a
# command; the older `##[name]` it finds anywhere in a line:
# https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
_COMMAND = re.compile(r"(?:^|(?<=[\r\n]))\s*:(?=:)|##(?=\[)")
_COMMAND_BEGUN = re.compile(r"[:#]$")


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
