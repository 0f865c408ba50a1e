"""Which runs are unfinished, by the names and times of the state objects of their journals."""

import pytest

from ci3.core.journal.location import RunState, format_state_suffix, select_unfinished_runs
from tests.support.builders import days_ago

FINISHED, RESUMED = RunState.FINISHED, RunState.RESUMED


@pytest.mark.parametrize(
    ("states", "is_unfinished"),
    [
        ([], True),
        ([(FINISHED, 4, 9)], False),
        ([(FINISHED, 4, 9), (RESUMED, 5, 9)], True),
        ([(FINISHED, 4, 9), (RESUMED, 10, 9), (FINISHED, 11, 9)], False),
        ([(FINISHED, 4, 1)], True),
        ([(FINISHED, 4, 9), (RESUMED, 5, 1)], True),
    ],
)
def test_last_state_of_a_run_counts_unless_it_finished_too_late(
    states: list[tuple[RunState, int, float]], *, is_unfinished: bool
) -> None:
    objects = {
        f"run.1{format_state_suffix(state, part)}": days_ago(days) for state, part, days in states
    }
    unfinished = select_unfinished_runs(["run.1", "run.2"], objects, days_ago(2))
    assert unfinished == (["run.2", "run.1"] if is_unfinished else ["run.2"])


def test_object_with_another_name_does_not_finish_a_run() -> None:
    objects = dict.fromkeys(["run", "run.finished", "run.00000001.done", ""], days_ago(9))
    assert select_unfinished_runs(["run"], objects, days_ago(2)) == ["run"]
