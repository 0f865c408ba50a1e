"""Runs the commands that a docs page shows, and compares their output with the page.

A `console` block below `<!-- screen: STORY -->` or `<!-- screen: STORY, ACT -->` shows commands
and their output. The blocks of one story run in order on one bucket; a block's act runs first.
`; short` omits the plan's table. Values that differ from run to run, such as ids and times, are
replaced by samples. UPDATE_GOLDENS=1 rewrites the page.
"""

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

from ci3.cli.main import main
from ci3.core.model.deployment import Target
from tests.support.s3.fault_proxy import Answer, FaultProxy, Request, serve_proxy
from tests.support.s3.iam import IamProxy
from tests.support.s3.memory_listings import MemoryBucket
from tests.support.s3.memory_s3 import MemoryS3

BLOCK = re.compile(
    r"<!-- screen: ([\w-]+)(?:, ([\w-]+))?(; short)? -->\n```console\n(.*?)```", re.DOTALL
)
COLUMNS = "100"
RUN_IDS = tuple(f"202611{day}T100000Z-{day}ab12cd" for day in range(23, 30))
SAMPLES = (
    (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-11-23T10:00:00Z"),
    (r"\b20\d\d-\d\d-\d\d \d\d:\d\d\b", "2026-11-23 10:00"),
    (r'(?<="endpoint_url": ")http://127\.0\.0\.1:\d+', ""),
    (r"(?: at )?http://127\.0\.0\.1:\d+", ""),
)
"""Patterns of values that differ from run to run, and the page's samples for them."""
RUN_ID = re.compile(r"\b20\d{6}T\d{6}Z-[0-9a-f]{8}\b")
HASH = re.compile(r"\b[0-9a-f]{64}\b")
PLAN_TABLE = re.compile(r"^ *Deployment .*?\n\n(?=Policy: )", re.MULTILINE | re.DOTALL)
RUN_ON_AWS = """
import sys
from ci3.cli.main import main
from ci3.core.model.deployment import Target
Target.is_aws = True
sys.exit(main())
"""
"""Runs a command like `python -m ci3`, and treats the bucket as a bucket of AWS."""
PROGRESS = re.compile(r"^[A-Z][a-z]+ing [a-z ]+: [\d,]+ of [\d,]+\n", re.MULTILINE)
"""Progress lines, which depend on the clock."""


@dataclass(kw_only=True)
class World:
    """A bucket `my-site` of an S3 that supports conditional deletes, and the ids shown so far."""

    s3: MemoryS3
    proxy: "OptionalIamProxy"
    ids: dict[str, str] = field(default_factory=dict)
    """The page's samples for run ids and fingerprints, by the actual values."""
    is_killed_next: bool = False

    @property
    def bucket(self) -> MemoryBucket:
        return self.s3.buckets["my-site"]

    def put(self, key: str, *, days: float, size_bytes: int = 40_000) -> None:
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
        self.s3.put(self.bucket, key, b"-" * size_bytes, at)

    def deploy(self, name: str, *, days: float, files: int = 3) -> None:
        for number in range(files):
            file = f"assets/chunk-{number:02}.js" if number else "index.html"
            self.put(f"{name}/{file}", days=days)

    def run(self, line: str) -> str:
        """Run a command of the page; return its output in the page's form."""
        for actual, sample in self.ids.items():
            line = line.replace(sample, actual)
        if not line.startswith("ci3 "):
            argv = ["sh", "-c", line]
            completed = subprocess.run(argv, check=False, capture_output=True, text=True)
            assert completed.stderr == ""
            return self._normalize(completed.stdout)
        command, wants_code, _ = line.partition("; echo $?")
        command, _, output_path = command.partition(" > ")
        argv = shlex.split(command)[1:]
        if self.is_killed_next:
            self.is_killed_next = False
            return self._normalize(self._run_to_be_killed(argv))
        code, output = _run_in_this_process(argv, output_path)
        return self._normalize(f"{output}{code}\n" if wants_code else output)

    def _run_to_be_killed(self, argv: list[str]) -> str:
        """Run a command in a process that is killed when S3 has deleted half of a batch."""
        with subprocess.Popen(
            [sys.executable, "-u", "-c", RUN_ON_AWS, *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as child:

            def kill() -> None:
                for key in self.proxy.deletions[-1].batch_keys[:4]:
                    self.s3.delete(self.bucket, key)
                os.kill(child.pid, signal.SIGKILL)

            self.proxy.answer("POST", r"\?delete", status=503, first=kill)
            output = child.stdout.read()
        assert child.returncode == -signal.SIGKILL
        self.proxy.forget_rules()
        return f"{output}Killed\n"

    def _normalize(self, text: str) -> str:
        for actual in RUN_ID.findall(text):
            self.ids.setdefault(actual, RUN_IDS[sum(map(bool, map(RUN_ID.fullmatch, self.ids)))])
        for actual in HASH.findall(text):
            self.ids.setdefault(actual, sha256(bytes(1 + len(self.ids))).hexdigest())
        for actual, sample in self.ids.items():
            text = text.replace(actual, sample)
        for pattern, sample in SAMPLES:
            text = re.sub(pattern, sample, text)
        text = PROGRESS.sub("", text)
        return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def _run_in_this_process(argv: list[str], file: str) -> tuple[int, str]:
    """Run a command; return its exit code and the output that is not redirected to a file."""
    output, file_output = io.StringIO(), io.StringIO()
    with redirect_stdout(file_output if file else output), redirect_stderr(output):
        code = main(argv)
    if file:
        Path(file).write_text(file_output.getvalue(), encoding="utf-8")
    return int(code), output.getvalue()


@contextmanager
def open_world(versioning: str) -> Iterator[World]:
    """Start the S3, and set the environment variables with its URL."""
    s3 = MemoryS3()
    s3.buckets["my-site"] = MemoryBucket(versioning=versioning)
    upstream = OptionalIamProxy(lambda request: _without_length(s3.answer(request)), {})
    # The pages show a bucket of AWS.
    is_aws = patch.object(Target, "is_aws", new=True)
    with is_aws, serve_proxy(upstream) as proxy:
        variables = {
            "AWS_ENDPOINT_URL_S3": proxy.url,
            "AWS_ENDPOINT_URL_STS": proxy.url,
            "COLUMNS": COLUMNS,
        }
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield World(s3=s3, proxy=proxy)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


class OptionalIamProxy(IamProxy):
    """Denies what `policy` does not allow; without a policy it denies nothing."""

    def _forward(self, request: Request) -> Answer:
        return super()._forward(request) if self.policy else FaultProxy._forward(self, request)


def _without_length(answer: Answer) -> Answer:
    """Remove Content-Length, which the proxy adds."""
    headers = {name: text for name, text in answer.headers.items() if name != "Content-Length"}
    return replace(answer, headers=headers)


Act = Callable[[World], object]


def render_page(page: str, story: str, versioning: str, acts: Mapping[str, Act]) -> str:
    """Run a story's blocks; return the page with their output."""
    with open_world(versioning) as world:
        acts["begin"](world)

        def fill_block(match: re.Match[str]) -> str:
            if match[1] != story or ("\n$ jq " in match[0] and shutil.which("jq") is None):
                return match[0]
            if match[2]:
                acts[match[2]](world)
            lines = [line for line in match[4].splitlines() if line.startswith("$ ")]
            screen = "\n".join(f"{line}\n{world.run(line[2:])}" for line in lines)
            if match[3]:
                screen = PLAN_TABLE.sub("…\n", screen)
            head = match[0].partition("```console\n")[0]
            return f"{head}```console\n{screen.rstrip()}\n```"

        return BLOCK.sub(fill_block, page)


def assert_page_shows(path: Path, story: str, versioning: str, acts: Mapping[str, Act]) -> None:
    """Check that a page shows its commands' current output; UPDATE_GOLDENS rewrites it first."""
    page = path.read_text(encoding="utf-8")
    current_page = render_page(page, story, versioning, acts)
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(current_page, encoding="utf-8")
    assert current_page == path.read_text(encoding="utf-8"), (
        f"run `make screens`, and read {path.name}"
    )


def remove_files(*names: str) -> None:
    """Remove files of the working folder, if they exist."""
    for name in names:
        with suppress(FileNotFoundError):
            Path(name).unlink()
