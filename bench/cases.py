"""What is measured: which work, on which bucket, by whom, and what ci3 must reach."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bench.checkout import Checkout
from bench.layout import Layout

CI3, S5CMD, RCLONE, BOTO3, AWS = TOOLS = ("ci3", "s5cmd", "rclone", "boto3", "aws")
ALSO = "ci3 (also)"
"""The ci3 of a second checkout."""
WORKERS = 32
"""Requests that a listing may cost beyond the least, for working at once."""


class Work(StrEnum):
    """What is done to a bucket."""

    PLAN = "plan"
    DELETE = "delete"


class Server(StrEnum):
    """Who answers."""

    MEMORY = "memory"
    SEAWEEDFS = "seaweedfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One piece of work on one bucket; `once` are those too slow to be measured again.

    They are measured at the longest delay.
    """

    work: Work
    layout: Layout
    doomed: int
    """How many deployments go: the oldest."""
    delays_ms: tuple[int, ...] = (0, 30)
    tools: tuple[str, ...]
    once: tuple[str, ...] = ()
    server: Server = Server.MEMORY
    title: str
    also: Checkout | None = None
    """The second checkout, where ALSO is one of the tools."""

    @property
    def name(self) -> str:
        """How `--only` names it."""
        mark = "" if self.server is Server.MEMORY else "real-"
        return f"{mark}{self.work}-{self.title}"

    @property
    def keep_count(self) -> int:
        """Which keep-count dooms just these."""
        return len(self.layout.deployments) - self.doomed

    @property
    def doomed_objects(self) -> int:
        """How many objects go."""
        return sum(one.count for one in self.layout.oldest(self.doomed))

    def scaled(self, scale: float) -> "Case":
        """Make it smaller; the name stays."""
        layout = self.layout.scaled(scale)
        share = self.doomed / len(self.layout.deployments)
        doomed = min(len(layout.deployments) - 1, max(1, round(len(layout.deployments) * share)))
        return replace(self, layout=layout, doomed=doomed)

    def with_also(self, also: Checkout) -> "Case":
        """Return the case with a second ci3, measured whenever ci3 is."""
        return replace(self, also=also, tools=_with_also(self.tools), once=_with_also(self.once))


def _with_also(tools: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for tool in tools for name in ((tool, ALSO) if tool == CI3 else (tool,)))


def _case(work: Work, text: str, title: str = "", **more: object) -> Case:
    layout = Layout(text)
    values: dict[str, object] = {
        "work": work,
        "layout": layout,
        "doomed": len(layout.deployments) // 2,
        "tools": TOOLS if work is Work.PLAN else (CI3, S5CMD, RCLONE, BOTO3),
        "title": title or text,
    }
    return Case(**(values | more))  # type: ignore[arg-type]  # the fields' names stand above


def all_cases() -> tuple[Case, ...]:
    """List the cases, in the order in which they are measured."""
    plan, delete = Work.PLAN, Work.DELETE
    fast = (CI3, S5CMD, RCLONE)
    huge = "1x1000000-20x50"
    return (
        _case(plan, "200x500", once=(AWS, BOTO3)),
        _case(plan, "200x500", server=Server.SEAWEEDFS, delays_ms=(0,)),
        _case(delete, "20x500", tools=TOOLS, once=(AWS,)),
        _case(delete, "200x500", once=(RCLONE,)),
        _case(plan, "1000x1000", tools=(*fast, BOTO3), once=(BOTO3,)),
        _case(plan, huge, tools=fast, once=(RCLONE,), delays_ms=(30,)),
        _case(plan, "10000x100", tools=(*fast, BOTO3), once=(RCLONE, BOTO3), delays_ms=(30,)),
        _case(plan, "500x20-300x300-50x2000-3x50000", "mixed", tools=fast),
        _case(delete, "2000x50", once=(RCLONE,)),
        _case(delete, "1x200000-20x50", doomed=13, tools=(CI3, S5CMD, BOTO3), once=(BOTO3,)),
        _case(delete, "500x20-100x300-10x2000", "mixed", once=(RCLONE,)),
        _case(
            delete,
            "100x200",
            server=Server.SEAWEEDFS,
            delays_ms=(0,),
            tools=(CI3, S5CMD, BOTO3),
        ),
        _case(plan, "10000x1000", tools=(CI3,), once=(CI3,), delays_ms=(0,)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio of medians that ci3 must reach: its figure over a peer's."""

    case: str
    delay_ms: int
    peer: str
    figure: str
    at_most: float


GOALS: Sequence[Goal] = (
    Goal(case="plan-1000x1000", delay_ms=30, peer=S5CMD, figure="wall_seconds", at_most=0.12),
    Goal(case="plan-1000x1000", delay_ms=30, peer=RCLONE, figure="wall_seconds", at_most=0.12),
    Goal(case="plan-1000x1000", delay_ms=30, peer=S5CMD, figure="cpu_seconds", at_most=0.25),
    Goal(case="plan-200x500", delay_ms=0, peer=S5CMD, figure="wall_seconds", at_most=0.5),
    Goal(case="plan-200x500", delay_ms=0, peer=RCLONE, figure="wall_seconds", at_most=0.7),
    Goal(case="plan-1x1000000-20x50", delay_ms=30, peer=S5CMD, figure="wall_seconds", at_most=0.25),
    Goal(case="delete-200x500", delay_ms=30, peer=S5CMD, figure="wall_seconds", at_most=0.7),
    Goal(case="delete-200x500", delay_ms=30, peer=S5CMD, figure="cpu_seconds", at_most=0.5),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A figure of ci3's own that must not be passed, in a case at a delay."""

    case: str
    delay_ms: int
    figure: str
    at_most: float
    told: str


MEGABYTE = 10**6
LIMITS: Sequence[Limit] = (
    Limit(
        case="plan-10000x100",
        delay_ms=30,
        figure="requests",
        at_most=1.05 * Layout("10000x100").least_requests + WORKERS,
        told=f"1.05 × the least + {WORKERS}",
    ),
    Limit(
        case="plan-1000x1000",
        delay_ms=30,
        figure="peak_bytes",
        at_most=150 * MEGABYTE,
        told="150 MB",
    ),
    Limit(
        case="plan-10000x1000",
        delay_ms=0,
        figure="peak_bytes",
        at_most=200 * MEGABYTE,
        told="200 MB",
    ),
)
