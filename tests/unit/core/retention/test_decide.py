"""What stays and what goes, as tables: each row is a deployment and the decision about it."""

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
from tests.unit.core.retention.tables import Case, decided, expected, row


def decisions(*deployments, keep_count=1, pins=(), minimum=1, now=NOW, **rules):
    policy = RetentionPolicy(keep_count=keep_count, **rules)
    return decide(inventory(*deployments), policy, pins, now, minimum)


def decision_about(name, *deployments, **rules):
    return next(
        decision
        for decision in decisions(*deployments, **rules)
        if decision.deployment.name == name
    )


def evaluation_of(name, *deployments, keep_count=1):
    policy = RetentionPolicy(keep_count=keep_count)
    evaluations = evaluate(inventory(*deployments), policy, (), NOW, 1)
    return next(evaluation for evaluation in evaluations if evaluation.deployment.name == name)


def upload(name, first_days, last_days=None):
    return deployment(name, first_days, last_days)


CASES = {
    "the newest stay, as many as keep-count says": Case(
        keep_count=2,
        rows=(
            (upload("d4", 1), "keep: keep-count"),
            (upload("d3", 2), "keep: keep-count"),
            (upload("d2", 3), "delete: superseded"),
            (upload("d1", 400), "delete: superseded"),
        ),
    ),
    "a lone deployment stays, however old": Case(
        rows=((upload("d1", 4000), "keep: keep-count"),),
    ),
    "fewer than keep-count all stay": Case(
        keep_count=5,
        rows=(
            (upload("d2", 1), "keep: keep-count"),
            (upload("d1", 2), "keep: keep-count"),
        ),
    ),
    "an empty bucket has nothing to decide": Case(rows=()),
    "a deployment goes when the one after it began after it was done": Case(
        rows=(
            (upload("d2", 1.9, 1), "keep: keep-count"),
            (upload("d1", 3, 2), "delete: superseded"),
        ),
    ),
    "overlapping times keep": Case(
        rows=(
            (upload("d2", 2.5, 1), "keep: keep-count"),
            (upload("d1", 3, 2), "keep: ambiguous-age"),
        ),
    ),
    "one that begins in the instant in which the other ends is not known to be newer": Case(
        rows=(
            (upload("d2", 2, 1), "keep: keep-count"),
            (upload("d1", 3, 2), "keep: ambiguous-age"),
        ),
    ),
    "equal times keep both": Case(
        rows=(
            (upload("d1", 2), "keep: keep-count"),
            (upload("d2", 2), "keep: ambiguous-age"),
        ),
    ),
    "one uploaded during the other's upload keeps both": Case(
        rows=(
            (upload("d2", 9, 1), "keep: keep-count"),
            (upload("d1", 5, 4), "keep: ambiguous-age"),
        ),
    ),
    "a re-uploaded file in an old deployment keeps all that it may be older than": Case(
        rows=(
            (upload("mended", 30, 1), "keep: keep-count"),
            (upload("d3", 10), "keep: ambiguous-age"),
            (upload("d2", 20), "delete: superseded"),  # d3 is known to be newer
            (upload("d1", 40), "delete: superseded"),
        ),
    ),
    "an overlap among the doomed keeps nothing": Case(
        rows=(
            (upload("d3", 1), "keep: keep-count"),
            (upload("d2", 5, 3), "delete: superseded"),
            (upload("d1", 5, 4), "delete: superseded"),
        ),
    ),
    "doubt is about the border: N known newer ones are enough": Case(
        keep_count=2,
        rows=(
            (upload("d4", 1), "keep: keep-count"),
            (upload("d3", 3, 2), "keep: keep-count"),
            (upload("d2", 4, 3), "keep: ambiguous-age"),
            (upload("d1", 5), "delete: superseded"),
        ),
    ),
    "the minimum stays even when keep-count is smaller": Case(
        keep_count=1,
        minimum=3,
        rows=(
            (upload("d5", 1), "keep: keep-count"),
            (upload("d4", 2), "keep: minimum-keep-count"),
            (upload("d3", 3), "keep: minimum-keep-count"),
            (upload("d2", 4), "delete: superseded"),
            (upload("d1", 5), "delete: superseded"),
        ),
    ),
    "the minimum needs known newer ones too": Case(
        keep_count=1,
        minimum=2,
        rows=(
            (upload("d3", 3, 1), "keep: keep-count"),
            (upload("d2", 3, 2), "keep: minimum-keep-count"),
            (upload("d1", 3), "keep: ambiguous-age"),
        ),
    ),
    "without objects nothing is known, so nothing is deleted": Case(
        rows=(
            (upload("d2", 1), "keep: keep-count"),
            (upload("d1", 2), "delete: superseded"),
            (empty_deployment("a-gone"), "keep: no-objects"),
            (empty_deployment("b-gone"), "keep: no-objects"),
        ),
    ),
    "folders without objects count for nothing": Case(
        keep_count=1,
        minimum=2,
        rows=(
            (upload("d2", 1), "keep: keep-count"),
            (upload("d1", 2), "keep: minimum-keep-count"),
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
def test_decision_is_as_the_table_says(case):
    assert decided(case) == expected(case)


def test_deployments_stand_newest_first_then_by_start_then_by_name_and_empty_ones_last():
    ordered = [
        deployment("new", 1),
        deployment("late-start", 3, 2),
        deployment("early-start", 4, 2),
        deployment("same-a", 5),
        deployment("same-b", 5),
        empty_deployment("a-nothing"),
    ]

    assert list(sort_newest_first(reversed(ordered))) == ordered


def test_order_tells_times_a_microsecond_apart():
    older = deployment("a", 1)
    newer = replace(
        older,
        name="b",
        newest_at=older.newest_at.replace(microsecond=older.newest_at.microsecond + 1),
    )

    assert [item.name for item in sort_newest_first([older, newer])] == ["b", "a"]


def test_superseded_deployment_has_the_count_of_newer_ones_and_its_successor():
    evaluation = evaluation_of("d1", *SUPERSEDED["by three"])

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
    evaluation = evaluation_of("d1", *SUPERSEDED[case])

    assert evaluation.successor.deployment.name == name
    assert evaluation.newer_count == newer_count


def test_clock_changes_no_decision():
    deployments = [deployment("d2", 1), deployment("d1", 2), marker_only_deployment("m", 0.5)]

    late = decisions(*deployments, now=days_ago(-4000))
    early = decisions(*deployments, now=days_ago(4000))

    assert [row(decision) for decision in late] == [row(decision) for decision in early]


@pytest.mark.parametrize(("first_days", "last_days"), [(3, 1), (2, 2)])
def test_ambiguous_age_names_the_other_and_what_is_known(first_days, last_days):
    other = deployment("a-other", first_days, last_days)

    decision = decision_about("b", deployment("b", 2), other)

    [reason] = decision.reasons
    assert reason.code is ReasonCode.AMBIGUOUS_AGE
    assert "a-other" in reason.message
    assert numbers_in(reason.message) == [0, 1]


def test_keep_count_reason_tells_the_place_among_the_kept():
    three = decisions(*(deployment(f"d{day}", day) for day in (1, 2, 3)), keep_count=3)

    places = [numbers_in(decision.reasons[0].message) for decision in three]
    assert places == [[], [2, 3], [3, 3]]


def test_minimum_reason_tells_the_minimum_not_keep_count():
    decision = decision_about("d2", deployment("d1", 1), deployment("d2", 2), minimum=3)

    assert decision.reasons[0].code is ReasonCode.MINIMUM_KEEP_COUNT
    assert numbers_in(decision.reasons[0].message) == [2, 3]


@pytest.mark.parametrize("minimum", [0, -1])
def test_minimum_below_one_is_refused(minimum):
    with pytest.raises(ValueError, match=f"{minimum}$"):
        decisions(deployment("d1", 1), minimum=minimum)


@pytest.mark.parametrize("keep_count", [0, -5])
def test_minimum_stays_even_if_keep_count_were_senseless(keep_count):
    kept = [
        decision.deployment.name
        for decision in decisions(deployment("d1", 1), deployment("d2", 2), keep_count=keep_count)
        if not decision.is_delete
    ]

    assert kept == ["d1"]


def test_a_console_marker_beside_files_leaves_a_deployment_complete():
    assert deployment("d", 1).is_complete
    assert not marker_only_deployment("m", 1).is_complete
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
    found = inventory(
        deployment("new", 0.01),
        marker_only_deployment("slow", 0.02),
        marker_only_deployment("torn", 0.03),
    )
    policy = RetentionPolicy(keep_count=1)

    _, *evaluations = evaluate(found, policy, (), NOW, 1, started_deletions=started)

    reasons = [evaluation.decision.reasons for evaluation in evaluations]
    assert [reason.code for (reason,) in reasons] == codes


def test_newest_incomplete_deployment_is_in_progress_even_if_its_deletion_was_started():
    found = inventory(marker_only_deployment("torn", 0.01), deployment("old", 0.02))

    torn, _ = evaluate(found, RetentionPolicy(keep_count=1), (), NOW, 1, started_deletions=["torn"])

    assert [reason.code for reason in torn.decision.reasons] == [ReasonCode.IN_PROGRESS]


@pytest.fixture
def _new_zealand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_new_zealand")
def test_days_are_those_of_utc_whatever_the_time_zone_of_the_machine():
    """Noon UTC is midnight there, or an hour later in summer: two days, where UTC has one."""
    morning, evening = deployment("morning", 0.4), deployment("evening", -0.4)

    newest, older = decisions(morning, evening, keep_daily=2)

    assert [reason.code for reason in newest.reasons] == [
        ReasonCode.KEEP_COUNT,
        ReasonCode.KEEP_DAILY,
    ]
    assert older.is_delete


def test_nothing_is_newer_than_a_folder_without_objects():
    found = inventory(deployment("new", 1), empty_deployment("empty"))

    *_, empty = evaluate(found, RetentionPolicy(keep_count=1), (), NOW, 1)

    assert (empty.newer_count, empty.successor) == (0, None)


def test_reasons_are_the_golden_ones():
    superseded = [
        (f"superseded {case}", decision_about("d1", *deployments).reasons)
        for case, deployments in SUPERSEDED.items()
    ]
    ahead = decision_about("d1", *SUPERSEDED["by one"], now=days_ago(3))
    unlike = {
        "overlapping times": (deployment("a", 3, 1), deployment("b", 2)),
        "the same time": (deployment("a", 2), deployment("b", 2)),
        "the same span": (deployment("a", 3, 2), deployment("b", 3, 2)),
    }
    ambiguous = [
        (case, decision_about("b", *deployments).reasons) for case, deployments in unlike.items()
    ]
    three = decisions(*(deployment(f"d{day}", day) for day in (1, 2, 3)), keep_count=3)
    places = [(f"number {number}", decision.reasons) for number, decision in enumerate(three, 1)]
    assert_messages(
        __file__,
        [*superseded, ("superseded in the clock's future", ahead.reasons), *ambiguous, *places],
    )
