"""Lines of list settings: single values, and corrected forms for all other lines."""

import itertools
import shlex

import pytest
import yaml

from ci3.config.policy_file import read_policy_text
from ci3.config.resolve import RawSetting, resolve_settings
from ci3.config.settings import SETTINGS_BY_NAME
from ci3.core.model.policy import Origin
from ci3.errors import SettingsError
from tests.support.golden import assert_messages

SINGLE = [
    ("protect", "release-*", "release-*"),
    ("protect", "v[1,2]", "v[1,2]"),
    ("protect", "v[!a b]-*", "v[!a b]-*"),
    ("protect", "[0-9]*", "[0-9]*"),
    ("protect", "[abc]", "[abc]"),
    ("protect", "it's", "it's"),
    ("protect", "'my release'", "my release"),
    ("protect", '"a, b; c"', "a, b; c"),
    ("protect", "'[1]'", "[1]"),
    ("live-from", "github-deployments:a#b c", "github-deployments:a#b c"),
    ("live-from", "'github-deployments:My Env'", "github-deployments:My Env"),
    ("live-from", "object:v.json#a, b", "object:v.json#a, b"),
    ("live-from", '"object:my file.json#commit"', "object:my file.json#commit"),
    ("live-from", "url:https://h/v?of=a,b;c#d", "url:https://h/v?…#d"),
]

SEVERAL = [
    ("protect", "stable, release-*", ["stable", "release-*"]),
    ("protect", "stable release-*", ["stable", "release-*"]),
    ("protect", "stable;release-*", ["stable", "release-*"]),
    ("protect", "stable\trelease-*", ["stable", "release-*"]),
    ("protect", "stable,\u00a0release-*,", ["stable", "release-*"]),
    ("protect", '["stable", "release-*"]', ["stable", "release-*"]),
    ("protect", '["stable"]', ["stable"]),
    ("protect", "[1, 20]", ["1", "20"]),
    ("protect", "[stable, 'release-*']", ["stable", "release-*"]),
    ("protect", "['stable']", ["stable"]),
    ("protect", "[ab]*, [cd]*", ["[ab]*", "[cd]*"]),
    ("protect", "[v[1,2], stable]", ["v[1,2]", "stable"]),
    ("protect", "'my release', stable", ["my release", "stable"]),
    ("protect", "*-keep it's", ["*-keep", "it's"]),
    ("protect", "- stable", ["stable"]),
    ("protect", '- "release-*"', ["release-*"]),
    ("protect", "stable # the live one", ["stable"]),
    ("protect", "release-{1,2}-*", ["release-1-*", "release-2-*"]),
    ("protect", "$HOME, `a`", ["$HOME", "`a`"]),
    ("live-from", "cloudfront, branches", ["cloudfront", "branches"]),
    ("live-from", "cloudfront; ssm:/a-b#c", ["cloudfront", "ssm:/a-b#c"]),
    ("live-from", "url:https://h/a,branches", ["url:https://h/a", "branches"]),
    ("live-from", "object:a.json#b,ssm:/c", ["object:a.json#b", "ssm:/c"]),
    ("live-from", '["object:a.json#b", "branches"]', ["object:a.json#b", "branches"]),
    ("live-from", '["cloudfront"]', ["cloudfront"]),
    ("live-from", "- cloudfront", ["cloudfront"]),
    ("live-from", "ssm:/x # the live one", ["ssm:/x"]),
    ("live-from", "github-deployments:My Env", ["github-deployments:My Env"]),
    (
        "live-from",
        "github-deployments:My Env, object:a b.json#c",
        ["github-deployments:My Env", "object:a b.json#c"],
    ),
]


def resolve(name, texts, origin):
    raw_settings = {name: RawSetting(texts=tuple(texts), origin=origin, where="here")}
    raw_settings["bucket"] = RawSetting(texts=("a-site",), origin=origin, where="here")
    values = getattr(resolve_settings(raw_settings), name.replace("-", "_"))
    return [str(value) for value in values]


def paste(name, block, origin):
    """Return the values of a corrected form that was pasted where the refused line was."""
    match origin:
        case Origin.POLICY_FILE:
            policy = read_policy_text(block, "ci3.yml").defaults
            return resolve(name, policy[name].texts, origin)
        case Origin.OPTION:
            words = shlex.split(block)
            assert set(words[::2]) == {f"--{name}"}
            return resolve(name, words[1::2], origin)
        case Origin.INPUT:
            return resolve(name, [yaml.safe_load(block)[name]], origin)


def refuse(name, line, origin):
    with pytest.raises(SettingsError) as caught:
        resolve(name, [line], origin)
    return caught.value


def find_blocks(name, hint):
    """Return the corrected forms in a hint: without the sentences before each."""
    blocks = []
    for line in hint.splitlines():
        if line.startswith((f"{name}:", f"--{name} ")):
            blocks.append([line])
        elif line.startswith(("- ", "  ")):
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks]


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize(("name", "line", "value"), SINGLE)
def test_line_is_one_value(name, line, value, origin):
    assert resolve(name, [line], origin) == [value]


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize(("name", "line", "values"), SEVERAL)
def test_other_line_is_refused_with_a_corrected_form(name, line, values, origin):
    error = refuse(name, line, origin)

    assert error.message.startswith(f"here: {line!r} ")
    assert paste(name, find_blocks(name, error.hint)[0], origin) == values


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("line", ["stable, release-*", "it's my release", "a;b"])
def test_line_that_is_one_name_gets_a_quoted_form(line, origin):
    _, quoted = find_blocks("protect", refuse("protect", line, origin).hint)

    assert paste("protect", quoted, origin) == [line]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("protect", "app/a, b"),
        ("live-from", "cloudfront, foo"),
        ("live-from", "url:https://h/a b"),
    ],
)
def test_line_that_has_no_corrected_form_gets_the_doc_of_the_setting(name, line):
    assert refuse(name, line, Origin.INPUT).hint == SETTINGS_BY_NAME[name].doc


def test_line_without_a_value_has_no_corrected_form():
    assert "\n" not in refuse("protect", "- # none", Origin.INPUT).hint


@pytest.mark.parametrize("next_source", ["object:c", " ssm:/c", "branches", "'object:c'"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_source_that_would_be_part_of_a_query_is_refused(separator, next_source):
    error = refuse("live-from", f"url:https://h/a?b=s3cr3t{separator}{next_source}", Origin.INPUT)
    assert next_source.strip(" '") in error.hint
    assert "s3cr3t" not in error.full_message


def test_refused_line_does_not_show_the_query_of_an_address():
    error = refuse("live-from", "cloudfront, url:https://h/v?key=s3cr3t", Origin.INPUT)

    assert "s3cr3t" not in error.full_message


def test_recorded_values_are_used_unchanged():
    recorded = RawSetting(
        texts=("'a'", "b c "), origin=Origin.INPUT, where="plan.json", is_recorded=True
    )
    bucket = RawSetting(texts=("a-site",), origin=Origin.INPUT, where="input bucket")

    assert resolve_settings({"bucket": bucket, "protect": recorded}).protect == ("'a'", "b c ")


def test_messages_are_the_golden_ones():
    lines = [
        ("protect", "stable, release-*"),
        ("protect", "stable # the live one"),
        ("protect", "it's my release"),
        ("protect", "- # none"),
        ("protect", "app/a, b"),
        ("live-from", "cloudfront, foo"),
        ("live-from", "url:https://h/a?b=s3cr3t,branches"),
    ]
    cases = itertools.product(Origin, lines)
    assert_messages(
        __file__,
        [
            (f"{origin}, {name}: {line}", refuse(name, line, origin))
            for origin, (name, line) in cases
        ],
    )
