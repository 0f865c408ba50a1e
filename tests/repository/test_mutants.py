"""Mutation testing: the mutated modules, and the list of equivalent mutants."""

import pytest

from tests.support.paths import ROOT
from tools.mutants.equivalence import EQUIVALENT_MUTANTS, read_equivalent_mutants
from tools.mutants.suites import SUITES

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


@pytest.mark.parametrize("package", ["ci3/core/retention", "ci3/engine/deletion"])
def test_each_module_that_decides_or_deletes_is_mutated(package):
    mutated = {path for suite in SUITES for path in suite.modules}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}

    assert {path for path in modules if not path.endswith("__init__.py")} - mutated == set()


def test_no_module_is_in_two_suites():
    paths = [path for suite in SUITES for path in suite.modules]

    assert "ci3/engine/gate.py" in paths
    assert len(paths) == len(set(paths))


def test_modules_and_tests_of_each_suite_exist():
    paths = [path for suite in SUITES for path in (*suite.sources, *suite.tests)]

    assert [path for path in paths if not (ROOT / path).exists()] == []
