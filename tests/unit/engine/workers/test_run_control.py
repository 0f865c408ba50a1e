"""What ends a run early, and what becomes of errors in it."""

from types import SimpleNamespace

import pytest

from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from ci3.errors import DeniedError, ListingError, describe_error


def control(**values) -> RunControl:
    return RunControl(progress=NoProgress(), sleep=lambda _seconds: None, **values)


def test_nothing_begins_after_a_stop():
    run, begun = control(), []
    work = run.contain_errors(begun.append)
    first, second = SimpleNamespace(problem=""), SimpleNamespace(problem="")
    work(first)
    run.stop("lost access")
    work(second)
    assert [id(tally) for tally in begun] == [id(first)]


@pytest.mark.parametrize(
    ("error", "stops"),
    [(DeniedError("denied", ""), False), (ListingError("bad", ""), False), (KeyError(1), True)],
)
def test_error_is_the_problem_of_its_deployment_and_all_but_a_bad_listing_stop_the_run(
    error: Exception, stops: bool
):
    def fail(_tally: SimpleNamespace) -> None:
        raise error

    run, tally = control(), SimpleNamespace(problem="")
    run.contain_errors(fail)(tally)
    assert tally.problem
    assert run.is_stopped() is stops


def test_first_reason_to_stop_counts():
    run = control()
    run.stop("first")
    run.stop("second")
    assert run.stop_reason == "first"


def test_time_limit_stops_the_run_before_it_begins():
    run, seen = control(is_time_up=lambda: True), []
    run.execute("Deleting", 1, lambda: seen.append(run.is_stopped()))
    assert seen == [True]


def test_bug_in_the_work_stops_the_run():
    run = control()
    run.execute("Deleting", 1, lambda: {}["missing"])
    assert describe_error(KeyError("missing")) in run.stop_reason
