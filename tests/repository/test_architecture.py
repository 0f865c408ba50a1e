"""The files, functions, classes and tests that the pages for developers name exist."""

import pytest

from tests.support.code_references import CodeReference, describe_problem, find_references
from tests.support.paths import ROOT

PAGES = (ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md")
MODULE = '''
LIMIT = 1
size: int = 2
class Gate:
    """A gate."""
    count: int = 0
    def check(self): ...
def decide(): ...
'''


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_everything_that_a_page_names_exists(page):
    references = find_references(page.read_text(encoding="utf-8"))
    assert len(references) > 30
    problems = [describe_problem(ROOT, reference) for reference in references]
    assert [problem for problem in problems if problem] == []


def test_every_package_is_in_the_table_of_layers():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    packages = {f"ci3/{path.parent.name}/" for path in ROOT.glob("ci3/*/__init__.py")}
    assert packages - {reference.path for reference in find_references(page)} == set()


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("`ci3/core/a.py:decide`", [("ci3/core/a.py", "decide")]),
        ("`ci3/core/a.py:Gate.check`, then", [("ci3/core/a.py", "Gate.check")]),
        ('a["ci3/core/a.py:decide<br>text"]', [("ci3/core/a.py", "decide")]),
        ("see ci3/core/a.py: it", [("ci3/core/a.py", "")]),
        ("the end of `ci3/core/`.", [("ci3/core/", "")]),
        ("`.ci/run` and `action.yml`.", [(".ci/run", ""), ("action.yml", "")]),
        ("[page](docs/a.md), https://example.org/docs/a.md", []),
    ],
)
def test_reference_is_found(text, references):
    assert find_references(text) == references


@pytest.mark.parametrize(
    "name", ["", "LIMIT", "size", "Gate", "Gate.check", "Gate.count", "decide"]
)
def test_name_that_is_defined_exists(tmp_path, name):
    (tmp_path / "a.py").write_text(MODULE)
    assert describe_problem(tmp_path, CodeReference("a.py", name)) == ""


@pytest.mark.parametrize(
    ("path", "name", "problem"),
    [
        ("b.py", "", "b.py does not exist"),
        ("a.py", "check", "a.py does not define check"),
        ("a.py", "Gate.open", "a.py does not define Gate.open"),
    ],
)
def test_name_that_is_not_defined_is_a_problem(tmp_path, path, name, problem):
    (tmp_path / "a.py").write_text(MODULE)
    assert describe_problem(tmp_path, CodeReference(path, name)) == problem
