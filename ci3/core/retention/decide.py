"""The decision: which deployments stay and which go; keep rules are a union, doubt keeps."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ci3.core.formatting import ago, counted, moment
from ci3.core.live.pins import Pin
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.retention.age_order import AgeFrom, Dated, Succession, date, newest_first
from ci3.core.units import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """The rules that keep deployments; a count of 0 and None are rules that keep nothing."""

    keep_count: int
    keep_within: Duration | None = None
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    group_by: re.Pattern[str] | None = None
    age_from: AgeFrom = AgeFrom.SPAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule or pin, held against one deployment: whether it keeps it, and the words for that.

    The words are made when they are asked for: of a large bucket most are not.
    """

    code: ReasonCode
    is_matched: bool
    tell: Callable[[], str]

    @property
    def message(self) -> str:
        """Say why it keeps the deployment, or why not."""
        return self.tell()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Everything that speaks for keeping one deployment, and everything that does not.

    `follower` is the complete deployment that superseded it; `newer_count` says how many complete
    ones are known to be newer, `needed_count` how many there must be before it may go.
    """

    deployment: Deployment
    group: str
    checks: tuple[Check, ...]
    follower: Dated | None
    newer_count: int
    needed_count: int
    now: datetime

    @property
    def matched(self) -> tuple[Check, ...]:
        """The checks that keep it."""
        return tuple(check for check in self.checks if check.is_matched)

    @property
    def is_delete(self) -> bool:
        """Whether nothing keeps it, and something is known to have followed it."""
        return self.follower is not None and not any(check.is_matched for check in self.checks)

    @property
    def is_keep(self) -> bool:
        """Whether it stays."""
        return not self.is_delete

    @property
    def decision(self) -> Decision:
        """Keep it for every reason there is, or without one delete it."""
        action = Action.KEEP
        reasons = tuple(Reason(code=one.code, message=one.message) for one in self.matched)
        if self.is_delete and self.follower is not None:
            action = Action.DELETE
            reasons = (_superseded(self.newer_count, self.follower, self.now),)
        return Decision(
            deployment=self.deployment, group=self.group, action=action, reasons=reasons
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """Everything in force that can keep a deployment, and the clock."""

    policy: RetentionPolicy
    minimum_keep_count: int
    pins: Sequence[Pin]
    now: datetime

    @property
    def needed_count(self) -> int:
        """How many complete ones must be known to be newer before one may go."""
        return max(self.policy.keep_count, self.minimum_keep_count)


_Period = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """One group's complete deployments in their order, and those that stand for a period."""

    name: str
    complete: Succession
    periods: Mapping[ReasonCode, "_Periods"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Periods:
    """The last days, weeks or months that have a deployment, each with when its newest was done."""

    form: str
    count: int
    newest: Mapping[_Period, datetime]


_FORMS = {
    ReasonCode.KEEP_DAILY: "%Y-%m-%d",
    ReasonCode.KEEP_WEEKLY: "%G-W%V",
    ReasonCode.KEEP_MONTHLY: "%Y-%m",
}
_NOTHING = "nothing was found in it"
_UPLOADING = "incomplete and newer than every complete one: it may still be uploading"


def decide(
    inventory: Inventory,
    policy: RetentionPolicy,
    pins: Sequence[Pin],
    now: datetime,
    minimum_keep_count: int,
) -> tuple[Decision, ...]:
    """Decide about every deployment of an inventory; newest first, without objects last.

    Independent of the inventory's order. Raises ValueError for a minimum below 1, because then a
    group could lose its last deployment.
    """
    judged = judge(inventory, policy, pins, now, minimum_keep_count)
    return tuple(judgement.decision for judgement in judged)


def judge(
    inventory: Inventory,
    policy: RetentionPolicy,
    pins: Sequence[Pin],
    now: datetime,
    minimum_keep_count: int,
) -> tuple[Judgement, ...]:
    """Hold every rule and pin against every deployment; see `decide`."""
    if minimum_keep_count < 1:
        raise ValueError(f"minimum_keep_count must be at least 1, not {minimum_keep_count}")
    rules = _Rules(policy=policy, minimum_keep_count=minimum_keep_count, pins=pins, now=now)
    ordered = newest_first(inventory.deployments)
    members: dict[tuple[str, ...], list[Deployment]] = {}
    for deployment in ordered:
        members.setdefault(_group_key(deployment.name, policy.group_by), []).append(deployment)
    judged = {
        judgement.deployment.prefix: judgement
        for key, deployments in members.items()
        for judgement in _judge_group("/".join(key[1:]), deployments, rules)
    }
    return tuple(judged[deployment.prefix] for deployment in ordered)


def _group_key(name: str, group_by: re.Pattern[str] | None) -> tuple[str, ...]:
    """Tell groups apart: what does not match is alone, even where a group is called like it."""
    if group_by is None:
        return ("grouped", "")
    found = group_by.fullmatch(name)
    return (
        ("alone", name) if found is None else ("grouped", *(part or "" for part in found.groups()))
    )


def _judge_group(
    name: str, deployments: Sequence[Deployment], rules: _Rules
) -> Iterable[Judgement]:
    dated = {one.name: date(one, rules.policy.age_from) for one in deployments}
    complete = [one for one in dated.values() if one is not None and one.deployment.complete]
    counts = {
        ReasonCode.KEEP_DAILY: rules.policy.keep_daily,
        ReasonCode.KEEP_WEEKLY: rules.policy.keep_weekly,
        ReasonCode.KEEP_MONTHLY: rules.policy.keep_monthly,
    }
    group = _Group(
        name=name,
        complete=Succession(complete),
        periods={
            code: _last_periods(code, count, complete) for code, count in counts.items() if count
        },
    )
    for deployment in deployments:
        yield _judge(deployment, dated[deployment.name], group, rules)


def _last_periods(code: ReasonCode, count: int, complete: Iterable[Dated]) -> _Periods:
    newest: dict[_Period, datetime] = {}
    for one in sorted(complete, key=lambda dated: dated.done_at):
        newest[_period(code, one.done_at)] = one.done_at
    return _Periods(form=_FORMS[code], count=count, newest=dict(list(newest.items())[-count:]))


def _period(code: ReasonCode, when: datetime) -> _Period:
    """Name the day, week or month, in UTC, that a time falls into."""
    day = when.astimezone(UTC)
    if code is ReasonCode.KEEP_WEEKLY:
        return day.isocalendar()[:2]
    return (
        (day.year, day.month, day.day) if code is ReasonCode.KEEP_DAILY else (day.year, day.month)
    )


def _judge(deployment: Deployment, one: Dated | None, group: _Group, rules: _Rules) -> Judgement:
    checks = [_check_pin(pin, deployment.name) for pin in rules.pins]
    if one is None:
        checks.append(Check(code=ReasonCode.NO_OBJECTS, is_matched=True, tell=lambda: _NOTHING))
    elif not deployment.complete and _is_newer_than_all(one, group.complete):
        checks.append(Check(code=ReasonCode.IN_PROGRESS, is_matched=True, tell=lambda: _UPLOADING))
    else:
        checks.append(_check_count(one, group.complete, rules))
        if rules.policy.keep_within is not None:
            checks.append(_check_within(one, group.complete, rules.policy.keep_within, rules.now))
        checks += [_check_period(one, code, periods) for code, periods in group.periods.items()]
    return Judgement(
        deployment=deployment,
        group=group.name,
        checks=tuple(checks),
        follower=one and group.complete.follower(one),
        newer_count=group.complete.newer_count(one) if one else 0,
        needed_count=rules.needed_count,
        now=rules.now,
    )


def _check_pin(pin: Pin, name: str) -> Check:
    is_matched = pin.holds(name)
    return Check(
        code=pin.code,
        is_matched=is_matched,
        tell=lambda: pin.reason().message if is_matched else pin.miss,
    )


def _is_newer_than_all(one: Dated, complete: Succession) -> bool:
    return complete.last_done_at is None or one.done_at >= complete.last_done_at


def _check_count(one: Dated, complete: Succession, rules: _Rules) -> Check:
    keep_count, needed = rules.policy.keep_count, rules.needed_count
    place = complete.places.get(one.deployment.name)
    if place is not None and place < needed:
        is_by_minimum = place >= keep_count
        code = ReasonCode.MINIMUM_KEEP_COUNT if is_by_minimum else ReasonCode.KEEP_COUNT
        count = needed if is_by_minimum else keep_count
        return Check(code=code, is_matched=True, tell=lambda: _newest_of(place, count))
    newer_count = complete.newer_count(one)
    if newer_count >= needed:
        code = ReasonCode.KEEP_COUNT
        return Check(code=code, is_matched=False, tell=lambda: _enough_newer(newer_count, needed))
    other = complete.overlapping(one)
    code = ReasonCode.KEEP_COUNT if other is None else ReasonCode.AMBIGUOUS_AGE
    return Check(
        code=code,
        is_matched=True,
        tell=lambda: _too_few_newer(one, other, newer_count, needed),
    )


def _newest_of(place: int, count: int) -> str:
    return "the newest" if place == 0 else f"number {place + 1} of the {count} newest"


def _enough_newer(newer_count: int, needed: int) -> str:
    enough = "1 is" if needed == 1 else f"{needed:,} are"
    return f"{counted(newer_count, 'complete one')} known to be newer, and {enough} enough"


def _too_few_newer(one: Dated, other: Dated | None, newer_count: int, needed: int) -> str:
    known = f"only {newer_count} of {needed} complete ones are known to be newer"
    if other is None:
        return known
    is_same_time = other.start == other.end == one.start == one.end
    how = "has the same time" if is_same_time else "was uploaded in overlapping time"
    return f"not known to be older than {other.deployment.name}, which {how}; {known}"


def _check_within(one: Dated, complete: Succession, within: Duration, now: datetime) -> Check:
    code = ReasonCode.KEEP_WITHIN
    follower = complete.follower(one)
    if follower is None:
        return Check(
            code=code, is_matched=True, tell=lambda: "no complete one is known to be newer"
        )
    since = now - follower.done_at
    is_matched = since <= within.length

    def tell() -> str:
        how = "within" if is_matched else "longer ago than"
        return f"superseded {ago(since)} by {follower.deployment.name}, {how} {within}"

    return Check(code=code, is_matched=is_matched, tell=tell)


def _check_period(one: Dated, code: ReasonCode, periods: _Periods) -> Check:
    newest_at = periods.newest.get(_period(code, one.done_at))
    is_matched = one.deployment.complete and newest_at == one.done_at

    def tell() -> str:
        label = one.done_at.astimezone(UTC).strftime(periods.form)
        if is_matched:
            return f"the newest of {label}"
        if not one.deployment.complete:
            return "incomplete"
        if newest_at is None:
            return f"{label} is before the last {periods.count:,} that have one"
        return f"a newer one is in {label}"

    return Check(code=code, is_matched=is_matched, tell=tell)


def _superseded(newer_count: int, follower: Dated, now: datetime) -> Reason:
    when = f"{moment(follower.done_at)}, {ago(now - follower.done_at)}"
    return Reason(
        code=ReasonCode.SUPERSEDED,
        message=f"{counted(newer_count, 'newer one')}; "
        f"{follower.deployment.name} followed it on {when}",
    )
