"""Limits on the code: sizes of modules and functions, and first words of docstrings."""

from collections.abc import Iterable, Iterator, Sequence

from tools.python_source import PythonSource

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
"""Lines of a function from `def` to its end, docstring included, decorators not."""
MAX_OPENING_SHARE = 0.03
"""Share of the docstrings that may open with one of OPENINGS."""
OPENINGS = ("Say", "Tell", "Give", "Whether", "What", "Which", "Let", "Be")
"""First words of docstrings that are not the imperative that PEP 257 asks for, or are vague."""


def find_large_modules(sources: Iterable[PythonSource], limit: int) -> Iterator[str]:
    """Yield a message for each module that has more lines than `limit`."""
    for source in sources:
        lines = len(source.text.splitlines())
        if lines > limit:
            yield f"{source.path}:1: the module has {lines} lines; the limit is {limit}"


def find_large_functions(sources: Iterable[PythonSource], limit: int) -> Iterator[str]:
    """Yield a message for each function that has more lines than `limit`."""
    for source in sources:
        for function in source.functions():
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > limit:
                location = f"{source.path}:{function.lineno}"
                yield f"{location}: {function.name} has {lines} lines; the limit is {limit}"


def count_docstrings(sources: Iterable[PythonSource]) -> int:
    """Count the docstrings of modules, classes and functions, without those of commands."""
    return sum(1 for source in sources for _ in source.docstrings())


def find_openings(sources: Iterable[PythonSource]) -> Sequence[str]:
    """Return a message for each docstring that opens with one of OPENINGS."""
    messages = []
    for source in sources:
        for docstring in source.docstrings():
            first = docstring.text.split(maxsplit=1)[0].rstrip(",.:;") if docstring.text else ""
            if first in OPENINGS:
                location = f"{source.path}:{docstring.line}"
                messages.append(f'{location}: the docstring opens with "{first}"')
    return messages
