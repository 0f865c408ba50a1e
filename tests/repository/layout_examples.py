"""The examples of docs/layouts.md: folders, settings and plan of each, read from the page.

A `text` block below `<!-- tree: NAME -->` shows the bucket and, below an empty line, what GitHub
has. The blocks `settings: NAME` and `plan: NAME` follow it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path
from typing import Final

from tests.support.github.fake_repository import FakeRepository
from tests.support.paths import ROOT
from tests.support.s3.bucket import Bucket

PAGE = ROOT / "docs/layouts.md"
NOT_A_DEPLOYMENT: Final = "not a deployment"
_TREE = re.compile(r"<!-- tree: (\S+) -->\n```text\n(.*?)```", re.DOTALL)
_SETTINGS = re.compile(r"<!-- settings: (\S+) -->\n```yaml\n(.*?)```", re.DOTALL)
_PLAN = re.compile(r"<!-- plan: (\S+) -->\n\|.*\n\|.*\n((?:\|.*\n)+)")
_PLAN_ROW = re.compile(r"\| `(.+)/` \| (.+?) \| (.*?) ?\|")
_TREE_LINE = re.compile(
    r"(?P<indent> *)(?P<name>\S+)(?: +(?:(?P<count>\d+) (?P<unit>day|hour)s? ago|= (?P<text>.+)))?"
)
_FILES = ("app.js", "index.html")
_HASH = re.compile("[0-9a-f]{7,40}")


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An object of a tree; `folder` is the folder with its age, or empty for a pointer."""

    key: str
    folder: str = ""
    age: timedelta
    body: bytes = b"x"


@dataclass(frozen=True, kw_only=True)
class Example:
    """The bucket, GitHub's state, the settings and the decisions of an example."""

    tree: str
    github: str
    settings: str
    decisions: Mapping[str, str]
    """By folder, as `keep: keep-count live`, or `NOT_A_DEPLOYMENT`."""

    @property
    def folders(self) -> set[str]:
        """The folders of the tree with the age of their files, without a slash at the end."""
        return {upload.folder for upload in self.uploads() if upload.folder}

    @property
    def deleted(self) -> set[str]:
        return {
            folder for folder, decision in self.decisions.items() if decision.startswith("delete:")
        }

    def uploads(self) -> Iterator[Upload]:
        """Yield the objects of the tree."""
        parents: list[str] = []
        for line in self.tree.splitlines()[1:]:  # the first line is the bucket
            match = _TREE_LINE.fullmatch(line)
            assert match, line
            del parents[len(match["indent"]) // 2 - 1 :]
            path = "".join([*parents, match["name"]])
            if match["text"]:
                yield Upload(key=path, age=timedelta(), body=match["text"].encode())
            elif not match["count"]:
                parents.append(match["name"])
            else:
                age = timedelta(**{f"{match['unit']}s": int(match["count"])})
                folder = path.rpartition("/")[0]
                for key in [f"{path}{file}" for file in _FILES] if path[-1] == "/" else [path]:
                    yield Upload(key=key, folder=folder, age=age)

    def fill_bucket(self, bucket: Bucket) -> None:
        """Upload the objects of the tree."""
        now = datetime.now(UTC)
        for upload in self.uploads():
            bucket.put_at(upload.key, now - upload.age, body=upload.body)

    def fill_repository(self, repository: FakeRepository) -> None:
        """Create GitHub's state of the example: one line for each kind."""
        for line in self.github.splitlines():
            kind, _, text = line.partition(": ")
            if kind == "open pull requests":
                for number, branch, commit in re.findall(r"#(\d+) from (\S+) at (\w+)", text):
                    repository.open_pull_request(int(number), extend_hash(commit), branch=branch)
            elif kind == "branches":
                heads = re.findall(r"(\S+) at (\w+)", text)
                repository.branches.update((name, extend_hash(commit)) for name, commit in heads)
            else:
                environment = kind.removeprefix("deployed to ")
                assert environment != kind, line
                repository.deploy(environment, extend_hash(text), "success")


def extend_hash(text: str) -> str:
    """Return a full hash that begins with a short hash."""
    assert _HASH.fullmatch(text), text
    return (text + sha1(text.encode(), usedforsecurity=False).hexdigest())[:40]


def read_examples(path: Path = PAGE) -> dict[str, Example]:
    """Return the examples of the page by name."""
    page = path.read_text(encoding="utf-8")
    trees, settings, plans = (dict(re.findall(block, page)) for block in (_TREE, _SETTINGS, _PLAN))
    assert trees.keys() == settings.keys() == plans.keys()
    examples: dict[str, Example] = {}
    for name, text in trees.items():
        tree, _, github = text.partition("\n\n")
        rows = [_PLAN_ROW.fullmatch(row) for row in plans[name].splitlines()]
        examples[name] = Example(
            tree=tree.rstrip("\n"),
            github=github.rstrip("\n"),
            settings=settings[name],
            decisions={row[1]: _parse_decision(row[2], row[3]) for row in rows},
        )
    return examples


def _parse_decision(decision: str, reasons: str) -> str:
    return f"{decision}: {' '.join(re.findall('`(.+?)`', reasons))}" if reasons else decision
