"""References to code in Markdown: `path`, `path:name` and `path:Class.method`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_FOLDERS = r"(?:ci3|tests|tools|docs|bench|examples|\.ci|\.github)"
_REFERENCE = re.compile(
    rf"(?<![\w/.(-])(?P<path>{_FOLDERS}/[\w./-]*[\w/]|[\w.-]+\.(?:py|yml|toml))(?::(?P<name>[A-Za-z_][\w.]*\w))?"
)
_LINK_OR_ADDRESS = re.compile(r"\]\([^)]*\)|https?://\S+")


class CodeReference(NamedTuple):
    """A file or folder of the repository, and a name that it defines, or an empty string."""

    path: str
    name: str


def find_references(markdown: str) -> list[CodeReference]:
    """Return the references in a page, in code spans, in tables and in diagrams."""
    text = _LINK_OR_ADDRESS.sub("]", markdown)
    return [
        CodeReference(match["path"], match["name"] or "") for match in _REFERENCE.finditer(text)
    ]


def describe_problem(root: Path, reference: CodeReference) -> str:
    """Return the problem of a reference, or an empty string."""
    path = root / reference.path
    if not path.exists():
        return f"{reference.path} does not exist"
    if reference.name and (path.suffix != ".py" or reference.name not in list_names(path)):
        return f"{reference.path} does not define {reference.name}"
    return ""


def list_names(path: Path) -> set[str]:
    """Return the names that a module defines at its top level, and the members of its classes."""
    return set(_iter_names(ast.parse(path.read_text(encoding="utf-8")).body))


def _iter_names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield prefix + name
            case ast.ClassDef(name=name, body=members):
                yield prefix + name
                yield from _iter_names(members, f"{prefix}{name}.")
            case ast.Assign(targets=targets):
                yield from (
                    prefix + target.id for target in targets if isinstance(target, ast.Name)
                )
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name
