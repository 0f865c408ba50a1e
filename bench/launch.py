"""Runs one program and writes down what it took: `launch.py RESULT STDOUT STDERR PROGRAM [ARG]…`.

Small on purpose: a program's peak memory, as the kernel counts it, begins with its parent's.
"""

import json
import os
import sys
import time

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def main(result: str, stdout: str, stderr: str, *command: str) -> None:
    """Run the program to its end."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, _WRITE, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, _WRITE, 0o600),
    ]
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall_seconds = time.perf_counter() - began
    kilobyte = 1 if sys.platform == "darwin" else 1024
    with open(result, "w") as file:  # noqa: PTH123 - pathlib would be a fifth of this program
        json.dump(
            {
                "exit_code": os.waitstatus_to_exitcode(status),
                "wall_seconds": wall_seconds,
                "cpu_seconds": usage.ru_utime + usage.ru_stime,
                "peak_bytes": usage.ru_maxrss * kilobyte,
            },
            file,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
