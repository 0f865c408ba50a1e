"""What deleting takes with each engine: requests, time and cost, with the arithmetic; and a choice.

Rates and prices are those of Amazon S3 (us-east-1, November 2026; other regions ask somewhat more).
Another S3 has its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ci3.constants import DELETE_BATCH_SIZE, MOST_DIRECT_OBJECTS
from ci3.core.formatting import counted
from ci3.core.model.decision import Engine

KEYS_A_SECOND: Final = 3_500
"""Keys that S3 deletes in a second under one partition of a bucket, at least.

Each key of a batch counts. S3 parts a bucket by key, by itself, as load goes on: then it is so many
for each part. Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
"""

MACHINE_KEYS_A_SECOND: Final = 20_000
"""Keys that one machine deletes in a second where S3 takes any number.

55,000 were measured on two cores at 30 ms; a runner that does other things has less.
"""

PAGE_KEYS: Final = 1_000
"""Keys that one answer lists.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

PAGES_A_SECOND: Final = 100
"""Pages that one machine lists in a second; 300 were measured on two cores at 30 ms."""

LIST_USD_PER_1000: Final = Decimal("0.005")
"""The price of 1,000 LIST requests. DELETE requests are free.

Source: https://aws.amazon.com/s3/pricing/ (Requests and data retrievals)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What deleting takes with one engine, and how that was reckoned.

    `seconds` is None where S3 does it: from the next midnight UTC, within a day or two.
    """

    engine: Engine
    seconds: float | None
    list_requests: int
    delete_requests: int
    usd: Decimal
    arithmetic: str

    def __str__(self) -> str:
        return f"{self.engine}: {self.arithmetic}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The engine that was chosen, why, and what each would take."""

    engine: Engine
    reason: str
    estimates: tuple[Estimate, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Tell it, the choice first."""
        told = f"engine: auto takes {self.engine}: {self.reason}"
        return (told, *(str(one) for one in self.estimates))


def estimate_direct(object_counts: Iterable[int], *, partition_count: int = 1) -> Estimate:
    """Reckon what deleting deployments of so many objects takes in requests of ci3's own.

    Each deployment is listed again before it is deleted, while others are deleted. The keys lie in
    `partition_count` partitions of the bucket, which are written to at once.
    """
    counts = list(object_counts)
    total, pages = sum(counts), sum(count_pages(one) for one in counts)
    rate = min(KEYS_A_SECOND * partition_count, MACHINE_KEYS_A_SECOND)
    delete_seconds, list_seconds = total / rate, pages / PAGES_A_SECOND
    usd = list_cost(pages)
    arithmetic = (
        f"{counted(total, 'object')} / {rate:,} a second = {duration(delete_seconds)}; "
        f"listed again meanwhile: {_listing(pages)} = {cost(usd)}; DELETE is free"
    )
    return Estimate(
        engine=Engine.DIRECT,
        seconds=max(delete_seconds, list_seconds),
        list_requests=pages,
        delete_requests=-(-total // DELETE_BATCH_SIZE),
        usd=usd,
        arithmetic=arithmetic,
    )


def estimate_lifecycle(object_counts: Sequence[int], direct_counts: Sequence[int] = ()) -> Estimate:
    """Say what deleting deployments of so many objects takes with one lifecycle rule for each.

    Those of `direct_counts` can't be left to a rule.

    S3 acts on rules once a day, from midnight UTC, asynchronously. Neither its requests nor the
    storage of what has expired are charged. Each deployment is listed again before. Source:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
    """
    pages = sum(count_pages(one) for one in object_counts)
    arithmetic = (
        f"{counted(len(object_counts), 'rule')} for {counted(sum(object_counts), 'object')}, "
        f"free; listed again before: {_listing(pages)} = {cost(list_cost(pages))}; "
        "S3 deletes within a day or two of the next midnight UTC"
    )
    rest = estimate_direct(direct_counts)
    if direct_counts:
        arithmetic += f"; the others directly: {rest.arithmetic}"
    return Estimate(
        engine=Engine.LIFECYCLE,
        seconds=None,
        list_requests=pages + rest.list_requests,
        delete_requests=rest.delete_requests,
        usd=list_cost(pages) + rest.usd,
        arithmetic=arithmetic,
    )


def choose_engine(
    rule_counts: Sequence[int], direct_counts: Sequence[int] = (), *, obstacle: str = ""
) -> Choice:
    """Choose what deletes deployments of so many objects; rules can't delete `direct_counts`.

    An `obstacle` says why the lifecycle can't delete any: then it is ci3 itself, however long it
    takes.
    """
    total = sum(rule_counts) + sum(direct_counts)
    direct = estimate_direct((*rule_counts, *direct_counts))
    lifecycle = estimate_lifecycle(rule_counts, direct_counts)
    if not rule_counts and direct_counts:
        obstacle = obstacle or "of no deployment can a rule be made"
    most = f"{MOST_DIRECT_OBJECTS:,}"
    if total <= MOST_DIRECT_OBJECTS:
        engine, reason = Engine.DIRECT, f"up to {most} objects ci3 deletes them itself, at once"
    elif obstacle:
        engine, reason = (
            Engine.DIRECT,
            f"more than {most} objects, and no lifecycle rules: {obstacle}",
        )
    else:
        engine, reason = Engine.LIFECYCLE, f"more than {most} objects are left to S3"
    estimates = (direct, lifecycle) if not obstacle else (direct,)
    return Choice(engine=engine, reason=reason, estimates=estimates)


def count_pages(object_count: int) -> int:
    """Count the requests that list so many objects: one at least, also of nothing."""
    return max(1, -(-object_count // PAGE_KEYS))


def list_cost(request_count: int) -> Decimal:
    """Reckon what so many LIST requests cost, in USD."""
    return request_count * LIST_USD_PER_1000 / 1_000


def _listing(pages: int) -> str:
    return (
        f"{counted(pages, 'page')} / {PAGES_A_SECOND:,} a second = "
        f"{duration(pages / PAGES_A_SECOND)}, "
        f"{pages:,} LIST × {LIST_USD_PER_1000} USD per 1,000"
    )


def duration(seconds: float) -> str:
    """Write about how long that is: `12 s`, `59 min`, `7.9 h`, `3.3 days`."""
    minute, hour, day = 60, 3_600, 86_400
    if seconds < minute:
        return f"{max(1, round(seconds))} s"
    if seconds < hour:
        return f"{round(seconds / minute)} min"
    if seconds < 2 * day:
        return f"{seconds / hour:.1f} h"
    return f"{seconds / day:.1f} days"


def cost(usd: Decimal) -> str:
    """Write a price: `0.06 USD`."""
    if 0 < usd < Decimal("0.01"):
        return "less than 0.01 USD"
    return f"{usd:,.2f} USD"
