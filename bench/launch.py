"""Runs one program and measures its cost: `launch.py RESULT STDOUT STDERR PROGRAM [ARG]…`.

It imports little on purpose: the kernel's peak memory of a program starts with its parent's.
"""

import _thread
import json
import os
import sys
import time

_POLL_SECONDS = 0.05
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def main(result: str, stdout: str, stderr: str, *command: str) -> None:
    """Run the program to its end and write its cost as JSON to the result file."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, _WRITE, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, _WRITE, 0o600),
    ]
    peaks: dict[int, int] = {}
    started_at = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _thread.start_new_thread(_record_peaks, (child, peaks))
    _, status, usage = os.wait4(child, 0)
    wall_seconds = time.perf_counter() - started_at
    maxrss_unit_bytes = 1 if sys.platform == "darwin" else 1024
    peak_bytes = usage.ru_maxrss * maxrss_unit_bytes + sum(peaks.values())
    with open(result, "w") as file:  # noqa: PTH123 - pathlib would add a fifth to this program
        json.dump(
            {
                "exit_code": os.waitstatus_to_exitcode(status),
                "wall_seconds": wall_seconds,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_bytes": peak_bytes,
            },
            file,
        )


def _record_peaks(child: int, peaks: dict[int, int]) -> None:
    """Record the peak memory of each child of the child. (The kernel adds up their CPU time.)"""
    while os.path.isdir("/proc/self"):  # noqa: PTH112 - as above
        time.sleep(_POLL_SECONDS)
        for name in os.listdir("/proc"):  # noqa: PTH208
            if name.isdecimal() and _read_parent_pid(name) == child:
                peaks[int(name)] = _read_peak_bytes(name) or peaks.get(int(name), 0)


def _read_parent_pid(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _read_peak_bytes(pid: str) -> int:
    """Return a process's peak memory so far in bytes, or 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/status") as file:  # noqa: PTH123
            lines = [line for line in file if line.startswith(("VmHWM", "VmRSS"))]
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines), default=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
