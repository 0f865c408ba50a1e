"""Writes what is made from the code: action.yml, tables in the docs, JSON Schemas.

Run as `python -m docs.generate`. With `--check` it writes nothing and fails where a file is not as
it would be written.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from ci3.config.fields import Setting
from ci3.config.policy_schema import policy_schema
from ci3.config.settings import BY_NAME, SETTINGS
from ci3.core.model.decision import ReasonCode
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.plan.json_reader import plan_schema
from ci3.engine.journal.records import journal_schema
from ci3.errors import ExitCode
from docs.scales import arithmetic, costs_table, times_table
from docs.tables import plan_keys_table, table
from docs.words import (
    EXITS,
    GROUPS,
    MOST_USED,
    OTHERS,
    OUTPUTS,
    REASONS,
    REFUSALS,
    WARNINGS,
)

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- begin {}: written by `make docs` -->"
END = "<!-- end {} -->"


def action_yml() -> str:
    """Write action.yml whole, but for the image: that of a release is committed by the release."""
    written = (ROOT / "action.yml").read_text(encoding="utf-8")
    image = re.search(r"^  image: (.+)$", written, re.MULTILINE)
    lines = [
        "# Written by `make docs` from ci3/config/settings.py.",
        "name: ci3",
        "description: >-",
        "  Removes old deployments from an S3 bucket: keeps the newest, shows a plan with a reason",
        "  for every decision, deletes only when told to.",
        "author: The ci3 authors",
        "branding:",
        "  icon: trash-2",
        "  color: green",
        "inputs:",
    ]
    for setting in SETTINGS:
        lines += [
            f"  {setting.name}:",
            f"    description: {_quoted(setting.doc + _default_note(setting))}",
            f"    required: {str(setting.is_required and not setting.is_policy_key).lower()}",
        ]
        if setting.action_default:
            lines.append(f"    default: {setting.action_default}")
    lines.append("outputs:")
    for name, doc in OUTPUTS.items():
        lines += [f"  {name}:", f"    description: {_quoted(doc)}"]
    lines += ["runs:", "  using: docker", f"  image: {image[1] if image else 'Dockerfile'}"]
    return "\n".join(lines) + "\n"


def _default_note(setting: Setting) -> str:
    return "" if setting.default_doc in ("–", "required") else f" Default: {setting.default_doc}."


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def settings_tables() -> str:
    """Write all settings, a table for each group of them."""
    grouped = [name for names in GROUPS.values() for name in names]
    rest = tuple(one.name for one in SETTINGS if one.name not in grouped)
    return "\n\n".join(
        f"### {title}\n\n{_settings_table([BY_NAME[name] for name in names])}"
        for title, names in (GROUPS | {OTHERS: rest}).items()
    )


def _settings_table(settings: Iterable[Setting]) -> str:
    rows = [(f"`{one.name}`", _options(one), one.default_doc, one.doc) for one in settings]
    return table(("setting", "option", "default", "meaning"), rows)


def _options(setting: Setting) -> str:
    if setting.name == "mode":
        return "(the command)"
    return ", ".join(f"`{option}`" for option in setting.options) or "–"


def most_used_table() -> str:
    """Write the settings that most people need, each in its first sentence."""
    rows = [
        (f"`{one.name}`", one.default_doc, f"{one.doc.partition('. ')[0].removesuffix('.')}.")
        for one in (BY_NAME[name] for name in MOST_USED)
    ]
    return table(("setting", "default", "meaning"), rows)


def outputs_table() -> str:
    """Write the table of outputs."""
    return table(("output", "meaning"), ((f"`{name}`", doc) for name, doc in OUTPUTS.items()))


def exits_table() -> str:
    """Write the table of exit codes."""
    _refuse_gaps(EXITS, ExitCode)
    rows = [(str(code.value), meaning) for code, meaning in EXITS.items()]
    return table(("code", "meaning"), rows)


def refusals_table() -> str:
    """Write what forbids applying a plan, and what to do then."""
    _refuse_gaps(REFUSALS, RefusalCode)
    rows = [(f"`{code}`", *told) for code, told in REFUSALS.items()]
    return table(("code", "meaning", "what to do"), rows)


def codes_table(meanings: Mapping[Any, str], codes: type[Enum]) -> str:
    """Write what each code means."""
    _refuse_gaps(meanings, codes)
    return table(("code", "meaning"), ((f"`{code}`", told) for code, told in meanings.items()))


def _refuse_gaps(meanings: Mapping[Any, object], codes: type[Enum]) -> None:
    if set(meanings) != set(codes):
        gaps = ", ".join(str(code) for code in set(codes) ^ set(meanings))
        raise SystemExit(f"docs/words.py does not say what these mean: {gaps}")


def filled(text: str, contents: Mapping[str, str]) -> str:
    """Put each content between the two markers of its name."""
    for name, content in contents.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, begun, rest = text.partition(begin)
        _, ended, tail = rest.partition(end)
        if not begun or not ended:
            raise SystemExit(f"the markers of {name} are missing")
        text = f"{head}{begin}\n{content}\n{end}{tail}"
    return text


PAGES: Mapping[str, Mapping[str, str]] = {
    "README.md": {"most used settings": most_used_table()},
    "docs/settings.md": {
        "settings": settings_tables(),
        "outputs": outputs_table(),
        "exit codes": exits_table(),
    },
    "docs/scale.md": {
        "times": times_table(),
        "costs": costs_table(),
        "arithmetic": arithmetic(),
    },
    "docs/plan-format.md": {
        "keys": plan_keys_table(),
        "refusals": refusals_table(),
        "warnings": codes_table(WARNINGS, WarningCode),
        "reasons": codes_table(REASONS, ReasonCode),
    },
}


def main() -> int:
    """Write every file, or with `--check` name those that are not as written."""
    pages = {
        name: filled((ROOT / name).read_text(encoding="utf-8"), contents)
        for name, contents in PAGES.items()
    }
    files = {
        "action.yml": action_yml(),
        **pages,
        "docs/plan.schema.json": plan_schema(),
        "docs/journal.schema.json": journal_schema(),
        "docs/policy.schema.json": policy_schema(),
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
