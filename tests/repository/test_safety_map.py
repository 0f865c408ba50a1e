"""Each guarantee and each fault in docs/safety.md names tests that exist."""

import re

import pytest

from tests.support.paths import ROOT

MAP = (ROOT / "docs/safety.md").read_text(encoding="utf-8")
NAMED = frozenset(re.findall(r"`(test_\w+)`", MAP))
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", MAP, re.MULTILINE | re.DOTALL))
GUARANTEES = (
    "1. When in doubt, keep",
    "2. Only what was approved is deleted",
    "3. Live deployments stay",
    "4. Nothing is lost silently",
    "5. What S3 can restore, ci3 can restore",
)
FAULTS = (
    "S3 returns an internal error for one key",
    "One key is throttled nine times",
    "Many 503 responses",
    "A response 200 that contains an error",
    "A response 200 with an empty body, an empty result or an HTML page",
    "A truncated response to a deletion",
    "The response is lost after the deletion",
    "The response to a conditional deletion is lost",
    "The credentials expire at the second batch",
    "Some or all keys are denied",
    "An object is locked",
    "An upload of the same bytes, other bytes or a new file between plan and apply",
    "An upload of other bytes after the last listing",
    "A pin moves to a deployment to delete, after the plan",
    "SIGKILL between the journal's entry and the response, at every batch",
    "Two applies at the same time",
    "A truncated page without a token, an HTML page or a denied listing during an apply",
    "An empty listing during an apply",
    "One of 1,000 keys cannot be in XML",
    "The disk is full when the journal is written",
)
"""Faults that must have a row; more are allowed."""


def list_tests(pattern: str) -> set[str]:
    return {
        name
        for path in ROOT.glob(pattern)
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def read_rows(section: str) -> dict[str, list[str]]:
    """Return the names of tests in each row of a section's table, by the row's first cell."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: re.findall(r"`(test_\w+)`", row[-1]) for row in cells[1:]}


def test_every_named_test_exists():
    assert NAMED - list_tests("tests/**/test_*.py") == set()


def test_every_row_names_tests():
    assert tuple(SECTIONS) == (*GUARANTEES, "Faults")
    for section in SECTIONS:
        assert len(read_rows(section)) > 1
        assert [cell for cell, tests in read_rows(section).items() if not tests] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_has_a_row(fault):
    assert fault in read_rows("Faults")


def test_every_test_of_a_fault_is_named():
    fault_tests = list_tests("tests/integration/faults/test_*.py")
    assert len(fault_tests) > 30
    assert fault_tests - NAMED == set()
