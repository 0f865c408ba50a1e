"""Escape workflow commands in log output, so that an S3 key can't become a command."""

import re
from typing import TextIO

# The runner ends a line at CR, LF or both, skips leading white space, and reads `::name` as a
# command. It finds the older form `##[name]` anywhere in a line. Source:
# https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
_COMMAND = re.compile(r"(?:^|(?<=[\r\n]))\s*:(?=:)|##(?=\[)")
_COMMAND_START = re.compile(r"[:#]$")


def escape_commands(text: str) -> str:
    """Escape both forms of workflow commands with a zero-width space."""
    return _COMMAND.sub(_append_space, text)


def _append_space(match: re.Match[str]) -> str:
    return f"{match[0]}\u200b"


class EscapedStream:
    """A text stream that escapes workflow commands, also those that span several writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._unfinished_line = ""

    def write(self, text: str) -> int:
        """Write the complete lines; the start of an unfinished line is kept for the next write."""
        *lines, self._unfinished_line = (self._unfinished_line + text).split("\n")
        for line in lines:
            self._stream.write(f"{escape_commands(line)}\n")
        return len(text)

    def flush(self) -> None:
        """Write everything, also an unfinished line."""
        self._stream.write(
            _COMMAND_START.sub(_append_space, escape_commands(self._unfinished_line))
        )
        self._unfinished_line = ""
        self._stream.flush()

    def isatty(self) -> bool:
        """Return False: a log is not a terminal."""
        return False
