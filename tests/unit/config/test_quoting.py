"""Suggested quotes make a policy file valid and keep the intended text."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci3.cli.main import main
from ci3.config.policy_file import read_policy_text
from ci3.config.quoting import SUGGESTION, suggest_quotes
from ci3.core.model.user_pattern import UserPattern
from ci3.errors import SettingsError
from tests.support.golden import assert_messages
from tests.support.s3.bucket import Bucket

EXAMPLE = "match: '[0-9a-f]{40}'"
SUGGESTIONS = [
    ("match: [0-9a-f]{40}", "match: '[0-9a-f]{40}'"),
    ("match : [0-9a-f]{40}", "match: '[0-9a-f]{40}'"),
    ("'match': [0-9a-f]{40}", "match: '[0-9a-f]{40}'"),
    ("match: {2}[a]", ""),
    ("match: *", ""),
    ("match: *-[0-9]+", ""),
    ("match: %d+", "match: '%d+'"),
    (r'match: "\d+"', r"match: '\d+'"),
    (r'match: "v\d+\.\d+" # releases', r"match: 'v\d+\.\d+'"),
    ("match: !a|b", "match: '!a|b'"),
    ("match: &a b", "match: '&a b'"),
    ("group-by: [a-z]+: (.*)", "group-by: '[a-z]+: (.*)'"),
    ("protect: *-stable", "protect: '*-stable'"),
    ("protect: [a-z]*", "protect: '[a-z]*'"),
    ("protect: !release-*", "protect: '!release-*'"),
    ("protect: &release-1", "protect: '&release-1'"),
    (r'protect: "a\*"', r"protect: 'a\*'"),
]


@pytest.mark.parametrize(("line", "quoted"), SUGGESTIONS)
@pytest.mark.parametrize("file", ["{}\n", "keep-count: 3\n{}\r\nprefix: app\r\n", "targets:\n- {}"])
def test_quotes_are_suggested_for_a_value_that_is_no_text_in_yaml(line, quoted, file) -> None:
    with pytest.raises(SettingsError) as caught:
        read_policy_text(file.replace("{}", line), "ci3.yml")

    if quoted:
        assert caught.value.hint == f"{SUGGESTION}{quoted}"
        assert read_policy_text(quoted, "ci3.yml").defaults
    else:
        assert EXAMPLE in caught.value.hint


@pytest.mark.parametrize(
    ("item", "quoted"),
    [
        ("*-stable", "'*-stable'"),
        ("[a-z]*", "'[a-z]*'"),
        ("!release-*", "'!release-*'"),
        ("&release-1", "'&release-1'"),
        ("@next", "'@next'"),
    ],
)
def test_quotes_are_suggested_for_a_list_item(item, quoted) -> None:
    with pytest.raises(SettingsError) as caught:
        read_policy_text(f"protect:\n  - stable\n  - {item}\n", "ci3.yml")

    assert caught.value.hint == f"{SUGGESTION}- {quoted}"
    assert yaml.safe_load(f"- {quoted}") == [item]


UNQUOTABLE = [
    ("protect: [stable, *-rc]", ""),
    ("targets:\n- {bucket: a, match: [a]{2}}", EXAMPLE),
    ("live-from:\n- object: current", "policy.schema.json"),
    ("protect: {a}", "policy.schema.json"),
    ("keep-count: [1]", "policy.schema.json"),
    ("match: 'a", "policy.schema.json"),
]


@pytest.mark.parametrize(("text", "hint"), UNQUOTABLE)
def test_no_quotes_are_suggested_for_other_mistakes(text, hint) -> None:
    with pytest.raises(SettingsError) as caught:
        read_policy_text(text, "ci3.yml")

    assert hint in caught.value.hint
    assert SUGGESTION not in caught.value.hint


def test_messages_are_the_golden_ones() -> None:
    cases = []
    for text, _ in [*UNQUOTABLE, ("match: [0-9a-f]{40}", "")]:
        with pytest.raises(SettingsError) as caught:
            read_policy_text(text, "ci3.yml")
        cases.append((text, caught.value))
    assert_messages(__file__, cases)


VALUES = st.text(alphabet="a0-[]{}*+!&%@'\"#: ,.\\|?^$()", max_size=12)


@given(name=st.sampled_from(["match", "group-by", "protect", "live-from", "-"]), value=VALUES)
def test_suggested_line_is_valid_and_has_the_text(name: str, value: str) -> None:
    suggestion = suggest_quotes(f"{name}: {value}" if name != "-" else f"- {value}")
    if suggestion.startswith(SUGGESTION):
        parsed = yaml.safe_load(suggestion.removeprefix(SUGGESTION))
        [text] = parsed if name == "-" else parsed.values()
        assert text in value
        if name in ("match", "group-by"):
            UserPattern.compile(text)


@pytest.mark.parametrize("glob", ["!old-*", "&old-1", "*-1", "[o]ld-*"])
def test_glob_that_yaml_would_drop_is_refused(site: Bucket, glob: str) -> None:
    for days, name in enumerate(("new", "old-1", "old-2")):
        site.deploy(name, days=days + 1)
    Path("ci3.yml").write_text(f"keep-count: 1\nprotect: {glob}\n", encoding="utf-8")

    argv = ["cleanup", *site.options(), "--policy-file", "ci3.yml", "--auto-approve"]
    assert main(argv) == 2
    assert site.folders() == {"new", "old-1", "old-2"}
