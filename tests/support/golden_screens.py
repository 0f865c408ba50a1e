"""Compares what commands show with golden files; UPDATE_GOLDENS=1 rewrites them.

The golden file of `command/test_cli.py` is `command/goldens/test_cli.txt`, with a section for each
screen: the name of the test, then the text. Values that differ from run to run, such as names of
buckets and times, are replaced by samples.
"""

import fcntl
import os
import re
from pathlib import Path

from rich.cells import cell_len

GOLDENS = "goldens"
HEADER = re.compile(r"^=== (test_.*) ===\n", re.MULTILINE)
SAMPLES = (
    (re.compile(r"\b20\d{6}T\d{6}Z-[0-9a-f]{8}\b"), "20261123T100000Z-23ab12cd"),
    (re.compile(r"\b20\d{6}T\d{6}Z\b"), "20261123T100000Z"),
    (re.compile(r"\b20\d{6}T\d{12}\b"), "20261123T100000000000"),
    (re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "2026-11-23T10:00:00Z"),
    (re.compile(r"\b20\d\d-\d\d-\d\d(\s)\d\d:\d\d\b"), r"2026-11-23\g<1>10:00"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "2026-11-23"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "127.0.0.1:9000"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "0" * 64),
    (re.compile(r"(?<=CloudFront )[A-Z0-9]{8,}\b"), "E1A2B3C4D5E6F7"),
    (re.compile(r"^[A-Z][a-z]+ing [a-z ]+: [\d,]+( of [\d,]+)?\n", re.MULTILINE), ""),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)
"""Patterns of values that differ from run to run, and their samples; progress is left out."""
PLAN_TABLE = re.compile(r"^ *Deployment .*?\n\n(?=Policy: )", re.MULTILINE | re.DOTALL)
BUCKET = re.compile(r"\bsite-(\d{5})\b")


def replace_samples(text: str) -> str:
    """Return a text with samples for the values that differ from run to run."""
    for pattern, sample in SAMPLES:
        text = pattern.sub(sample, text)
    numbers = sorted(set(BUCKET.findall(text)))
    return BUCKET.sub(lambda match: f"site-{numbers.index(match[1]) + 1:05}", text)


def read_sections(path: Path) -> dict[str, str]:
    """Return the sections of a golden file by their names; none if there is no such file."""
    if not path.exists():
        return {}
    _, *parts = HEADER.split(path.read_text(encoding="utf-8"))
    texts = [text.strip("\n") for text in parts[1::2]]
    return dict(zip(parts[::2], texts, strict=True))


def assert_section(test_file: Path, name: str, text: str) -> None:
    """Check that a screen equals its section of the golden file of a test module."""
    path = test_file.parent / GOLDENS / f"{test_file.stem}.txt"
    section = replace_samples(text).strip("\n")
    if os.environ.get("UPDATE_GOLDENS"):
        _write_section(path, name, section)
    assert section == read_sections(path).get(name), (
        f"run this test with UPDATE_GOLDENS=1, and read {path.name}"
    )


def _write_section(path: Path, name: str, section: str) -> None:
    """Replace a section, or append it, while no other process writes the file."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        sections = read_sections(path) | {name: section}
        texts = [f"=== {name} ===\n{section}\n" for name, section in sections.items()]
        file.truncate(0)
        file.write("\n".join(texts))


UNBREAKABLE = re.compile(r" *(→ )?(`[^`]*`\S*|ci3 restore \S+|\S+)")
"""A line that cannot be broken: a single word, such as a URL, or a command to paste."""
OBJECT_ROW = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC +\S+ \S+  \S+")
"""A row of a listing of objects, in which the key is not broken."""


def find_wide_lines(text: str, width: int) -> list[str]:
    """Return the lines of a screen that are wider than `width` cells and could be broken."""
    return [
        line
        for line in text.splitlines()
        if cell_len(line) > width
        and not UNBREAKABLE.fullmatch(line)
        and not OBJECT_ROW.fullmatch(line)
    ]
