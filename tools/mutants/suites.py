"""The mutated modules, and the tests that must detect their mutants."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_PIPELINE = "tests/integration/pipeline"
_FAULTS = "tests/integration/faults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Modules, or packages with all their modules, and the tests of their behavior."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    sample_size: int | None = None

    @property
    def modules(self) -> Sequence[str]:
        """The paths of the modules, from the repository's root."""
        return [module for source in self.sources for module in _list_modules(source)]


def _list_modules(source: str) -> Iterator[str]:
    if source.endswith(".py"):
        yield source
    else:
        for path in sorted((ROOT / source).glob("*.py")):
            if path.name != "__init__.py":
                yield path.relative_to(ROOT).as_posix()


SUITES = (
    Suite(sources=("ci3/core/retention",), tests=("tests/unit/core/retention",)),
    Suite(sources=("ci3/engine/gate.py",), tests=("tests/unit/engine/test_gate.py",)),
    Suite(
        sources=("ci3/engine/deletion",),
        tests=(
            "tests/unit/engine/deletion",
            f"{_PIPELINE}/test_asked_once.py",
            f"{_PIPELINE}/test_concurrency.py",
            f"{_PIPELINE}/test_direct_deletion.py",
            f"{_PIPELINE}/test_gate_is_asked.py",
            f"{_PIPELINE}/test_in_progress.py",
            f"{_PIPELINE}/test_throttling.py",
            f"{_PIPELINE}/test_timeout.py",
            f"{_PIPELINE}/versions",
            f"{_FAULTS}/test_answers.py",
            f"{_FAULTS}/test_changed_keys.py",
            f"{_FAULTS}/test_changes.py",
            f"{_FAULTS}/test_interrupts.py",
            f"{_FAULTS}/test_journal_first.py",
            f"{_FAULTS}/test_live_moves.py",
            f"{_FAULTS}/test_live_moves_elsewhere.py",
            f"{_FAULTS}/test_other_writers.py",
            f"{_FAULTS}/test_required_file.py",
            f"{_FAULTS}/test_throttled.py",
            f"{_FAULTS}/test_without_conditions.py",
            f"{_FAULTS}/test_wrong_answers.py",
        ),
        sample_size=100,
    ),
)
