"""The table in docs/stores.md: a row for each store, with the findings of a test run."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.paths import ROOT

PAGE = ROOT / "docs/stores.md"
BEGIN = "<!-- begin stores: written by `make stores` -->"
END = "<!-- end stores -->"
ROW_NAMES = ("SeaweedFS", "Ceph RGW", "rclone serve s3", "s3rver")
COLUMNS = (
    "plan",
    "delete in batches",
    "conditional delete",
    "versions",
    "restore",
    "resume",
    "stored journal",
    "lifecycle",
)
HEADER = ("store", "version", *COLUMNS)


def read_rows(page: Path = PAGE) -> dict[str, dict[str, str]]:
    """Return the page's rows: store, then column, then cell."""
    table = page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(HEADER, row, strict=True)) for row in cells[1:]}


def write_row(row: Mapping[str, str], page: Path = PAGE) -> None:
    """Replace or add one store's row."""
    rows = read_rows(page) | {row["store"]: dict(row)}
    lines = [
        "| " + " | ".join(HEADER) + " |",
        "|" + "---|" * len(HEADER),
        *(
            "| " + " | ".join(rows[name][column] for column in HEADER) + " |"
            for name in ROW_NAMES
            if name in rows
        ),
    ]
    head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    if not begin:
        raise AssertionError(f"{page} has no line {BEGIN}")
    page.write_text("\n".join((f"{head}{BEGIN}", *lines, f"{END}{tail}")), encoding="utf-8")
