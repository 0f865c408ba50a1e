"""Starts a sibling of this Python, and talks with it: each line of its pipes is JSON.

Whatever goes wrong with one, what it was to list is listed here.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from select import select
from subprocess import DEVNULL, PIPE, Popen
from typing import Any, Final

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.engine.folders import Folders
from ci3.engine.ranges import Span
from ci3.engine.share import Share, read_share
from ci3.engine.sharing import Start
from ci3.errors import AccessError

SILENCE_SECONDS: Final = 60
"""A sibling that lists says so five times a second; one that is silent for so long is stuck."""
_READ_BYTES: Final = 1 << 16
_CPU_MAX: Final = Path("/sys/fs/cgroup/cpu.max")
_BEGIN: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from ci3.engine.sibling_main import main; main()"
)


def find_start(bucket: BucketReader, found: Folders, *, required_file: str) -> Start | None:
    """Give what starts a sibling that lists spans of a bucket; None where there is but one core.

    It is one on any machine: each holds memory, and two read as fast as S3 is reached from most.
    """

    def start(ceiling: int) -> "ListingSibling":
        return ListingSibling(bucket, found, required_file=required_file, ceiling=ceiling)

    return start if _count_cores() > 1 else None


def _count_cores() -> int:
    """Count the cores that this Python may use, where it is a container's with the share of that.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = map(int, _CPU_MAX.read_text().split())
    except (OSError, ValueError):  # there is none, or it says "max"
        return cores or 1
    return min(cores or 1, quota // period)


class ListingSibling:
    """A Python of its own that lists spans of a bucket, with at most `ceiling` requests at once."""

    def __init__(
        self, bucket: BucketReader, found: Folders, *, required_file: str, ceiling: int
    ) -> None:
        self._bucket = bucket
        self._first_words = {
            "prefix": found.prefix,
            "names": found.names,
            "borders": found.borders,
            "required_file": required_file,
            "ceiling": ceiling,
        }
        self._heard = b""
        self._popen = _start()

    def is_ready(self) -> bool:
        """Wait until it can list; false where it can't."""
        return self._ask(self._first_words) and self._hear() == {"ready": __version__}

    def list_spans(self, spans: Sequence[Span], count: Callable[[int], None]) -> Share | None:
        """List spans; see `Sibling`."""
        if not self._ask({"spans": spans}):
            return None
        while "begun" in (heard := self._hear()):
            count(heard["begun"])
        try:
            share = read_share(heard["share"])
        except (ValueError, KeyError, TypeError):
            return None
        return share if len(share.edges) == len(spans) else None

    def end(self) -> None:
        """End it, whatever it does."""
        if self._popen is not None:
            self._popen.kill()

    def close(self) -> None:
        """End it, and let go of its pipes."""
        if self._popen is None:
            return
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with suppress(OSError):  # what it was still to be told
                    pipe.close()

    def _ask(self, words: dict[str, Any]) -> bool:
        """Write a line to it, with the keys as they are now; false where it has ended."""
        if self._popen is None or self._popen.stdin is None:
            return False
        try:
            opening = asdict(self._bucket.opening())
            line = json.dumps(words | {"opening": opening}).encode()
            self._popen.stdin.write(line + b"\n")
            self._popen.stdin.flush()
        except (AccessError, OSError, ValueError, RuntimeError):  # it has ended, or the keys have
            return False
        return True

    def _hear(self) -> dict[str, Any]:
        """Wait for its next line; nothing where it has ended, or is silent for too long."""
        try:
            while b"\n" not in self._heard:
                if self._popen is None or self._popen.stdout is None:
                    return {}
                pipe = self._popen.stdout.fileno()
                if not select([pipe], [], [], SILENCE_SECONDS)[0]:
                    return {}
                if not (more := os.read(pipe, _READ_BYTES)):
                    return {}
                self._heard += more
            line, _, self._heard = self._heard.partition(b"\n")
            heard = json.loads(line)
        except (OSError, ValueError):  # it was closed, or says what is no JSON
            return {}
        return heard if isinstance(heard, dict) else {}


def _start() -> "Popen[bytes] | None":
    """Start a Python as this one was: the same code, and none from the environment's."""
    flags = ["-I", "-X", "utf8"]
    if sys.pycache_prefix:
        flags += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    if sys.dont_write_bytecode:
        flags.append("-B")
    try:
        words = [sys.executable, *flags, "-c", _BEGIN, json.dumps(sys.path)]
        # Its own mistakes are not the user's: what it does not list, this Python does.
        return Popen(words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)  # noqa: S603 - our own words
    except (OSError, ValueError, TypeError):  # such as where Python does not know its own name
        return None
