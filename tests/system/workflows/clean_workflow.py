"""Runs `workflow.yml`, the tests' own workflow, with a real S3 server and a fake GitHub."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import HEAD_SHA
from tests.support.s3.seaweedfs import SeaweedFS, running_seaweedfs
from tests.system.workflows.act import WorkflowLog, run_workflow, running_engine

WORKFLOW = Path(__file__).with_name("workflow.yml")
RELEASES = [{f"v{number}/{file}": b"x" * number for file in "abc"} for number in (1, 2, 3)]
PUSH = {"ref": "refs/heads/main", "after": HEAD_SHA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The servers for all tests of a module, and the environment in which act finds the engine."""

    s3: SeaweedFS
    engine: dict[str, str]


@contextmanager
def running_servers(
    tmp_path_factory: pytest.TempPathFactory, buckets: Mapping[str, list[Mapping[str, bytes]]]
) -> Iterator[Servers]:
    with (
        running_seaweedfs() as s3,
        running_engine(tmp_path_factory.mktemp("engine")) as engine,
    ):
        s3.seed(buckets)
        yield Servers(s3=s3, engine=engine)


def run_clean_workflow(
    servers: Servers,
    repository: Path,
    github: FakeGitHub,
    event: tuple[str, object],
    bucket: str,
    *,
    workflow: Path = WORKFLOW,
    **options: Any,
) -> WorkflowLog:
    """Run the workflow, or a changed copy of it, and assert that its only job succeeds."""
    log = run_workflow(
        repository,
        workflow,
        *event,
        engine=servers.engine,
        variables={"BUCKET": bucket, "S3_URL": servers.s3.url, "API_URL": github.url},
        **options,
    )
    assert (log.exit_code, log.read_results()) == (0, {"clean": "success"}), log.text
    return log
