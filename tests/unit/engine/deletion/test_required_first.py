"""The order of batches, and which objects wait until a required file was deleted."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future

import pytest

from ci3.aws.deletion.outcomes import DELETED, KeyOutcome
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.object_sender import ObjectBatch, ObjectPart
from ci3.engine.deletion.required_first import (
    MAX_BATCHES_WAITING,
    MAX_PARTS_WAITING,
    RequiredFirst,
)
from ci3.engine.deletion.sender import BatchPart, fill_batches
from tests.support.builders import make_object

FILE = "index.html"
ABSENT = KeyOutcome(outcome=ObjectOutcome.ABSENT)


def make_part(name: str, files: Iterable[str]) -> ObjectPart:
    entries = tuple(make_object(f"{name}/{file}") for file in sorted(files))
    return BatchPart(name=name, prefix=f"{name}/", entries=entries, listed_at=0.0)


def make_parts(count: int, *, files: int) -> list[ObjectPart]:
    names = [f"{number:04}" for number in range(files)]
    return [make_part(f"d{number:04}", [*names, FILE]) for number in range(count)]


def order_batches(
    parts: Iterable[ObjectPart], *, is_idle: bool = False, required_file: str = FILE
) -> list[tuple[ObjectBatch, bool]]:
    required = RequiredFirst(required_file=required_file)
    return [*required.order_batches(parts, lambda: is_idle)]


def list_keys(batch: ObjectBatch) -> list[str]:
    return [stored.key for part in batch for stored in part.entries]


def list_names(batch: ObjectBatch) -> set[str]:
    return {part.name for part in batch}


@pytest.mark.parametrize("is_idle", [False, True])
@pytest.mark.parametrize("files", [1, 3, 400, 999, 1_000, 1_001, 2_500])
def test_each_required_file_precedes_the_other_objects_of_its_deployment(
    files: int, *, is_idle: bool
) -> None:
    parts = make_parts(30, files=files)
    names_with_required_file: set[str] = set()
    sent_keys: list[str] = []
    for batch, is_required in order_batches(parts, is_idle=is_idle):
        if is_required:
            assert all(key.endswith(FILE) for key in list_keys(batch))
            names_with_required_file |= list_names(batch)
        assert list_names(batch) <= names_with_required_file
        assert len(list_keys(batch)) <= 1_000
        sent_keys += list_keys(batch)
    assert sorted(sent_keys) == sorted(key for part in parts for key in list_keys((part,)))


@pytest.mark.parametrize("files", [1, 3, 40, 400, 2_500])
def test_required_files_are_sent_little_ahead_of_the_others(files: int) -> None:
    """At most for the deployments of the waiting batches and of the batch being filled."""
    ahead: set[str] = set()
    for batch, is_required in order_batches(make_parts(3_000 // files, files=files)):
        if is_required:
            ahead |= list_names(batch)
            assert len(ahead) <= MAX_PARTS_WAITING + len(batch)
        else:
            ahead -= list_names(batch)
    assert not ahead


def test_required_files_of_large_deployments_are_sent_several_batches_ahead() -> None:
    """Otherwise the next deployment would wait for a response while senders are idle."""
    batches = order_batches(make_parts(5, files=8_000))
    positions = [index for index, (_, is_required) in enumerate(batches) if is_required]
    first_others = [
        next(
            index
            for index, (batch, is_required) in enumerate(batches)
            if not is_required and name in list_names(batch)
        )
        for name in [f"d{number:04}" for number in range(5)]
    ]
    distances = [later - earlier for earlier, later in zip(positions, first_others, strict=True)]
    assert min(distances[1:]) >= MAX_BATCHES_WAITING - 1


def test_idle_senders_get_the_other_objects_at_once() -> None:
    batches = order_batches(make_parts(4, files=1_000), is_idle=True)
    assert [is_required for _, is_required in batches] == [True, False] * 4


def test_without_a_required_file_batches_keep_their_order() -> None:
    parts = make_parts(5, files=700)
    assert order_batches(parts, required_file="") == [
        (batch, False) for batch in fill_batches(parts)
    ]


def test_required_file_without_other_objects_is_sent_with_other_objects() -> None:
    parts = [make_part("only", [FILE]), make_part("part", ["a", "z"]), make_part("folder", [""])]
    assert order_batches(parts) == [(tuple(parts), False)]


def test_neighbors_of_a_required_file_are_compared_when_it_is_listed_again() -> None:
    part = make_part("d", [*(f"{number:04}" for number in range(3_000)), FILE])
    (batch, _), *_ = order_batches([part])
    assert batch[0].compared == part.entries[-500 - 1 :]
    (batch, _), *_ = order_batches([make_part("d", ["a", FILE, "z"])])
    assert [stored.key for stored in batch[0].compared] == ["d/a", f"d/{FILE}", "d/z"]


def wait_for_response(
    batch: Sequence[ObjectPart], outcomes: dict[str, KeyOutcome] | BaseException
) -> tuple[list[str], dict[str, KeyOutcome]]:
    """Return the keys that may be sent and the outcomes, after a response for `a` and `b`."""
    required = RequiredFirst(required_file=FILE)
    response: Future = Future()
    required.add_answer((make_part("a", [FILE]), make_part("b", [FILE])), response)
    if isinstance(outcomes, BaseException):
        response.set_exception(outcomes)
    else:
        response.set_result(outcomes)
    parts, kept = required.wait(tuple(batch))
    return list_keys(parts), kept


@pytest.mark.parametrize("outcome", [DELETED, ABSENT])
def test_others_are_sent_after_the_required_file_is_deleted_or_absent(
    outcome: KeyOutcome,
) -> None:
    batch = [make_part("a", ["x"]), make_part("c", ["x"])]
    assert wait_for_response(batch, {f"a/{FILE}": outcome}) == (["a/x", "c/x"], {})


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (ObjectOutcome.CHANGED, ObjectOutcome.CHANGED),
        (ObjectOutcome.DENIED, ObjectOutcome.FAILED),
        (ObjectOutcome.FAILED, ObjectOutcome.FAILED),
        (ObjectOutcome.UNKNOWN, ObjectOutcome.FAILED),
    ],
)
def test_others_are_not_sent_while_the_required_file_may_exist(
    outcome: ObjectOutcome, expected: ObjectOutcome
) -> None:
    """Their outcomes do not stop the run or cause a retry; only that of the required file does."""
    batch = [make_part("a", ["x", "y"]), make_part("b", ["x"])]
    response = KeyOutcome(outcome=outcome, message="m", should_stop_run=True, can_retry=True)
    sent_keys, kept = wait_for_response(batch, {f"a/{FILE}": response, f"b/{FILE}": DELETED})
    assert sent_keys == ["b/x"]
    assert {key: key_outcome.outcome for key, key_outcome in kept.items()} == dict.fromkeys(
        ["a/x", "a/y"], expected
    )
    assert not any(
        key_outcome.should_stop_run or key_outcome.can_retry for key_outcome in kept.values()
    )


@pytest.mark.parametrize("outcomes", [{}, RuntimeError("a bug")])
def test_others_are_not_sent_after_a_required_file_without_outcome(
    outcomes: dict[str, KeyOutcome] | BaseException,
) -> None:
    assert wait_for_response([make_part("a", ["x"])], outcomes) == ([], {})
