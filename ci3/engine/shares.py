"""What one Python gives another to list at its side, and what comes back: as JSON in between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ci3.core.content import Sum
from ci3.engine.ranges import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What a listing showed at the ends of a span; see `Range`."""

    first: str | None
    beyond: str | None
    ends_early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What was listed: what each deployment comes to, by name; those in doubt; each span's edge."""

    sums: dict[str, Sum]
    doubtful: frozenset[str]
    edges: tuple[Edge, ...]


class Sibling(Protocol):
    """Another Python that lists as this one does, at the same time: each reads with one core."""

    def is_ready(self) -> bool:
        """Wait until it can list; false where it can't."""

    def list_spans(self, spans: Sequence[Span], count: Callable[[int], None]) -> Share | None:
        """List spans, counting deployments as they are begun; None where that failed, however.

        None says nothing about the bucket: what was asked for is still to be listed.
        """

    def close(self) -> None:
        """End it, whatever it does; from any thread, and more than once."""


def write_share(share: Share) -> dict[str, Any]:
    """Write a share as JSON has it."""
    edges = [(one.first, one.beyond, one.ends_early) for one in share.edges]
    return {"sums": share.sums, "doubtful": [*share.doubtful], "edges": edges}


def read_share(words: Any) -> Share:  # noqa: ANN401 - JSON
    """Read what `write_share` wrote; raises ValueError, KeyError or TypeError where it is none."""
    return Share(
        sums={name: Sum(*fields) for name, fields in words["sums"].items()},
        doubtful=frozenset(words["doubtful"]),
        edges=tuple(
            Edge(first=first, beyond=beyond, ends_early=ends_early)
            for first, beyond, ends_early in words["edges"]
        ),
    )
