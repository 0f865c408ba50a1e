"""What one Python gives another to list at its side, and what comes back."""

from dataclasses import dataclass

from ci3.core.inventory.summary import Sum


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
