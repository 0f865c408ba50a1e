"""Extracts the operations that ci3 uses from GitHub's OpenAPI description into `openapi.json`.

After changing `OPERATIONS` or the version run `python -m tests.support.github.cut_openapi`.
It needs npm.
"""

import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = "@octokit/openapi"
VERSION: Final = "23.0.2"
DESCRIPTION: Final = "package/generated/api.github.com.json"
SLICE: Final = Path(__file__).with_name("openapi.json")

OPERATIONS: Final = {
    "/repos/{owner}/{repo}/issues": ("get", "post"),
    "/repos/{owner}/{repo}/issues/{issue_number}": ("patch",),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ("patch",),
    "/repos/{owner}/{repo}/deployments": ("get",),
    "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses": ("get",),
    "/repos/{owner}/{repo}/actions/runs/{run_id}": ("get",),
    "/repos/{owner}/{repo}/pulls": ("get",),
    "/repos/{owner}/{repo}/pulls/{pull_number}": ("get",),
    "/repos/{owner}/{repo}/branches": ("get",),
    "/repos/{owner}/{repo}/contents/{path}": ("get",),
    "/repos/{owner}/{repo}/commits": ("get",),
    "/repos/{owner}/{repo}/commits/{ref}": ("get",),
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls": ("get",),
    "/user": ("get",),
}

WITHOUT_MEANING: Final = frozenset({"examples", "externalDocs", "x-github", "x-octokit"})
"""Keys that validation ignores; examples are most of the description."""


def main() -> None:
    """Download the package and write the slice."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            member = package.extractfile(DESCRIPTION)
            assert member is not None
            description = json.load(member)
    SLICE.write_text(json.dumps(cut(description), indent=1) + "\n", encoding="utf-8")


def cut(description):
    """Return OPERATIONS with every component that they refer to."""
    paths = {
        path: remove_decoration({method: description["paths"][path][method] for method in methods})
        for path, methods in OPERATIONS.items()
    }
    components = {}
    pending = list(iter_references(paths))
    while pending:
        kind, name = pending.pop().removeprefix("#/components/").split("/")
        if name in components.setdefault(kind, {}):
            continue
        components[kind][name] = remove_decoration(description["components"][kind][name])
        pending.extend(iter_references(components[kind][name]))
    return {
        "openapi": description["openapi"],
        "info": {**description["info"], "x-cut-from": f"{PACKAGE} {VERSION}"},
        "servers": description["servers"],
        "paths": paths,
        "components": {kind: dict(sorted(named.items())) for kind, named in components.items()},
    }


def remove_decoration(node, *, holds_names: bool = False):
    """Remove keys of WITHOUT_MEANING, but keep properties that have the same name."""
    if isinstance(node, list):
        return [remove_decoration(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        key: remove_decoration(child, holds_names=key == "properties" and not holds_names)
        for key, child in node.items()
        if holds_names or key not in WITHOUT_MEANING
    }


def iter_references(node) -> Iterator[str]:
    """Yield every component reference in this part of the description."""
    if isinstance(node, list):
        for child in node:
            yield from iter_references(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "$ref" and isinstance(child, str):
                yield child
            else:
                yield from iter_references(child)


if __name__ == "__main__":
    main()
