"""Test runs, each in a fork of a process that has imported the libraries but no code of ci3."""

import gc
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from inspect import getattr_static, unwrap
from io import StringIO
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from resource import RLIMIT_AS, setrlimit
from signal import ITIMER_PROF, ITIMER_REAL, setitimer
from tempfile import TemporaryDirectory
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.support import hypothesis_profile  # noqa: F401 - registers the parent profile
from tools.mutants.operators import Mutant

_FORK = get_context("fork")
_REIMPORTED = ("ci3", "tests")
_MIN_CPU_SECONDS = 5
_MIN_SECONDS = 60
_TIMEOUT_FACTOR = 10
_MEMORY_LIMIT_BYTES = 4 * 1024**3
_NOT_REPLACED = 70
_TOOL_FAILURES = (_NOT_REPLACED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED)
_OPTIONS = ("-pno:cacheprovider", "--assert=plain", "--hypothesis-profile=mutants")

settings.register_profile(
    "mutants",
    parent=settings.get_profile("ci3"),
    phases=set(Phase) - {Phase.shrink, Phase.explain},  # the first failure is enough
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TestRecord:
    """The time of a test without a mutant, and the functions that it called: path and name."""

    seconds: float
    calls: frozenset[tuple[str, str]]


_Records = Mapping[str, _TestRecord]


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
    """Import what the tests import, then unload the modules that may be mutated or use those."""
    with redirect_stdout(StringIO()):
        pytest.main([*_OPTIONS, "--collect-only", "-qqq", *tests])
    for name in list(sys.modules):
        if name.partition(".")[0] in _REIMPORTED:
            del sys.modules[name]
    gc.collect()
    gc.freeze()


class TestProcess:
    """A process that has collected tests and runs them against each mutant in a fork of itself.

    A mutant of a function's body takes the place of that function's code. Any other mutant needs
    the module to be imported again, in a new process. The fastest tests run first, and of a
    function's mutant only those that call the function.
    """

    def __init__(self, tests: Sequence[str], modules: Sequence[str]) -> None:
        self._tests = tests
        self._connection, remote = _FORK.Pipe()
        _FORK.Process(target=_serve, args=(self._connection, remote, tests, modules)).start()
        remote.close()
        self._records: _Records | None = self._connection.recv()
        if self._records is None:
            raise ValueError(f"the tests fail without a mutant: pytest {' '.join(tests)}")

    def detects(self, mutant: Mutant) -> bool:
        """Return True if a test fails, or does not end in time."""
        if mutant.is_in_body:
            self._connection.send(mutant)
            exit_code = self._connection.recv()
        else:
            process = _FORK.Process(
                target=_import_and_test, args=(mutant, self._tests, self._records)
            )
            process.start()
            process.join()
            exit_code = process.exitcode
        if exit_code in _TOOL_FAILURES:
            raise ValueError(f"cannot test {mutant.path} {mutant.function}: + {mutant.after}")
        return bool(exit_code)

    def close(self) -> None:
        """Close the connection: the process then ends."""
        self._connection.close()


def _serve(
    parent: Connection, connection: Connection, tests: Sequence[str], modules: Sequence[str]
) -> None:
    parent.close()  # the loop ends once no process has this end open
    _run_pytest(tests, _MutantLoop(connection, modules))


def _import_and_test(mutant: Mutant, tests: Sequence[str], records: _Records) -> None:
    sys.meta_path.insert(0, _MutatedModuleFinder(mutant.path, mutant.source))
    setitimer(ITIMER_PROF, _MIN_SECONDS)  # for the import; each test has its own limit
    os._exit(_run_pytest(tests, _TimeLimits(records)))


def _run_pytest(tests: Sequence[str], *plugins: object) -> int:
    setrlimit(RLIMIT_AS, (_MEMORY_LIMIT_BYTES, _MEMORY_LIMIT_BYTES))  # endless loops may allocate
    output = os.open(os.devnull, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    with TemporaryDirectory() as folder:
        options = (*_OPTIONS, f"--basetemp={folder}/tests", "-x", "-q")
        return pytest.main([*options, *tests], plugins=plugins)


class _TimeLimits:
    """Plugin that runs the fastest tests first and kills the process if one takes too long."""

    def __init__(self, records: _Records) -> None:
        self.records = records

    @pytest.hookimpl(trylast=True)  # after those that drop tests
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests, fastest first."""
        if self.records:
            items.sort(key=lambda item: self._seconds_of(item.nodeid))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Set the limits of a test: the default action of both signals ends the process."""
        if self.records:
            seconds = _TIMEOUT_FACTOR * self._seconds_of(nodeid)
            setitimer(ITIMER_PROF, _MIN_CPU_SECONDS + seconds)
            setitimer(ITIMER_REAL, _MIN_SECONDS + seconds)

    def _seconds_of(self, nodeid: str) -> float:
        """Return a test's time, or the longest time for a test whose name has changed.

        A mutated constant can be a parameter of a test, and so a part of its name.
        """
        record = self.records.get(nodeid)
        seconds = (record.seconds for record in self.records.values())
        return max(seconds) if record is None else record.seconds


class _MutantLoop(_TimeLimits):
    """Plugin that runs the collected tests once for each mutant that it receives."""

    def __init__(self, connection: Connection, paths: Sequence[str]) -> None:
        super().__init__({})
        self._connection = connection
        self._paths = paths

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Send the tests' records, then answer each mutant with an exit code, until the end."""
        records = self._record_tests(session)
        self._connection.send(records)
        if records is None:
            return True
        self.records = records
        while True:
            try:
                mutant: Mutant = self._connection.recv()
            except EOFError:
                return True
            process = _FORK.Process(target=_test_in_fork, args=(session, mutant, records))
            process.start()
            process.join()
            self._connection.send(process.exitcode)

    def _record_tests(self, session: pytest.Session) -> _Records | None:
        """Return the records of all tests, or None if one fails; no test runs in this process."""
        receiver, sender = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=_record_in_fork, args=(session, self._paths, sender))
        process.start()
        sender.close()
        try:
            records: _Records = receiver.recv()
        except EOFError:
            return None
        process.join()
        return records


def _record_in_fork(session: pytest.Session, paths: Sequence[str], sender: Connection) -> None:
    modules = {path: import_module(_module_name(path)) for path in paths}
    path_of = {module.__file__: path for path, module in modules.items()}
    calls: set[tuple[str, str]] = set()

    def record_call(frame: FrameType, event: str, _: object) -> None:
        path = path_of.get(frame.f_code.co_filename)
        if path is not None and event == "call":
            calls.add((path, frame.f_code.co_qualname))

    records = {}
    threading.setprofile(record_call)
    sys.setprofile(record_call)
    for item, next_item in zip(session.items, (*session.items[1:], None), strict=True):
        _clear_caches(modules.values())
        calls.clear()
        start = time.monotonic()
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
        records[item.nodeid] = _TestRecord(seconds=time.monotonic() - start, calls=frozenset(calls))
        if session.testsfailed:
            os._exit(1)
    sender.send(records)
    os._exit(0)


def _clear_caches(modules: Iterable[ModuleType]) -> None:
    """Clear the caches of functions, so that each test calls all that it depends on."""
    for module in modules:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def _test_in_fork(session: pytest.Session, mutant: Mutant, records: _Records) -> None:
    try:
        _replace_code(mutant)
    except Exception:  # noqa: BLE001 - any failure would pass for a failed test
        os._exit(_NOT_REPLACED)
    call = mutant.path, mutant.function
    callers = [item for item in session.items if call in records[item.nodeid].calls]
    # A function that no test calls may be called in another process.
    items = sorted(callers or session.items, key=lambda item: records[item.nodeid].seconds)
    for item, next_item in pairwise((*items, None)):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
        if session.testsfailed:
            os._exit(1)
    os._exit(0)


def _replace_code(mutant: Mutant) -> None:
    """Replace the code of the mutated function: every name that refers to it is affected."""
    code = compile(mutant.source, mutant.path, "exec", dont_inherit=True)
    function: Any = import_module(_module_name(mutant.path))
    for name in mutant.function.split("."):
        codes = [value for value in code.co_consts if isinstance(value, CodeType)]
        code = next(value for value in codes if value.co_name == name)
        function = getattr_static(function, name)
    if isinstance(function, property):
        function = function.fget
    if isinstance(function, classmethod | staticmethod):
        function = function.__func__
    unwrap(function).__code__ = code  # such as the function in a cache
