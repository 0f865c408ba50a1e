"""Mutants of a module: mutmut's, and changes of conditions that mutmut does not make.

mutmut itself changes neither properties nor module-level code, and the decision to delete is a
property. So only its operators are used, on every expression of a module.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import libcst as cst
from libcst import matchers as m
from mutmut.mutation.mutators import mutation_operators

_SKIPPED = (
    m.Annotation()
    | m.Decorator()
    | m.Import()
    | m.ImportFrom()
    | m.Assign(value=m.Call(func=m.Name("TypeVar")))
    | m.Expr(value=m.SimpleString())
    | m.Assign(value=m.Subscript())  # a type alias
)
_SWAPPED_FUNCTIONS = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one change: the changed lines before and after, without indentation.

    With `is_in_body`, only the code of `function` differs, such as `Gate.approve_rule`.
    """

    path: str
    function: str
    is_in_body: bool
    before: str
    after: str
    source: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The mutant's identity, which does not depend on line numbers."""
        return self.path, self.function, self.before, self.after


def make_mutants(path: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines, each change once."""
    module = cst.parse_module(source)
    sources = {source}
    end = 0
    for statement in module.body:
        text = module.code_for_node(statement)
        start = source.index(text, end)
        end = start + len(text)
        for function, is_in_body, node in _walk(statement, ""):
            for mutated in _mutate(node):
                changed = module.code_for_node(statement.deep_replace(node, mutated))
                code = f"{source[:start]}{changed}{source[end:]}"
                if code not in sources:
                    sources.add(code)
                    before, after = _changed_lines(source, code)
                    yield Mutant(
                        path=path,
                        function=function or "module",
                        is_in_body=is_in_body,
                        before=before,
                        after=after,
                        source=code,
                    )


def _walk(
    node: cst.CSTNode, name: str, *, is_in_body: bool = False
) -> Iterator[tuple[str, bool, cst.CSTNode]]:
    """Yield the nodes that may be mutated: with the class and function, not nested functions."""
    if m.matches(node, _SKIPPED) or _is_prose(node):
        return
    is_function = isinstance(node, cst.FunctionDef)
    if isinstance(node, cst.ClassDef | cst.FunctionDef) and not is_in_body:
        name = f"{name}.{node.name.value}".removeprefix(".")
    yield name, is_in_body, node
    for child in node.children:
        is_body = is_function and child is node.body
        yield from _walk(child, name, is_in_body=is_in_body or is_body)


def _is_prose(node: cst.CSTNode | None) -> bool:
    """Return True for words of a message: golden files compare those, not tests of decisions."""
    if isinstance(node, cst.ConcatenatedString):
        return _is_prose(node.left) or _is_prose(node.right)
    if isinstance(node, cst.FormattedString):
        return any(_is_prose(part) for part in node.parts)
    return isinstance(node, cst.SimpleString | cst.FormattedStringText) and " " in node.value


def _mutate(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.Assign | cst.AnnAssign) and _is_prose(node.value):
        return
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            for mutated in operator(node):
                if not _has_pointless_argument(node, mutated):
                    yield mutated
    yield from _mutate_condition(node)


def _has_pointless_argument(node: cst.CSTNode, mutated: cst.CSTNode) -> bool:
    """Return True for a call without one of its arguments, or without the words of a message.

    Most calls without an argument fail wherever they are made. `init=None` is `init=False`.
    """
    if not isinstance(node, cst.Call) or not isinstance(mutated, cst.Call):
        return False
    if len(mutated.args) < len(node.args):
        return True
    pairs = zip(node.args, mutated.args, strict=True)
    return any(
        before is not after
        and (_is_prose(before.value) or m.matches(after, m.Arg(m.Name("None"), m.Name("init"))))
        for before, after in pairs
    )


def _mutate_condition(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    """Yield negated conditions, comprehensions without filters, and each side of `and` and `or`."""
    if isinstance(node, cst.If | cst.While | cst.CompIf):
        yield node.with_changes(test=_negate(node.test))
    if isinstance(node, cst.CompFor) and node.ifs:
        yield node.with_changes(ifs=())
    if isinstance(node, cst.BooleanOperation):
        for side in (node.left, node.right):  # in its parentheses, for the lines that they join
            yield side.with_changes(lpar=[*node.lpar, *side.lpar], rpar=[*side.rpar, *node.rpar])
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
        swapped = _SWAPPED_FUNCTIONS.get(node.func.value)
        if swapped is not None:
            yield node.with_changes(func=cst.Name(swapped))


def _negate(test: cst.BaseExpression) -> cst.BaseExpression:
    if not test.lpar:
        test = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.UnaryOperation(operator=cst.Not(), expression=test)


def _changed_lines(source: str, code: str) -> tuple[str, str]:
    """Return the lines that differ, joined: a mutant has only one change."""
    before, after = source.splitlines(), code.splitlines()
    start = _count_equal(before, after)
    end = _count_equal(before[start:][::-1], after[start:][::-1])
    return _join(before[start : len(before) - end]), _join(after[start : len(after) - end])


def _count_equal(left: Sequence[str], right: Sequence[str]) -> int:
    """Count the equal items at the start."""
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _join(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines)
