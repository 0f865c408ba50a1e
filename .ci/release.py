"""Steps of a release: checks the version, commits the image's digest, and tags that commit.

`main` has `image: Dockerfile` in action.yml. A release is a commit on top of `main` in which
action.yml names the published image by its digest. Only tags lead to this commit.

    release.py check                     version, changelog and action.yml agree
    release.py check --release 1.2.3     and version 1.2.3 may be released from this tree
    release.py notes 1.2.3               print the release's text
    release.py tag 1.2.3 IMAGE           commit IMAGE into action.yml, and push the tag v1.2.3
    release.py move 1.2.3                let the tag v1 point to v1.2.3

`tag` and `move` can be repeated after a failure.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
PUBLISHED = r"docker://ghcr\.io/[a-z0-9._-]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64}"
BUILT_HERE = "Dockerfile"
AUTHOR = (
    "-c",
    "user.name=github-actions[bot]",
    "-c",
    "user.email=41898282+github-actions[bot]@users.noreply.github.com",
)

_HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_IMAGE = re.compile(r"^(  image: )(.+)$", re.MULTILINE)


class ReleaseError(Exception):
    """A condition of a release does not hold."""


def check(root: Path) -> str:
    """Return the tree's version; raise ReleaseError if the places that name it disagree.

    The changelog may lack a section for the version, unless action.yml names a published image.
    """
    version = _project_version(root)
    module = re.search(r'^__version__ = "(.+)"$', _read(root, "ci3/__init__.py"), re.MULTILINE)
    _require(
        module is not None and module[1] == version,
        f"pyproject.toml has version {version}, ci3/__init__.py {module and module[1]}",
    )
    headings = _HEADING.findall(_read(root, "CHANGELOG.md"))
    _require(
        bool(headings) and headings[0] == ("Unreleased", ""),
        "the first section of CHANGELOG.md is not [Unreleased]",
    )
    released = [name for name, _ in headings[1:]]
    for name, day in headings[1:]:
        _require(
            re.fullmatch(VERSION, name) is not None and day != "",
            f"CHANGELOG.md: '## [{name}]' is not '## [X.Y.Z] - YYYY-MM-DD'",
        )
    numbers = [_number(name) for name in released]
    _require(
        numbers == sorted(set(numbers), reverse=True),
        "versions in CHANGELOG.md are not in descending order",
    )
    _require(
        not numbers or numbers[0] <= _number(version),
        f"CHANGELOG.md has {released[:1]}, which is newer than {version}",
    )
    image = _image(root)
    _require(
        image == BUILT_HERE or re.fullmatch(PUBLISHED, image) is not None,
        f"the image in action.yml is neither {BUILT_HERE} nor one of ghcr.io by digest: {image}",
    )
    _require(
        image == BUILT_HERE or released[:1] == [version],
        f"action.yml names a published image, but CHANGELOG.md has no section for {version}",
    )
    return version


def check_release(root: Path, version: str) -> None:
    """Raise ReleaseError unless this version may be released from this tree now."""
    _require(re.fullmatch(VERSION, version) is not None, f"{version!r} is not of the form X.Y.Z")
    found = check(root)
    _require(found == version, f"the tree has version {found}, not {version}")
    _require(_image(root) == BUILT_HERE, "action.yml already names a published image")
    _require(_changes(root, version) != "", f"CHANGELOG.md has no section for {version}")
    tags = _tags(root)
    _require(f"v{version}" not in tags, f"the tag v{version} exists already")
    newer = [tag for tag in tags if _is_newer(tag, version)]
    _require(not newer, f"newer versions are released already: {', '.join(sorted(newer))}")


def notes(root: Path, version: str) -> str:
    """Return the text of a release: its changes, and how to pin its commit."""
    commit = _git(root, "rev-parse", f"{_fetch_tag(root, version)}^{{commit}}").strip()
    pin = f"`uses: {_repository()}@{commit} # v{version}`"
    return f"{_changes(root, version)}\n\nPin this release in a workflow: {pin}"


def pin_image(root: Path, image: str) -> None:
    """Write a published image into action.yml."""
    _require(
        re.fullmatch(PUBLISHED, image) is not None, f"not an image of ghcr.io by digest: {image}"
    )
    path = root / "action.yml"
    text, count = _IMAGE.subn(rf"\g<1>{image}", path.read_text(encoding="utf-8"))
    _require(count == 1, f"action.yml names {count} images")
    path.write_text(text, encoding="utf-8")


def tag_release(root: Path, version: str, image: str) -> None:
    """Commit the image into action.yml, tag the commit, and push the tag.

    A tag of an earlier attempt is accepted if it has the same parent and image.
    """
    if f"v{version}" in _tags(root):
        tag = _fetch_tag(root, version)
        parent = _git(root, "log", "-1", "--format=%P", tag)
        action = _git(root, "show", f"{tag}:action.yml")
        _require(
            parent == _git(root, "rev-parse", "HEAD") and f"  image: {image}\n" in action,
            f"the tag {tag} exists already, with another commit or image",
        )
        return
    check_release(root, version)
    pin_image(root, image)
    check(root)
    tag = f"v{version}"
    _git(root, *AUTHOR, "commit", "--quiet", "--message", f"Release {version}", "--", "action.yml")
    _git(root, *AUTHOR, "tag", "--annotate", "--message", f"ci3 {version}", tag)
    _git(root, "push", "origin", f"refs/tags/{tag}")


def move_major_tag(root: Path, version: str) -> None:
    """Let vX point to the commit of vX.Y.Z, unless a newer version is released."""
    newer = [tag for tag in _tags(root) if _is_newer(tag, version)]
    _require(not newer, f"newer versions are released already: {', '.join(sorted(newer))}")
    commit = f"{_fetch_tag(root, version)}^{{commit}}"
    moving = f"v{version.partition('.')[0]}"
    _git(
        root, *AUTHOR, "tag", "--annotate", "--force", "--message", f"ci3 {version}", moving, commit
    )
    _git(root, "push", "origin", f"+refs/tags/{moving}")


def main(arguments: list[str], root: Path) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description="Steps of a release of ci3.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("--release", metavar="VERSION")
    commands.add_parser("notes").add_argument("version")
    tagging = commands.add_parser("tag")
    tagging.add_argument("version")
    tagging.add_argument("image")
    commands.add_parser("move").add_argument("version")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "check" if options.release is not None:
                check_release(root, options.release)
            case "check":
                check(root)
            case "notes":
                sys.stdout.write(f"{notes(root, options.version)}\n")
            case "tag":
                tag_release(root, options.version, options.image)
            case "move":
                move_major_tag(root, options.version)
    except ReleaseError as exc:
        sys.stderr.write(f"release: {exc}\n")
        return 1
    return 0


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # the condition itself
    if not holds:
        raise ReleaseError(otherwise)


def _project_version(root: Path) -> str:
    return str(tomllib.loads(_read(root, "pyproject.toml"))["project"]["version"])


def _image(root: Path) -> str:
    found = _IMAGE.findall(_read(root, "action.yml"))
    _require(len(found) == 1, f"action.yml names {len(found)} images")
    return str(found[0][1])


def _read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _is_newer(tag: str, version: str) -> bool:
    return bool(re.fullmatch(f"v{VERSION}", tag)) and _number(tag[1:]) > _number(version)


def _changes(root: Path, version: str) -> str:
    """Return a version's section of the changelog; empty if there is none."""
    parts = _HEADING.split(_read(root, "CHANGELOG.md"))
    sections = dict(zip(parts[1::3], parts[3::3], strict=True))
    return sections.get(version, "").strip()


def _repository() -> str:
    return os.environ.get("GITHUB_REPOSITORY", "OWNER/ci3")


def _tags(root: Path) -> set[str]:
    """Return the tags at the origin: a fresh checkout has none."""
    lines = _git(root, "ls-remote", "--tags", "--refs", "origin").splitlines()
    return {line.rpartition("refs/tags/")[2] for line in lines}


def _fetch_tag(root: Path, version: str) -> str:
    tag = f"v{version}"
    _require(tag in _tags(root), f"there is no tag {tag}")
    _git(root, "fetch", "--quiet", "--depth=2", "origin", f"+refs/tags/{tag}:refs/tags/{tag}")
    return tag


def _git(root: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["git", *arguments], cwd=root, stdout=subprocess.PIPE, text=True, check=True
    )
    return run.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
