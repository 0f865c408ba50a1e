"""Test runs, each in a fork of a process that has imported the libraries but no code of ci3."""

import gc
import os
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from inspect import getattr_static
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from resource import RLIMIT_AS, setrlimit
from tempfile import TemporaryDirectory
from types import CodeType, ModuleType
from typing import Any

import pytest

from tools.mutants.operators import Mutant

_FORK = get_context("fork")
_REIMPORTED = ("ci3", "tests")
_BASELINE_TIMEOUT_SECONDS = 3600
_TIMEOUT_FACTOR = 5
_TIMEOUT_EXTRA_SECONDS = 20
_MEMORY_LIMIT_BYTES = 4 * 1024**3
_OPTIONS = ("-pno:cacheprovider", "--assert=plain")


class _MutatedSource(SourceFileLoader):
    """Compiles the given source instead of the file, and caches no bytecode of it."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the base class's
        """Return the code of the given source."""
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _MutatedModuleFinder(MetaPathFinder):
    """Finds one module, to be loaded from the given source."""

    def __init__(self, path: str, source: str) -> None:
        self._name = _module_name(path)
        self._loader = _MutatedSource(self._name, path, source)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the base class's
        target: ModuleType | None = None,  # noqa: ARG002 - the base class's
    ) -> ModuleSpec | None:
        """Return the mutated module's spec, or None for any other module."""
        return spec_from_loader(fullname, self._loader) if fullname == self._name else None


def _module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def import_libraries(tests: Sequence[str]) -> None:
    """Import what the tests import, then forget the modules that may be mutated or use those."""
    pytest.main([*_OPTIONS, "--collect-only", "-qqq", *tests])
    for name in list(sys.modules):
        if name.partition(".")[0] in _REIMPORTED:
            del sys.modules[name]
    gc.collect()
    gc.freeze()


class TestProcess:
    """A process that has collected tests and runs them against each mutant in a fork of itself.

    A mutant of a function's body takes the place of that function's code. Any other mutant needs
    the module to be imported again, in a new process.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._connection, remote = _FORK.Pipe()
        _FORK.Process(target=_serve, args=(self._connection, remote, arguments)).start()
        remote.close()
        start = time.monotonic()
        if self._fails_in_fork(None, timeout=_BASELINE_TIMEOUT_SECONDS):
            raise ValueError(f"the tests fail without a mutant: pytest {' '.join(arguments)}")
        self._timeout = _TIMEOUT_EXTRA_SECONDS + _TIMEOUT_FACTOR * (time.monotonic() - start)

    def detects(self, mutant: Mutant) -> bool:
        """Return True if a test fails, or does not end in time."""
        if mutant.is_in_body:
            return self._fails_in_fork(mutant, self._timeout)
        process = _FORK.Process(target=_import_and_test, args=(mutant, self._arguments))
        process.start()
        process.join(self._timeout)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode != 0

    def end(self) -> None:
        """Let the process end."""
        self._connection.close()

    def _fails_in_fork(self, mutant: Mutant | None, timeout: float) -> bool:
        self._connection.send((mutant, timeout))
        return bool(self._connection.recv())


def _serve(parent: Connection, connection: Connection, arguments: Sequence[str]) -> None:
    parent.close()  # the loop ends once no process has this end open
    _run_pytest(arguments, _MutantLoop(connection))


def _import_and_test(mutant: Mutant, arguments: Sequence[str]) -> None:
    sys.meta_path.insert(0, _MutatedModuleFinder(mutant.path, mutant.source))
    os._exit(_run_pytest(arguments))


def _run_pytest(arguments: Sequence[str], *plugins: object) -> int:
    setrlimit(RLIMIT_AS, (_MEMORY_LIMIT_BYTES, _MEMORY_LIMIT_BYTES))  # endless loops may allocate
    output = os.open(os.devnull, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    with TemporaryDirectory() as folder:
        options = (*_OPTIONS, f"--basetemp={folder}/tests", "-x", "-q")
        return pytest.main([*options, *arguments], plugins=plugins)


class _MutantLoop:
    """Plugin that runs the collected tests once for each mutant that it receives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer each mutant with True if a test fails, until the parent ends."""
        while True:
            try:
                mutant, timeout = self._connection.recv()
            except EOFError:
                return True
            self._connection.send(self._fails(session, mutant, timeout))

    def _fails(self, session: pytest.Session, mutant: Mutant | None, timeout: float) -> bool:
        process = _FORK.Process(target=_run_collected, args=(session, mutant))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode != 0


def _run_collected(session: pytest.Session, mutant: Mutant | None) -> None:
    if mutant is not None:
        _replace_code(mutant)
    for item, next_item in pairwise((*session.items, None)):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
        if session.testsfailed:
            os._exit(1)
    os._exit(0)


def _replace_code(mutant: Mutant) -> None:
    """Replace the code of the mutated function: every name that refers to it is affected."""
    code = compile(mutant.source, mutant.path, "exec", dont_inherit=True)
    function: Any = sys.modules[_module_name(mutant.path)]
    for name in mutant.function.split("."):
        codes = [value for value in code.co_consts if isinstance(value, CodeType)]
        code = next(value for value in codes if value.co_name == name)
        function = getattr_static(function, name)
    if isinstance(function, property):
        function = function.fget
    if isinstance(function, classmethod | staticmethod):
        function = function.__func__
    function.__code__ = code
