"""Writes the tables of docs/scale.md, by the estimate's own numbers."""

from decimal import Decimal

from ci3.core.plan.engine_choice import (
    PAGES_A_SECOND,
    Estimate,
    choose_engine,
    cost,
    count_pages,
    duration,
    estimate_direct,
    list_cost,
)
from docs.tables import table

INVENTORY_USD_PER_MILLION = Decimal("0.0025")
"""The price of a million objects in an S3 Inventory report, each time that one is made.

Source: https://aws.amazon.com/s3/pricing/ (Management and insights)
"""
JOB_SECONDS = 6 * 3_600
"""The longest time that a job may take on GitHub's own runners.

Source: https://docs.github.com/en/actions/reference/limits
"""
POWERS = (4, 6, 8, 9)
"""Objects to delete, as powers of ten."""
DEPLOYMENTS = 100
PLACES = {
    "one partition": 1,
    "six partitions or more": 6,
}
"""How many partitions of the bucket are written to at once."""


def times_table() -> str:
    """Write how long deleting takes at each scale."""
    rows = []
    for power in POWERS:
        counts = _counts(power)
        times = [
            _time(estimate_direct(counts, partition_count=partition_count))
            for partition_count in PLACES.values()
        ]
        use = choose_engine(counts).engine
        rows.append((f"10^{power}", f"`{use}`", *times, "a day or two"))
    return table(("objects to delete", "use", *PLACES, "lifecycle"), rows)


def costs_table() -> str:
    """Write what looking costs at each scale, where all that is there is to be deleted."""
    rows = []
    for power in POWERS:
        pages = sum(count_pages(count) for count in _counts(power))
        once, again = list_cost(pages), estimate_direct(_counts(power)).usd
        rows.append(
            (
                f"10^{power}",
                f"{pages:,} pages, {cost(once)}",
                duration(pages / PAGES_A_SECOND),
                cost(2 * once + again),
                cost(10**power * INVENTORY_USD_PER_MILLION / 1_000_000),
            )
        )
    more = ("plan and apply that plan", "an S3 Inventory report")
    return table(("objects", "list them once", "that takes", *more), rows)


def arithmetic() -> str:
    """Write the sentences with which a plan tells its choice, at each scale."""
    told = []
    for power in POWERS:
        sentences = choose_engine(_counts(power)).sentences
        told += [f"10^{power}:", "", *(f"- {sentence}" for sentence in sentences), ""]
    return "\n".join(told[:-1])


def _counts(power: int) -> list[int]:
    return [10**power // DEPLOYMENTS] * DEPLOYMENTS


def _time(estimate: Estimate) -> str:
    """Write how long it takes, in bold where that is more than a job may."""
    seconds = estimate.seconds or 0
    return f"**{duration(seconds)}**" if seconds > JOB_SECONDS else duration(seconds)
