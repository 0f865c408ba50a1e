"""The steps of a release: files that must agree, and the commits of the tags."""

import importlib.util
import re

import pytest
import yaml

from tests.support.git import git
from tests.support.paths import ROOT

_SPEC = importlib.util.spec_from_file_location("release", ROOT / ".ci/release.py")
release = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(release)

IMAGE = f"docker://ghcr.io/owner/ci3@sha256:{'5' * 64}"
CHANGELOG = "# Changelog\n\n## [Unreleased]\n{}"
SECTION = "\n## [1.2.3] - 2026-11-25\n\n### Added\n- A thing.\n"


@pytest.fixture
def tree(tmp_path):
    """Return a repository that is ready for the release of 1.2.3; it has an origin."""
    root, origin = tmp_path / "tree", tmp_path / "origin.git"
    (root / "ci3").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (root / "ci3/__init__.py").write_text('"""ci3."""\n\n__version__ = "1.2.3"\n')
    (root / "CHANGELOG.md").write_text(CHANGELOG.format(SECTION))
    (root / "action.yml").write_text((ROOT / "action.yml").read_text())
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "remote", "add", "origin", str(origin))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Prepare")
    git(root, "push", "--quiet", "origin", "main")
    return root


def run_release(tree, *arguments):
    return release.main(list(arguments), tree)


def test_version_changelog_and_action_of_this_tree_agree():
    assert release.check(ROOT)


def test_complete_tree_may_be_released(tree):
    assert run_release(tree, "check") == 0
    assert run_release(tree, "check", "--release", "1.2.3") == 0


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ci3/__init__.py", '"1.2.3"', '"1.2.4"'),
        ("pyproject.toml", '"1.2.3"', '"1.2.2"'),
        ("CHANGELOG.md", "[1.2.3]", "[1.2.4]"),
        ("CHANGELOG.md", "[1.2.3] - 2026-11-25", "[1.2.3]"),
        ("CHANGELOG.md", "## [Unreleased]", "## Unreleased"),
        ("CHANGELOG.md", SECTION, SECTION + SECTION),
        ("CHANGELOG.md", SECTION, SECTION + SECTION.replace("1.2.3", "2.0.0")),
        ("action.yml", "image: Dockerfile", "image: docker://ghcr.io/owner/ci3:latest"),
        ("action.yml", "image: Dockerfile", "image: docker://elsewhere.example/ci3"),
    ],
)
def test_disagreement_is_an_error(tree, capsys, name, old, new):
    text = (tree / name).read_text()
    assert text.count(old) == 1
    (tree / name).write_text(text.replace(old, new))
    assert run_release(tree, "check") == 1
    assert capsys.readouterr().err.startswith("release: ")


def test_published_image_without_a_section_in_the_changelog_is_an_error(tree):
    release.pin_image(tree, IMAGE)
    assert run_release(tree, "check") == 0
    (tree / "CHANGELOG.md").write_text(CHANGELOG.format(""))
    assert run_release(tree, "check") == 1


def test_version_that_is_not_in_the_changelog_is_accepted_but_not_released(tree, capsys):
    (tree / "CHANGELOG.md").write_text(CHANGELOG.format("\n### Added\n- A thing.\n"))
    assert run_release(tree, "check") == 0
    assert run_release(tree, "check", "--release", "1.2.3") == 1
    assert "1.2.3" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["1.2.4", "v1.2.3", "1.2", "1.2.3; rm -rf /", ""])
def test_no_other_version_is_released(tree, version):
    assert run_release(tree, "check", "--release", version) == 1


def push_tags(tree, *tags):
    for tag in tags:
        git(tree, "tag", tag)
        git(tree, "push", "--quiet", "origin", tag)
        git(tree, "tag", "--delete", tag)


@pytest.mark.parametrize("tag", ["v1.2.3", "v1.3.0", "v2.0.0"])
def test_version_is_not_released_again_or_after_a_newer_one(tree, tag):
    push_tags(tree, tag)
    assert run_release(tree, "tag", "1.2.3", IMAGE) == 1
    assert git(tree, "ls-remote", "--tags", "origin").endswith(f"refs/tags/{tag}")


def test_tagged_commit_has_the_image_and_main_does_not(tree):
    before = git(tree, "rev-parse", "HEAD")
    push_tags(tree, "v1.2.2", "v1")

    assert run_release(tree, "tag", "1.2.3", IMAGE) == 0

    origin = tree.parent / "origin.git"
    assert git(origin, "rev-parse", "v1^{commit}") == before
    assert git(origin, "rev-parse", "main") == before == git(origin, "rev-parse", "v1.2.3^{}^")
    assert f"image: {IMAGE}\n" in git(origin, "show", "v1.2.3:action.yml") + "\n"
    assert git(origin, "diff", "--name-only", "main", "v1.2.3") == "action.yml"

    assert run_release(tree, "move", "1.2.3") == 0
    assert git(origin, "rev-parse", "v1^{commit}") == git(origin, "rev-parse", "v1.2.3^{commit}")
    assert git(origin, "rev-parse", "v1.2.2^{commit}") == before


def make_clone(tree):
    clone = tree.with_name("clone")
    git(tree.parent, "clone", "--quiet", "--depth=1", f"file://{tree.parent}/origin.git", "clone")
    return clone


def test_steps_can_be_repeated_in_fresh_checkouts(tree):
    assert run_release(tree, "tag", "1.2.3", IMAGE) == 0
    origin = tree.parent / "origin.git"
    released = git(origin, "rev-parse", "v1.2.3")
    clone = make_clone(tree)
    for command in (["tag", "1.2.3", IMAGE], ["move", "1.2.3"], ["move", "1.2.3"]):
        assert run_release(clone, *command) == 0
    assert git(origin, "rev-parse", "v1.2.3") == released
    assert git(origin, "rev-parse", "v1^{}") == git(origin, "rev-parse", "v1.2.3^{}")


def test_tag_of_another_image_or_commit_is_not_accepted(tree):
    assert run_release(tree, "tag", "1.2.3", IMAGE) == 0
    clone = make_clone(tree)
    assert run_release(clone, "tag", "1.2.3", IMAGE.replace("5", "6")) == 1
    (clone / "LICENSE").write_text("new\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "More")
    assert run_release(clone, "tag", "1.2.3", IMAGE) == 1


def test_major_tag_is_moved_only_to_the_newest_release(tree):
    push_tags(tree, "v1")
    assert run_release(tree, "move", "1.2.3") == 1  # no such tag
    push_tags(tree, "v1.2.3", "v1.3.0")
    assert run_release(tree, "move", "1.2.3") == 1


def test_image_without_a_digest_is_not_committed(tree):
    assert run_release(tree, "tag", "1.2.3", "docker://ghcr.io/owner/ci3:1.2.3") == 1
    assert git(tree, "ls-remote", "--tags", "origin") == ""
    assert "image: Dockerfile\n" in (tree / "action.yml").read_text()


def test_notes_have_the_changes_and_the_commit_to_pin(tree, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/ci3")
    assert run_release(tree, "tag", "1.2.3", IMAGE) == 0
    assert run_release(tree, "notes", "1.2.3") == 0
    commit = git(tree.parent / "origin.git", "rev-parse", "v1.2.3^{commit}")
    assert capsys.readouterr().out == (
        "### Added\n- A thing.\n\n"
        f"Pin this release in a workflow: `uses: acme/ci3@{commit} # v1.2.3`\n"
    )


def test_page_for_maintainers_has_the_jobs_of_the_workflow():
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    table = (ROOT / "docs/releasing.md").read_text().partition("| job |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(workflow["jobs"])
