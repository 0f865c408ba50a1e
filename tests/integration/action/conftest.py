"""Runs a workflow step in this process, against an S3 and a GitHub on loopback."""

import threading
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer

import pytest

from ci3.action.main import main
from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import FakeStep, parse_commands
from tests.support.s3.many_folders import ManyFolders

NOW = datetime.now(UTC)
PREVIEW_MATCH = r"(pr|preview)-\d+(-\w+)?|site-\d|[0-9a-f]{40}"


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def github():
    with FakeGitHub() as fake:
        yield fake


class Run:
    """The log, outputs and exit code of a run of the action."""

    def __init__(self, step, exit_code, log, errors):
        self.exit_code = exit_code
        self.log = log
        self.errors = errors
        self.outputs = step.outputs
        self.summary = step.summary

    def annotations(self, kind):
        return [message for name, message in parse_commands(self.log) if name == kind]


@pytest.fixture
def act(bucket, github, tmp_path, monkeypatch, capsys):
    """Return a function that runs a step with inputs on the bucket; each step has its own files."""
    steps = iter(range(100))

    def act(event=None, api_url=github.url, environ=None, **inputs):
        folder = tmp_path / f"step-{next(steps)}"
        step = FakeStep(folder) if event is None else FakeStep(folder, event)
        given_inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
        variables = {**step.environ(given_inputs, api_url), **bucket.inputs(), **(environ or {})}
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            capsys.readouterr()
            exit_code = main()
        log, errors = capsys.readouterr()
        return Run(step, exit_code, log, errors)

    return act


@pytest.fixture
def bucket(bucket):
    """Six deployments, `site-1` the oldest, and a file at the root."""
    for number in range(1, 7):
        bucket.deploy(f"site-{number}", days=60 - 10 * number)
    bucket.put("robots.txt", days=99)
    return bucket


@pytest.fixture
def many_folders_url():
    with ThreadingHTTPServer(("127.0.0.1", 0), ManyFolders) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def close(github):
    """Return a function that adds a pull request that was created and closed some days ago."""

    def close(number, *, days=10.0, created=90.0, is_merged=True, branch=""):
        github.content.open_pull_request(
            number, f"{number:040x}", created_at=days_ago(created), branch=branch
        )
        github.content.close_pull_request(number, days_ago(days), is_merged=is_merged)

    return close


@pytest.fixture
def clean(act, bucket):
    """Return a function that applies `expire-closed`, and returns the run and what was deleted."""

    def clean(event=None, environ=None, *, period="3d", **inputs):
        before = bucket.folders()
        settings = {
            "mode": "apply",
            "match": PREVIEW_MATCH,
            "keep_count": "9",
            "expire_closed": period,
        }
        run = act(event or {}, environ=environ, **(settings | inputs))
        return run, before - bucket.folders()

    return clean
