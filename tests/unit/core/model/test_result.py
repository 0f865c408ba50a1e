"""Equality of objects, and the outcome and counts of a run."""

from datetime import UTC, datetime

import pytest

from ci3.core.model.result import ApplyResult, DeploymentResult, ObjectOutcome, RunOutcome
from tests.support.builders import make_object, target


def test_version_id_does_not_count_for_equality():
    first = make_object("d/a")
    second = first._replace(version_id="v1")
    assert first == second
    assert (first != second) is False
    assert hash(first) == hash(second)
    assert {first: 1}[second] == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "d/b"},
        {"etag": '"other"'},
        {"size_bytes": 12345},
        {"modified_at": datetime(2001, 2, 3, tzinfo=UTC)},
    ],
)
def test_all_other_fields_count_for_equality(changed):
    item = make_object("d/a")
    assert item != item._replace(**changed)
    assert (item == item._replace(**changed)) is False
    assert item != tuple(item)


def test_target_has_an_s3_url():
    assert target(prefix="site/").url == "s3://my-site/site/"


def make_result(*results, stopped=""):
    return ApplyResult(run_id="r", journal_file="j", deployments=results, stop_reason=stopped)


def make_deployment_result(problem="", bytes_deleted=0, **counts):
    by_outcome = {ObjectOutcome(name): count for name, count in counts.items()}
    return DeploymentResult(
        name="d", counts=by_outcome, bytes_deleted=bytes_deleted, problem=problem
    )


@pytest.mark.parametrize("outcome", ["changed", "denied", "failed", "unknown"])
def test_run_with_a_remaining_object_is_partial(outcome):
    incomplete = make_deployment_result(deleted=3, **{outcome: 1})

    assert not incomplete.is_fully_deleted
    assert make_result(make_deployment_result(deleted=1), incomplete).outcome is RunOutcome.PARTIAL


def test_run_is_applied_if_every_object_is_deleted_or_absent():
    applied = make_result(
        make_deployment_result(deleted=3, absent=1, bytes_deleted=7),
        make_deployment_result(deleted=2, bytes_deleted=5),
    )

    assert applied.outcome is RunOutcome.APPLIED
    assert (applied.deployments_deleted, applied.bytes_deleted) == (2, 12)
    assert (
        applied.count_objects(ObjectOutcome.DELETED),
        applied.count_objects(ObjectOutcome.FAILED),
    ) == (5, 0)


def test_problem_or_early_end_makes_a_run_partial():
    assert make_result(make_deployment_result(problem="denied")).outcome is RunOutcome.PARTIAL
    assert (
        make_result(make_deployment_result(deleted=1), stopped="interrupted").outcome
        is RunOutcome.PARTIAL
    )
