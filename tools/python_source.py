"""Reads a Python file for the style checks: the names it defines, its comments and docstrings."""

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.Module | ast.ClassDef | Function
_Binding = ast.expr | ast.arg | ast.excepthandler | ast.pattern | ast.alias

_COMMAND_DECORATORS = ("command", "group")


class NameKind(StrEnum):
    """What a name is given to."""

    MODULE = "module"
    CALLABLE = "callable"
    VARIABLE = "variable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name that the file defines."""

    line: int
    text: str
    kind: NameKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A comment or docstring; its text may have several lines, of which `line` is the first."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonSource:
    """A parsed file; `path` is relative to the root of the repository."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, text: str) -> Self:
        """Parse the text of a file; raises SyntaxError."""
        return cls(path=path, text=text, tree=ast.parse(text))

    @classmethod
    def read(cls, root: Path, path: Path) -> Self:
        """Read and parse a file below `root`; raises OSError and SyntaxError."""
        return cls.parse(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))

    def names(self) -> Iterator[Name]:
        """Yield every name that the file defines, starting with that of the module or package."""
        path = Path(self.path)
        own_name = path.parent.name if path.name == "__init__.py" else path.stem
        yield Name(line=1, text=own_name, kind=NameKind.MODULE)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef | Function):
                yield Name(line=node.lineno, text=node.name, kind=NameKind.CALLABLE)
            elif isinstance(node, _Binding) and (name := _bound_name(node)):
                yield Name(line=node.lineno, text=name, kind=NameKind.VARIABLE)

    def functions(self) -> Iterator[Function]:
        """Yield every function and method, nested ones included."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def docstrings(self) -> Iterator[Prose]:
        """Yield the docstrings of modules, classes and functions, without those of commands.

        The docstring of a click command is its help text.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, Definition) and not is_command(node):
                first = node.body[0] if node.body else None
                if isinstance(first, ast.Expr) and (text := _string(first.value)):
                    yield Prose(line=first.lineno, text=text)

    def prose(self) -> Iterator[Prose]:
        """Yield comments, docstrings and the strings that document a variable."""
        yield from self.comments()
        help_texts = {
            id(node.body[0])
            for node in ast.walk(self.tree)
            if isinstance(node, Function) and is_command(node)
        }
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Expr) or id(node) in help_texts:
                continue
            if text := _string(node.value):
                yield Prose(line=node.lineno, text=text)

    def comments(self) -> Iterator[Prose]:
        """Yield comments; lines directly below each other in one column are one comment."""
        block: list[tokenize.TokenInfo] = []
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type != tokenize.COMMENT:
                continue
            (line, column), previous = token.start, block[-1].start if block else None
            if previous is not None and previous != (line - 1, column):
                yield _join_comment(block)
                block = []
            block.append(token)
        if block:
            yield _join_comment(block)


def is_command(node: Definition) -> bool:
    """Return whether a definition is a click command or group, by its decorators."""
    return isinstance(node, Function) and any(
        _last_name(decorator).endswith(_COMMAND_DECORATORS) for decorator in node.decorator_list
    )


def _last_name(decorator: ast.expr) -> str:
    if isinstance(decorator, ast.Call):
        return _last_name(decorator.func)
    if isinstance(decorator, ast.Attribute):
        return decorator.attr
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _bound_name(node: _Binding) -> str | None:
    """Return the variable, parameter, attribute or import alias that a node defines, if any."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return name
        case ast.arg(arg=name) | ast.alias(asname=name) | ast.ExceptHandler(name=name):
            return name
        case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
            return name
        case _:
            return None


def _string(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case _:
            return ""


def _join_comment(block: Sequence[tokenize.TokenInfo]) -> Prose:
    return Prose(
        line=block[0].start[0],
        text="\n".join(token.string.removeprefix("#").strip() for token in block),
    )
