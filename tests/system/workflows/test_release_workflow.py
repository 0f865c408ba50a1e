"""The release workflow, run by act with stand-ins for docker, gh, make and the package index."""

import re

import pytest

from tests.support.git import git
from tests.support.paths import ROOT
from tests.system.workflows.act import find_stand_in, find_used_actions, run_workflow

DIGESTS = {"amd64": f"sha256:{'a' * 64}", "arm64": f"sha256:{'b' * 64}"}
IMAGE = "ghcr.io/acme/storefront"
INDEX = f"sha256:{'c' * 64}"
CREATE = "docker buildx imagetools create --tag"
CANDIDATE = (
    f"{CREATE} {IMAGE}:candidate-1.2.3 {IMAGE}@{DIGESTS['amd64']} {IMAGE}@{DIGESTS['arm64']}"
)
NAMED = f"{CREATE} {IMAGE}:1.2.3 {IMAGE}@{INDEX}"
PULL = f"docker pull --quiet --platform linux/arm64 {IMAGE}@{INDEX}"

# Each program records its commands, and fails at the command that contains $BROKEN.
RECORD = """#!/bin/sh
echo "{0} $*" >> "$COMMANDS"
case "{0} $*" in *"${{BROKEN:-none is}}"*) exit 1 ;; esac
"""
DOCKER = f"""{RECORD.format("docker")}
case "$*" in
  *linux/amd64*--metadata-file*) digest={DIGESTS["amd64"]} ;;
  *linux/arm64*--metadata-file*) digest={DIGESTS["arm64"]} ;;
  *imagetools\\ inspect*) echo '{{"digest": "{INDEX}"}}' ;;
esac
[ -z "$digest" ] || echo "{{\\"containerimage.digest\\": \\"$digest\\"}}" > build.json
"""
MAKE = f"""{RECORD.format("make")}
case "$*" in package) mkdir dist; touch dist/ci3-1.2.3.tar.gz ;; esac
"""


@pytest.fixture
def programs(tmp_path):
    """Return a folder with stand-ins for programs that use a registry or GitHub."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in {
        "docker": DOCKER,
        "gh": RECORD.format("gh"),
        "make": MAKE,
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def repository(tmp_path):
    """Return a repository with version 1.2.3, ready for its release, on `main` of an origin."""
    root, origin = tmp_path / "tree", tmp_path / "origin.git"
    for name in (".ci/release.py", "action.yml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((ROOT / name).read_bytes())
    (root / "ci3").mkdir()
    (root / "ci3/__init__.py").write_text('__version__ = "1.2.3"\n')
    (root / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (root / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [1.2.3] - 2026-11-25\n- A thing.\n")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "remote", "add", "origin", str(origin))
    git(root, "remote", "add", "github", "https://github.com/acme/storefront")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Prepare")
    git(root, "push", "--quiet", "origin", "main")
    return root


def write_workflow(folder):
    """Write the workflow without the keys that act does not support; return its path."""
    text = (ROOT / ".github/workflows/release.yml").read_text()
    replacements = {
        "    uses: $/.github/workflows/ci.yml\n": (
            "    runs-on: ubuntu-24.04\n    steps: [{run: 'true'}]\n"
        ),
        "      artifact-metadata: write # to record where the attested image is stored\n": "",
    }
    for old, new in replacements.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    workflow = folder / "release.yml"
    workflow.write_text(text)
    return workflow


def run_release(tmp_path, repository, programs, **env):
    """Run the workflow for 1.2.3; return its log and the commands that it ran, in order."""
    workflow = write_workflow(tmp_path)
    commands = tmp_path / "commands"
    log = run_workflow(
        repository,
        workflow,
        "workflow_dispatch",
        {"inputs": {"version": "1.2.3"}, "ref": "refs/heads/main"},
        programs=programs,
        env={"COMMANDS": str(commands), "ARTIFACTS": str(tmp_path), **env},
        actions={
            name: find_stand_in(name)
            for name in find_used_actions(workflow.read_text())
            if "checkout@" not in name
        },
        options=["--remote-name=github", "--input=version=1.2.3"],
    )
    return log, commands.read_text().splitlines()


def list_tags(repository):
    return git(repository.with_name("origin.git"), "tag").split()


def find_positions(commands, beginnings):
    """Return the position of the first command with each beginning."""
    return [
        next(position for position, command in enumerate(commands) if command.startswith(beginning))
        for beginning in beginnings
    ]


def test_release_is_built_tested_pulled_published_and_tagged(tmp_path, repository, programs):
    log, commands = run_release(tmp_path, repository, programs)

    assert log.exit_code == 0, log.text
    assert set(log.read_results().values()) == {"success"}
    for digest in DIGESTS.values():
        order = [
            f"docker pull --quiet {IMAGE}@{digest}",
            f"make smoke IMAGE={IMAGE}@{digest} ENGINE=docker",
            CANDIDATE,
        ]
        assert find_positions(commands, order) == sorted(find_positions(commands, order))
    builds = [line for line in commands if "buildx build" in line]
    assert len(builds) == len(DIGESTS)
    assert all("--provenance mode=max --sbom true" in line for line in builds)
    order = [
        CANDIDATE,
        f"attest {IMAGE}@{INDEX}",
        PULL,
        "pypi ci3-1.2.3.tar.gz",
        "gh release create v1.2.3 --draft --verify-tag",
        "gh release edit v1.2.3 --draft=false",
        NAMED,
    ]
    assert find_positions(commands, order) == sorted(find_positions(commands, order))
    assert "dist/ci3-1.2.3.tar.gz" in commands[find_positions(commands, order)[4]]

    origin = repository.with_name("origin.git")
    image = f"  image: docker://{IMAGE}@{INDEX}"
    for tag in ("v1.2.3", "v1"):
        assert image in git(origin, "show", f"{tag}:action.yml").splitlines()
    assert git(origin, "rev-parse", "main") == git(origin, "rev-parse", "v1.2.3^{commit}^")


@pytest.mark.parametrize(
    ("broken", "job"),
    [
        (f"make smoke IMAGE={IMAGE}@{DIGESTS['arm64']}", "build"),
        ("make package", "package"),
        (PULL, "pull"),
        ("pypi", "pypi"),
    ],
)
def test_nothing_is_tagged_or_released_if_an_earlier_job_fails(
    tmp_path, repository, programs, broken, job
):
    log, commands = run_release(tmp_path, repository, programs, BROKEN=broken)

    assert log.read_results()[job] == "failure", log.text
    assert [line for line in commands if line == NAMED or line.startswith("gh release")] == []
    assert ("pypi ci3-1.2.3.tar.gz" in commands) == (job == "pypi")
    assert list_tags(repository) == []


def test_major_tag_is_unchanged_if_the_release_is_not_published(tmp_path, repository, programs):
    log, commands = run_release(tmp_path, repository, programs, BROKEN="gh release edit v1.2.3")

    assert log.read_results()["release"] == "failure", log.text
    assert NAMED not in commands
    assert list_tags(repository) == ["v1.2.3"]


def test_nothing_is_built_for_a_version_without_a_changelog_section(tmp_path, repository, programs):
    commands = tmp_path / "commands"
    log = run_workflow(
        repository,
        write_workflow(tmp_path),
        "workflow_dispatch",
        {"inputs": {"version": "1.2.4"}, "ref": "refs/heads/main"},
        programs=programs,
        env={"COMMANDS": str(commands)},
        options=["--input=version=1.2.4", "--job=check"],
    )
    assert log.exit_code == 1
    assert re.search(r"1\.2\.3.*1\.2\.4", log.text)
    assert not commands.exists()
