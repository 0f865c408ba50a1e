"""The rule `expire-closed`: delete previews of pull requests that were closed long enough ago.

It is the only rule that deletes the last deployment of a group. So each deletion needs positive
evidence: a name that can only be that of the pull request, and its state as GitHub has it now.
Whatever is unknown, missing or contradictory keeps the preview.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final

from ci3.core.formatting import format_age, format_duration, join_names, pluralize
from ci3.core.live.pins import Pin
from ci3.core.live.preview_names import parse_pull_request
from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveKind, LiveReading
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.units import Duration

MAX_UPLOAD_DELAY: Final = timedelta(days=30)
"""A deployment uploaded longer after the closing may be named by another number, as of a build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """The state of a pull request; `closed_at` is None while it is open."""

    created_at: datetime
    closed_at: datetime | None
    is_merged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestReading:
    """What GitHub says about pull requests of a repository, by number.

    `wanted` are the numbers that were to be read, `missing` those that no pull request has, and
    `open_numbers` those that a live source lists as open. With a `problem`, no other number could
    be read.
    """

    repository: str = ""
    pull_requests: Mapping[int, PullRequest] = field(default_factory=lambda: MappingProxyType({}))
    wanted: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    open_numbers: frozenset[int] = frozenset()
    problem: str = ""

    def is_open(self, number: int) -> bool:
        """Return True if the pull request is known to be open."""
        state = self.pull_requests.get(number)
        return number in self.open_numbers or (state is not None and state.closed_at is None)


NO_PULL_REQUESTS: Final = PullRequestReading()
"""No pull request was read: nothing expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryCheck:
    """Whether a preview may be deleted, and why.

    `is_known` is False if GitHub was not read, or has no such pull request: it answers the same to
    a token that may not read it. Such a preview is kept. `depends_on_oldest` is True if an older
    object, which may not be listed yet, could make the preview expired.
    """

    is_expired: bool
    message: str
    is_known: bool = True
    depends_on_oldest: bool = False

    @property
    def is_counted(self) -> bool:
        """True if the preview is known not to be expired: only then it can supersede others."""
        return self.is_known and not self.is_expired


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClosedPreviews:
    """Deployments to delete by `expire-closed`, whose pull requests are read again before that."""

    deployments: Sequence[Deployment]
    is_on_github: ClassVar[bool] = True
    has_rate_limit: ClassVar[bool] = True

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the pull requests."""
        numbers = (parse_pull_request(deployment.name) for deployment in self.deployments)
        return frozenset(number for number in numbers if number is not None)


def select_numbers(
    deployments: Iterable[Deployment], pins: Sequence[Pin], period: Duration, now: datetime
) -> frozenset[int]:
    """Return the pull requests to read: those of previews that are not pinned and old enough.

    A pin that keeps only the newest `pr-12-<commit>` of a pull request is not enough for that: the
    others are kept or deleted by what is read.
    """
    certain_pins = [replace(pin, newest_names=frozenset()) for pin in pins]
    return frozenset(
        number
        for deployment in deployments
        if (number := parse_pull_request(deployment.name)) is not None
        and deployment.newest_at is not None
        and now - deployment.newest_at >= period.length
        and not any(pin.matches(deployment.name) for pin in certain_pins)
    )


def select_open_numbers(readings: Iterable[LiveReading]) -> frozenset[int]:
    """Return the pull requests that the live source `open-pull-requests` lists."""
    return frozenset(
        live.reference.pull_request
        for reading in readings
        if reading.source.kind is LiveKind.OPEN_PULL_REQUESTS
        for live in reading.references
        if live.reference.pull_request is not None
    )


def check_preview(
    deployment: Deployment, reading: PullRequestReading, period: Duration, now: datetime
) -> ExpiryCheck | None:
    """Return whether `expire-closed` may delete a deployment; None if it is no preview.

    The first condition that applies decides. All but the last one keep the deployment:

    | condition                                          | example, with a period of 3 days      |
    |----------------------------------------------------|---------------------------------------|
    | uploaded within the period                         | last upload yesterday                 |
    | listed as open, no pull request, or not read       | #12 is an issue                       |
    | open                                               | reopened                              |
    | closed within the period                           | closed yesterday                      |
    | an object is not newer than the pull request       | uploaded before #12 was created       |
    | all uploaded more than 30 days after the closing   | build 12, a year after #12            |
    | otherwise                                          | closed and last uploaded 4 days ago   |
    """
    number = parse_pull_request(deployment.name)
    if number is None or deployment.oldest_at is None or deployment.newest_at is None:
        return None
    subject = f"{reading.repository}#{number}"
    uploaded = now - deployment.newest_at
    if uploaded < period.length:
        return _keep(f"uploaded {format_age(uploaded)}, within {period}; preview of {subject}")
    if number in reading.open_numbers:
        return _keep(f"{subject} is open")
    pull_request = reading.pull_requests.get(number)
    if pull_request is None:
        how = f"could not be read: {reading.problem}" if reading.problem else "was not read"
        if number in reading.missing:
            how = "does not exist"
        return ExpiryCheck(is_expired=False, message=f"{subject} {how}", is_known=False)
    return _check_times(deployment.oldest_at, subject, pull_request, period, now)


def _check_times(
    oldest_at: datetime, subject: str, pull_request: PullRequest, period: Duration, now: datetime
) -> ExpiryCheck:
    closed_at = pull_request.closed_at
    if closed_at is None:
        return _keep(f"{subject} is open")
    how = "merged" if pull_request.is_merged else "not merged"
    message = f"{subject} was closed {format_age(now - closed_at)} ({how})"
    if now - closed_at < period.length:
        return _keep(f"{message}, within {period}")
    if oldest_at <= pull_request.created_at:
        return _keep(f"an object is older than {subject}")
    if oldest_at - closed_at > MAX_UPLOAD_DELAY:
        delay = format_duration(oldest_at - closed_at)
        message = f"uploaded {delay} after {subject} was closed, so perhaps not its preview"
        return ExpiryCheck(is_expired=False, message=message, depends_on_oldest=True)
    return ExpiryCheck(is_expired=True, message=message)


def _keep(message: str) -> ExpiryCheck:
    return ExpiryCheck(is_expired=False, message=message)


def select_closed_previews(decisions: Iterable[Decision]) -> tuple[ClosedPreviews, ...]:
    """Return the previews that decisions delete by `expire-closed`; empty if there are none."""
    deployments = [decision.deployment for decision in decisions if decision.is_expired]
    return (ClosedPreviews(deployments=deployments),) if deployments else ()


def keep_by_versions(
    decisions: Iterable[Decision],
    reading: PullRequestReading,
    period: Duration | None,
    now: datetime,
) -> tuple[Decision, ...]:
    """Return the decisions without deletions of previews whose versions are not all expired.

    With `delete-versions`, noncurrent versions and delete markers are deleted, too. They may be
    older than the pull request, or newer than the period, although the current objects are not.
    """
    return tuple(
        decision if period is None else _keep_by_versions(decision, reading, period, now)
        for decision in decisions
    )


def _keep_by_versions(
    decision: Decision, reading: PullRequestReading, period: Duration, now: datetime
) -> Decision:
    deployment, versions = decision.deployment, decision.deployment.versions
    if versions is None or not decision.is_expired:
        return decision
    span = replace(deployment, oldest_at=versions.oldest_at, newest_at=versions.newest_at)
    check = check_preview(span, reading, period, now)
    if check is not None and check.is_expired:
        return decision
    message = f"noncurrent versions: {check.message if check else 'none is listed'}"
    return replace(
        decision,
        deployment=replace(deployment, versions=None),
        action=Action.KEEP,
        reasons=(Reason(code=ReasonCode.EXPIRE_CLOSED, message=message),),
    )


def pin_unexpired(
    previews: ClosedPreviews, reading: PullRequestReading, period: Duration | None, now: datetime
) -> tuple[Pin, ...]:
    """Return a pin for each preview that may not be deleted by what was read now.

    Without a period, that is each one.
    """
    checks = (
        (
            deployment.name,
            None if period is None else check_preview(deployment, reading, period, now),
        )
        for deployment in previews.deployments
    )
    return tuple(
        Pin(
            code=ReasonCode.EXPIRE_CLOSED,
            reference=Reference(folder=name),
            evidence=check.message if check else "expire-closed does not apply to it",
            allows_completion=check is not None and not check.is_known,
        )
        for name, check in checks
        if check is None or not check.is_expired
    )


def find_open_warnings(
    reading: PullRequestReading, decisions: Iterable[Decision]
) -> tuple[PlanWarning, ...]:
    """Return a warning if the keep rules delete all previews of an open pull request.

    Only of those that were read: an older build of one that has a newer preview is no reason.
    """
    kept: set[int] = set()
    deleted: set[int] = set()
    for decision in decisions:
        number = parse_pull_request(decision.deployment.name)
        if number is not None:
            (deleted if decision.is_delete else kept).add(number)
    numbers = sorted(number for number in deleted - kept if reading.is_open(number))
    if not numbers:
        return ()
    message = (
        f"The keep rules delete all previews of {pluralize(len(numbers), 'open pull request')}: "
        f"{join_names([f'#{number}' for number in numbers])}. Set group-by to `(pr-\\d+).*`, so "
        "that they apply to each pull request, or live-from: open-pull-requests"
    )
    return (PlanWarning(code=WarningCode.EXPIRE_CLOSED, message=message),)


def find_expiry_warnings(reading: PullRequestReading) -> tuple[PlanWarning, ...]:
    """Return a warning if pull requests could not be read, or if none of them exists."""
    unknown = reading.wanted - {*reading.pull_requests, *reading.missing}
    shown = join_names([f"#{number}" for number in sorted(unknown or reading.wanted)])
    if unknown:
        message = (
            f"expire-closed could not read {pluralize(len(unknown), 'pull request')} ({shown}), "
            f"whose previews it keeps: {reading.problem}"
        )
    elif reading.wanted and reading.wanted <= reading.missing:
        message = (
            f"expire-closed deletes nothing: {reading.repository} does not have any of the pull "
            f"requests that previews are named by ({shown})"
        )
    else:
        return ()
    return (PlanWarning(code=WarningCode.EXPIRE_CLOSED, message=message),)
