"""The release's workflow, run by act with stand-ins for docker and gh: what reaches what."""

import re

import pytest

from tests.support.git import git
from tests.support.paths import ROOT
from tests.system.workflows.act import run_workflow, stand_in, used_actions

DIGESTS = {"amd64": f"sha256:{'a' * 64}", "arm64": f"sha256:{'b' * 64}"}
IMAGE = "ghcr.io/acme/storefront"
INDEX = f"sha256:{'c' * 64}"

NAMED = (
    f"docker buildx imagetools create --tag {IMAGE}:1.2.3"
    f" {IMAGE}@{DIGESTS['amd64']} {IMAGE}@{DIGESTS['arm64']}"
)

DOCKER = f"""#!/bin/sh
echo "docker $*" >> "$COMMANDS"
case "$*" in
  *linux/amd64*--metadata-file*) digest={DIGESTS["amd64"]} ;;
  *linux/arm64*--metadata-file*) digest={DIGESTS["arm64"]} ;;
  *imagetools\\ inspect*) echo '{{"digest": "{INDEX}"}}' ;;
esac
[ -z "$digest" ] || echo "{{\\"containerimage.digest\\": \\"$digest\\"}}" > build.json
"""
RECORD = """#!/bin/sh
echo "{0} $*" >> "$COMMANDS"
case "$*" in *"${{BROKEN:-none is}}"*) exit 1 ;; esac
"""


@pytest.fixture
def programs(tmp_path):
    """A folder with stand-ins for what would reach a registry or GitHub."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in {
        "docker": DOCKER,
        "gh": RECORD.format("gh"),
        "make": RECORD.format("make"),
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def repository(tmp_path):
    """This tree as version 1.2.3 that is ready for its release, on `main` of an origin."""
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


def run_release(tmp_path, repository, programs, **env):
    """Run the workflow for 1.2.3; gives its log and the commands that it ran, in order."""
    text = (ROOT / ".github/workflows/release.yml").read_text()
    # act knows no other workflow by this form; what it runs is tested by itself.
    head, called, rest = text.partition("    uses: $/.github/workflows/ci.yml\n")
    assert called
    workflow = tmp_path / "release.yml"
    workflow.write_text(f"{head}    runs-on: ubuntu-24.04\n    steps: [{{run: 'true'}}]\n{rest}")
    commands = tmp_path / "commands"
    log = run_workflow(
        repository,
        workflow,
        "workflow_dispatch",
        {"inputs": {"version": "1.2.3"}, "ref": "refs/heads/main"},
        programs=programs,
        env={"COMMANDS": str(commands), "ARTIFACTS": str(tmp_path), **env},
        actions={used: stand_in(used) for used in used_actions(text) if "checkout@" not in used},
        options=["--remote-name=github", "--input=version=1.2.3"],
    )
    return log, commands.read_text().splitlines()


def test_what_was_built_and_tried_is_named_committed_and_tagged(tmp_path, repository, programs):
    log, told = run_release(tmp_path, repository, programs)

    assert log.exit_code == 0, log.text
    assert set(log.results().values()) == {"success"}
    for digest in DIGESTS.values():
        pulled, tried = (
            told.index(f"docker pull --quiet {IMAGE}@{digest}"),
            told.index(f"make smoke IMAGE={IMAGE}@{digest} ENGINE=docker"),
        )
        assert pulled < tried < told.index(NAMED)
    builds = [line for line in told if "buildx build" in line]
    assert len(builds) == len(DIGESTS)
    assert all("--provenance mode=max --sbom true" in line for line in builds)
    assert f"attest {IMAGE}@{INDEX}" in told
    assert told[-1].startswith("gh release create v1.2.3 --verify-tag")

    origin = repository.with_name("origin.git")
    image = f"  image: docker://{IMAGE}@{INDEX}"
    for tag in ("v1.2.3", "v1"):
        assert image in git(origin, "show", f"{tag}:action.yml").splitlines()
    assert git(origin, "rev-parse", "main") == git(origin, "rev-parse", "v1.2.3^{commit}^")


def test_nothing_is_named_nor_tagged_where_one_image_does_not_work(tmp_path, repository, programs):
    log, told = run_release(tmp_path, repository, programs, BROKEN=DIGESTS["arm64"])

    assert log.results()["build"] == "failure", log.text
    assert f"make smoke IMAGE={IMAGE}@{DIGESTS['arm64']} ENGINE=docker" in told
    assert [line for line in told if "imagetools" in line or line.startswith("gh")] == []
    assert git(repository.with_name("origin.git"), "tag") == ""


def test_nothing_is_built_of_a_version_that_the_changelog_does_not_know(
    tmp_path, repository, programs
):
    commands = tmp_path / "commands"
    log = run_workflow(
        repository,
        ROOT / ".github/workflows/release.yml",
        "workflow_dispatch",
        {"inputs": {"version": "1.2.4"}, "ref": "refs/heads/main"},
        programs=programs,
        env={"COMMANDS": str(commands)},
        options=["--input=version=1.2.4", "--job=check"],
    )
    assert log.exit_code == 1
    assert re.search(r"1\.2\.3.*1\.2\.4", log.text)
    assert not commands.exists()
