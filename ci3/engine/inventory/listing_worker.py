"""Another Python that lists spans of a bucket at this one's side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci3.aws.bucket import BucketReader
from ci3.engine.inventory.folders import Folders
from ci3.engine.inventory.key_ranges import Span
from ci3.engine.inventory.parallel_listing import FlatListing
from ci3.engine.inventory.partial_listing import Share
from ci3.engine.workers.progress import Silent
from ci3.engine.workers.worker_process import Fork, Say


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """What is to be listed: spans of what `found` names, with so many requests out at once."""

    found: Folders
    required_file: str
    ceiling: int
    spans: Sequence[Span]


class ListingSibling:
    """Asks a copy of this Python that answers by `answer_spans`; see `Sibling`."""

    def __init__(self, fork: Fork, found: Folders, *, required_file: str) -> None:
        self._fork = fork
        self._found = found
        self._required_file = required_file

    def list_spans(
        self, spans: Sequence[Span], ceiling: int, count: Callable[[int], None]
    ) -> Share | None:
        """List spans; see `Sibling`."""
        question = Spans(
            found=self._found,
            required_file=self._required_file,
            ceiling=ceiling,
            spans=spans,
        )
        with self._fork.line() as line:
            said = line.hear() if line.ask(question) else None
            while isinstance(said, int):
                count(said)
                said = line.hear()
        is_whole = isinstance(said, Share) and len(said.edges) == len(spans)
        return said if is_whole else None

    def end(self) -> None:
        """End it, whatever it does; see `Sibling`."""
        self._fork.end()


def answer_spans(bucket: BucketReader, asked: Spans, say: Say) -> None:
    """List spans; say how many deployments were begun as they are, then what was listed.

    What fails ends this Python: the other one then lists that itself, and tells what is wrong.
    """
    listing = FlatListing(
        bucket,
        asked.found,
        required_file=asked.required_file,
        ceiling=asked.ceiling,
        spans=asked.spans,
    )
    say(listing.run(_Telling(say)))


class _Telling(Silent):
    """Tells how many deployments were begun; a Python that is gone ends the listing by that."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def advance(self, steps: int) -> None:
        """Tell, even of none."""
        self._say(steps)
