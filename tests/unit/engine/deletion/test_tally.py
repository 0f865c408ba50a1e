"""The outcomes in the tally of a deployment and in the totals of a run."""

from types import SimpleNamespace

from ci3.aws.deletion.outcomes import ABSENT, DELETED, KeyOutcome
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.sender import all_unknown
from ci3.engine.deletion.tally import enter_all_unsent, start_tallies, sum_up
from ci3.engine.deletion.uploads import UnfinishedUploads
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from tests.support.builders import NOW, deployment, make_object

DENIED = KeyOutcome(outcome=ObjectOutcome.DENIED, message="denied")
FIRST, SECOND = make_object("old/app.js"), make_object("old/index.html")


def start_tally():
    return start_tallies([deployment("old", 9)])["old"]


def test_bytes_of_deleted_objects_are_counted_and_the_first_problem_is_kept():
    tally = start_tally()
    tally.enter(FIRST, DELETED)
    tally.enter(SECOND, DENIED)
    tally.enter(SECOND, KeyOutcome(outcome=ObjectOutcome.FAILED, message="failed"))

    assert tally.bytes_deleted == FIRST.size_bytes
    assert tally.problem == "denied"


def test_only_deployments_without_another_outcome_are_fully_deleted():
    deleted, absent, denied = (start_tally() for _ in range(3))
    deleted.enter_known([FIRST, SECOND], {FIRST.key: DELETED, SECOND.key: DELETED})
    absent.enter_known([FIRST, SECOND], {FIRST.key: DELETED, SECOND.key: ABSENT})
    denied.enter_known([FIRST, SECOND], {FIRST.key: DELETED, SECOND.key: DENIED})

    result = sum_up([deleted, denied, absent], "reason")

    assert [deployment.is_fully_deleted for deployment in result.results] == [True, False, True]
    assert len(result.fully_deleted) == 2
    assert result.stop_reason == "reason"


def test_deployment_that_is_live_now_is_kept_with_the_reason():
    tally = start_tally()
    control = RunControl(progress=NoProgress(), sleep=lambda _: None)

    enter_all_unsent([tally], control, SimpleNamespace(problem="", kept={"old": "it is live"}))

    assert tally.counts == {ObjectOutcome.CHANGED: 2}
    assert "it is live" in tally.problem


def test_lost_response_leaves_each_entry_unknown_with_the_error():
    outcomes = all_unknown(["a", "b"], OSError("connection lost"))

    assert [outcome.outcome for outcome in outcomes.values()] == [ObjectOutcome.UNKNOWN] * 2
    assert all("connection lost" in outcome.message for outcome in outcomes.values())
    assert all(outcome.should_stop_run for outcome in outcomes.values())


def test_each_aborted_upload_is_counted_and_the_first_problem_is_kept():
    uploads = [
        SimpleNamespace(key=f"old/{number}", upload_id=str(number), started_at=NOW)
        for number in range(4)
    ]
    outcomes = iter([DELETED, DENIED, DELETED, KeyOutcome(outcome=ObjectOutcome.FAILED)])
    unfinished = UnfinishedUploads(
        reader=SimpleNamespace(list_uploads=lambda _: [uploads[:2], uploads[2:]]),
        prefix="",
        prefixes_to_delete=["old/"],
        started_before=NOW.replace(year=NOW.year + 1),
    )
    writer = SimpleNamespace(abort_upload=lambda *_: next(outcomes))

    result = unfinished.abort(writer, ["old/"])

    assert (result.count, result.problem) == (2, "denied")
