"""s3rver on a folder, from the npm package that `npm/package-lock.json` pins."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.s3.local_store import (
    LocalStore,
    MissingProgramError,
    answers,
    find_program,
    free_ports,
    running_process,
    started,
    wait_until,
)

NPM = Path(__file__).with_name("npm")
PACKAGE = NPM / "node_modules/s3rver"
LEGACY_CIPHERS = "--openssl-legacy-provider"
CREDENTIAL = "S3RVER"
"""The only access key that s3rver has; its secret is the same."""


@contextmanager
def running_s3rver() -> Iterator[LocalStore]:
    """Run a server; raise MissingProgramError if Node or s3rver is not installed."""
    hint = "run tests/system/stores/install"
    node = find_program("node", hint)
    if not PACKAGE.is_dir():
        raise MissingProgramError(f"s3rver is not installed: {hint}")
    version = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]

    def start(folder: Path, processes: ExitStack) -> str:
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        arguments = ["-d", "buckets", "-a", "127.0.0.1", "-p", str(port), "-s"]
        # s3rver encrypts continuation tokens with DES, which OpenSSL 3 refuses by default.
        command = [node, LEGACY_CIPHERS, str(PACKAGE / "bin/s3rver.js"), *arguments]
        process = processes.enter_context(running_process(command, folder))
        return url if wait_until(lambda: answers(url), process) else ""

    with started("s3rver", start) as url:
        yield LocalStore(
            name="s3rver",
            version=version,
            url=url,
            access_key=CREDENTIAL,
            secret_key=CREDENTIAL,
            time_step_seconds=1.01,
        )
