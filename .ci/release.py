"""What a release is made of: one version everywhere, the image's digest in action.yml, the tags.

A development tree's action.yml says `Dockerfile`: the image is built from the very source beside
it. A release is one commit on top of that, in which action.yml names the published image by digest;
only the tags lead to it. `main` never names an image that other source was built into.

    release.py check                     version, changelog and action.yml agree
    release.py check --release 1.2.3     … and 1.2.3 may be released from this tree now
    release.py notes 1.2.3               what the changelog says of it
    release.py publish 1.2.3 IMAGE       commit IMAGE into action.yml, tag v1.2.3, move v1, push
"""

import argparse
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


class DisagreementError(Exception):
    """Something that a release needs does not hold."""


def check(root: Path) -> str:
    """Give the tree's version if all that names one agrees.

    The changelog may not know the version yet, or its newest section is of it; an action.yml that
    names a published image belongs to a release, whose section must be there.
    """
    version = _project_version(root)
    module = re.search(r'^__version__ = "(.+)"$', _read(root, "ci3/__init__.py"), re.MULTILINE)
    _require(
        module is not None and module[1] == version,
        f"pyproject.toml says {version}, ci3/__init__.py {module and module[1]}",
    )
    headings = _HEADING.findall(_read(root, "CHANGELOG.md"))
    _require(
        bool(headings) and headings[0] == ("Unreleased", ""),
        "CHANGELOG.md does not open with [Unreleased]",
    )
    released = [name for name, _ in headings[1:]]
    for name, day in headings[1:]:
        _require(
            re.fullmatch(VERSION, name) is not None and day != "",
            f"CHANGELOG.md: '## [{name}]' is not '## [X.Y.Z] - YYYY-MM-DD'",
        )
    numbers = [_number(name) for name in released]
    _require(
        numbers == sorted(set(numbers), reverse=True), "CHANGELOG.md's versions do not descend"
    )
    _require(
        not numbers or numbers[0] <= _number(version),
        f"CHANGELOG.md has {released[:1]}, which is newer than {version}",
    )
    image = _image(root)
    _require(
        image == BUILT_HERE or re.fullmatch(PUBLISHED, image) is not None,
        f"action.yml's image is neither {BUILT_HERE} nor one of ghcr.io by its digest: {image}",
    )
    _require(
        image == BUILT_HERE or released[:1] == [version],
        f"action.yml names a published image, but CHANGELOG.md has no section of {version}",
    )
    return version


def check_release(root: Path, version: str, tags: set[str]) -> None:
    """Raise DisagreementError unless this very version may be released from this tree now."""
    _require(re.fullmatch(VERSION, version) is not None, f"{version!r} is not of the form X.Y.Z")
    found = check(root)
    _require(found == version, f"the tree is of version {found}, not {version}")
    _require(_image(root) == BUILT_HERE, "action.yml names a published image already")
    _require(notes(root, version) != "", f"CHANGELOG.md says nothing of {version}")
    _require(f"v{version}" not in tags, f"there is a tag v{version} already")
    newer = [
        tag
        for tag in tags
        if re.fullmatch(f"v{VERSION}", tag) and _number(tag[1:]) > _number(version)
    ]
    _require(not newer, f"newer ones are released already: {', '.join(sorted(newer))}")


def notes(root: Path, version: str) -> str:
    """Give what the changelog says of a version; empty if nothing."""
    parts = _HEADING.split(_read(root, "CHANGELOG.md"))
    sections = dict(zip(parts[1::3], parts[3::3], strict=True))
    return sections.get(version, "").strip()


def pin(root: Path, image: str) -> None:
    """Let action.yml name a published image."""
    _require(
        re.fullmatch(PUBLISHED, image) is not None, f"not an image of ghcr.io by digest: {image}"
    )
    path = root / "action.yml"
    text, count = _IMAGE.subn(rf"\g<1>{image}", path.read_text(encoding="utf-8"))
    _require(count == 1, f"action.yml names {count} images")
    path.write_text(text, encoding="utf-8")


def publish(root: Path, version: str, image: str) -> None:
    """Commit the image into action.yml, tag that commit vX.Y.Z, move vX to it, push both tags.

    Both go out in one atomic push: never is vX moved to what vX.Y.Z does not name.
    """
    check_release(root, version, _tags(root))
    pin(root, image)
    check(root)
    tag, moving = f"v{version}", f"v{version.partition('.')[0]}"
    _git(root, *AUTHOR, "commit", "--quiet", "--message", f"Release {version}", "--", "action.yml")
    _git(root, *AUTHOR, "tag", "--annotate", "--message", f"ci3 {version}", tag)
    _git(root, *AUTHOR, "tag", "--annotate", "--force", "--message", f"ci3 {version}", moving)
    _git(root, "push", "--atomic", "origin", f"refs/tags/{tag}", f"+refs/tags/{moving}")


def main(arguments: list[str], root: Path) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description="Steps of a release of ci3.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("--release", metavar="VERSION")
    commands.add_parser("notes").add_argument("version")
    publishing = commands.add_parser("publish")
    publishing.add_argument("version")
    publishing.add_argument("image")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "check" if options.release is not None:
                check_release(root, options.release, _tags(root))
            case "check":
                check(root)
            case "notes":
                sys.stdout.write(f"{notes(root, options.version)}\n")
            case "publish":
                publish(root, options.version, options.image)
    except DisagreementError as exc:
        sys.stderr.write(f"release: {exc}\n")
        return 1
    return 0


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # the condition itself
    if not holds:
        raise DisagreementError(otherwise)


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


def _tags(root: Path) -> set[str]:
    """List the tags that are published: a fresh checkout has none of its own."""
    lines = _git(root, "ls-remote", "--tags", "--refs", "origin").splitlines()
    return {line.rpartition("refs/tags/")[2] for line in lines}


def _git(root: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["git", *arguments], cwd=root, stdout=subprocess.PIPE, text=True, check=True
    )
    return run.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))
