"""A copy of this Python that reads the same bucket at its side, since one uses but one core.

Whatever goes wrong with it, what it was asked is found out here.
"""

import gc
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final

from ci3.aws.bucket import BucketReader
from ci3.errors import AccessError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from ci3.aws.bucket_access import Opening

    Pipe = Connection[Any, Any]

SILENCE_SECONDS: Final = 60
"""A copy that works on an answer says something before that is over, or it is stuck."""
_CPU_MAX: Final = Path("/sys/fs/cgroup/cpu.max")
_THREADS: Final = Path("/proc/self/task")
_FILES: Final = Path("/proc/self/fd")
_PR_SET_PDEATHSIG: Final = 1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Say = Callable[[object], None]
"""Says something to the Python that asks; never None."""
Answer = Callable[[BucketReader, Any, Say], None]
"""Answers a question about a bucket, by as much as is to be said, in any thread of the copy."""


class Fork:
    """A copy of this Python that answers questions, as many at once as there are pipes to it."""

    def __init__(
        self, bucket: BucketReader, process: "ForkProcess", pipes: "Sequence[Pipe]"
    ) -> None:
        self._bucket = bucket
        self._process = process
        self._is_over = False
        self._pipes = pipes
        self._free: SimpleQueue[Pipe] = SimpleQueue()
        for one in pipes:
            self._free.put(one)

    @contextmanager
    def line(self) -> "Iterator[Line]":
        """Have a line of one's own to the copy, in any thread, once there is one free."""
        pipe = self._free.get()
        try:
            yield Line(self, pipe)
        finally:
            self._free.put(pipe)

    def opening(self) -> "Opening | None":
        """Give what it is to open the bucket with now: keys expire. None where it has ended."""
        if self._is_over:
            return None
        try:
            return self._bucket.opening()
        except (AccessError, OSError, ValueError, RuntimeError):  # or the keys have ended
            return None

    def end(self) -> None:
        """End it, whatever it does, from any thread; who waits for it goes on."""
        self._is_over = True
        self._process.kill()

    def close(self) -> None:
        """End it, and let go of its pipes; nobody may wait for it any longer."""
        self.end()
        self._process.join()
        for one in self._pipes:
            one.close()


class Line:
    """One conversation with a copy of this Python."""

    def __init__(self, fork: Fork, pipe: "Pipe") -> None:
        self._fork = fork
        self._pipe = pipe

    def ask(self, question: object) -> bool:
        """Ask; false where the copy has ended."""
        opening = self._fork.opening()
        if opening is None:
            return False
        try:
            self._pipe.send((opening, question))
        except (OSError, ValueError):  # it has ended, or does not take it
            self._fork.end()
            return False
        return True

    def hear(self) -> Any:  # noqa: ANN401 - as the answer has it
        """Wait for what it says next.

        None where it has ended, or is silent for too long: then it is ended, since what it might
        say later would be taken for another answer.
        """
        try:
            if self._pipe.poll(SILENCE_SECONDS):
                return self._pipe.recv()
        except Exception:  # noqa: BLE001, S110 - whatever of it was heard is of no use
            pass
        self._fork.end()
        return None


@contextmanager
def forked(bucket: BucketReader, answer: Answer) -> Iterator[Fork | None]:
    """Have a copy of this Python at its side for a while; see `fork_beside`."""
    fork = fork_beside(bucket, answer)
    try:
        yield fork
    finally:
        if fork is not None:
            fork.close()


def fork_beside(bucket: BucketReader, answer: Answer, *, lines: int = 1) -> Fork | None:
    """Make a copy of this Python that answers questions; None where that wins nothing.

    It is there within milliseconds, and holds little memory of its own. This Python must have but
    one thread at that moment: what others do and hold would not be copied. Raises AccessError where
    the credentials can't be had, as any request would.
    """
    if _count_cores() <= 1:
        return None
    try:
        opening = bucket.opening()
    except (OSError, ValueError, RuntimeError):  # whoever asks S3 tells of it
        return None
    if opening is None or not _is_alone():
        return None
    return _fork(bucket, opening, answer, lines)


def _is_alone() -> bool:
    """Whether this Python has but one thread; true on Linux alone, where that can be seen.

    What macOS gives a program does not bear to be copied.
    """
    try:
        return len([*_THREADS.iterdir()]) == 1
    except OSError:
        return False


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


def _fork(bucket: BucketReader, opening: "Opening", answer: Answer, lines: int) -> Fork | None:
    from multiprocessing import get_context  # noqa: PLC0415 - only who lists needs it

    context = get_context("fork")
    pipes: list[tuple[Pipe, Pipe]] = []
    for stream in (sys.stdout, sys.stderr):  # it is done with signals blocked below
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # An interrupt in the midst of it would be one more time in the copy.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pipes += (context.Pipe() for _ in range(lines))
        ours, theirs = [one for one, _ in pipes], [other for _, other in pipes]
        for one in ours:
            _bound(one)
        words = (os.getpid(), opening, answer, theirs)
        process = context.Process(target=_be, args=words, daemon=True)
        process.start()
    except OSError:  # there may be no more processes, or files
        for one, _ in pipes:
            one.close()
        return None
    finally:
        for _, other in pipes:
            other.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Fork(bucket, process, ours)


def _bound(pipe: "Pipe") -> None:
    """See to it that one who stands still in the midst of a word is not waited for without end.

    Source: https://man7.org/linux/man-pages/man7/socket.7.html (SO_RCVTIMEO and SO_SNDTIMEO)
    """
    seconds, rest = divmod(SILENCE_SECONDS, 1)
    length = struct.pack("ll", int(seconds), int(rest * 1_000_000))
    with socket.socket(fileno=os.dup(pipe.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, length)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, length)


def _be(asker: int, opening: "Opening", answer: Answer, pipes: "Sequence[Pipe]") -> None:
    """Be the copy: answer until the Python that asks lets go, or is gone.

    An interrupt is for that one to deal with.
    """
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        _end_with(asker)
        _let_go({one.fileno() for one in pipes})
        gc.freeze()  # what is looked at for garbage would have to be copied
        opened = _Opened(opening)
        for pipe in pipes[1:]:
            Thread(target=_answer, args=(answer, pipe, opened), daemon=True).start()
        _answer(answer, pipes[0], opened)
    finally:
        os._exit(0)


def _end_with(asker: int) -> None:
    """End when the Python that asks is gone, whatever is being waited for.

    Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    with suppress(ImportError, OSError, AttributeError):
        import ctypes  # noqa: PLC0415 - not every Python has it

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != asker:
        os._exit(0)


def _let_go(own: Set[int]) -> None:
    """Let go of whatever else is open: files to be written, locks and connections are the other's.

    Nothing takes the place of each, so that a number that somebody still holds is none of ours.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for one in [int(entry.name) for entry in _FILES.iterdir()]:
        if one not in own and one != nothing:
            with suppress(OSError):  # the list's own is closed by now
                os.dup2(nothing, one, inheritable=False)


class _Opened:
    """The bucket as it was opened last, or anew where the keys are others."""

    def __init__(self, opening: "Opening") -> None:
        self._lock = Lock()
        self._opening = opening
        self._reader = BucketReader.reopen(opening)

    def reader(self, opening: "Opening") -> BucketReader:
        with self._lock:
            if opening != self._opening:
                self._reader = BucketReader.reopen(opening)
                self._opening = opening
            return self._reader


def _answer(answer: Answer, pipe: "Pipe", opened: _Opened) -> None:
    """Answer what comes through one pipe; whatever fails ends the copy."""
    try:
        while True:
            opening, question = pipe.recv()
            answer(opened.reader(opening), question, pipe.send)
    finally:
        os._exit(0)
