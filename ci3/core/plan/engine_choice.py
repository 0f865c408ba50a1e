"""Estimate requests, time and cost of a deletion with each engine, and choose the engine.

Rates and prices are those of Amazon S3 in us-east-1, November 2026. Other regions are somewhat more
expensive; other S3 services have their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ci3.constants import MAXIMUM_DIRECT_OBJECTS
from ci3.core.formatting import pluralize
from ci3.core.model.decision import Engine

KEYS_PER_SECOND: Final = 3_500
"""Keys per second that S3 deletes in one partition of a bucket, at least.

Each key of a batch counts. Under sustained load S3 splits a bucket by key into several partitions,
each with this rate.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
"""

MACHINE_KEYS_PER_SECOND: Final = 20_000
"""Keys per second that one machine deletes if S3 does not limit it.

55,000 were measured on two cores with a latency of 30 ms; a busy runner reaches less.
"""

KEYS_PER_PAGE: Final = 1_000
"""Keys in one page of a listing.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

PAGES_PER_SECOND: Final = 100
"""Pages per second that one machine lists.

300 were measured on two cores with a latency of 30 ms.
"""

LIST_USD_PER_1000: Final = Decimal("0.005")
"""The price of 1,000 LIST requests. DELETE requests are free.

Source: https://aws.amazon.com/s3/pricing/ (Requests and data retrievals)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Time and cost of a deletion with one engine, and how they were computed.

    `seconds` is None for the lifecycle engine: S3 deletes within a day or two of the next midnight
    UTC.
    """

    engine: Engine
    seconds: float | None
    usd: Decimal
    arithmetic: str

    def __str__(self) -> str:
        return f"{self.engine}: {self.arithmetic}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """The chosen engine, the reason, and the estimate of each possible engine."""

    engine: Engine
    reason: str
    estimates: tuple[Estimate, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The choice as text: first the chosen engine, then one sentence per estimate."""
        choice = f"engine: auto uses {self.engine}: {self.reason}"
        return (choice, *(str(estimate) for estimate in self.estimates))


def estimate_direct(object_counts: Iterable[int], *, partition_count: int = 1) -> Estimate:
    """Estimate the direct engine, given the object count of each deployment to delete.

    Each deployment is listed again right before it is deleted, while others are being deleted. The
    keys are in `partition_count` partitions of the bucket, which S3 serves in parallel.
    """
    counts = list(object_counts)
    total, pages = sum(counts), sum(count_pages(count) for count in counts)
    rate = min(KEYS_PER_SECOND * partition_count, MACHINE_KEYS_PER_SECOND)
    delete_seconds, list_seconds = total / rate, pages / PAGES_PER_SECOND
    arithmetic = (
        f"{pluralize(total, 'object')} / {rate:,} per second = {format_duration(delete_seconds)}; "
        f"listing at the same time: {_format_listing(pages)}; DELETE is free"
    )
    return Estimate(
        engine=Engine.DIRECT,
        seconds=max(delete_seconds, list_seconds),
        usd=compute_list_cost(pages),
        arithmetic=arithmetic,
    )


def estimate_lifecycle(object_counts: Sequence[int], direct_counts: Sequence[int] = ()) -> Estimate:
    """Estimate the lifecycle engine: one rule for each deployment of `object_counts`.

    `direct_counts` are the object counts of deployments that ci3 must delete itself because no rule
    can be made for them.

    S3 evaluates rules once a day, from midnight UTC, asynchronously. It charges neither for these
    requests nor for the storage of expired objects. Each deployment is listed again before its rule
    is written. Source:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
    """
    pages = sum(count_pages(count) for count in object_counts)
    arithmetic = (
        f"{pluralize(len(object_counts), 'rule')} for {pluralize(sum(object_counts), 'object')}, "
        f"free; listing first: {_format_listing(pages)}; "
        "S3 deletes within a day or two of the next midnight UTC"
    )
    rest = estimate_direct(direct_counts)
    if direct_counts:
        arithmetic += f"; deleting the others directly: {rest.arithmetic}"
    return Estimate(
        engine=Engine.LIFECYCLE,
        seconds=None,
        usd=compute_list_cost(pages) + rest.usd,
        arithmetic=arithmetic,
    )


def choose_engine(
    rule_counts: Sequence[int], direct_counts: Sequence[int] = (), *, obstacle: str = ""
) -> EngineChoice:
    """Choose the engine, given the object counts of the deployments to delete.

    `rule_counts` are those that lifecycle rules can delete, `direct_counts` those that they cannot.
    `obstacle` says why no rules can be used at all, or is empty.

    | objects in all               | obstacle | no rule possible | engine    |
    |------------------------------|----------|------------------|-----------|
    | up to MAXIMUM_DIRECT_OBJECTS | any      | any              | direct    |
    | more                         | yes      | any              | direct    |
    | more                         | no       | for all          | direct    |
    | more                         | no       | for some or none | lifecycle |
    """
    total = sum(rule_counts) + sum(direct_counts)
    direct = estimate_direct((*rule_counts, *direct_counts))
    lifecycle = estimate_lifecycle(rule_counts, direct_counts)
    if not rule_counts and direct_counts:
        obstacle = obstacle or "no rule can be created for any deployment"
    maximum = f"{MAXIMUM_DIRECT_OBJECTS:,}"
    if total <= MAXIMUM_DIRECT_OBJECTS:
        engine, reason = Engine.DIRECT, f"at most {maximum} objects to delete"
    elif obstacle:
        engine = Engine.DIRECT
        reason = f"more than {maximum} objects, but lifecycle rules cannot be used: {obstacle}"
    else:
        engine = Engine.LIFECYCLE
        reason = f"more than {maximum} objects to delete"
    estimates = (direct, lifecycle) if not obstacle else (direct,)
    return EngineChoice(engine=engine, reason=reason, estimates=estimates)


def count_pages(object_count: int) -> int:
    """Return the number of LIST requests for so many objects; at least 1, even for none."""
    return max(1, -(-object_count // KEYS_PER_PAGE))


def compute_list_cost(request_count: int) -> Decimal:
    """Return the price of so many LIST requests, in USD."""
    return request_count * LIST_USD_PER_1000 / 1_000


def _format_listing(pages: int) -> str:
    return (
        f"{pluralize(pages, 'page')} / {PAGES_PER_SECOND:,} per second = "
        f"{format_duration(pages / PAGES_PER_SECOND)}, "
        f"{pages:,} LIST × {LIST_USD_PER_1000} USD per 1,000 = "
        f"{format_cost(compute_list_cost(pages))}"
    )


def format_duration(seconds: float) -> str:
    """Format a duration roughly: `12 s`, `59 min`, `7.9 h`, `3.3 days`; at least `1 s`."""
    minute, hour, day = 60, 3_600, 86_400
    if seconds < minute:
        return f"{max(1, round(seconds))} s"
    if seconds < hour:
        return f"{round(seconds / minute)} min"
    if seconds < 2 * day:
        return f"{seconds / hour:.1f} h"
    return f"{seconds / day:.1f} days"


def format_cost(usd: Decimal) -> str:
    """Format a price: `0.06 USD`, or `less than 0.01 USD`."""
    if 0 < usd < Decimal("0.01"):
        return "less than 0.01 USD"
    return f"{usd:,.2f} USD"
