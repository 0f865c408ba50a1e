"""A worker process: a fork of this process that reads the same bucket on a second core.

The parent sends a request over a connection (a socket pair), together with what it takes to open
the bucket, and receives any number of progress messages, then one response. All are pickled. A
connection has one request at a time; several connections serve several requests at once.

Parent and worker share only these connections. The worker starts with the parent's memory as it was
at the fork, copied on write: code and modules, but no later change. Access keys reach it through
memory and connections alone. It must not keep:

- File descriptors. An inherited journal keeps its lock after the parent has ended, so that a resume
  fails. An inherited pipe end hides from its reader that the writer has closed it. Each descriptor
  is replaced by /dev/null instead of closed, so that a number that an inherited object still holds
  never refers to a file of the worker.
- Output. Buffered text would be written twice, so that it is flushed before the fork, and the
  worker ends without the parent's exit handlers.
- Connections to S3. Two processes that use one TLS connection corrupt it: the worker opens its own.
- Locks. One that another thread held at the fork is never released: a fork needs a single thread.
- Signal handlers. An interrupt is the parent's to handle. The worker ignores it, and is killed by
  SIGTERM, when the parent ends it, and by the kernel when the parent dies.
"""

import gc
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from ci3.aws.bucket import BucketReader
from ci3.errors import AccessError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from ci3.aws.bucket_access import BucketAccess

    Pipe = Connection[Any, Any]

_CPU_MAX: Final = Path("/sys/fs/cgroup/cpu.max")
_THREADS: Final = Path("/proc/self/task")
_FILES: Final = Path("/proc/self/fd")
_PR_SET_PDEATHSIG: Final = 1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTiming:
    """How long the worker may send nothing, in seconds."""

    heartbeat_seconds: float = 5.0
    """Interval at which the worker sends progress of 0 steps for each request in progress."""
    silence_seconds: float = 60.0
    """Time without a message after which the parent ends the worker."""


DEFAULT_TIMING: Final = WorkerTiming()

Response_co = TypeVar("Response_co", covariant=True)
OnProgress = Callable[[int], None]
"""Receives the number of steps done since the last call."""


class Request(Protocol[Response_co]):
    """A request to the worker: a dataclass that can be pickled."""

    @property
    def concurrency(self) -> int:
        """Maximum number of S3 requests in flight while the worker responds."""

    def respond(self, bucket: BucketReader, on_progress: OnProgress, /) -> Response_co:
        """Return the response; runs in the worker, in the thread of a connection.

        None and an AccessError leave the work to the parent. Any other error ends the worker.
        """


class WorkerProcess:
    """A running worker; serves as many requests at once as it has connections."""

    def __init__(
        self,
        bucket: BucketReader,
        process: "ForkProcess",
        pipes: "Sequence[Pipe]",
        timing: WorkerTiming = DEFAULT_TIMING,
    ) -> None:
        self._bucket = bucket
        self._silence_seconds = timing.silence_seconds
        self._process = process
        self._is_ended = False
        self._pipes = pipes
        self._idle: SimpleQueue[Pipe] = SimpleQueue()
        for pipe in pipes:
            self._idle.put(pipe)

    def call(
        self, request: Request[Response_co], on_progress: OnProgress = lambda _: None
    ) -> Response_co | None:
        """Send a request, from any thread, and wait for its response.

        Until then, the S3 requests that it may have in flight count in this process.
        None says nothing about the bucket: the caller does the work itself. The worker could not do
        it, sent nothing for `silence_seconds` or has ended, or the keys have expired.
        """
        access = None
        with suppress(AccessError):  # the keys have expired: the caller reports it
            access = None if self._is_ended else _open(self._bucket)
        if access is None:
            return None
        with self._bucket.request_limit.hold(request.concurrency):
            pipe = self._idle.get()
            has_response = False
            try:
                for has_response, content in self._exchange(pipe, (access, request)):
                    if has_response:
                        return cast("Response_co | None", content)
                    on_progress(content)
                return None
            finally:
                if not has_response:
                    self.end()  # a late response would be taken for that of the next request
                self._idle.put(pipe)

    def end(self) -> None:
        """Kill the worker, from any thread; calls that wait for it return None."""
        self._is_ended = True
        self._process.kill()

    def close(self) -> None:
        """Kill the worker and close the connections; no call may be waiting."""
        self.end()
        self._process.join()
        for pipe in self._pipes:
            pipe.close()

    def _exchange(self, pipe: "Pipe", message: object) -> Iterator[tuple[bool, Any]]:
        """Send a message and yield what comes back, until the worker ends or is silent."""
        with suppress(Exception):  # any error means that the worker is of no use any more
            pipe.send(message)
            while pipe.poll(self._silence_seconds):
                yield pipe.recv()


def start_worker(
    bucket: BucketReader, *, connections: int = 1, timing: WorkerTiming = DEFAULT_TIMING
) -> WorkerProcess | None:
    """Fork a worker within milliseconds; return None without a core for it, or if that fails.

    This process must have a single thread. Only Linux shows that, and the system libraries of macOS
    do not support a fork. Raises AccessError, as any S3 request, if no keys are available.
    """
    access = _open(bucket) if _count_cores() > 1 else None
    if access is None or not _is_single_threaded():
        return None
    return _fork(bucket, access, connections, timing)


def _open(bucket: BucketReader) -> "BucketAccess | None":
    """Return the bucket's address and the current keys; None without keys."""
    try:
        return bucket.export_access()
    except (OSError, ValueError, RuntimeError):  # the next S3 request reports it
        return None


def _is_single_threaded(threads: Path = _THREADS) -> bool:
    try:
        return len([*threads.iterdir()]) == 1
    except OSError:
        return False


def _count_cores(cpu_max: Path = _CPU_MAX) -> int:
    """Count the cores that this process may use; a container's CPU quota is rounded down.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        quota, period = map(int, cpu_max.read_text().split())
    except (OSError, ValueError):  # no such file, or "max" instead of a number
        return cores or 1
    return min(cores or 1, quota // period)


def _fork(
    bucket: BucketReader, access: "BucketAccess", connections: int, timing: WorkerTiming
) -> WorkerProcess | None:
    context = get_context("fork")
    pipes: list[tuple[Pipe, Pipe]] = []
    for stream in (sys.stdout, sys.stderr):  # multiprocessing does it too, with signals blocked
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # An interrupt during the fork would run the parent's handler in the worker, too.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pipes += (context.Pipe() for _ in range(connections))
        parent_ends, worker_ends = [pair[0] for pair in pipes], [pair[1] for pair in pipes]
        for pipe in parent_ends:
            _limit_blocking(pipe, timing.silence_seconds)
        arguments = (os.getpid(), access, worker_ends, timing.heartbeat_seconds)
        process = context.Process(target=_worker_main, args=arguments, daemon=True)
        process.start()
    except OSError:  # the limit of processes or of open files is reached
        for parent_end, _ in pipes:
            parent_end.close()
        return None
    finally:
        for _, worker_end in pipes:
            worker_end.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return WorkerProcess(bucket, process, parent_ends, timing)


def _limit_blocking(pipe: "Pipe", limit_seconds: float) -> None:
    """Apply the silence limit to a message that stops half-way, too.

    Source: https://man7.org/linux/man-pages/man7/socket.7.html (SO_RCVTIMEO and SO_SNDTIMEO)
    """
    seconds, rest = divmod(limit_seconds, 1)
    timeval = struct.pack("ll", int(seconds), int(rest * 1_000_000))
    with socket.socket(fileno=os.dup(pipe.fileno())) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)


def _worker_main(
    parent_pid: int, access: "BucketAccess", pipes: "Sequence[Pipe]", heartbeat_seconds: float
) -> None:
    """Serve each connection in a thread, and send heartbeats, until the parent closes or dies."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        _die_with_parent(parent_pid)
        _drop_inherited_fds({pipe.fileno() for pipe in pipes})
        gc.freeze()  # a collection would write to, and so copy, all inherited memory
        _reopen(access)
        servers = [_RequestServer(pipe) for pipe in pipes]
        for server in servers:
            Thread(target=server.run, daemon=True).start()
        while True:
            time.sleep(heartbeat_seconds)
            for server in servers:
                server.report_progress(0)
    finally:
        os._exit(0)


def _die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the parent dies, even while it waits for S3.

    Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    with suppress(ImportError, OSError, AttributeError):
        import ctypes  # noqa: PLC0415 - not every Python has it

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before prctl
        os._exit(0)


def _drop_inherited_fds(kept: Set[int]) -> None:
    """Replace every other file descriptor by /dev/null; see the module's docstring."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in [int(entry.name) for entry in _FILES.iterdir()]:
        if descriptor not in kept and descriptor != null:
            with suppress(OSError):  # that of the directory itself is closed by now
                os.dup2(null, descriptor, inheritable=False)


_REOPEN_LOCK: Final = Lock()
_reopen = lru_cache(maxsize=1)(BucketReader.from_access)  # again if the parent sends other keys


class _RequestServer:
    """The worker's end of a connection."""

    def __init__(self, pipe: "Pipe") -> None:
        self._pipe = pipe
        self._lock = Lock()
        self._is_busy = False

    def run(self) -> None:
        """Respond to requests; a closed connection and an error end the process."""
        try:
            while True:
                access, request = self._pipe.recv()
                self._is_busy = True
                with _REOPEN_LOCK:
                    bucket = _reopen(access)
                response = None
                with suppress(AccessError):  # the parent retries and reports the reason
                    response = request.respond(bucket, self.report_progress)
                with self._lock:
                    self._is_busy = False
                    self._pipe.send((True, response))
        finally:
            os._exit(0)

    def report_progress(self, steps: int) -> None:
        """Send progress while a request is served; otherwise nothing receives it."""
        with self._lock:
            if self._is_busy:
                self._pipe.send((False, steps))
