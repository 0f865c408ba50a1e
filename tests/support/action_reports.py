"""Events, names and report readers that the tests of the action share."""

import html
import json
import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree as ET

import cmarkgfm
from cmarkgfm.cmark import Options

from tests.support.github.fake_runner import MERGE_SHA, PULL_REQUEST_NUMBER
from tests.support.paths import ROOT

ENTRYPOINT = ROOT / "entrypoint.py"
PUSH = {"after": MERGE_SHA, "ref": "refs/heads/main"}
APPLY = "`mode: apply`"
"""The setting that a plan suggests; no other report contains it."""
ALL = {f"site-{number}" for number in range(1, 7)}


def read_journal(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def comment_of(github):
    (comment,) = github.comments(PULL_REQUEST_NUMBER)
    return comment.body


def text_outside_code(markdown):
    """Return the text in which GitHub finds mentions and references."""
    rendered = cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE)
    without_code = re.sub("<(code|pre)\\b.*?</\\1>", " ", rendered, flags=re.DOTALL)
    return html.unescape(re.sub("<[^>]*>", " ", without_code))


def row_counts(markdown):
    """Count the rows of each table as GitHub renders it; a broken table would show pipes."""
    options = Options.CMARK_OPT_UNSAFE
    rendered = cmarkgfm.github_flavored_markdown_to_html(markdown, options)
    rendered = rendered.replace("<details open>", "<details>").replace("&nbsp;", " ")
    rendered = rendered.replace("<br>", "<br/>").replace("<wbr>", "")
    root = ET.fromstring(f"<root>{rendered}</root>")  # noqa: S314 - trusted text
    for paragraph in root.iter("p"):
        assert "|" not in "".join(paragraph.itertext())
    return [len(table.findall("tbody/tr")) for table in root.iter("table")]


def cell_text(markdown):
    """Return a report without the breaks and entities of names in tables."""
    return unescape(markdown.replace("<wbr>", ""))


def headline(markdown):
    """Return the result in a report's title; the log contains it, too."""
    return re.search("^### (?:.*: )?(.*)", markdown, re.MULTILINE)[1]


def target_titles(markdown):
    """Return the titles of the folded targets."""
    return re.findall("<summary>([^<]* s3://[^<]*)</summary>", markdown.replace("<!-- -->", ""))


def without_tables(markdown):
    """Return a report without its marker, timeline, tables and footer."""
    pattern = r"^<!-- ci3:[^\n]*\n|```diff\n.*?```\n+|<details.*?</details>\n+|<sub>Plan [^\n]*"
    return re.sub(pattern, "", markdown, flags=re.DOTALL | re.MULTILINE)


def lines_after_groups(log):
    """Return the lines of a log below its last group."""
    return log.rpartition("::endgroup::\n")[2]
