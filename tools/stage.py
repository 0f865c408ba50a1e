"""Runs ci3 from a checkout at a fixed time against in-process servers, and records its output.

Each stage has its own S3 and GitHub, so that stages can run concurrently.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import FakeStep
from tests.support.s3.fault_proxy import Answer, FaultProxy, Request, serve_proxy
from tests.support.s3.memory_listings import MemoryBucket
from tests.support.s3.memory_s3 import MemoryS3
from tools.normalization import Normalizer
from tools.processes import ProcessResult, run_process

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
S3_URL = "http://s3.recorded.test"
STS_URL = "http://sts.recorded.test"
MISSING = "<missing>"

_FREEZE_CLOCK = """\
import os, sys
sys.modules["pytest"] = None  # time_machine imports it, which takes longer than importing ci3
import time_machine
del sys.modules["pytest"]
time_machine.travel(float(os.environ["RECORDED_NOW"]), tick=False).start()
"""
_PROBE = "import ci3, datetime as d; print(ci3.__file__, d.datetime.now(d.UTC).timestamp())"
_AWS_CONFIG = "[default]\nregion = us-east-1\ns3 =\n  addressing_style = path\n"
_IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Account>123456789012</Account>"
    "<Arn>arn:aws:sts::123456789012:assumed-role/clean-my-site/me</Arn>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
_NO_OBJECT_LOCK = "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>"
_CANNED = {
    STS_URL: Answer(status=200, body=_IDENTITY.encode()),
    "?object-lock": Answer(status=404, body=_NO_OBJECT_LOCK.encode()),
}
"""Canned answers to requests whose URL contains a text; the in-memory S3 answers the rest."""


class WrongCheckoutError(Exception):
    """A process imports ci3 from outside the recorded checkout, or its clock is not fixed."""


class Stage:
    """A folder and an S3 that ci3 runs in; the clock advances one minute after each run."""

    def __init__(
        self, checkout: Path, folder: Path, output: Path, proxy: FaultProxy, s3: MemoryS3
    ) -> None:
        self.checkout = checkout
        self.folder = folder
        self.proxy = proxy
        self.s3 = s3
        self.now = NOW
        self._output = output
        self._normalizer = Normalizer({str(checkout): "<checkout>", str(folder): "<folder>"})
        self._site = folder / ".site"
        self._site.mkdir()
        (self._site / "sitecustomize.py").write_text(_FREEZE_CLOCK)
        (folder / ".aws-config").write_text(_AWS_CONFIG)

    def bucket(self, name: str) -> MemoryBucket:
        """Return a bucket of the in-memory S3."""
        return self.s3.buckets[name]

    def put(self, bucket: str, key: str, *, days: float, size_bytes: int = 300) -> None:
        """Store an object; its age in days is counted from the start of the recording."""
        modified_at = (NOW - timedelta(days=days)).replace(microsecond=0)
        self.s3.put(self.bucket(bucket), key, b"-" * size_bytes, modified_at)

    def run_ci3(  # noqa: PLR0913 - the options of a run
        self,
        name: str,
        command: str,
        *,
        variables: Mapping[str, str] | None = None,
        columns: int = 80,
        answer: str | None = None,
        is_terminal: bool = False,
    ) -> ProcessResult:
        """Run a ci3 command and record its output; `answer` is typed on a terminal."""
        environment = {**self._environment(), "COLUMNS": str(columns), **(variables or {})}
        argv = [sys.executable, "-m", "ci3", *shlex.split(command)]
        return self._run(name, argv, environment, answer=answer, is_terminal=is_terminal)

    def run_action(
        self,
        name: str,
        github: FakeGitHub,
        inputs: Mapping[str, str],
        *,
        event: object = None,
    ) -> dict[str, str]:
        """Run a workflow step and record its output; return the step's outputs."""
        folder = self.folder / name
        step = FakeStep(folder) if event is None else FakeStep(folder, event)
        variables = {
            **step.environ(inputs, github.url),
            "GITHUB_WORKSPACE": str(self.folder),
        }
        argv = [sys.executable, str(self.checkout / "entrypoint.py")]
        self._run(name, argv, {**self._environment(), **variables})
        self.save(f"{name}.outputs", (folder / "output").read_text())
        self.save(f"{name}.summary.md", step.summary)
        return step.outputs

    def save(self, name: str, text: str) -> None:
        """Record text under a new name; raise FileExistsError if the name is taken."""
        with (self._output / name).open("x", encoding="utf-8") as file:
            file.write(self._normalizer.normalize(text))

    def save_file(self, path: str, name: str = "") -> None:
        """Record a file of the stage's folder, or MISSING if there is none."""
        file = self.folder / path
        self.save(name or path, file.read_text(encoding="utf-8") if file.is_file() else MISSING)

    def save_bucket(self, name: str, bucket: str) -> None:
        """Record a bucket's keys with their versions (newest first), lifecycle and journals."""
        sorted_versions = sorted(self.bucket(bucket).versions.items())
        lines = []
        for key, versions in sorted_versions:
            kinds = ["marker" if version.is_marker else "object" for version in versions]
            lines.append(f"{key}: {', '.join(kinds)}")
        stored_text = "".join(
            f"\n--- {key}\n{versions[0].body.decode()}"
            for key, versions in sorted_versions
            if key.startswith(".ci3/")
        )
        lifecycle = self.bucket(bucket).lifecycle.decode().replace("><", ">\n<")
        self.save(name, "\n".join([*lines, lifecycle, stored_text]))

    def check_checkout(self) -> str:
        """Return the path of the imported ci3.

        Raise WrongCheckoutError if it is outside the checkout: an editable install in the
        interpreter's environment could be imported instead.
        """
        argv = [sys.executable, "-c", _PROBE]
        result = run_process(argv, self.folder, self._environment())
        file, _, timestamp = result.stdout.decode().strip().rpartition(" ")
        if result.exit_code or Path(file) != self.checkout / "ci3" / "__init__.py":
            raise WrongCheckoutError(f"{self.checkout}: imports {file}\n{result.stderr.decode()}")
        if float(timestamp) != self.now.timestamp():
            raise WrongCheckoutError(f"the clock is not fixed: {result.stderr.decode()}")
        return file

    def _environment(self) -> dict[str, str]:
        """Return an environment without this machine's settings."""
        return {
            "AWS_ACCESS_KEY_ID": "recorded-key",
            "AWS_CONFIG_FILE": str(self.folder / ".aws-config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": S3_URL,
            "AWS_ENDPOINT_URL_STS": STS_URL,
            "AWS_SECRET_ACCESS_KEY": "recorded-secret",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "HOME": str(self.folder),
            # S3 is addressed through a proxy, so that its URL is the same in every recording.
            "HTTP_PROXY": self.proxy.url,
            "http_proxy": self.proxy.url,
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{self._site}{os.pathsep}{self.checkout}",
            "RECORDED_NOW": str(self.now.timestamp()),
            "TERM": "xterm-256color",
            "TMPDIR": str(self.folder),
            "TZ": "UTC",
        }

    def _run(
        self,
        name: str,
        argv: list[str],
        environment: dict[str, str],
        *,
        answer: str | None = None,
        is_terminal: bool = False,
    ) -> ProcessResult:
        result = run_process(argv, self.folder, environment, answer=answer, is_terminal=is_terminal)
        self.save(f"{name}.stdout", result.stdout.decode(errors="backslashreplace"))
        self.save(f"{name}.stderr", result.stderr.decode(errors="backslashreplace"))
        self.save(f"{name}.exit", f"{result.exit_code}\n")
        self.now += timedelta(minutes=1)
        return result


@contextmanager
def open_stage(checkout: Path, output: Path, name: str) -> Iterator[Stage]:
    """Yield a stage that records into a new folder of `output`."""
    recording = output / name
    recording.mkdir(parents=True)
    stages: list[Stage] = []
    s3 = MemoryS3(clock=lambda: stages[0].now)

    def answer(request: Request) -> Answer:
        for text, canned in _CANNED.items():
            if text in request.target:
                return canned
        response = s3.answer(request)
        # The server adds the length.
        headers = {key: value for key, value in response.headers.items() if key != "Content-Length"}
        return replace(response, headers=headers)

    with (
        tempfile.TemporaryDirectory(prefix="ci3-recorded-") as folder,
        serve_proxy(FaultProxy(answer)) as proxy,
    ):
        stages.append(Stage(checkout, Path(folder).resolve(), recording, proxy, s3))
        yield stages[0]
