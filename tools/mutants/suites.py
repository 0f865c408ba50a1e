"""What is mutated, and the tests that must detect it."""

from collections.abc import Sequence
from dataclasses import dataclass

_RETENTION = "tests/unit/core/retention"
_PIPELINE = "tests/integration/pipeline"
_FAULTS = "tests/integration/faults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Modules with the tests of their behavior; `slow_tests` run for undetected mutants only."""

    modules: Sequence[str]
    tests: Sequence[str]
    slow_tests: Sequence[str] = ()
    sample_size: int | None = None


SUITES = (
    Suite(
        modules=[
            "ci3/core/retention/age_order.py",
            "ci3/core/retention/count_rule.py",
            "ci3/core/retention/decide.py",
            "ci3/core/retention/evaluation.py",
            "ci3/core/retention/groups.py",
            "ci3/core/retention/newest_pins.py",
        ],
        tests=[
            f"{_RETENTION}/test_age_order.py",
            f"{_RETENTION}/test_evaluation.py",
            f"{_RETENTION}/test_decide.py",
            f"{_RETENTION}/test_decide_rules.py",
            f"{_RETENTION}/test_decide_groups.py",
            f"{_RETENTION}/test_decide_pins.py",
            f"{_RETENTION}/test_decide_references.py",
            f"{_RETENTION}/test_explain.py",
            f"{_RETENTION}/test_decide_reference.py::test_decisions_are_those_of_the_obvious_reading",
        ],
        slow_tests=[_RETENTION],
    ),
    Suite(
        modules=["ci3/core/live/pins.py", "ci3/core/live/references.py"],
        tests=["tests/unit/core/live/test_pins.py", "tests/unit/core/live/test_references.py"],
        slow_tests=[f"{_RETENTION}/test_reference_worlds.py"],
    ),
    Suite(
        modules=["ci3/core/retention/name_order.py"],
        tests=[f"{_RETENTION}/test_name_order.py"],
        slow_tests=[f"{_RETENTION}/test_decide_reference.py"],
    ),
    Suite(
        modules=["ci3/core/retention/evidence.py"],
        tests=[f"{_RETENTION}/test_evidence.py"],
    ),
    Suite(
        modules=["ci3/core/retention/explain.py"],
        tests=[f"{_RETENTION}/test_explain.py"],
    ),
    Suite(
        modules=["ci3/core/retention/in_progress.py"],
        tests=[f"{_RETENTION}/test_in_progress.py"],
    ),
    Suite(
        modules=["ci3/core/retention/rollback.py"],
        tests=[f"{_RETENTION}/test_rollback.py"],
    ),
    Suite(
        modules=["ci3/core/retention/simulate.py"],
        tests=[
            f"{_RETENTION}/test_simulate.py",
            "--deselect",
            f"{_RETENTION}/test_simulate.py::test_moments_are_fewer_where_each_costs_many_decisions",
        ],
        slow_tests=[f"{_RETENTION}/test_simulate.py"],
    ),
    Suite(modules=["ci3/engine/gate.py"], tests=["tests/unit/engine/test_gate.py"]),
    Suite(
        modules=[
            "ci3/engine/deletion/listing_ahead.py",
            "ci3/engine/deletion/object_sender.py",
            "ci3/engine/deletion/objects.py",
            "ci3/engine/deletion/refresh.py",
            "ci3/engine/deletion/scheduler.py",
            "ci3/engine/deletion/sender.py",
            "ci3/engine/deletion/tally.py",
            "ci3/engine/deletion/uploads.py",
            "ci3/engine/deletion/version_sender.py",
            "ci3/engine/deletion/versions.py",
        ],
        tests=[
            "tests/unit/engine/deletion",
            f"{_PIPELINE}/test_gate_is_asked.py",
            f"{_PIPELINE}/test_direct_deletion.py",
            f"{_PIPELINE}/versions/test_deletion.py",
            f"{_PIPELINE}/versions/test_changes.py",
            f"{_FAULTS}/test_answers.py",
            f"{_FAULTS}/test_changes.py",
            "--deselect",
            f"{_PIPELINE}/versions/test_deletion.py::test_more_versions_than_fit_in_a_batch_go",
        ],
        slow_tests=[
            f"{_PIPELINE}/versions",
            f"{_PIPELINE}/test_asked_once.py",
            f"{_PIPELINE}/test_concurrency.py",
            f"{_PIPELINE}/test_in_progress.py",
            f"{_PIPELINE}/test_throttling.py",
            f"{_PIPELINE}/test_timeout.py",
            f"{_FAULTS}/test_changed_keys.py",
            f"{_FAULTS}/test_interrupts.py",
            f"{_FAULTS}/test_journal_first.py",
            f"{_FAULTS}/test_live_moves.py",
            f"{_FAULTS}/test_live_moves_elsewhere.py",
            f"{_FAULTS}/test_other_writers.py",
            f"{_FAULTS}/test_throttled.py",
            f"{_FAULTS}/test_without_conditions.py",
            f"{_FAULTS}/test_wrong_answers.py",
        ],
        sample_size=100,
    ),
)
