"""Takes the screenshots of the docs from real runs on the demo bucket.

Run `make pictures`. Needs Chromium, pngquant, npm (for GitHub's style sheet and Mermaid) and the
packages of tests/requirements.txt. Arguments are names of pictures, to take only those.
"""

import io
import os
import pty
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from ci3.cli.demo import BUCKET, DEPLOYMENTS, ROOT_FILES, embedded_s3
from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import PULL_REQUEST_NUMBER, FakeStep
from tests.support.s3.moto_s3 import CREDENTIALS
from tests.support.screens import a_world
from tools.docs.html_pages import render_markdown_page, render_page, save_screenshot

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
RULES = ("--keep-count", "4", "--protect", "release-*")
OTHER_POLICY = "keep-count: 1\nkeep-within: 14d\n"
COMMANDS = {
    "explain": ("explain", "c85fa32", "--keep-count", "4", "--keep-within", "14d"),
    "simulate": ("simulate", *RULES, "--against", "other.yml"),
}
"""The command whose Markdown each picture shows."""

GOLDENS = (
    "nothing-to-delete",
    "first-run",
    "refused",
    "stale",
    "partly-applied",
    "1500-deployments",
    "hostile-names",
)
"""Golden files of the report tests whose situations are slow to set up; one picture for each."""

TERMINALS = {
    "terminal": ("plan-cleanup", *RULES),
    "doctor": ("doctor", "--match", "[0-9a-f]{7}|release-.*", "--required-file", "index.html"),
}
"""The command whose terminal output each picture shows."""

INPUTS = {
    "bucket": "my-site",
    "keep-count": "4",
    "protect": "release-*",
    "live-from": "github-deployments:production",
}
LIVE = "0b96d14"
COMMITS = {
    "8e15f7d": ("Serve images in AVIF", "Noor", 37.9),
    "b64c210": ("Move search into the header", "Ida Berg", 33.4),
    "3ad97e1": ("Bump vite from 6.3.5 to 6.4.1", "dependabot[bot]", 23.7),
    "f20b6c8": ("Fix the date of the newsletter", "Noor", 14.6),
    "71ae5d0": ("Add a dark theme", "Ida Berg", 11.4),
    "c85fa32": ("Merge pull request #212 from acme/checkout", "Sam Okoro", 7.95),
    "0b96d14": ("Cache prices for a minute", "Sam Okoro", 4.1),
    "e7730c9": ("Try the new checkout", "Noor", 2.5),
    "5d2f8ab": ("Fix the total in the new checkout", "Noor", 1.2),
    "9c41e07": ("Bump react from 19.1.1 to 19.2.0", "dependabot[bot]", 0.25),
}
"""Subject, author and age in days of each deployment's commit."""

TERMINAL_COLUMNS = 112


def capture_markdown(folder: Path, *argv: str) -> str:
    """Run a command on the demo bucket and return its Markdown."""
    (folder / "other.yml").write_text(OTHER_POLICY, encoding="utf-8")
    with embedded_s3() as endpoint_url:
        options = ["--bucket-name", BUCKET, "--endpoint-url", endpoint_url, "--output", "markdown"]
        command = [sys.executable, "-m", "ci3", *argv, *options]
        process = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return process.stdout


def render_golden_page(folder: Path, name: str) -> str:
    """Return a page with a golden file as a comment."""
    golden = ROOT / "tests" / "unit" / "report" / "goldens" / f"{name}.md"
    return render_markdown_page(golden.read_text(encoding="utf-8"), folder, author="github-actions")


def render_terminal_page(folder: Path, *argv: str) -> str:
    """Run a command on a pseudo-terminal and return a page with its output."""
    with embedded_s3() as endpoint_url:
        options = ("--bucket-name", BUCKET, "--endpoint-url", endpoint_url)
        master, slave = pty.openpty()
        environ = os.environ | {"COLUMNS": str(TERMINAL_COLUMNS), "TERM": "xterm-256color"}
        with subprocess.Popen(
            [sys.executable, "-m", "ci3", *argv, *options],
            stdout=slave,
            stderr=subprocess.DEVNULL,
            env=environ,
        ):
            os.close(slave)
            output = b"".join(_read_until_closed(master)).decode().replace("\r\n", "\n")
    width = TERMINAL_COLUMNS
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(f"$ ci3 {shlex.join((argv[0], '--bucket-name', BUCKET, *argv[1:]))}")
    console.print(Text.from_ansi(output))
    code_format = "<pre>{code}</pre>"
    html = console.export_html(inline_styles=True, code_format=code_format, theme=DIMMED_MONOKAI)
    return render_page(f"<div class=terminal>{html}</div>", folder)


def _read_until_closed(terminal: int) -> Iterator[bytes]:
    """Yield what is written to a terminal until its other end is closed."""
    while True:
        try:
            yield os.read(terminal, 65536)
        except OSError:
            return


class Repository:
    """A repository whose workflow runs on the demo's deployments in a versioned bucket."""

    def __init__(self, folder: Path, github: FakeGitHub) -> None:
        self._folder = folder
        self._github = github

    def run_step(self, mode: str, **inputs: str) -> tuple[str, str]:
        """Run the action as a step of the pull request; return its comment and its summary."""
        step = FakeStep(self._folder / f"{mode}-{len(inputs)}")
        given_inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
        environ = step.environ({**INPUTS, "mode": mode, **given_inputs}, self._github.url)
        environ["GITHUB_SERVER_URL"] = "https://github.com"
        command = [sys.executable, str(ROOT / "entrypoint.py")]
        subprocess.run(
            command,
            check=not inputs,
            env=os.environ | environ,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        (comment,) = self._github.comments(PULL_REQUEST_NUMBER)
        return comment.body, step.summary


@contextmanager
def open_repository(folder: Path) -> Iterator[Repository]:
    """Set up a versioned bucket and a fake GitHub with the commits and the live deployment."""
    os.environ.update(CREDENTIALS)
    with a_world("Enabled") as world, FakeGitHub() as github:
        for name in ROOT_FILES:
            world.put(name, days=99, size_bytes=300)
        for name, age_days, file_count in DEPLOYMENTS:
            world.deploy(name, days=age_days, files=file_count)
        for name, (subject, author, age_days) in COMMITS.items():
            authored_at = datetime.now(UTC) - timedelta(days=age_days)
            github.content.commit(name.ljust(40, "0"), subject, author, at=authored_at)
        github.content.deploy("production", LIVE.ljust(40, "0"), "success")
        yield Repository(folder, github)


def render_workflow_pages(folder: Path) -> Mapping[str, str]:
    """Plan, apply and fail in a pull request; return pages of each comment and of the summary."""
    with open_repository(folder) as repository:
        planned, _ = repository.run_step("plan")
        applied, summary = repository.run_step("apply")
        stopped, _ = repository.run_step("apply", keep_count="0")
    author = "github-actions"
    return {
        "comment-plan": render_markdown_page(planned, folder, author=author),
        "comment-applied": render_markdown_page(applied, folder, author=author),
        "stopped": render_markdown_page(stopped, folder, author=author),
        "summary": render_markdown_page(summary, folder),
    }


def main() -> None:
    """Write all pictures, or those named as arguments, into docs/images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages = {
            picture: render_markdown_page(capture_markdown(folder, *argv), folder)
            for picture, argv in COMMANDS.items()
        }
        pages |= render_workflow_pages(folder)
        pages |= {name: render_golden_page(folder, name) for name in GOLDENS}
        pages |= {
            picture: render_terminal_page(folder, *argv) for picture, argv in TERMINALS.items()
        }
        for picture, html in pages.items():
            if not sys.argv[1:] or picture in sys.argv[1:]:
                save_screenshot(html, IMAGES / f"{picture}.png", folder)


if __name__ == "__main__":
    main()
