"""Writes what is made from the settings: action.yml, tables in the docs, JSON Schemas.

With `--check` it writes nothing and fails where a file is not as it would be written.
"""

import re
import sys
from pathlib import Path

from ci3.core.planfile import plan_schema
from ci3.definitions import Setting
from ci3.engine.journal_records import journal_schema
from ci3.policy_schema import policy_schema
from ci3.settings import SETTINGS

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = {
    "outcome": "`nothing-to-delete`, `planned`, `applied`, `partial`, `refused`, `stale-plan`, "
    "`failed`, or with `mode: doctor` `examined`.",
    "plan-id": "Names the plan: the same for the same bucket, settings and decisions.",
    "plan-file": "Where the plan was written, if it was.",
    "journal-file": "Where an apply wrote down what it deleted, if it did.",
    "deployments-found": "Deployments in the bucket before the run.",
    "deployments-kept": "Deployments that the plan keeps.",
    "deployments-to-delete": "Deployments that the plan deletes.",
    "deployments-deleted": "Deployments of which nothing is left.",
    "objects-deleted": "Objects that were deleted; with `delete-versions`, all their versions.",
    "bytes-deleted": "Their size in bytes.",
    "objects-restored": "With `mode: restore`, objects that are back.",
    "comment-url": "The comment's address, if there is one.",
    "targets": "With a policy file's targets: the other outputs for each of them, as a JSON list.",
}
BEGIN = "<!-- begin {}: written by `make docs` -->"
END = "<!-- end {} -->"


def action_yml() -> str:
    """Write action.yml whole, but for the image: that of a release is committed by the release."""
    written = (ROOT / "action.yml").read_text(encoding="utf-8")
    image = re.search(r"^  image: (.+)$", written, re.MULTILINE)
    lines = [
        "# Written by `make docs` from ci3/settings.py.",
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


def settings_table() -> str:
    """Write the README's table of settings."""
    rows = ["| setting | option | default | meaning |", "|---|---|---|---|"]
    for one in SETTINGS:
        options = ", ".join(f"`{option}`" for option in one.options) or "–"
        if one.name == "mode":
            options = "(the command)"
        doc = one.doc.replace("|", "\\|")
        rows.append(f"| `{one.name}` | {options} | {one.default_doc} | {doc} |")
    return "\n".join(rows)


def outputs_table() -> str:
    """Write the README's table of outputs."""
    rows = [f"| `{name}` | {doc} |" for name, doc in OUTPUTS.items()]
    return "\n".join(("| output | meaning |", "|---|---|", *rows))


def filled(text: str, name: str, content: str) -> str:
    """Put content between a name's two markers."""
    begin, end = BEGIN.format(name), END.format(name)
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{content}\n{end}{tail}"


def main() -> int:
    """Write every file, or with `--check` name those that are not as written."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = filled(readme, "settings", settings_table())
    readme = filled(readme, "outputs", outputs_table())
    files = {
        "action.yml": action_yml(),
        "README.md": readme,
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
