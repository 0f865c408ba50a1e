"""Run the tests against each mutant: `python -m tools.mutants [MODULE…]`.

Prints every mutant that no test detects and that `equivalent.txt` does not explain. Fails if there
is one, or if a test detects a listed mutant, which is then not equivalent.
"""

import random
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

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

    def __iadd__(self, other: "_Counts") -> Self:
        self.mutants += other.mutants
        self.detected += other.detected
        self.equivalent += other.equivalent
        self.undetected += other.undetected
        self.wrongly_listed += other.wrongly_listed
        return self

    def __str__(self) -> str:
        return (
            f"{self.mutants} mutants, {self.detected} detected, {self.equivalent} equivalent, "
            f"{self.undetected} undetected, {self.wrongly_listed} wrongly listed as equivalent"
        )


def main(selected: Sequence[str]) -> int:
    """Print each undetected mutant, and a line for each module and suite; return the exit code.

    `selected` are modules or packages, without which all are tested.
    """
    listed = read_equivalent_mutants(EQUIVALENT_MUTANTS.read_text("utf-8"))
    suites = {
        suite: paths
        for suite in SUITES
        if (paths := [path for path in suite.modules if _is_selected(path, selected)])
    }
    if not suites:
        raise SystemExit(f"no suite has {' or '.join(selected)}")
    import_libraries([test for suite in suites for test in suite.tests])
    is_passed = True
    for suite, paths in suites.items():
        with closing(TestProcess(suite.tests, suite.modules)) as tests:
            mutants, total = _mutants_of(suite), _Counts()
            for path in paths:
                counts = _test_module(mutants[path], tests, listed)
                total += counts
                print(f"{path}: {counts}", flush=True)
            if len(paths) > 1:
                print(f"{', '.join(suite.sources)}: {total}\n", flush=True)
        is_passed = is_passed and not total.undetected and not total.wrongly_listed
    return 0 if is_passed else 1


def _is_selected(path: str, selected: Sequence[str]) -> bool:
    return not selected or any(Path(path).is_relative_to(source) for source in selected)


def _mutants_of(suite: Suite) -> dict[str, list[Mutant]]:
    """Return the mutants of each module, or the sample of them that the suite asks for."""
    mutants = [
        mutant
        for path in suite.modules
        for mutant in make_mutants(path, Path(path).read_text("utf-8"))
    ]
    if suite.sample_size is not None:
        mutants = random.Random(_SEED).sample(mutants, suite.sample_size)  # noqa: S311 - no secret
    return {path: [mutant for mutant in mutants if mutant.path == path] for path in suite.modules}


def _test_module(
    mutants: Iterable[Mutant], tests: TestProcess, listed: Collection[tuple[str, ...]]
) -> _Counts:
    counts = _Counts()
    for mutant in mutants:
        is_listed, is_detected = mutant.key in listed, tests.detects(mutant)
        counts.mutants += 1
        counts.detected += is_detected
        counts.equivalent += is_listed and not is_detected
        counts.undetected += not is_listed and not is_detected
        counts.wrongly_listed += is_listed and is_detected
        if is_detected is is_listed:
            problem = "is detected, but listed" if is_detected else "is not detected"
            print(f"{mutant.path} {mutant.function}")
            print(f"- {mutant.before}\n+ {mutant.after}\n{problem}\n", flush=True)
    return counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
