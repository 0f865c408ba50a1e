"""docs/safety.md as a map: each promise and each fault leads to tests that are there, and back."""

import re

import pytest

from tests.support.paths import ROOT

MAP = (ROOT / "docs/safety.md").read_text(encoding="utf-8")
NAMED = frozenset(re.findall(r"`(test_\w+)`", MAP))
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", MAP, re.MULTILINE | re.DOTALL))
PROMISES = (
    "1. Doubt keeps",
    "2. What you approved is what is deleted",
    "3. The live one stays",
    "4. Nothing is lost silently",
    "5. Where S3 can undo, so can you",
)
FAULTS = (
    "S3 fails inside for one key",
    "One key is slowed down nine times",
    "A storm of 503",
    "A 200 with an error in it",
    "A 200 with an empty body, an empty result, or a page of HTML",
    "A delete answer that is cut off",
    "The answer is lost after the deed",
    "The answer to a conditional deletion is lost",
    "The credentials expire at the second batch",
    "Some keys are denied, or all",
    "An object is locked",
    "The same bytes, other bytes or one file more between plan and apply",
    "Other bytes after the last listing",
    "A pin moves to a doomed deployment in between",
    "SIGKILL between intent and answer, at every batch",
    "Two applies at once",
    "A page that is truncated and has no token, HTML, or a denied listing in mid-apply",
    "A listing that turns up empty in mid-apply",
    "A key that XML can't carry among 999",
    "The disk is full when the journal is written",
)
"""What must have a row; there may be more."""


def names_in(pattern: str) -> set[str]:
    return {
        name
        for path in ROOT.glob(pattern)
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def rows(section: str) -> dict[str, list[str]]:
    """The rows of a section's table: its first cell, and the tests that the last one names."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: re.findall(r"`(test_\w+)`", row[-1]) for row in cells[1:]}


def test_every_test_that_the_map_names_is_there():
    assert NAMED - names_in("tests/**/test_*.py") == set()


def test_every_promise_has_its_section_and_every_line_its_tests():
    assert tuple(SECTIONS) == (*PROMISES, "Faults")
    for section in SECTIONS:
        assert len(rows(section)) > 1
        assert [said for said, tests in rows(section).items() if not tests] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_row(fault):
    assert fault in rows("Faults")


def test_every_test_of_a_fault_is_in_the_map():
    of_faults = names_in("tests/integration/faults/test_*.py")
    assert len(of_faults) > 30
    assert of_faults - NAMED == set()
