"""Random deployments, policies, pins and clocks, for Hypothesis properties and seeded loops.

Each function gets `choose`, which picks one of several values. It is either Hypothesis's, which
shrinks to the first value, or the `choice` of a seeded `random.Random`.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from ci3.core.live.pins import Pin, pin_protected, pin_run
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.retention.decide import AgeFrom, RetentionPolicy, decide
from ci3.core.retention.newest_pins import resolve_pins
from ci3.core.units import Duration
from tests.support.builders import NOW, live_pin, pin_commits

NAMES = (
    "d1", "d2", "d3", "pr-1-a", "pr-1-b", "pr-1", "pr-1-c", "pr-2-a", "pr-2-b",
    "d4", "release-1", "pr-1-1111111", "pr-1-2222222", "web-3333333", "web-4444444", "1",
    "d1-5555555", "abcdef1", "abcdef", "web-ABCDEF12-3", "web-2", "d5", "--",
)  # fmt: skip
PINS = (
    *pin_protected(["d1", "d[2-5]", "pr-2-*", "release-*", "nothing"]),
    *pin_commits(["abcdef1234567890"]),
    live_pin("pr-1-b", "version.json names pr-1-b"),
    live_pin("ABCDEF12", "main is at ABCDEF12"),
    Pin(
        code=ReasonCode.LIVE,
        reference=Reference(commits=("1234567890",), pull_request=1, branches=("web",)),
    ),
    *pin_run([Reference(commits=("abcdef1",), branches=("d1", "pr-1"))]),
)
GROUPINGS = (
    re.compile(r"(pr-\d+)-.*"),
    re.compile(r"(?:(pr)|(web|d))(?:-\w+|\d)"),
    re.compile(r"([a-z]*).*?(\d?)"),
    re.compile(r"(pr-1|d).?"),
)
# The Monday after ISO week 53 of 2026, which ends in January 2027.
TURN_OF_THE_YEAR = datetime(2027, 1, 4, 1, tzinfo=UTC)
STEPS = tuple(timedelta(hours=hours) for hours in (1, 12, 48, 240))
DURATIONS = tuple(Duration.parse(text) for text in ("3h", "36h", "6d", "8w", "0h"))
DRAWN = st.integers(0, 2**24 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that decisions depend on."""

    deployments: tuple[Deployment, ...]
    policy: RetentionPolicy
    pins: tuple[Pin, ...]
    now: datetime
    minimum: int

    def decide(self):
        """Return the decisions of ci3."""
        inventory = Inventory(deployments=self.deployments)
        return decide(inventory, self.policy, self.pins, self.now, self.minimum)

    def find_deleted(self):
        """Return the names of the deployments that ci3 deletes."""
        return {decision.deployment.name for decision in self.decide() if decision.is_delete}

    def resolve(self, pins):
        """Return pins that are resolved for the deployments."""
        policy = self.policy
        return resolve_pins(
            pins, self.deployments, group_by=policy.group_by, age_from=policy.age_from
        )

    def without(self, names):
        """Return the same situation without the deployments of these names."""
        remaining = tuple(
            deployment for deployment in self.deployments if deployment.name not in names
        )
        return replace(self, deployments=remaining)


def make_situation(choose):
    last_at, step = choose((NOW, TURN_OF_THE_YEAR)), choose(STEPS)
    slots = range(choose((18, 5)))
    return Situation(
        deployments=make_deployments(choose, last_at, step, slots),
        policy=make_policy(choose),
        pins=tuple(choose(PINS) for _ in range(choose((0, 0, 1, 2)))),
        now=last_at + choose((0, 1, 9, -5, -12, -1000, 1000)) * step,
        minimum=choose((1, 1, 1, 2, 4)),
    )


def make_deployments(choose, last_at, step, slots):
    """Make up to 15 deployments within a few steps: many overlap or have equal times."""
    remaining_names, deployments = list(NAMES), []
    for _ in range(choose(range(16))):
        name = choose(remaining_names)
        remaining_names.remove(name)
        deployments.append(make_deployment(choose, name, last_at, step, slots))
    return tuple(deployments)


def make_deployment(choose, name, last_at, step, slots):
    kind = choose(("complete", "complete", "complete", "complete", "incomplete", "empty"))
    first = last_at - choose(slots) * step - timedelta(seconds=choose((0, 0, 0, 1)))
    last = first + choose((0, 0, 1, 2, 5)) * step
    is_fully_listed = choose((True, True, True, False)) or kind == "empty"
    is_empty = kind == "empty"
    return Deployment(
        name=name,
        prefix=f"{name}/",
        object_count=2 if is_fully_listed and not is_empty else 0,
        size_bytes=0,
        oldest_at=None if is_empty else first,
        newest_at=None if is_empty else last,
        first_object_at=None
        if is_empty
        else choose((first, last, first + (last - first) / 2, None)),
        is_complete=kind == "complete",
        is_fully_listed=is_fully_listed,
        fingerprint=name if is_fully_listed else "",
    )


def make_policy(choose):
    return RetentionPolicy(
        keep_count=choose((1, 2, 3, 0, 1, 5)),
        keep_within=choose((*[None] * 10, *DURATIONS)),
        keep_daily=choose((0, 0, 0, 0, 0, 1, 3)),
        keep_weekly=choose((0, 0, 0, 0, 0, 1, 3)),
        keep_monthly=choose((0, 0, 0, 0, 0, 1, 3)),
        group_by=choose((None, None, None, None, *GROUPINGS)),
        age_from=choose((AgeFrom.SPAN, AgeFrom.SPAN, *AgeFrom)),
    )


@st.composite
def situations(draw):
    """Draw situations. Each drawn number is used for several choices, which is faster."""
    number, limit = 0, 0  # a random number of range(limit)

    def choose(options):
        nonlocal number, limit
        if limit < 100 * len(options):
            number, limit = draw(DRAWN), 2**24
        number, index = divmod(number, len(options))
        limit //= len(options)
        return options[index]

    return make_situation(choose)
