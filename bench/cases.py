"""The benchmark cases, and the bounds that ci3 must meet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bench.checkout import Checkout
from bench.layout import Layout

CI3, S5CMD, RCLONE, BOTO3, AWS = TOOLS = ("ci3", "s5cmd", "rclone", "boto3", "aws")
ALSO = "ci3 (also)"
"""The name of a second checkout's ci3 in figures and reports."""
WORKERS = 32
"""Requests above the minimum that a concurrent listing may cost."""


class Work(StrEnum):
    """The work that a case measures."""

    PLAN = "plan"
    DELETE = "delete"


class Server(StrEnum):
    """The S3 server that a case runs on."""

    MEMORY = "memory"
    SEAWEEDFS = "seaweedfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Work on one bucket, measured with several tools.

    The tools in `once` are too slow to be repeated: they run once, at the longest delay.
    """

    work: Work
    layout: Layout
    delete_count: int
    """The number of deployments to delete, oldest first."""
    delays_ms: tuple[int, ...] = (0, 30)
    tools: tuple[str, ...]
    once: tuple[str, ...] = ()
    server: Server = Server.MEMORY
    title: str
    second_checkout: Checkout | None = None
    """The second checkout, if ALSO is one of the tools."""

    @property
    def name(self) -> str:
        """The name for `--only`."""
        server_prefix = "" if self.server is Server.MEMORY else "real-"
        return f"{server_prefix}{self.work}-{self.title}"

    @property
    def keep_count(self) -> int:
        """The keep-count with which exactly the deployments to delete are deleted."""
        return len(self.layout.deployments) - self.delete_count

    @property
    def delete_object_count(self) -> int:
        """The number of objects to delete."""
        return sum(deployment.object_count for deployment in self.layout.oldest(self.delete_count))

    def scaled(self, scale: float) -> "Case":
        """Return a smaller case of the same name."""
        layout = self.layout.scaled(scale)
        share = self.delete_count / len(self.layout.deployments)
        delete_count = min(
            len(layout.deployments) - 1, max(1, round(len(layout.deployments) * share))
        )
        return replace(self, layout=layout, delete_count=delete_count)

    def with_also(self, second_checkout: Checkout) -> "Case":
        """Return the case with a second ci3 that is measured whenever ci3 is."""
        return replace(
            self,
            second_checkout=second_checkout,
            tools=_add_second_ci3(self.tools),
            once=_add_second_ci3(self.once),
        )


def _add_second_ci3(tools: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for tool in tools for name in ((tool, ALSO) if tool == CI3 else (tool,)))


def _make_case(work: Work, layout_text: str, title: str = "", **overrides: object) -> Case:
    layout = Layout(layout_text)
    defaults: dict[str, object] = {
        "work": work,
        "layout": layout,
        "delete_count": len(layout.deployments) // 2,
        "tools": TOOLS if work is Work.PLAN else (CI3, S5CMD, RCLONE, BOTO3),
        "title": title or layout_text,
    }
    return Case(**(defaults | overrides))  # type: ignore[arg-type]  # the field names of Case


def all_cases() -> tuple[Case, ...]:
    """Return the cases in the order in which they are measured."""
    plan, delete = Work.PLAN, Work.DELETE
    fast = (CI3, S5CMD, RCLONE)
    huge = "1x1000000-20x50"
    return (
        _make_case(plan, "200x500", once=(AWS, BOTO3)),
        _make_case(plan, "200x500", server=Server.SEAWEEDFS, delays_ms=(0,)),
        _make_case(delete, "20x500", tools=TOOLS, once=(AWS,)),
        _make_case(delete, "200x500", once=(RCLONE,)),
        _make_case(plan, "1000x1000", tools=(*fast, BOTO3), once=(BOTO3,)),
        _make_case(plan, huge, tools=fast, once=(RCLONE,), delays_ms=(30,)),
        _make_case(plan, "10000x100", tools=(*fast, BOTO3), once=(RCLONE, BOTO3), delays_ms=(30,)),
        _make_case(plan, "500x20-300x300-50x2000-3x50000", "mixed", tools=fast),
        _make_case(delete, "2000x50", once=(RCLONE,)),
        _make_case(
            delete, "1x200000-20x50", delete_count=13, tools=(CI3, S5CMD, BOTO3), once=(BOTO3,)
        ),
        _make_case(delete, "500x20-100x300-10x2000", "mixed", once=(RCLONE,)),
        _make_case(
            delete,
            "100x200",
            server=Server.SEAWEEDFS,
            delays_ms=(0,),
            tools=(CI3, S5CMD, BOTO3),
        ),
        _make_case(plan, "10000x1000", tools=(CI3,), once=(CI3,), delays_ms=(0,)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """An upper bound for a ratio of medians: ci3's figure over a peer's."""

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
    """An upper bound for a figure of ci3 in one case at one delay."""

    case: str
    delay_ms: int
    figure: str
    at_most: float
    bound_text: str


MEGABYTE = 10**6
LIMITS: Sequence[Limit] = (
    Limit(
        case="plan-10000x100",
        delay_ms=30,
        figure="requests",
        at_most=1.05 * Layout("10000x100").least_requests + WORKERS,
        bound_text=f"1.05 × the minimum + {WORKERS}",
    ),
    Limit(
        case="plan-1000x1000",
        delay_ms=30,
        figure="peak_bytes",
        at_most=150 * MEGABYTE,
        bound_text="150 MB",
    ),
    Limit(
        case="plan-10000x1000",
        delay_ms=0,
        figure="peak_bytes",
        at_most=200 * MEGABYTE,
        bound_text="200 MB",
    ),
)
