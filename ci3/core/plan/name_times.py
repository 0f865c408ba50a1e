"""The check `names-contradict-times`: numbers in names against the times of the uploads.

A copy of a bucket has new times, often in the order of the keys: `build-100` is then older than
`build-95`, and ci3 would delete the newest builds.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from ci3.core.formatting import join_names
from ci3.core.inventory.name_forms import has_commit
from ci3.core.live.sources import LiveKind, LiveReading
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.plan.numbered_names import NumberedName, parse_names
from ci3.core.retention.age_order import AgeFrom, DatedDeployment, date_deployment
from ci3.core.retention.evaluation import Evaluation
from ci3.core.retention.name_order import parse_name

if TYPE_CHECKING:
    from datetime import datetime

_DISPLACED_DIVISOR: Final = 3
"""A series warns if at least one third of it is out of order: a third, not each backport."""
_MIN_NEWER_KEPT: Final = 2
"""A deletion warns if so many with lower numbers are newer and kept: one may be a rollback."""


class _Numbered(NamedTuple):
    rank: tuple[int, ...]
    """Those with the same rank are not compared."""
    numbers: tuple[int, ...]
    dated: DatedDeployment
    is_delete: bool

    @property
    def name(self) -> str:
        return self.dated.deployment.name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contradiction:
    """A deployment that is older than one with a lower number; `newer` is the newest of those."""

    older: _Numbered
    newer: _Numbered
    newer_kept_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """Deployments of a group that have the same text around their numbers.

    `numbered` are sorted by rank. `displaced_count` is the smallest number of them without which
    the rest is in order.
    """

    numbered: Sequence[_Numbered]
    contradictions: Sequence[_Contradiction]
    displaced_count: int

    @property
    def deleted_highest(self) -> tuple[_Contradiction, ...]:
        """The contradictions of those with the highest number, if all of these are deleted."""
        highest_numbers = max(item.numbers for item in self.numbered)
        highest = [item for item in self.numbered if item.numbers == highest_numbers]
        if not all(item.is_delete for item in highest):
            return ()
        return tuple(item for item in self.contradictions if item.older in highest)

    @property
    def is_worth_warning(self) -> bool:
        return bool(
            self.deleted_highest
            or self.displaced_count * _DISPLACED_DIVISOR >= len(self.numbered)
            or any(
                item.older.is_delete and item.newer_kept_count >= _MIN_NEWER_KEPT
                for item in self.contradictions
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTimes:
    """Contradictions between the numbers in names and the upload times of a target.

    `is_age_from_set` is True if the user has set `age-from`, and so has said that times count.
    With `can_order_by_name`, `age-from: name` is possible here and orders each of the series.
    """

    series: tuple[_Series, ...] = ()
    is_age_from_set: bool = False
    can_order_by_name: bool = False

    def find_refusals(self) -> tuple[Refusal, ...]:
        """Return a refusal if the highest-numbered deployment of a series would be deleted."""
        highest = [item for series in self.series for item in series.deleted_highest]
        if not highest or self.is_age_from_set:
            return ()
        deleted = [
            item.older.name
            for series in self.series
            for item in reversed(series.contradictions)
            if item.older.is_delete
        ]
        message = (
            f"Names contradict upload times: {join_names(_describe(highest))}, so the highest "
            f"number would be deleted. If the bucket was copied, {self._suggest(deleted)}. If the "
            "times are correct, set age-from: span"
        )
        return (Refusal(code=RefusalCode.NAMES_CONTRADICT_TIMES, message=message),)

    def find_warnings(self) -> tuple[PlanWarning, ...]:
        """Return a warning about the series that are out of order and do not refuse."""
        series = [
            item
            for item in self.series
            if item.is_worth_warning and (self.is_age_from_set or not item.deleted_highest)
        ]
        if not series:
            return ()
        shown = [
            (item.deleted_highest or _deletions_first(item.contradictions))[0] for item in series
        ]
        message = (
            f"Names contradict upload times: {join_names(_describe(shown))}. The times decide what "
            f"is deleted. If they are wrong because the bucket was copied, {self._suggest()}"
        )
        return (PlanWarning(code=WarningCode.NAMES_CONTRADICT_TIMES, message=message),)

    def _suggest(self, names: Sequence[str] = ()) -> str:
        if self.can_order_by_name:
            return "set age-from: name, which orders by the numbers"
        text = join_names(names) if names else "the deployments to keep"
        return f"add {text} to protect, or upload them again, from the lowest to the highest number"


def compare_names_with_times(
    evaluations: Iterable[Evaluation],
    age_from: AgeFrom,
    *,
    is_age_from_set: bool,
    has_time_rules: bool = False,
    readings: Iterable[LiveReading] = (),
) -> NameTimes:
    """Compare numbers and times of the complete deployments that `protect` does not match.

    Numbers are compared within a group and between names with the same text around them. With the
    live source `open-pull-requests`, bare numbers are those of pull requests and not compared.
    With `has_time_rules`, other keep rules depend on upload times.
    """
    if age_from is AgeFrom.NAME:
        return NameTimes()
    unprotected = [evaluation for evaluation in evaluations if not evaluation.is_protected]
    counted = [evaluation for evaluation in unprotected if evaluation.is_counted]
    names = parse_names(
        (evaluation.deployment.name for evaluation in counted),
        are_pull_requests=any(
            reading.source.kind is LiveKind.OPEN_PULL_REQUESTS for reading in readings
        ),
    )
    by_text: dict[tuple[str, str], list[_Numbered]] = {}
    for evaluation in counted:
        numbered_name = names[evaluation.deployment.name]
        dated = date_deployment(evaluation.deployment, age_from)
        if numbered_name.numbers and dated is not None:
            numbered = _Numbered(
                _rank(evaluation.deployment.name, numbered_name),
                numbered_name.numbers,
                dated,
                evaluation.is_delete,
            )
            by_text.setdefault((evaluation.group, numbered_name.text), []).append(numbered)
    all_series = [_build_series(by_text[key]) for key in sorted(by_text)]
    series = tuple(item for item in all_series if item.contradictions)
    has_commits = any(has_commit(evaluation.deployment.name) for evaluation in unprotected)
    return NameTimes(
        series=series,
        is_age_from_set=is_age_from_set,
        can_order_by_name=not has_time_rules
        and not has_commits
        and all(_is_ordered_by_name(item, names) for item in series),
    )


def _is_ordered_by_name(series: _Series, names: Mapping[str, NumberedName]) -> bool:
    """Return True if `age-from: name` orders a series, and its numbers are not pull requests."""
    return all(
        parse_name(item.name) is not None and not names[item.name].may_be_pull_request
        for item in series.numbered
    )


def _rank(name: str, numbered_name: NumberedName) -> tuple[int, ...]:
    """Return what orders a name: its numbers, or for any other word, how many digits it has.

    `web-1` may be uploaded after `web-2`, but `web-99` after `web-100` is a copy by key.
    """
    return numbered_name.numbers if numbered_name.is_sequence else (len(name),)


def _build_series(numbered: Iterable[_Numbered]) -> _Series:
    ordered = sorted(numbered, key=lambda item: (item.rank, item.dated.start, item.name))
    contradictions: list[_Contradiction] = []
    kept_starts: list[datetime] = []
    newest: _Numbered | None = None
    pending: list[_Numbered] = []  # those of the same rank
    for item in ordered:
        if pending and pending[0].rank != item.rank:
            for earlier in pending:
                if newest is None or earlier.dated.start > newest.dated.start:
                    newest = earlier
                if not earlier.is_delete:
                    insort(kept_starts, earlier.dated.start)
            pending = []
        pending.append(item)
        if newest is not None and newest.dated.start > item.dated.end:
            kept_before = bisect_right(kept_starts, item.dated.end)
            contradictions.append(
                _Contradiction(
                    older=item, newer=newest, newer_kept_count=len(kept_starts) - kept_before
                )
            )
    return _Series(
        numbered=ordered,
        contradictions=contradictions,
        displaced_count=len(ordered) - _count_in_order(ordered),
    )


def _count_in_order(ordered: Iterable[_Numbered]) -> int:
    """Return how many can be in order at most: none of them is known to be newer than a later one.

    `starts[n]` is the earliest time by which n + 1 in order can all have begun; the next one can
    follow those that have begun by its end. Example with uploads of a moment:

        name      build-8    build-9    build-10    build-11
        day       2          3          1           4
        starts    2          2 3        1 3         1 3 4       three are in order: 8, 9, 11
    """
    starts: list[datetime] = []
    for item in ordered:
        index = bisect_right(starts, item.dated.end)
        if index < len(starts):
            del starts[index]
        insort(starts, item.dated.start)
    return len(starts)


def _deletions_first(contradictions: Iterable[_Contradiction]) -> list[_Contradiction]:
    return sorted(contradictions, key=lambda item: not item.older.is_delete)


def _describe(contradictions: Iterable[_Contradiction]) -> list[str]:
    return [f"{item.older.name} is older than {item.newer.name}" for item in contradictions]
