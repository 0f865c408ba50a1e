"""What stops a run, and how errors in it are recorded."""

from types import SimpleNamespace

import pytest

from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from ci3.errors import DeniedError, ListingError, describe_error


def make_control(**values) -> RunControl:
    return RunControl(progress=NoProgress(), sleep=lambda _seconds: None, **values)


def test_nothing_begins_after_a_stop():
    control, begun = make_control(), []
    process_tally = control.contain_errors(begun.append)
    first, second = SimpleNamespace(problem=""), SimpleNamespace(problem="")
    process_tally(first)
    control.stop("lost access")
    process_tally(second)
    assert [id(tally) for tally in begun] == [id(first)]


@pytest.mark.parametrize(
    ("error", "is_stopped"),
    [(DeniedError("denied", ""), False), (ListingError("bad", ""), False), (KeyError(1), True)],
)
def test_error_is_the_problem_of_its_deployment_and_only_unexpected_errors_stop_the_run(
    error: Exception, is_stopped: bool
):
    def fail(_tally: SimpleNamespace) -> None:
        raise error

    control, tally = make_control(), SimpleNamespace(problem="")
    control.contain_errors(fail)(tally)
    assert tally.problem
    assert control.is_stopped() is is_stopped


def test_first_reason_to_stop_counts():
    control = make_control()
    control.stop("first")
    control.stop("second")
    assert control.stop_reason == "first"


def test_time_limit_stops_the_run_before_it_begins():
    control, stop_states = make_control(is_time_up=lambda: True), []
    control.execute("Deleting", 1, lambda: stop_states.append(control.is_stopped()))
    assert stop_states == [True]


def test_unexpected_error_in_the_work_stops_the_run():
    control = make_control()
    control.execute("Deleting", 1, lambda: {}["missing"])
    assert describe_error(KeyError("missing")) in control.stop_reason


class InterruptedProgress(NoProgress):
    def end(self) -> None:
        raise KeyboardInterrupt


def test_interrupt_when_the_work_is_done_is_not_raised():
    control = RunControl(progress=InterruptedProgress(), sleep=lambda _seconds: None)
    completed = []
    control.execute("Deleting", 1, lambda: completed.append(1))
    assert (completed, control.stop_reason) == ([1], describe_error(KeyboardInterrupt()))
