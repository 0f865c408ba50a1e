"""Break points in long words of table cells, so that tables fit into a comment on a phone."""

import html
import re

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from ci3.report.markdown_format import escape_breakable, format_breakable_code
from tests.unit.report.golden import GOLDENS

COLUMNS = 3
LONGEST_WORD = 15
"""The maximum length of a word with its punctuation; three such words fit into 375 pixels."""

BROKEN = {
    "the newest": "the newest",
    "5d2f8ab019c3": "5d2f8ab019c3",
    "internationally": "internationally",
    "acme/checkout": "acme/|checkout",
    "https://www.example.org": "https://|www.|example.|org",
    "github-deployments:production": "github-deployments:|production",
    "build-20261123-100000": "build-|20261123-|100000",
    "a" * 30: f"{'a' * 12}|{'a' * 12}|{'a' * 6}",
    "/" * 30: f"{'/' * 15}|{'/' * 15}",
    "1" * 13: f"{'1' * 12}|1",
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.items())
def test_long_words_are_broken(text, expected):
    for formatted in (escape_breakable(text), format_breakable_code(text)):
        shown = re.sub(r"<(?!wbr).*?>|`", "", formatted).replace("<wbr>", "|")
        assert html.unescape(shown) == expected


@given(st.text())
def test_breaks_change_no_character(text):
    for formatted in (escape_breakable(text), format_breakable_code(text)):
        unbroken = formatted.replace("<wbr>", "")
        broken = _find_text(formatted)
        assert _find_text(unbroken) == broken


def _find_text(markdown):
    return html.unescape(re.sub(r"<.*?>|`", "", markdown))


def split_tables(markdown):
    """Return the words of each cell, by table and row, as GitHub breaks them."""
    rendered = cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE)
    for table in re.findall(r"<table>(.*?)</table>", rendered, re.DOTALL):
        yield [
            [_split_words(cell) for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row, re.DOTALL)]
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        ]


def _split_words(cell):
    text = re.sub(r"<w?br ?/?>", " ", cell)
    return re.split(r"[ \n]+|(?<=-)(?=[A-Za-z])", _find_text(text))


REPORTS = {
    path.stem: path for path in sorted(GOLDENS.glob("*.md")) if "simulation" not in path.stem
}
"""The reports of the action. Simulations are shown by the command only."""


@pytest.mark.parametrize("path", REPORTS.values(), ids=REPORTS)
def test_tables_of_reports_are_narrow(path):
    for rows in split_tables(path.read_text(encoding="utf-8")):
        assert max(map(len, rows)) <= COLUMNS
        words = [word for row in rows for cell in row for word in cell]
        assert [word for word in words if len(word) > LONGEST_WORD] == []
