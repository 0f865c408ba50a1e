"""Starts a sibling of this Python, and talks with it: each line of its pipes is JSON.

Whatever goes wrong with one, what it was to list is listed here.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, Any, Final

from ci3.aws.bucket import BucketReader
from ci3.engine.folders import Folders
from ci3.engine.ranges import Span
from ci3.engine.shares import Share, read_share
from ci3.engine.sharing import Start
from ci3.errors import AccessError

_BEGIN: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from ci3.engine.sibling_face import main; main()"
)


def find_start(bucket: BucketReader, found: Folders, *, required_file: str) -> Start | None:
    """Give what starts a sibling that lists spans of a bucket; None where there is but one core.

    It is one on any machine: each holds memory, and two read as fast as S3 is reached from most.
    """

    def start(ceiling: int) -> "ListingSibling":
        return ListingSibling(bucket, found, required_file=required_file, ceiling=ceiling)

    return start if _count_cores() > 1 else None


def _count_cores() -> int:
    """Count the cores that this Python may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
        self._popen = _start()

    def is_ready(self) -> bool:
        """Wait until it can list; false where it can't."""
        return self._ask(self._first_words) and self._hear() == {"ready": True}

    def list_spans(self, spans: Sequence[Span], count: Callable[[int], None]) -> Share | None:
        """List spans; see `Sibling`."""
        if not self._ask({"spans": spans}):
            return None
        while True:
            heard = self._hear()
            if "begun" not in heard:
                break
            count(heard["begun"])
        with suppress(ValueError, KeyError, TypeError):
            share = read_share(heard["share"])
            return share if len(share.edges) == len(spans) else None
        return None

    def close(self) -> None:
        """End it, whatever it does."""
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
        pipe: IO[bytes] | None = self._popen.stdin if self._popen else None
        if pipe is None:
            return False
        try:
            opening = asdict(self._bucket.opening())
            pipe.write(json.dumps(words | {"opening": opening}).encode() + b"\n")
            pipe.flush()
        except (AccessError, OSError, ValueError):  # it has ended, or was closed
            return False
        return True

    def _hear(self) -> dict[str, Any]:
        """Wait for its next line; nothing where it has ended."""
        pipe: IO[bytes] | None = self._popen.stdout if self._popen else None
        try:
            heard = json.loads(pipe.readline() if pipe else b"")
        except ValueError:  # it has ended, or was closed
            return {}
        return heard if isinstance(heard, dict) else {}


def _start() -> "Popen[bytes] | None":
    """Start a Python as this one was: the same code, and none from the environment's."""
    flags = ["-I", "-X", "utf8"]
    if sys.pycache_prefix:
        flags += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    if sys.dont_write_bytecode:
        flags.append("-B")
    words = [sys.executable, *flags, "-c", _BEGIN, json.dumps(sys.path)]
    try:
        # Its own mistakes are not the user's: what it does not list, this Python does.
        return Popen(words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)  # noqa: S603 - our own words
    except OSError:
        return None
