"""Cuts from GitHub's own example payloads those that a workflow meets: `events.json` beside this.

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
}
"""Of each event the examples by what tells them apart: the first of each is taken."""


def main() -> None:
    """Fetch the package, take the examples, write them."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            member = package.extractfile(INDEX)
            assert member is not None
            events = {event["name"]: event["examples"] for event in json.load(member)}
    taken = {
        f"{name} {kind}": without_addresses(
            next(one for one in events[name] if kind_of(one) == kind)
        )
        for name, kinds in EXAMPLES.items()
        for kind in kinds
    }
    slice_ = {"cut_from": f"{PACKAGE} {VERSION}", "events": taken}
    SLICE.write_text(json.dumps(slice_, indent=1) + "\n", encoding="utf-8")


def kind_of(example):
    """Tell an example from others of its event."""
    return example.get("action") or ("deleted" if example.get("deleted") else example.get("ref"))


def without_addresses(node):
    """Leave out the addresses of GitHub's API: they are two thirds of it, and nobody reads them."""
    if isinstance(node, list):
        return [without_addresses(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_addresses(child)
        for key, child in node.items()
        if key != "url" and not key.endswith("_url") and key != "_links"
    }


if __name__ == "__main__":
    main()
