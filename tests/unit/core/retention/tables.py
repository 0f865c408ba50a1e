"""Tables of decisions: each row is a deployment and the decision about it."""

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
    """Rows from newest to oldest, as decisions are; `rules` are further fields of the policy."""

    rows: Sequence[tuple[Deployment, str]]
    keep_count: int = 1
    minimum: int = 1
    pins: tuple[Pin, ...] = ()
    now: datetime = NOW
    rules: dict[str, object] = field(default_factory=dict)


def decide_case(case: Case) -> list[str]:
    """Decide about the deployments of a table, from oldest to newest; return one line for each."""
    oldest_first = [deployment for deployment, _ in reversed(case.rows)]
    policy = RetentionPolicy(keep_count=case.keep_count, **case.rules)
    decisions = decide(inventory(*oldest_first), policy, case.pins, case.now, case.minimum)
    return [format_decision(decision) for decision in decisions]


def list_expected(case: Case) -> list[str]:
    return [f"{deployment.name:8} {decision}" for deployment, decision in case.rows]


def format_decision(decision) -> str:
    codes = " ".join(reason.code for reason in decision.reasons)
    return f"{decision.deployment.name:8} {decision.action}: {codes}"


def keep_within(text: str) -> dict[str, object]:
    return {"keep_within": Duration.parse(text)}


def uploaded(
    name: str, first: str, last: str = "", *, files: Sequence[str] = (), required_file: str = ""
) -> Deployment:
    """Return a deployment whose first file by key has the first time; times are in UTC."""
    names = files or ("app.js", "index.html")
    times = [_parse_utc(first), *[_parse_utc(last or first) for _ in names[1:]]]
    objects = [
        make_object(f"{name}/{file}", at=at) for file, at in zip(sorted(names), times, strict=True)
    ]
    return summarize_folder(name, f"{name}/", objects, required_file=required_file)


def _parse_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
