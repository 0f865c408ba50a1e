"""What one Python gives another to list at its side, and what comes back: as JSON in between."""

from dataclasses import dataclass
from typing import Any

from ci3.core.content import Sum


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
