"""Fingerprints, summaries and counts."""

from datetime import UTC, datetime

import pytest

from ci3.core.model.result import ApplyResult, DeploymentResult, ObjectOutcome, RunOutcome
from tests.support.builders import make_object, target


def test_versions_id_is_no_part_of_what_makes_objects_equal():
    one = make_object("d/a")
    same = one._replace(version_id="v1")
    assert one == same
    assert (one != same) is False
    assert hash(one) == hash(same)
    assert {one: 1}[same] == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "d/b"},
        {"etag": '"other"'},
        {"size_bytes": 12345},
        {"modified_at": datetime(2001, 2, 3, tzinfo=UTC)},
    ],
)
def test_all_else_makes_objects_differ(changed):
    one = make_object("d/a")
    assert one != one._replace(**changed)
    assert (one == one._replace(**changed)) is False
    assert one != tuple(one)


def test_target_is_written_as_an_address():
    assert target(prefix="site/").url == "s3://my-site/site/"


def result(*results, stopped=""):
    return ApplyResult(run_id="r", journal_file="j", deployments=results, stop_reason=stopped)


def became(problem="", bytes_deleted=0, **counts):
    by_outcome = {ObjectOutcome(name): count for name, count in counts.items()}
    return DeploymentResult(
        name="d", counts=by_outcome, bytes_deleted=bytes_deleted, problem=problem
    )


@pytest.mark.parametrize("outcome", ["changed", "denied", "failed", "unknown"])
def test_deployment_with_an_object_left_is_not_gone_and_the_run_is_partial(outcome):
    left = became(deleted=3, **{outcome: 1})

    assert not left.is_fully_deleted
    assert result(became(deleted=1), left).outcome is RunOutcome.PARTIAL


def test_run_is_applied_when_every_object_is_deleted_or_was_gone():
    done = result(became(deleted=3, absent=1, bytes_deleted=7), became(deleted=2, bytes_deleted=5))

    assert done.outcome is RunOutcome.APPLIED
    assert (done.deployments_deleted, done.bytes_deleted) == (2, 12)
    assert (
        done.count_objects(ObjectOutcome.DELETED),
        done.count_objects(ObjectOutcome.FAILED),
    ) == (5, 0)


def test_problem_or_early_end_makes_a_run_partial():
    assert result(became(problem="denied")).outcome is RunOutcome.PARTIAL
    assert result(became(deleted=1), stopped="interrupted").outcome is RunOutcome.PARTIAL
