"""Fixtures for wrong requests and settings, and a check that none of them changes the site."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ci3.action.main import main as run_action
from ci3.cli.main import main
from tests.support.github.fake_runner import FakeStep
from tests.support.s3.bucket import Bucket

CLEANUP = ("cleanup", "--auto-approve")
PLAN = ("plan-cleanup",)


@dataclass(frozen=True)
class CommandResult:
    code: int
    out: str
    err: str

    def check_error(self, code: int, *values: str) -> None:
        """Check that stderr has one error, with a hint and with these values."""
        text = " ".join(self.err.split())
        assert self.code == code, self.err
        assert text.count("Error: ") == 1, self.err
        assert "Traceback" not in self.err + self.out
        for value in values:
            assert value in text
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert not lines[-1].startswith("Error: "), "a hint must follow the error"


@pytest.fixture
def ci3(capsys: pytest.CaptureFixture[str]):
    """Return a function that runs the command."""

    def run(*argv: str) -> CommandResult:
        code = main(argv)
        captured = capsys.readouterr()
        return CommandResult(code, captured.out, captured.err)

    return run


@pytest.fixture
def act(live: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Return a function that runs the action with inputs and returns its exit code and log."""
    before = {
        signal_number: signal.getsignal(signal_number)
        for signal_number in (signal.SIGINT, signal.SIGTERM)
    }

    def run(inputs: Mapping[str, str]) -> tuple[int, str]:
        step = FakeStep(tmp_path / "step")
        for name, value in {**step.environ(inputs), **live.inputs()}.items():
            monkeypatch.setenv(name, value)
        return run_action(), capsys.readouterr().out

    yield run
    for signal_number, handler in before.items():
        signal.signal(signal_number, handler)


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """A bucket with seven deployments and a file, behind the proxy."""
    site.put("index.html")
    for days in range(7):
        site.deploy(f"web-{days}", days=days, files=2)
    return site


@pytest.fixture(autouse=True)
def _check_bucket_is_unchanged(request: pytest.FixtureRequest):
    if "live" not in request.fixturenames:
        yield
        return
    bucket: Bucket = request.getfixturevalue("live")
    before = bucket.content()
    yield
    assert bucket.content() == before
    assert request.getfixturevalue("proxy").deletions == []
