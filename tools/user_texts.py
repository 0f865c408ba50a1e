"""Texts that users read: docs, examples, the action's definition, help, and expected output."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from ci3.cli.main import _cli

FILES = (
    "*.md",
    "action.yml",
    "docs/*.md",
    "examples/*",
    "bench/*.md",
    "python/*.yml",
    ".github/**/*.md",
    ".github/**/*.yml",
    "tests/**/goldens/*.txt",
    "tests/**/goldens/*.md",
)
"""Patterns of the files, relative to the repository; golden files have the expected output."""

_GOLDEN_HEADER = re.compile(r"^(=== test_.* ===|\[.*\])$", re.MULTILINE)
"""Headers of sections in golden files: names of tests and cases, which users do not read."""
_CODE_FENCE = re.compile(r"^ *```\w*$", re.MULTILINE)


def read_user_texts(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and text of each file, without lines that are not text for users.

    These lines are empty, so that line numbers are those of the file.
    """
    paths = {path for pattern in FILES for path in root.glob(pattern)}
    for path in sorted(paths):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        if path.parent.name == "goldens":
            text = _GOLDEN_HEADER.sub("", text)
        yield name, _CODE_FENCE.sub("", text)


def read_help_texts() -> Iterator[tuple[str, str]]:
    """Yield each `--help` of the command line, and its text."""
    with click.Context(_cli, info_name="ci3") as context:
        yield "ci3 --help", _cli.get_help(context)
        for name in _cli.list_commands(context):
            _, command, _ = _cli.resolve_command(context, [name])
            if command is not None:
                with click.Context(command, info_name=name, parent=context) as command_context:
                    yield f"ci3 {name} --help", command.get_help(command_context)
