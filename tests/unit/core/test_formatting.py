"""Formatting of numbers, sizes, times and hostile text."""

import json
import unicodedata
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.formatting import (
    escape_control_chars,
    format_age,
    format_json,
    format_minute,
    format_size,
    format_timestamp,
    pluralize,
)
from tests.support.builders import NOW


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 objects"), (1, "1 object"), (2, "2 objects"), (1204, "1,204 objects")],
)
def test_count_is_formatted_with_its_noun(count, words):
    assert pluralize(count, "object") == words


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 Bytes"),
        (1, "1 Byte"),
        (999, "999 Bytes"),
        (1000, "1 kB"),
        (1024, "1 kB"),
        (1050, "1.1 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1 MB"),
        (20_000_000, "20 MB"),
        (3_400_000_000, "3.4 GB"),
        (10**12, "1 TB"),
    ],
)
def test_size_is_formatted_in_decimal_units(size_bytes, words):
    assert format_size(size_bytes) == words


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(0), "a moment ago"),
        (timedelta(seconds=59), "59 seconds ago"),
        (timedelta(hours=2), "2 hours ago"),
        (timedelta(days=1), "a day ago"),
        (timedelta(days=21), "21 days ago"),
        (timedelta(days=90), "90 days ago"),
        (timedelta(minutes=-5), "5 minutes ahead of this clock"),
    ],
)
def test_age_is_formatted_in_words(age, words):
    assert format_age(age) == words


def test_times_are_formatted_in_utc():
    timestamp = datetime(2026, 11, 2, 1, 3, 4, 50, tzinfo=timezone(timedelta(hours=9)))

    assert format_minute(timestamp) == "2026-11-01 16:03 UTC"
    assert format_timestamp(timestamp) == "2026-11-01T16:03:04.000050Z"
    assert format_timestamp(NOW) == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("index.html", "index.html"),
        ("Grüße 日本 🎉 &<>|`", "Grüße 日本 🎉 &<>|`"),
        ("a\nb", "a\\nb"),
        ("a\r\tb", "a\\r\\tb"),
        ("\x00\x07\x1b[2J", "\\x00\\x07\\x1b[2J"),
        ("\x7f\x85\x9b", "\\x7f\\x85\\x9b"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("exe\u202egpj", "exe\\u202egpj"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\ue000\ud800", "\\ue000\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_hostile_text_is_shown_on_one_line(text, shown):
    assert escape_control_chars(text) == shown


@given(st.text())
def test_escaped_text_has_no_control_character_or_line_break(text):
    shown = escape_control_chars(text)

    assert len(shown.splitlines()) <= 1
    assert not {"Cc", "Cf", "Cs"} & {unicodedata.category(character) for character in shown}
    shown.encode("utf-8")


@given(
    st.dictionaries(st.text(), st.text() | st.lists(st.text("#[:\n]x"))), st.sampled_from([None, 2])
)
def test_json_reads_the_same_and_has_no_workflow_command(content, indent):
    text = format_json(content, indent=indent)
    assert json.loads(text) == content
    assert text.isascii()
    assert not any("##[" in line or line.lstrip().startswith("::") for line in text.splitlines())


def test_command_in_a_name_is_escaped_in_json():
    assert format_json("##[error]", indent=None) == '"##\\u005berror]"\n'
