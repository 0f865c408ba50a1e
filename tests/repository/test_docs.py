"""The docs are consistent: links have targets, commands are valid, codes are documented."""

import re
import shlex
import textwrap
import tomllib
from pathlib import Path

import click
import jsonschema
import pytest
import yaml

from ci3.action.doctor import EXAMINED
from ci3.cli.main import _cli
from ci3.config.policy_schema import build_policy_schema
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.model.recipes import DOCS_URL, find_recipe_url
from ci3.core.model.result import RunOutcome
from ci3.core.plan.json_reader import PlanFile
from ci3.core.restore.plan import RestoreOutcome
from tests.support.paths import ROOT
from tools.docs.descriptions import OUTPUTS, PLAN_KEYS

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((*ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"))),
]
LAYOUT_CODES = {
    "hexadecimal-names",
    "in-two-targets",
    "mixed-names",
    "names-contradict-times",
    "nested-deployments",
    "never-deletable",
    "nothing-matches",
}
"""Codes of refusals and warnings about the layout of a bucket."""
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(#[^)]+)?\)")
_INLINE = re.compile(r"`ci3 ([a-z][^`]*)`")


def list_anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub creates for a page's headings."""
    text = _FENCED.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def list_commands(path: Path) -> list[list[str]]:
    """Return the arguments of every ci3 command on a page, in blocks and in lines."""
    text = path.read_text(encoding="utf-8")
    blocks = [body for kind, body in _FENCED.findall(text) if kind in ("sh", "console")]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    matches = [re.search(r"^(?:\$| )*ci3 ([a-z].*)$", line) for line in lines]
    commands = [match[1] for match in matches if match] + _INLINE.findall(_FENCED.sub("", text))
    return [shlex.split(re.split(r"; | [|>] ", command)[0], comments=True) for command in commands]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_link_has_an_existing_file_and_heading(path):
    for name, anchor in _LINK.findall(path.read_text(encoding="utf-8")):
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), name
        assert not anchor or anchor[1:] in list_anchors(target), f"{name}{anchor}"


@pytest.mark.parametrize("code", sorted({*RefusalCode, *WarningCode}))
def test_recipe_of_a_code_is_a_section_of_the_docs(code):
    url = find_recipe_url(code)
    has_recipe = code in LAYOUT_CODES
    assert bool(url) == has_recipe
    if has_recipe:
        page, _, anchor = url.removeprefix(f"{DOCS_URL}/").partition("#")
        assert anchor in list_anchors(ROOT / "docs" / page)


def test_messages_link_to_the_docs_of_this_repository():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["urls"]["Documentation"].replace("/tree/", "/blob/") == DOCS_URL


def test_every_page_is_linked_from_the_index():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / name).resolve() for name, _ in _LINK.findall(index)}
    assert set(ROOT.glob("docs/*.md")) - linked == {ROOT / "docs/README.md"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_command_on_a_page_is_valid(path):
    for name, *arguments in list_commands(path):
        with click.Context(_cli) as context:
            _, command, _ = _cli.resolve_command(context, [name])
            if arguments:  # a name without arguments only mentions a command
                command.make_context(name, arguments)


def test_commands_on_pages_are_found():
    assert len(list_commands(ROOT / "README.md")) > 5
    assert ["restore", "second.jsonl", "--auto-approve"] in list_commands(ROOT / "docs/recovery.md")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_policy_file_on_a_page_fits_the_schema(path):
    for kind, body in _FENCED.findall(path.read_text(encoding="utf-8")):
        is_policy = kind == "yaml" and re.search(r"^(bucket|defaults|targets):", body, re.MULTILINE)
        if is_policy:
            jsonschema.validate(yaml.safe_load(body), yaml.safe_load(build_policy_schema()))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_step_on_a_page_has_inputs_that_are_settings(path):
    for kind, body in _FENCED.findall(path.read_text(encoding="utf-8")):
        if kind == "yaml" and "uses: OWNER/ci3@" in body:
            content = yaml.safe_load(textwrap.dedent(body))
            if isinstance(content, dict) and "jobs" in content:
                [content] = content["jobs"].values()
            steps = content["steps"] if isinstance(content, dict) else content
            (step,) = [step for step in steps if step.get("uses", "").startswith("OWNER/ci3@")]
            assert set(step["with"]) <= set(SETTINGS_BY_NAME)


def test_plan_format_documents_every_key():
    documented = {key.partition(".")[0].partition("[")[0] for key in PLAN_KEYS}
    assert documented == set(PlanFile.model_fields)


def test_every_outcome_is_documented():
    outcomes = {*RunOutcome, *RestoreOutcome, EXAMINED}
    assert set(re.findall(r"`([a-z-]+)`", OUTPUTS["outcome"])) == outcomes


def test_gallery_shows_every_picture_below_a_caption():
    page = (ROOT / "docs/gallery.md").read_text(encoding="utf-8")
    blocks = re.split(r"^(?=\*\*|#)", page, flags=re.MULTILINE)
    captioned = [block for block in blocks if block.startswith("**")]
    names_by_block = [re.findall(r"images/([\w-]+\.png)", block) for block in captioned]
    assert all(names_by_block)
    assert {name for names in names_by_block for name in names} == {
        path.name for path in ROOT.glob("docs/images/*.png")
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_picture_exists_in_light_and_dark(path):
    page = path.read_text(encoding="utf-8")
    for name in re.findall(r'(?:srcset|src)="(?!https?:)([^"]+)"', page):
        assert (path.parent / name).exists(), name
        assert f'"{name.replace("-light.", "-dark.")}"' in page
        assert f'"{name.replace("-dark.", "-light.")}"' in page
