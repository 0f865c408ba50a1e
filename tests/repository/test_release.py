"""The release: what must agree, and that the digest is committed before the tags lead to it."""

import importlib.util
import re

import pytest

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
    """A tree that is ready for the release of 1.2.3, and its origin."""
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


def run(tree, *arguments):
    return release.main(list(arguments), tree)


def test_version_changelog_and_action_of_this_tree_agree():
    assert release.check(ROOT)


def test_tree_that_is_ready_may_be_released(tree):
    assert run(tree, "check") == 0
    assert run(tree, "check", "--release", "1.2.3") == 0


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
def test_what_disagrees_is_told(tree, capsys, name, old, new):
    text = (tree / name).read_text()
    assert text.count(old) == 1
    (tree / name).write_text(text.replace(old, new))
    assert run(tree, "check") == 1
    assert capsys.readouterr().err.startswith("release: ")


def test_published_image_without_its_section_in_the_changelog_disagrees(tree):
    release.pin(tree, IMAGE)
    assert run(tree, "check") == 0
    (tree / "CHANGELOG.md").write_text(CHANGELOG.format(""))
    assert run(tree, "check") == 1


def test_version_that_is_not_in_the_changelog_yet_agrees_but_is_not_released(tree, capsys):
    (tree / "CHANGELOG.md").write_text(CHANGELOG.format("\n### Added\n- A thing.\n"))
    assert run(tree, "check") == 0
    assert run(tree, "check", "--release", "1.2.3") == 1
    assert "1.2.3" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["1.2.4", "v1.2.3", "1.2", "1.2.3; rm -rf /", ""])
def test_no_other_version_is_released(tree, version):
    assert run(tree, "check", "--release", version) == 1


@pytest.mark.parametrize("tag", ["v1.2.3", "v1.3.0", "v2.0.0"])
def test_version_that_is_or_was_overtaken_is_not_released_again(tree, tag):
    git(tree, "tag", tag)
    git(tree, "push", "--quiet", "origin", tag)
    git(tree, "tag", "--delete", tag)
    assert run(tree, "publish", "1.2.3", IMAGE) == 1
    assert git(tree, "ls-remote", "--tags", "origin").endswith(f"refs/tags/{tag}")


def test_tags_lead_to_a_commit_that_names_the_image_and_main_does_not(tree):
    before = git(tree, "rev-parse", "HEAD")
    for tag in ("v1.2.2", "v1"):
        git(tree, "tag", tag)
        git(tree, "push", "--quiet", "origin", tag)

    assert run(tree, "publish", "1.2.3", IMAGE) == 0

    origin = tree.parent / "origin.git"
    released = git(origin, "rev-parse", "v1.2.3^{commit}")
    assert git(origin, "rev-parse", "v1^{commit}") == released
    assert git(origin, "rev-parse", "v1.2.2^{commit}") == before
    assert git(origin, "rev-parse", "main") == before == git(origin, "rev-parse", "v1.2.3^")
    assert f"image: {IMAGE}\n" in git(origin, "show", "v1.2.3:action.yml") + "\n"
    assert git(origin, "diff", "--name-only", "main", "v1.2.3") == "action.yml"


def test_image_that_is_no_digest_is_not_committed(tree):
    assert run(tree, "publish", "1.2.3", "docker://ghcr.io/owner/ci3:1.2.3") == 1
    assert git(tree, "ls-remote", "--tags", "origin") == ""
    assert "image: Dockerfile\n" in (tree / "action.yml").read_text()


def test_notes_are_the_section_of_the_version(tree, capsys):
    assert run(tree, "notes", "1.2.3") == 0
    assert capsys.readouterr().out == "### Added\n- A thing.\n"


def test_workflows_use_nothing_of_others_but_by_its_commit():
    for path in sorted(ROOT.glob(".github/workflows/*.yml")):
        for used in re.findall(r"uses: (\S+)(.*)", path.read_text()):
            assert used[0].startswith("$/") or re.fullmatch(r"\S+@[0-9a-f]{40}", used[0]), path
