"""Reports of the action for the pictures, from real runs on buckets with 40-digit commit names."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path
from typing import Final

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import PULL_REQUEST_NUMBER, FakeStep
from tests.support.s3.moto_s3 import CREDENTIALS
from tests.support.screens import World, open_world

ROOT: Final = Path(__file__).resolve().parents[2]
COMMITS: Final = (
    ("Bump react from 19.1.1 to 19.2.0", "dependabot[bot]", 0.2),
    ("Fix the total in the new checkout", "Noor", 1.1),
    ("Try the new checkout", "Noor", 2.4),
    ("Cache prices for a minute", "Sam Okoro", 4.0),
    ("Merge pull request #212 from acme/checkout", "Sam Okoro", 7.9),
    ("Add a dark theme", "Ida Berg", 11.3),
    ("Fix the date of the newsletter", "Noor", 14.5),
    ("Bump vite from 6.3.5 to 6.4.1", "dependabot[bot]", 23.6),
    ("Move search into the header", "Ida Berg", 30.2),
)
"""Subject, author and age in days of each deployment's commit."""

RELEASES: Final = {"release-2.4": 6.2, "release-2.3": 19.0}
APPS: Final = ("apps/admin/", "apps/docs/", "apps/shop/")
SETTINGS: Final = {
    "bucket": "my-site",
    "match": "[0-9a-f]{40}|release-.*",
    "keep-count": "3",
    "protect": "release-*",
    "live-from": "github-deployments:production",
}
_LIFECYCLE: Final = (
    b'<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>tidy</ID>'
    b"<Status>Enabled</Status><Filter/><NoncurrentVersionExpiration><NoncurrentDays>30"
    b"</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>"
)
_RUN_ON_AWS: Final = """
import runpy, sys
from ci3.core.model.deployment import Target
Target.is_aws = True
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs the action, and treats the bucket as a bucket of AWS."""


def name_commit(subject: str) -> str:
    """Return the hash of a commit."""
    return sha1(subject.encode(), usedforsecurity=False).hexdigest()


LIVE: Final = name_commit(COMMITS[3][0])


class Workflow:
    """A workflow whose steps run on the pull request of a fake GitHub."""

    def __init__(self, folder: Path, world: World, github: FakeGitHub) -> None:
        self.world = world
        self._folder = folder
        self._github = github

    def run_step(self, **settings: str) -> FakeStep:
        """Run the action with `SETTINGS` and these; return its step. An empty setting is unset."""
        names = {name.replace("_", "-"): value for name, value in settings.items()}
        step = FakeStep(self._folder / f"step-{len(list(self._folder.iterdir()))}")
        environ = step.environ({**SETTINGS, **names}, self._github.url)
        environ["GITHUB_SERVER_URL"] = "https://github.com"
        environ["GITHUB_WORKSPACE"] = str(self._folder)
        command = [sys.executable, "-c", _RUN_ON_AWS, str(ROOT / "entrypoint.py")]
        completed = subprocess.run(
            command,
            check=False,
            env=os.environ | environ,
            cwd=self._folder,
            capture_output=True,
            text=True,
        )
        if not step.summary:
            raise RuntimeError(f"the step wrote no summary:\n{completed.stdout}{completed.stderr}")
        return step

    def make_comment(self, **settings: str) -> str:
        """Run a step and return the comment on the pull request."""
        self.run_step(**settings)
        (comment,) = self._github.comments(PULL_REQUEST_NUMBER)
        return comment.body


@contextmanager
def open_workflow(folder: Path, *prefixes: str) -> Iterator[Workflow]:
    """Set up a versioned bucket with deployments in each folder, and their repository."""
    os.environ.update(CREDENTIALS)
    with open_world("Enabled") as world, FakeGitHub() as github:
        world.bucket.lifecycle = _LIFECYCLE
        for file in ("index.html", "robots.txt"):
            world.put(file, days=99, size_bytes=300)
        for number, prefix in enumerate(prefixes):
            for index, (subject, _, days) in enumerate(COMMITS[number:]):
                world.deploy(f"{prefix}{name_commit(subject)}", days=days, files=18 - index)
        for name, days in RELEASES.items():
            world.deploy(f"{prefixes[0]}{name}", days=days, files=17)
        for subject, author, days in COMMITS:
            authored_at = datetime.now(UTC) - timedelta(days=days + 0.02)
            github.content.commit(name_commit(subject), subject, author, at=authored_at)
        github.content.deploy("production", LIVE, "success")
        yield Workflow(folder, world, github)


def collect_comments(folder: Path) -> Mapping[str, str]:
    """Return the comment of each situation, by the name of its picture."""
    reports = {}
    with open_workflow(_make_folder(folder, "plan"), "") as workflow:
        reports["plan"] = workflow.make_comment(mode="plan")
        journal = "journal.jsonl"
        reports["applied"] = workflow.make_comment(mode="apply", journal_file=journal)
        reports["restored"] = workflow.make_comment(
            mode="restore", journal_file=journal, keep_count="", protect="", live_from=""
        )
    with open_workflow(_make_folder(folder, "blocked"), "") as workflow:
        reports["blocked"] = workflow.make_comment(
            mode="plan", keep_count="1", max_delete="4", protect="relaese-2.4"
        )
    with open_workflow(_make_folder(folder, "partly"), "") as workflow:
        workflow.world.proxy.policy = _deny_deletion_of(name_commit(COMMITS[5][0]))
        reports["partly-applied"] = workflow.make_comment(mode="apply")
    with open_workflow(_make_folder(folder, "targets"), *APPS) as workflow:
        reports["several-targets"] = workflow.make_comment(mode="plan", prefix="apps/*/")
    with open_workflow(_make_folder(folder, "nothing"), "") as workflow:
        reports["nothing-to-delete"] = workflow.make_comment(
            mode="plan", keep_count="20", comment="always"
        )
    return reports


def _make_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def _deny_deletion_of(name: str) -> Mapping[str, object]:
    """Return an IAM policy that allows everything but deletions in a folder."""
    denied = {
        "Effect": "Deny",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{SETTINGS['bucket']}/{name}/*",
    }
    return {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, denied]}
