"""Runs a process, with terminals where they are wanted, and returns what it wrote."""

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
    """What a process wrote, and its exit code."""

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
    """Run a process; `answer` is typed on its terminal, `is_terminal` is about its stdout."""
    with _typed(answer) as stdin, _terminal(is_wanted=is_terminal) as (stdout, read_terminal):
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        try:
            written, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            process.kill()
    return ProcessResult(
        stdout=read_terminal() if is_terminal else written,
        stderr=errors,
        exit_code=process.returncode,
    )


@contextmanager
def _typed(answer: str | None) -> Iterator[int]:
    """Give a terminal on which an answer was typed; without one, no terminal."""
    if answer is None:
        yield subprocess.DEVNULL
        return
    master, slave = pty.openpty()
    try:
        os.write(master, answer.encode() + b"\x04")  # then the input ends
        yield slave
    finally:
        os.close(slave)
        os.close(master)


@contextmanager
def _terminal(*, is_wanted: bool) -> Iterator[tuple[int, Callable[[], bytes]]]:
    """Give a terminal to write to, and what returns the text once the context has ended."""
    chunks: list[bytes] = []
    if not is_wanted:
        yield subprocess.PIPE, lambda: b""
        return
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST  # leave line ends as they are written
    termios.tcsetattr(slave, termios.TCSANOW, attributes)

    def read() -> None:
        with suppress(OSError):  # Linux's EIO is the end
            while chunk := os.read(master, 65_536):
                chunks.append(chunk)

    reader = Thread(target=read)
    reader.start()
    try:
        yield slave, lambda: b"".join(chunks)
    finally:
        os.close(slave)
        reader.join()
        os.close(master)
