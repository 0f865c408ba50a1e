"""Run the tests against each mutant: `python -m tools.mutants [MODULE…]`.

Prints every mutant that no test detects and that `equivalent.txt` does not explain. Fails if there
is one, or if a test detects a listed mutant, which is then not equivalent.
"""

import random
import sys
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from tools.mutants.equivalence import EQUIVALENT_MUTANTS, read_equivalent_mutants
from tools.mutants.operators import Mutant, make_mutants
from tools.mutants.runner import TestProcess, import_libraries
from tools.mutants.suites import SUITES, Suite

_SEED = 0


@dataclass(slots=True, kw_only=True)
class _Counts:
    mutants: int = 0
    detected: int = 0
    equivalent: int = 0
    undetected: int = 0
    wrongly_listed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.mutants} mutants, {self.detected} detected, {self.equivalent} equivalent, "
            f"{self.undetected} undetected, {self.wrongly_listed} wrongly listed as equivalent"
        )


def main(modules: Set[str]) -> int:
    """Print a line for each undetected mutant and each module; return the exit code."""
    listed = read_equivalent_mutants(EQUIVALENT_MUTANTS.read_text("utf-8"))
    suites = [suite for suite in SUITES if not modules or modules & set(suite.modules)]
    import_libraries([test for suite in suites for test in suite.tests])
    is_passed = True
    for suite in suites:
        for path, mutants in _mutants_of(suite).items():
            if not modules or path in modules:
                counts = _test_module(path, mutants, suite, listed)
                is_passed = is_passed and not counts.undetected and not counts.wrongly_listed
                print(f"{path}: {counts}", flush=True)
    return 0 if is_passed else 1


def _mutants_of(suite: Suite) -> dict[str, list[Mutant]]:
    """Return the mutants of each module, or the sample of them that the suite asks for."""
    mutants = [
        mutant
        for path in suite.modules
        for mutant in make_mutants(path, Path(path).read_text("utf-8"))
    ]
    if suite.sample_size is not None:
        mutants = random.Random(_SEED).sample(mutants, suite.sample_size)  # noqa: S311 - no secret
    paths = sorted({mutant.path for mutant in mutants})
    return {path: [mutant for mutant in mutants if mutant.path == path] for path in paths}


def _test_module(
    path: str, mutants: Sequence[Mutant], suite: Suite, listed: Collection[tuple[str, ...]]
) -> _Counts:
    counts = _Counts(mutants=len(mutants))
    for mutant, is_detected in _test_mutants(mutants, suite, listed):
        counts.detected += is_detected
        if mutant.key in listed:
            counts.equivalent += not is_detected
            counts.wrongly_listed += is_detected
        else:
            counts.undetected += not is_detected
        if is_detected is (mutant.key in listed):
            problem = "is detected, but listed" if is_detected else "is not detected"
            print(f"{path} {mutant.function}\n- {mutant.before}\n+ {mutant.after}\n{problem}\n")
            sys.stdout.flush()
    return counts


def _test_mutants(
    mutants: Sequence[Mutant], suite: Suite, listed: Collection[tuple[str, ...]]
) -> Iterator[tuple[Mutant, bool]]:
    """Yield whether a test detects each mutant; the slow tests run only if they may matter."""
    tests = TestProcess(suite.tests)
    slow_tests = TestProcess(suite.slow_tests) if suite.slow_tests else None
    for mutant in mutants:
        is_detected = tests.detects(mutant)
        if not is_detected and slow_tests is not None and mutant.key not in listed:
            is_detected = slow_tests.detects(mutant)
        yield mutant, is_detected
    tests.end()
    if slow_tests is not None:
        slow_tests.end()


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
