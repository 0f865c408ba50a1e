"""Generates the action files, tables in the docs, and JSON Schemas from the code.

Run as `python -m tools.docs.generate`. With `--check` it writes nothing and fails if a file is not
up to date.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from ci3.config.fields import Setting
from ci3.config.groups import SETTING_GROUPS
from ci3.config.policy_schema import build_policy_schema
from ci3.config.settings import SETTINGS, SETTINGS_BY_NAME
from ci3.core.iam.policy import IamTarget, Purpose, build_policy
from ci3.core.model.decision import ReasonCode
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.model.recipes import DOCS_URL, find_recipe_url
from ci3.core.plan.json_reader import build_plan_schema
from ci3.engine.journal.records import journal_schema
from ci3.errors import ExitCode
from tools.docs.descriptions import (
    EXIT_CODES,
    MOST_USED,
    OUTPUTS,
    REASONS,
    REFUSALS,
    WARNINGS,
)
from tools.docs.markdown_tables import format_plan_keys_table, format_table
from tools.docs.reference_tables import format_references_table
from tools.docs.scale_tables import format_costs_table, format_estimates, format_times_table

NAME = "ci3 S3 deployment cleanup"
DESCRIPTION = (
    "Removes old deployments from S3 buckets: keeps the newest, explains each decision, "
    "and deletes only in apply mode."
)
"""Shown by GitHub's marketplace, which takes at most 124 characters."""
ROOT = Path(__file__).resolve().parents[2]
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0"
BEGIN = "<!-- begin {}: written by `make docs` -->"
END = "<!-- end {} -->"


def format_action_yml() -> str:
    """Return action.yml. Its image is kept: the release commits the one of a published version."""
    current = (ROOT / "action.yml").read_text(encoding="utf-8")
    image = re.search(r"^  image: (.+)$", current, re.MULTILINE)
    outputs = [line for name, doc in OUTPUTS.items() for line in _format_output(name, doc)]
    runs = ["runs:", "  using: docker", f"  image: {image[1] if image else 'Dockerfile'}"]
    return "\n".join([*_format_inputs(NAME), *outputs, *runs]) + "\n"


def format_python_action_yml() -> str:
    """Return python/action.yml: the same inputs and outputs, on the runner's Python."""
    outputs = [
        line
        for name, doc in OUTPUTS.items()
        for line in (*_format_output(name, doc), f"    value: ${{{{ steps.ci3.outputs.{name} }}}}")
    ]
    runs = [
        "runs:",
        "  using: composite",
        "  steps:",
        "    - id: python",
        "      shell: sh",
        '      run: . "$GITHUB_ACTION_PATH/find_python.sh"',
        "    - id: setup",
        "      if: steps.python.outputs.path == ''",
        f"      uses: {SETUP_PYTHON}",
        "      with:",
        "        python-version: '3.13'",
        "        update-environment: false",
        "    - id: ci3",
        "      shell: sh",
        "      env:",
        "        CI3_INPUTS: ${{ toJSON(inputs) }}",
        "        CI3_PYTHON: ${{ steps.python.outputs.path || steps.setup.outputs.python-path }}",
        "      # exec: signals reach Python. -I -S: it imports nothing of the job's packages.",
        '      run: exec "$CI3_PYTHON" -I -S -u -X utf8 "$GITHUB_ACTION_PATH/start.py"',
    ]
    return "\n".join([*_format_inputs(f"{NAME} without Docker"), *outputs, *runs]) + "\n"


def _format_inputs(name: str) -> list[str]:
    """Return the lines of an action's file up to its outputs."""
    lines = [
        "# Written by `make docs` from ci3/config/settings.py.",
        f"name: {name}",
        f"description: {_quote(DESCRIPTION)}",
        "author: The ci3 authors",
        "branding:",
        "  icon: trash-2",
        "  color: green",
        "inputs:",
    ]
    for setting in SETTINGS:
        lines += [
            f"  {setting.name}:",
            f"    description: {_quote(setting.doc + _default_note(setting))}",
            f"    required: {str(setting.is_required and not setting.is_policy_key).lower()}",
        ]
        if setting.action_default:
            lines.append(f"    default: {setting.action_default}")
    return [*lines, "outputs:"]


def _format_output(name: str, doc: str) -> list[str]:
    return [f"  {name}:", f"    description: {_quote(doc)}"]


def _default_note(setting: Setting) -> str:
    return "" if setting.default_doc in ("–", "required") else f" Default: {setting.default_doc}."


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def format_settings_tables() -> str:
    """Return one table for each group of settings."""
    return "\n\n".join(
        f"### {title}\n\n{_format_settings([SETTINGS_BY_NAME[name] for name in names])}"
        for title, names in SETTING_GROUPS.items()
    )


def _format_settings(settings: Iterable[Setting]) -> str:
    rows = [
        (f"`{setting.name}`", _format_options(setting), setting.default_doc, setting.doc)
        for setting in settings
    ]
    return format_table(("setting", "option", "default", "meaning"), rows)


def _format_options(setting: Setting) -> str:
    if setting.name == "mode":
        return "(the command)"
    return ", ".join(f"`{option}`" for option in setting.options) or "–"


def format_short_table(names: Iterable[str]) -> str:
    """Return a table of settings with the first sentence of each."""
    rows = [
        (
            f"`{setting.name}`",
            setting.default_doc,
            f"{setting.doc.partition('. ')[0].removesuffix('.')}.",
        )
        for setting in (SETTINGS_BY_NAME[name] for name in names)
    ]
    return format_table(("input", "default", "meaning"), rows)


def format_iam_policy() -> str:
    """Return the IAM policy for an apply, as `ci3 iam-policy` prints it."""
    target = IamTarget(bucket="my-site", protect=("release-*",))
    policy = build_policy(Purpose.APPLY, [target]).document
    return f"```json\n{json.dumps(policy, indent=2)}\n```"


def format_outputs_table() -> str:
    """Return the table of outputs."""
    return format_table(
        ("output", "meaning"), ((f"`{name}`", doc) for name, doc in OUTPUTS.items())
    )


def format_exit_codes_table() -> str:
    """Return the table of exit codes."""
    _require_all(EXIT_CODES, ExitCode)
    rows = [(str(code.value), meaning) for code, meaning in EXIT_CODES.items()]
    return format_table(("code", "meaning"), rows)


def format_refusals_table() -> str:
    """Return the table of refusals, with what to do about each."""
    _require_all(REFUSALS, RefusalCode)
    rows = [
        (f"`{code}`", meaning, f"{advice}{_format_recipe_link(code)}")
        for code, (meaning, advice) in REFUSALS.items()
    ]
    return format_table(("code", "meaning", "what to do"), rows)


def format_warnings_table() -> str:
    """Return the table of warnings."""
    _require_all(WARNINGS, WarningCode)
    rows = [
        (f"`{code}`", f"{meaning}{_format_recipe_link(code)}") for code, meaning in WARNINGS.items()
    ]
    return format_table(("code", "meaning"), rows)


def _format_recipe_link(code: RefusalCode | WarningCode) -> str:
    """Return a link to the section of the docs that the messages link to, or an empty string."""
    section = find_recipe_url(code).removeprefix(f"{DOCS_URL}/")
    return f" [How to fix this]({section})" if section else ""


def format_reasons_table() -> str:
    """Return the table of reasons."""
    _require_all(REASONS, ReasonCode)
    return format_table(
        ("code", "meaning"), ((f"`{code}`", meaning) for code, meaning in REASONS.items())
    )


def _require_all(meanings: Mapping[Any, object], codes: type[Enum]) -> None:
    if set(meanings) != set(codes):
        differences = ", ".join(str(code) for code in set(codes) ^ set(meanings))
        raise SystemExit(f"tools/docs/descriptions.py and the code differ in {differences}")


def fill_markers(text: str, contents: Mapping[str, str]) -> str:
    """Return the text with each content between the two markers of its name."""
    for name, content in contents.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, has_begin, rest = text.partition(begin)
        _, has_end, tail = rest.partition(end)
        if not has_begin or not has_end:
            raise SystemExit(f"the markers of {name} are missing")
        text = f"{head}{begin}\n{content}\n{end}{tail}"
    return text


PAGES: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "iam policy": format_iam_policy(),
        "most used settings": format_short_table(MOST_USED),
        "other settings": format_short_table(
            setting.name for setting in SETTINGS if setting.name not in MOST_USED
        ),
        "outputs": format_outputs_table(),
    },
    "docs/settings.md": {
        "settings": format_settings_tables(),
        "outputs": format_outputs_table(),
        "exit codes": format_exit_codes_table(),
    },
    "docs/policies.md": {"references": format_references_table()},
    "docs/scale.md": {
        "times": format_times_table(),
        "costs": format_costs_table(),
        "arithmetic": format_estimates(),
    },
    "docs/plan-format.md": {
        "keys": format_plan_keys_table(),
        "refusals": format_refusals_table(),
        "warnings": format_warnings_table(),
        "reasons": format_reasons_table(),
    },
}


def main() -> int:
    """Write the files that are out of date; with `--check` only list them and return 1."""
    pages = {
        name: fill_markers((ROOT / name).read_text(encoding="utf-8"), contents)
        for name, contents in PAGES.items()
    }
    files = {
        "action.yml": format_action_yml(),
        "python/action.yml": format_python_action_yml(),
        **pages,
        "docs/plan.schema.json": build_plan_schema(),
        "docs/journal.schema.json": journal_schema(),
        "docs/policy.schema.json": build_policy_schema(),
    }
    stale = [
        name
        for name, text in files.items()
        if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for name in stale:
            sys.stderr.write(f"{name} is not as written by `make docs`\n")
        return bool(stale)
    for name in stale:
        (ROOT / name).write_text(files[name], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
