"""Formats the tables of docs/scale.md from the numbers that the estimate uses."""

from decimal import Decimal

from ci3.core.plan.engine_choice import (
    PAGES_PER_SECOND,
    Estimate,
    choose_engine,
    compute_list_cost,
    count_pages,
    estimate_direct,
    format_cost,
    format_duration,
)
from tools.docs.markdown_tables import format_table

INVENTORY_USD_PER_MILLION = Decimal("0.0025")
"""The price of a million objects in one S3 Inventory report, in US dollars.

Source: https://aws.amazon.com/s3/pricing/ (Management and insights)
"""
JOB_SECONDS = 6 * 3_600
"""The maximum time of a job on GitHub-hosted runners.

Source: https://docs.github.com/en/actions/reference/limits
"""
POWERS = (4, 6, 8, 9)
"""Objects to delete, as powers of ten."""
DEPLOYMENTS = 100
PARTITIONS = {
    "one partition": 1,
    "six partitions or more": 6,
}
"""The number of partitions that the deletions are spread over."""


def format_times_table() -> str:
    """Return the table of how long deleting takes at each scale."""
    rows = []
    for power in POWERS:
        counts = _counts(power)
        times = [
            _format_time(estimate_direct(counts, partition_count=partition_count))
            for partition_count in PARTITIONS.values()
        ]
        engine = choose_engine(counts).engine
        rows.append((f"{10**power:,}", f"`{engine}`", *times, "a day or two"))
    return format_table(("objects to delete", "use", *PARTITIONS, "lifecycle"), rows)


def format_costs_table() -> str:
    """Return the table of listing costs at each scale, if every object is to be deleted."""
    rows = []
    for power in POWERS:
        pages = sum(count_pages(count) for count in _counts(power))
        listing_usd, apply_usd = compute_list_cost(pages), estimate_direct(_counts(power)).usd
        rows.append(
            (
                f"{10**power:,}",
                f"{pages:,} pages, {format_cost(listing_usd)}",
                format_duration(pages / PAGES_PER_SECOND),
                format_cost(2 * listing_usd + apply_usd),
                format_cost(10**power * INVENTORY_USD_PER_MILLION / 1_000_000),
            )
        )
    other_columns = ("plan, then apply the saved plan", "one S3 Inventory report")
    return format_table(("objects", "list once", "time", *other_columns), rows)


def format_estimates() -> str:
    """Return the sentences with which a plan explains its choice of engine, at each scale."""
    lines = []
    for power in POWERS:
        sentences = choose_engine(_counts(power)).sentences
        lines += [f"{10**power:,} objects:", "", *(f"- {sentence}" for sentence in sentences), ""]
    return "\n".join(lines[:-1])


def _counts(power: int) -> list[int]:
    return [10**power // DEPLOYMENTS] * DEPLOYMENTS


def _format_time(estimate: Estimate) -> str:
    """Return the duration, in bold if it is longer than a job may run."""
    seconds = estimate.seconds or 0
    return f"**{format_duration(seconds)}**" if seconds > JOB_SECONDS else format_duration(seconds)
