"""Which deployments are kept and deleted: each row is a deployment and its decision."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ci3.core.inventory.summary import summarize_folder
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.age_order import sort_newest_first
from ci3.core.retention.decide import RetentionPolicy, decide, evaluate
from tests.support.builders import (
    NOW,
    days_ago,
    deployment,
    empty_deployment,
    inventory,
    make_object,
    marker_only_deployment,
)
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in
from tests.unit.core.retention.tables import Case, decide_case, format_decision, list_expected


def decide_all(*deployments, keep_count=1, pins=(), minimum=1, now=NOW, **rules):
    policy = RetentionPolicy(keep_count=keep_count, **rules)
    return decide(inventory(*deployments), policy, pins, now, minimum)


def decide_about(name, *deployments, **rules):
    """Return the decision about the deployment of this name."""
    return next(
        decision
        for decision in decide_all(*deployments, **rules)
        if decision.deployment.name == name
    )


def evaluate_one(name, *deployments, keep_count=1):
    policy = RetentionPolicy(keep_count=keep_count)
    evaluations = evaluate(inventory(*deployments), policy, (), NOW, 1)
    return next(evaluation for evaluation in evaluations if evaluation.deployment.name == name)


CASES = {
    "as many of the newest as keep-count are kept": Case(
        keep_count=2,
        rows=(
            (deployment("d4", 1), "keep: keep-count"),
            (deployment("d3", 2), "keep: keep-count"),
            (deployment("d2", 3), "delete: superseded"),
            (deployment("d1", 400), "delete: superseded"),
        ),
    ),
    "an only deployment is kept at any age": Case(
        rows=((deployment("d1", 4000), "keep: keep-count"),),
    ),
    "fewer deployments than keep-count are all kept": Case(
        keep_count=5,
        rows=(
            (deployment("d2", 1), "keep: keep-count"),
            (deployment("d1", 2), "keep: keep-count"),
        ),
    ),
    "an empty bucket has no decisions": Case(rows=()),
    "a deployment is deleted if the next one started after it was complete": Case(
        rows=(
            (deployment("d2", 1.9, 1), "keep: keep-count"),
            (deployment("d1", 3, 2), "delete: superseded"),
        ),
    ),
    "a deployment is kept if its times overlap with those of the newest": Case(
        rows=(
            (deployment("d2", 2.5, 1), "keep: keep-count"),
            (deployment("d1", 3, 2), "keep: ambiguous-age"),
        ),
    ),
    "a deployment that starts when another ends is not known to be newer": Case(
        rows=(
            (deployment("d2", 2, 1), "keep: keep-count"),
            (deployment("d1", 3, 2), "keep: ambiguous-age"),
        ),
    ),
    "deployments with equal times are both kept": Case(
        rows=(
            (deployment("d1", 2), "keep: keep-count"),
            (deployment("d2", 2), "keep: ambiguous-age"),
        ),
    ),
    "deployments are both kept if one was uploaded during the upload of the other": Case(
        rows=(
            (deployment("d2", 9, 1), "keep: keep-count"),
            (deployment("d1", 5, 4), "keep: ambiguous-age"),
        ),
    ),
    "a changed file in an old deployment keeps the deployment that may be newer": Case(
        rows=(
            (deployment("updated", 30, 1), "keep: keep-count"),
            (deployment("d3", 10), "keep: ambiguous-age"),
            (deployment("d2", 20), "delete: superseded"),  # d3 is known to be newer
            (deployment("d1", 40), "delete: superseded"),
        ),
    ),
    "overlapping times of superseded deployments keep neither": Case(
        rows=(
            (deployment("d3", 1), "keep: keep-count"),
            (deployment("d2", 5, 3), "delete: superseded"),
            (deployment("d1", 5, 4), "delete: superseded"),
        ),
    ),
    "an overlap does not matter if enough deployments are known to be newer": Case(
        keep_count=2,
        rows=(
            (deployment("d4", 1), "keep: keep-count"),
            (deployment("d3", 3, 2), "keep: keep-count"),
            (deployment("d2", 4, 3), "keep: ambiguous-age"),
            (deployment("d1", 5), "delete: superseded"),
        ),
    ),
    "the minimum is kept even if keep-count is smaller": Case(
        keep_count=1,
        minimum=3,
        rows=(
            (deployment("d5", 1), "keep: keep-count"),
            (deployment("d4", 2), "keep: minimum-keep-count"),
            (deployment("d3", 3), "keep: minimum-keep-count"),
            (deployment("d2", 4), "delete: superseded"),
            (deployment("d1", 5), "delete: superseded"),
        ),
    ),
    "the minimum, too, requires deployments that are known to be newer": Case(
        keep_count=1,
        minimum=2,
        rows=(
            (deployment("d3", 3, 1), "keep: keep-count"),
            (deployment("d2", 3, 2), "keep: minimum-keep-count"),
            (deployment("d1", 3), "keep: ambiguous-age"),
        ),
    ),
    "folders without objects are kept": Case(
        rows=(
            (deployment("d2", 1), "keep: keep-count"),
            (deployment("d1", 2), "delete: superseded"),
            (empty_deployment("a-gone"), "keep: no-objects"),
            (empty_deployment("b-gone"), "keep: no-objects"),
        ),
    ),
    "folders without objects are not counted": Case(
        keep_count=1,
        minimum=2,
        rows=(
            (deployment("d2", 1), "keep: keep-count"),
            (deployment("d1", 2), "keep: minimum-keep-count"),
            (empty_deployment("gone"), "keep: no-objects"),
        ),
    ),
}


SUPERSEDED = {
    "by one": (deployment("d2", 1), deployment("d1", 2)),
    "by three": (
        deployment("d4", 1), deployment("d3", 3.5, 2), deployment("d2", 3.6, 3),
        deployment("d1", 21.5, 21),
    ),
    "by the first that was complete, not the first that began": (
        deployment("long", 9, 1), deployment("short", 8, 7), deployment("d1", 10)
    ),
    "by one that is known to be newer": (
        deployment("d2", 1), deployment("overlaps", 11, 9), deployment("d1", 12, 10)
    ),
    "by a complete one": (
        deployment("d2", 1), marker_only_deployment("m", 3), deployment("d1", 5)
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_decisions_are_those_of_the_table(case):
    assert decide_case(case) == list_expected(case)


def test_deployments_are_sorted_newest_first_then_by_start_and_name_with_empty_ones_last():
    ordered = [
        deployment("new", 1),
        deployment("late-start", 3, 2),
        deployment("early-start", 4, 2),
        deployment("same-a", 5),
        deployment("same-b", 5),
        empty_deployment("a-nothing"),
    ]

    assert list(sort_newest_first(reversed(ordered))) == ordered


def test_times_that_differ_by_a_microsecond_are_ordered():
    older = deployment("a", 1)
    newer = replace(
        older,
        name="b",
        newest_at=older.newest_at.replace(microsecond=older.newest_at.microsecond + 1),
    )

    assert [dated.name for dated in sort_newest_first([older, newer])] == ["b", "a"]


def test_superseded_deployment_has_its_successor_and_the_count_of_newer_deployments():
    evaluation = evaluate_one("d1", *SUPERSEDED["by three"])

    assert evaluation.newer_count == 3
    assert evaluation.successor.deployment.name == "d2"
    assert evaluation.successor.completed_at == days_ago(3)
    [reason] = evaluation.decision.reasons
    assert numbers_in(reason.message)[0] == 3
    assert "d2" in reason.message


@pytest.mark.parametrize(
    ("case", "name", "newer_count"),
    [
        ("by the first that was complete, not the first that began", "short", 2),
        ("by one that is known to be newer", "d2", 1),
        ("by a complete one", "d2", 1),
    ],
)
def test_successor_is_the_first_complete_one_that_is_known_to_be_newer(case, name, newer_count):
    evaluation = evaluate_one("d1", *SUPERSEDED[case])

    assert evaluation.successor.deployment.name == name
    assert evaluation.newer_count == newer_count


def test_clock_does_not_change_decisions():
    deployments = [deployment("d2", 1), deployment("d1", 2), marker_only_deployment("m", 0.5)]

    late = decide_all(*deployments, now=days_ago(-4000))
    early = decide_all(*deployments, now=days_ago(4000))

    assert [format_decision(decision) for decision in late] == [
        format_decision(decision) for decision in early
    ]


@pytest.mark.parametrize(("first_days", "last_days"), [(3, 1), (2, 2)])
def test_reason_of_ambiguous_age_has_the_other_deployment_and_the_counts(first_days, last_days):
    overlapping = deployment("a-other", first_days, last_days)

    decision = decide_about("b", deployment("b", 2), overlapping)

    [reason] = decision.reasons
    assert reason.code is ReasonCode.AMBIGUOUS_AGE
    assert "a-other" in reason.message
    assert numbers_in(reason.message) == [0, 1]


def test_keep_count_reason_has_the_rank_of_the_deployment():
    decisions = decide_all(*(deployment(f"d{day}", day) for day in (1, 2, 3)), keep_count=3)

    numbers = [numbers_in(decision.reasons[0].message) for decision in decisions]
    assert numbers == [[], [2, 3], [3, 3]]


def test_minimum_reason_has_the_minimum_instead_of_keep_count():
    decision = decide_about("d2", deployment("d1", 1), deployment("d2", 2), minimum=3)

    assert decision.reasons[0].code is ReasonCode.MINIMUM_KEEP_COUNT
    assert numbers_in(decision.reasons[0].message) == [2, 3]


@pytest.mark.parametrize("minimum", [0, -1])
def test_minimum_below_one_is_refused(minimum):
    with pytest.raises(ValueError, match=f"{minimum}$"):
        decide_all(deployment("d1", 1), minimum=minimum)


@pytest.mark.parametrize("keep_count", [0, -5])
def test_minimum_is_kept_even_if_keep_count_is_not_positive(keep_count):
    kept = [
        decision.deployment.name
        for decision in decide_all(deployment("d1", 1), deployment("d2", 2), keep_count=keep_count)
        if not decision.is_delete
    ]

    assert kept == ["d1"]


def test_only_a_deployment_with_files_is_complete():
    assert deployment("d", 1).is_complete
    assert not marker_only_deployment("m", 1).is_complete
    marker, file = make_object("m/", size_bytes=0), make_object("m/index.html")
    assert summarize_folder("m", "m/", (marker, file)).is_complete
    assert not empty_deployment("e").is_complete


def test_empty_file_is_content():
    assert summarize_folder("d", "d/", [make_object("d/.keep", size_bytes=0)]).is_complete


@pytest.mark.parametrize(
    ("started", "codes"),
    [
        ([], [ReasonCode.IN_PROGRESS, ReasonCode.IN_PROGRESS]),
        (["torn"], [ReasonCode.IN_PROGRESS, ReasonCode.SUPERSEDED]),
        (["new"], [ReasonCode.IN_PROGRESS, ReasonCode.IN_PROGRESS]),
        (["slow", "torn"], [ReasonCode.SUPERSEDED, ReasonCode.SUPERSEDED]),
    ],
)
def test_young_object_keeps_an_incomplete_deployment_unless_its_deletion_was_started(
    started, codes
):
    deployments = inventory(
        deployment("new", 0.01),
        marker_only_deployment("slow", 0.02),
        marker_only_deployment("torn", 0.03),
    )
    policy = RetentionPolicy(keep_count=1)

    _, *evaluations = evaluate(deployments, policy, (), NOW, 1, started_deletions=started)

    reasons = [evaluation.decision.reasons for evaluation in evaluations]
    assert [reason.code for (reason,) in reasons] == codes


def test_newest_incomplete_deployment_is_in_progress_even_if_its_deletion_was_started():
    deployments = inventory(marker_only_deployment("torn", 0.01), deployment("old", 0.02))
    policy = RetentionPolicy(keep_count=1)

    torn, _ = evaluate(deployments, policy, (), NOW, 1, started_deletions=["torn"])

    assert [reason.code for reason in torn.decision.reasons] == [ReasonCode.IN_PROGRESS]


@pytest.fixture
def _new_zealand_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_new_zealand_time")
def test_days_are_in_utc_regardless_of_the_local_time_zone():
    """Both deployments are of one day in UTC, and of two days in New Zealand."""
    morning, evening = deployment("morning", 0.4), deployment("evening", -0.4)

    newest, older = decide_all(morning, evening, keep_daily=2)

    assert [reason.code for reason in newest.reasons] == [
        ReasonCode.KEEP_COUNT,
        ReasonCode.KEEP_DAILY,
    ]
    assert older.is_delete


def test_folder_without_objects_has_no_newer_deployments():
    deployments = inventory(deployment("new", 1), empty_deployment("empty"))

    *_, empty = evaluate(deployments, RetentionPolicy(keep_count=1), (), NOW, 1)

    assert (empty.newer_count, empty.successor) == (0, None)


def test_messages_of_reasons():
    superseded = [
        (f"superseded {case}", decide_about("d1", *deployments).reasons)
        for case, deployments in SUPERSEDED.items()
    ]
    ahead = decide_about("d1", *SUPERSEDED["by one"], now=days_ago(3))
    ambiguous_pairs = {
        "overlapping times": (deployment("a", 3, 1), deployment("b", 2)),
        "the same time": (deployment("a", 2), deployment("b", 2)),
        "the same span": (deployment("a", 3, 2), deployment("b", 3, 2)),
    }
    ambiguous = [
        (case, decide_about("b", *deployments).reasons)
        for case, deployments in ambiguous_pairs.items()
    ]
    kept = decide_all(*(deployment(f"d{day}", day) for day in (1, 2, 3)), keep_count=3)
    ranks = [(f"number {number}", decision.reasons) for number, decision in enumerate(kept, 1)]
    assert_messages(
        __file__,
        [*superseded, ("superseded in the clock's future", ahead.reasons), *ambiguous, *ranks],
    )
