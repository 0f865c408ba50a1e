"""Where journals are stored in a bucket: only in the journal folder of the target."""

import re

import pytest

from ci3.core.journal.location import (
    JournalLocation,
    format_part_name,
    is_s3_url,
    parse_part_number,
    require_own_journal_folder,
)
from ci3.errors import SettingsError
from tests.support.golden import assert_messages


@pytest.mark.parametrize("prefix", ["", "app/", "a/.ci3/journals/b/"])
@pytest.mark.parametrize("end", ["/", ""])
def test_url_of_a_run_is_parsed_to_the_same_location(prefix, end):
    location = JournalLocation.for_run("my-site", prefix, "20261123T100000Z-1a2b")
    assert location.url == f"s3://my-site/{prefix}.ci3/journals/20261123T100000Z-1a2b/"
    assert JournalLocation.parse(location.url.rstrip("/") + end) == location


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3://my-site/.ci3/journals/",
        "s3://my-site/app.ci3/journals/run/",
        "s3://my-site/app/journals/run/",
        "s3://my-site/.ci3/journals/../x/",
        "s3:/my-site/.ci3/journals/run/",
    ],
)
def test_invalid_journal_url_is_refused(text):
    with pytest.raises(SettingsError, match=re.escape(text)):
        JournalLocation.parse(text)


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", ".hidden", "é"])
def test_invalid_run_id_is_refused(run_id):
    with pytest.raises(SettingsError, match=f"^{re.escape(repr(run_id))} "):
        JournalLocation.for_run("my-site", "", run_id)


@pytest.mark.parametrize(
    "text",
    ["", "j.jsonl", "s3://", "s3://my-site/app/.ci3/journals/", "s3://my-site/app/.ci3/journals"],
)
def test_journal_in_the_targets_journal_folder_or_in_a_file_is_allowed(text):
    require_own_journal_folder(text, "my-site", "app/")


@pytest.mark.parametrize(
    "text",
    [
        "s3:",
        "S3://",
        "s3://my-site",
        "s3://my-site/app/",
        "s3://my-site/app/old/",
        "s3://my-site/.ci3/journals/",
        "s3://my-site/app/.ci3/journals/run/",
        "s3://other/app/.ci3/journals/",
        "s3://my-site/app/x/.ci3/journals/",
    ],
)
def test_journal_in_any_other_folder_is_refused(text):
    assert is_s3_url(text)
    with pytest.raises(SettingsError, match=r"s3://my-site/app/\.ci3/journals/"):
        require_own_journal_folder(text, "my-site", "app/")


def test_part_names_sort_by_part_number():
    numbers = [1, 2, 9, 10, 99, 100, 12345]
    names = [format_part_name(number) for number in numbers]
    assert sorted(names) == names
    assert [parse_part_number(name) for name in names] == numbers
    assert parse_part_number("1.jsonl") is parse_part_number("00000001.json") is None


def test_messages_are_the_golden_ones():
    refused_calls = {
        "address": lambda: JournalLocation.parse("s3://my-site/app/journals/run/"),
        "run id": lambda: JournalLocation.for_run("my-site", "", "../x"),
        "folder": lambda: require_own_journal_folder("s3://my-site/", "my-site", "app/"),
    }
    errors = {}
    for case, call in refused_calls.items():
        with pytest.raises(SettingsError) as caught:
            call()
        errors[case] = caught.value
    assert_messages(__file__, errors.items())
