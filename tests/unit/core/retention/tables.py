"""Tables of decisions: each row is a deployment and what is decided about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ci3.core.inventory.summary import summarize_folder
from ci3.core.live.pins import Pin
from ci3.core.model.deployment import Deployment
from ci3.core.retention.decide import RetentionPolicy, decide
from ci3.core.units import Duration
from tests.support.builders import NOW, inventory, make_object


@dataclass(frozen=True, kw_only=True)
class Case:
    """Rows stand newest first, as decisions do; `rules` are fields of the policy besides."""

    rows: Sequence[tuple[Deployment, str]]
    keep_count: int = 1
    minimum: int = 1
    pins: tuple[Pin, ...] = ()
    now: datetime = NOW
    rules: dict[str, object] = field(default_factory=dict)


def decided(case: Case) -> list[str]:
    """Decide about the deployments of a table, given oldest first; a line for each."""
    oldest_first = [one for one, _ in reversed(case.rows)]
    policy = RetentionPolicy(keep_count=case.keep_count, **case.rules)
    decisions = decide(inventory(*oldest_first), policy, case.pins, case.now, case.minimum)
    return [row(decision) for decision in decisions]


def expected(case: Case) -> list[str]:
    return [f"{one.name:8} {decision}" for one, decision in case.rows]


def row(decision) -> str:
    codes = " ".join(reason.code for reason in decision.reasons)
    return f"{decision.deployment.name:8} {decision.action}: {codes}"


def within(text: str) -> dict[str, object]:
    """The rule keep-within."""
    return {"keep_within": Duration.parse(text)}


def uploaded(
    name: str, first: str, last: str = "", *, files: Sequence[str] = (), required_file: str = ""
) -> Deployment:
    """A deployment of some files, the first by key uploaded first; times are UTC as written."""
    names = files or ("app.js", "index.html")
    times = [_utc(first), *[_utc(last or first) for _ in names[1:]]]
    objects = [
        make_object(f"{name}/{file}", at=at) for file, at in zip(sorted(names), times, strict=True)
    ]
    return summarize_folder(name, f"{name}/", objects, required_file=required_file)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
