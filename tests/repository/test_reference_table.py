"""The table of references in docs/policies.md: every kind of reference, in several notations."""

import pytest

from tests.support.obvious_references import comes_before_commit, matches
from tests.support.paths import ROOT
from tools.docs.reference_tables import SAMPLES, format_references_table


@pytest.mark.parametrize(("text", "reference", "names"), SAMPLES)
def test_row_equals_the_second_implementation(text, reference, names):
    [row] = [line for line in format_references_table().splitlines() if f"| {text} |" in line]
    _, _, matching, newest, not_matching, _ = row.split("|")

    assert [name for name in names if f"`{name}`" in matching] == [
        name for name in names if matches(reference, name)
    ]
    assert [name for name in names if f"`{name}`" in newest] == [
        name for name in names if comes_before_commit(reference, name)
    ]
    assert [name for name in names if f"`{name}`" in not_matching]


def test_every_kind_of_reference_is_shown_in_the_docs():
    references = [reference for _, reference, _ in SAMPLES]

    for name in ("folder", "commits", "pull_request", "branches", "tags"):
        assert any(getattr(reference, name) for reference in references)
    assert format_references_table() in (ROOT / "docs/policies.md").read_text(encoding="utf-8")
