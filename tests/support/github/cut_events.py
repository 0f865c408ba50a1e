"""Extracts the example payloads of workflow events from GitHub's own into `events.json`.

After changing `EXAMPLES` or the version: `python -m tests.support.github.cut_events`. It needs npm.
"""

import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Final

PACKAGE: Final = "@octokit/webhooks-examples"
VERSION: Final = "7.6.1"
INDEX: Final = "package/api.github.com/index.json"
SLICE: Final = Path(__file__).with_name("events.json")

EXAMPLES: Final = {
    "pull_request": ("opened", "synchronize", "closed"),
    "push": ("refs/heads/master", "refs/tags/simple-tag", "deleted"),
    "merge_group": ("checks_requested",),
    "workflow_dispatch": ("refs/heads/main",),
    "deployment_status": ("created",),
    "delete": ("simple-tag",),
    "workflow_run": ("completed",),
    "issue_comment": ("created",),
}
"""The kinds of examples per event (see `get_kind`); the first example of each kind is taken."""


def main() -> None:
    """Download the package and write the selected examples."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            member = package.extractfile(INDEX)
            assert member is not None
            events = {event["name"]: event["examples"] for event in json.load(member)}
    examples = {
        f"{name} {kind}": remove_urls(
            next(example for example in events[name] if get_kind(example) == kind)
        )
        for name, kinds in EXAMPLES.items()
        for kind in kinds
    }
    slice_ = {"cut_from": f"{PACKAGE} {VERSION}", "events": examples}
    SLICE.write_text(json.dumps(slice_, indent=1) + "\n", encoding="utf-8")


def get_kind(example):
    """Return the value that distinguishes an example from the others of its event."""
    return example.get("action") or ("deleted" if example.get("deleted") else example.get("ref"))


def remove_urls(node):
    """Remove the API URLs, which are two thirds of a payload and unused."""
    if isinstance(node, list):
        return [remove_urls(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        key: remove_urls(child)
        for key, child in node.items()
        if key != "url" and not key.endswith("_url") and key != "_links"
    }


if __name__ == "__main__":
    main()
