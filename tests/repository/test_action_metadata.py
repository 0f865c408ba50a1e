"""The marketplace's requirements on action.yml, and the actions that the workflows use."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT
from tools.docs.generate import DESCRIPTION, NAME, format_action_yml

ACTION = ROOT / "action.yml"
DESCRIPTION_LIMIT = 124
USES = re.compile(r"^\s*(?:- )?uses: (.+)$", re.MULTILINE)
PINNED = re.compile(r"(?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
OWN = re.compile(r"\./|\$/|OWNER/ci3(/python)?@")


def is_description_accepted(text: str) -> bool:
    return len(text) <= DESCRIPTION_LIMIT


def list_workflow_files() -> list[Path]:
    folders = (".github", "docs", "examples", "python", "tests/system/workflows")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    return [ROOT / "README.md", *(path for path in paths if path.suffix in {".yml", ".md"})]


def list_used_actions() -> list[tuple[str, str]]:
    """Return each reference to an action of another repository, with its file."""
    return [
        (path.relative_to(ROOT).as_posix(), reference)
        for path in list_workflow_files()
        for reference in USES.findall(path.read_text(encoding="utf-8"))
        if not OWN.match(reference)
    ]


def check_schema(path: Path) -> int:
    """Validate an action.yml with its schema, which has GitHub's icons and colors."""
    command = [str(Path(sys.executable).with_name("check-jsonschema"))]
    options = ["--builtin-schema", "vendor.github-actions", str(path)]
    return subprocess.run([*command, *options], check=False, capture_output=True).returncode


def test_description_fits_the_marketplace():
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    assert action["description"] == DESCRIPTION
    assert is_description_accepted(action["description"])
    assert not is_description_accepted(action["description"].ljust(125, "x"))


def test_name_has_several_words():
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    assert action["name"] == NAME
    assert len(NAME.split()) > 1


@pytest.mark.parametrize(
    ("old", "new", "is_accepted"),
    [
        ("", "", True),
        ("icon: trash-2", "icon: coffee", False),
        ("icon: trash-2", "icon: bin", False),
        ("color: green", "color: pink", False),
    ],
)
def test_icon_and_color_are_from_githubs_lists(tmp_path, old, new, is_accepted):
    assert old in format_action_yml()
    path = tmp_path / "action.yml"
    path.write_text(format_action_yml().replace(old, new), encoding="utf-8")
    assert (check_schema(path) == 0) is is_accepted


def test_every_action_is_pinned_by_its_commit_with_the_version():
    assert len(list_used_actions()) > 20
    assert [
        (path, reference)
        for path, reference in list_used_actions()
        if not PINNED.fullmatch(reference)
    ] == []


def test_an_action_has_the_same_commit_everywhere():
    pins = defaultdict(set)
    for _, reference in list_used_actions():
        pin = PINNED.fullmatch(reference)
        pins["/".join(pin["action"].split("/")[:2])].add((pin["commit"], pin["version"]))
    assert {action: versions for action, versions in pins.items() if len(versions) > 1} == {}


def test_dependabot_updates_actions_python_and_the_base_image():
    text = (ROOT / ".github/dependabot.yml").read_text(encoding="utf-8")
    updates = yaml.safe_load(text)["updates"]
    assert {update["package-ecosystem"] for update in updates} == {
        "docker",
        "github-actions",
        "pip",
    }
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates)


def test_examples_show_how_to_pin_ci3_in_production():
    for path in sorted((ROOT / "examples").glob("*.yml")):
        for reference in USES.findall(path.read_text(encoding="utf-8")):
            if reference.startswith("OWNER/ci3@"):
                assert reference == "OWNER/ci3@v0 # to try; in production, @<commit> # v0.1.0", path
