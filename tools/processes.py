"""Runs a process, with pseudo-terminals on request, and returns its output."""

import os
import pty
import subprocess
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessResult:
    """The output and exit code of a process."""

    stdout: bytes
    stderr: bytes
    exit_code: int


def run_process(
    argv: list[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    answer: str | None = None,
    is_terminal: bool = False,
) -> ProcessResult:
    """Run a process; `answer` is typed on stdin, a terminal then; `is_terminal` is for stdout."""
    with (
        _open_stdin(answer) as stdin,
        _open_stdout(is_terminal=is_terminal) as (stdout, read_terminal),
    ):
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        try:
            stdout_bytes, stderr_bytes = process.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            process.kill()
    return ProcessResult(
        stdout=read_terminal() if is_terminal else stdout_bytes,
        stderr=stderr_bytes,
        exit_code=process.returncode,
    )


@contextmanager
def _open_stdin(answer: str | None) -> Iterator[int]:
    """Yield a terminal on which the answer was typed; without an answer, DEVNULL."""
    if answer is None:
        yield subprocess.DEVNULL
        return
    master, slave = pty.openpty()
    try:
        os.write(master, answer.encode() + b"\x04")  # Ctrl-D: end of input
        yield slave
    finally:
        os.close(slave)
        os.close(master)


@contextmanager
def _open_stdout(*, is_terminal: bool) -> Iterator[tuple[int, Callable[[], bytes]]]:
    """Yield a terminal (or PIPE) and a function that returns what was written to the terminal.

    Call the function after the context has ended.
    """
    chunks: list[bytes] = []
    if not is_terminal:
        yield subprocess.PIPE, lambda: b""
        return
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST  # do not translate newlines
    termios.tcsetattr(slave, termios.TCSANOW, attributes)

    def read_all() -> None:
        with suppress(OSError):  # Linux raises EIO at the end
            while chunk := os.read(master, 65_536):
                chunks.append(chunk)

    reader = Thread(target=read_all)
    reader.start()
    try:
        yield slave, lambda: b"".join(chunks)
    finally:
        os.close(slave)
        reader.join()
        os.close(master)
