"""Deletes the required file of each deployment before its other objects.

A deployment counts as complete while it has its required file. If a run ends early, what is left of
a deployment must not count as complete: it would take a place of `keep-count`, and the next plan
would delete a complete deployment instead.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from ci3.aws.deletion.outcomes import DELETED_OUTCOMES, KeyOutcome
from ci3.constants import DELETE_BATCH_SIZE
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.object_sender import ObjectBatch, ObjectPart
from ci3.engine.deletion.sender import SENDERS, fill_batches

MAX_BATCHES_WAITING = SENDERS
MAX_PARTS_WAITING = 3 * SENDERS
"""Maximum that waits for required files: a stop leaves these deployments without theirs."""

Outcomes = Mapping[str, KeyOutcome]


@dataclass(slots=True, kw_only=True)
class RequiredFirst:
    """Orders batches, and withholds a deployment until its required file was deleted.

    Example, with the required file `i` and batches of 3 keys. Batch 2 is sent after the response to
    batch 1, and batch 4 after the responses to 1 and 3:

    | deployment | objects   | batches, as they are submitted                    |
    |------------|-----------|---------------------------------------------------|
    | `a`        | `f i`     | 1: `a/i b/i`, 2: `a/f b/f b/g`, 4: `b/h`, `c/f`   |
    | `b`        | `f g h i` |                                                   |
    | `c`        | `f i`     | 3: `c/i`                                          |
    """

    required_file: str
    """Path of the file within each deployment; if empty, nothing is ordered or withheld."""
    _answers: dict[str, tuple[str, Future[Outcomes]]] = field(init=False, default_factory=dict)
    """By deployment, the key of its required file, and the outcomes of that batch."""

    def order_batches(
        self, parts: Iterable[ObjectPart], has_idle_sender: Callable[[], bool]
    ) -> Iterator[tuple[ObjectBatch, bool]]:
        """Yield batches, and True for those of required files, which are for `add_answer`.

        The batches after that wait until there is an idle sender, or too much is waiting. So the
        response is usually there when they are sent. A deployment with one object, or without its
        required file, is in these batches only.
        """
        if not self.required_file:
            yield from ((batch, False) for batch in fill_batches(parts))
            return
        required: list[ObjectPart] = []
        waiting: deque[ObjectBatch] = deque()
        for batch in fill_batches(self._take_out_required(parts, required)):
            # All deployments in `required` begin in this batch: there are fewer than its keys.
            if required:
                yield tuple(required), True
                required.clear()
            waiting.append(batch)
            while waiting and (_is_too_much(waiting) or has_idle_sender()):
                yield waiting.popleft(), False
        yield from ((batch, False) for batch in waiting)

    def add_answer(self, batch: ObjectBatch, answer: Future[Outcomes]) -> None:
        """Remember the outcomes of a batch of required files, before any other one is submitted."""
        for part in batch:
            self._answers[part.name] = part.entries[0].key, answer

    def wait(self, batch: ObjectBatch) -> tuple[ObjectBatch, dict[str, KeyOutcome]]:
        """Return the parts of another batch that may be sent, and the outcomes of the others.

        A required file without an outcome was not sent, since the run was stopped or the deployment
        has become live. Then the others have no outcome either.
        """
        parts: list[ObjectPart] = []
        outcomes: dict[str, KeyOutcome] = {}
        for part in batch:
            if part.name not in self._answers:
                parts.append(part)
                continue
            key, answer = self._answers[part.name]
            outcome = None if answer.exception() else answer.result().get(key)
            if outcome is not None and outcome.outcome in DELETED_OUTCOMES:
                parts.append(part)
            elif outcome is not None:
                keys = (stored.key for stored in part.entries)
                outcomes |= dict.fromkeys(keys, keep_with_required(outcome))
        return tuple(parts), outcomes

    def _take_out_required(
        self, parts: Iterable[ObjectPart], required: list[ObjectPart]
    ) -> Iterator[ObjectPart]:
        """Yield each part without its required file, which is appended to `required` before."""
        for part in parts:
            entries, key = part.entries, f"{part.prefix}{self.required_file}"
            index = bisect_left(entries, key, key=lambda stored: stored.key)
            if len(entries) == 1 or index == len(entries) or entries[index].key != key:
                yield part
                continue
            start = max(0, index - DELETE_BATCH_SIZE // 2)
            compared = entries[start : start + DELETE_BATCH_SIZE]
            required.append(replace(part, entries=(entries[index],), compared=compared))
            yield replace(part, entries=(*entries[:index], *entries[index + 1 :]))


def keep_with_required(outcome: KeyOutcome) -> KeyOutcome:
    """Return the outcome of the other objects, given that of a required file that still exists."""
    if outcome.outcome is ObjectOutcome.CHANGED:
        return KeyOutcome(outcome=ObjectOutcome.CHANGED, message=outcome.message)
    return KeyOutcome(
        outcome=ObjectOutcome.FAILED,
        message="not sent: the required file was not deleted",
    )


def _is_too_much(waiting: deque[ObjectBatch]) -> bool:
    return len(waiting) > MAX_BATCHES_WAITING or sum(map(len, waiting)) > MAX_PARTS_WAITING
