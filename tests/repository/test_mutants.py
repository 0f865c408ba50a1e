"""The list of equivalent mutants: it is read as written, and names lines that exist."""

import pytest

from tests.support.paths import ROOT
from tools.mutants.equivalence import EQUIVALENT_MUTANTS, read_equivalent_mutants

ENTRY = """# A comment.

a/b.py Class.method
- if x < 1:
+ if x <= 1:
+ if not (x < 1):
- y = [1]
+
No caller passes a fraction.
"""


def test_each_change_of_an_entry_is_read():
    assert read_equivalent_mutants(ENTRY) == {
        ("a/b.py", "Class.method", "if x < 1:", "if x <= 1:"),
        ("a/b.py", "Class.method", "if x < 1:", "if not (x < 1):"),
        ("a/b.py", "Class.method", "y = [1]", ""),
    }


def test_entry_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="no reason"):
        read_equivalent_mutants("a/b.py function\n- x\n+ y\n")


def test_each_listed_mutant_changes_lines_that_exist():
    listed = read_equivalent_mutants(EQUIVALENT_MUTANTS.read_text("utf-8"))
    sources = {
        path: " ".join(line.strip() for line in (ROOT / path).read_text("utf-8").splitlines())
        for path, *_ in listed
    }

    assert listed
    assert [key for key in listed if key[2] not in sources[key[0]]] == []
