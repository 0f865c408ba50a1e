"""Runs workflows with act on the container engine that built the image, and reads act's log."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.github.fake_github import TOKEN
from tests.support.paths import ROOT
from tests.system.container.image import IMAGE_VARIABLE

STAND_INS = Path(__file__).with_name("stand_ins")
READY_SECONDS = 30
TIMEOUT_SECONDS = 240
RUNNERS = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-24.04-arm")

# podman's defaults need systemd and more permissions than a container of a build machine has. act
# runs the jobs on the host, in subfolders of the tests' folder: mount it at the same path.
_CONTAINERS_CONF = """\
[containers]
netns = "host"
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
volumes = ["{folder}:{folder}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowLog:
    """Exit code and output of a run; `events` are act's lines of JSON."""

    exit_code: int
    text: str
    events: tuple[dict[str, Any], ...] = field(repr=False)

    def find_printed_text(self, beginning: str) -> str:
        """Return the rest of the only printed line with this beginning."""
        lines = [event["msg"] for event in self.events if event.get("raw_output")]
        (text,) = [line for line in lines if line.startswith(beginning)]
        return text.removeprefix(beginning).strip()

    def read_outputs(self, step: str) -> dict[str, str]:
        """Return the outputs of the step with this id."""
        return {
            event["name"]: event["arg"]
            for event in self._filter_events(step)
            if event.get("command") == "set-output"
        }

    def read_summary(self, step: str) -> str:
        """Return the text that the step with this id wrote to the job's summary."""
        return "".join(
            event["content"]
            for event in self._filter_events(step)
            if event.get("command") == "summary"
        )

    def read_results(self) -> dict[str, str]:
        """Return the result of each job that was not skipped, by its id."""
        return {event["jobID"]: event["jobResult"] for event in self.events if "jobResult" in event}

    def _filter_events(self, step: str) -> Iterator[dict[str, Any]]:
        return (event for event in self.events if event.get("stepID") == [step])


@contextmanager
def running_engine(folder: Path) -> Iterator[dict[str, str]]:
    """Run podman's service; yield the environment in which act finds it."""
    configuration = folder / "containers.conf"
    configuration.write_text(_CONTAINERS_CONF.format(folder=folder.parent))
    engine, socket = folder / "engine.sock", folder / "host-network.sock"
    with (
        _running_server(
            ["podman", "system", "service", "--time=0", f"unix://{engine}"],
            engine,
            {"CONTAINERS_CONF": str(configuration)},
        ),
        _running_server(
            [sys.executable, "-m", "tests.system.workflows.host_network", socket, engine], socket
        ),
    ):
        yield {"DOCKER_HOST": f"unix://{socket}"}


@contextmanager
def _running_server(
    command: Sequence[str | Path], socket: Path, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    log = socket.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not socket.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"{socket} does not appear"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(timeout=READY_SECONDS)


def run_workflow(
    repository: Path,
    workflow: Path,
    event_name: str,
    event: object = None,
    *,
    engine: Mapping[str, str] | None = None,
    programs: Path | None = None,
    variables: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    actions: Mapping[str, Path] | None = None,
    options: Sequence[str] = (),
) -> WorkflowLog:
    """Run a workflow, with its jobs on this machine.

    `actions` has a local folder for each action that the workflow uses. Programs in the folder
    `programs` replace those of the machine.
    """
    home = repository.with_name(f"{repository.name}-home")
    home.mkdir(exist_ok=True)
    (home / "event.json").write_text(json.dumps(event or {}))
    arguments = [
        *(f"--var={name}={value}" for name, value in (variables or {}).items()),
        *(f"--env={name}={value}" for name, value in (env or {}).items()),
        *(f"--local-repository={name}={path}" for name, path in (actions or {}).items()),
        *options,
    ]
    path = os.pathsep.join(filter(None, (str(programs or ""), os.environ["PATH"])))
    command = [
        Path(sys.executable).with_name("act"),
        event_name,
        f"--workflows={workflow}",
        f"--eventpath={home / 'event.json'}",
        f"--secret=GITHUB_TOKEN={TOKEN}",
        *(f"--platform={name}=-self-hosted" for name in RUNNERS),
        "--json",
        "--pull=false",
        "--action-offline-mode",
        "--no-cache-server",
        "--container-daemon-socket=-",
        "--rm",
        *arguments,
    ]
    with _exclusive_engine() if engine else nullcontext():
        completed = subprocess.run(
            command,
            cwd=repository,
            env={"HOME": str(home), "PATH": path, **(engine or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    events = tuple(
        json.loads(line) for line in completed.stdout.splitlines() if line.startswith("{")
    )
    lines = (f"{event.get('jobID', '')}: {event.get('msg', '')}".rstrip() for event in events)
    text = "\n".join((*lines, completed.stderr))
    return WorkflowLog(exit_code=completed.returncode, text=text, events=events)


@contextmanager
def _exclusive_engine() -> Iterator[None]:
    """Wait for other runs: act removes containers with the same names, of workflow and job."""
    with (Path(tempfile.gettempdir()) / "ci3-act.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find_used_actions(workflow: str) -> set[str]:
    """Return the actions of other repositories that a workflow uses, with their refs."""
    lines = (line.strip().removeprefix("- ") for line in workflow.splitlines())
    names = (line.split()[1] for line in lines if line.startswith("uses: "))
    return {name for name in names if not name.startswith((".", "$"))}


def find_stand_in(action: str) -> Path:
    """Return the folder of an action's replacement, which needs no network."""
    return STAND_INS / action.partition("@")[0].split("/")[1]


def make_repository(
    folder: Path,
    action: Path,
    *,
    api_url: str = "",
    files: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Create a repository with `files` and with the action, which runs the image under test.

    `api_url` becomes the default of the input `github-api-url`: act replaces GITHUB_API_URL.
    """
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    text = action.read_text(encoding="utf-8")
    image = f"docker://{os.environ[IMAGE_VARIABLE]}"
    text = _replace_once(text, "image: Dockerfile", f"image: {image}")
    if api_url:
        text = _replace_once(text, "default: ${{ github.api_url }}", f"default: {api_url}")
    (folder / "action.yml").write_text(text, encoding="utf-8")
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("remote", "add", "origin", "https://github.com/acme/storefront"),
        ("add", "--all"),
        ("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "t"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def _replace_once(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    return text.replace(old, new)
