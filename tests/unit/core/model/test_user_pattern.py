"""Regular expressions of the settings: the syntax of `re`, with a timeout that refuses."""

import pickle
import re
from contextlib import suppress

import pytest

from ci3.core.model.user_pattern import UserPattern
from ci3.errors import RefusedError

SLOW = r"(a|aa)+"


def test_pattern_that_takes_too_long_refuses_and_names_pattern_and_name() -> None:
    name = "a" * 60 + "!"
    with pytest.raises(RefusedError) as caught:
        UserPattern.compile(SLOW, 0.05).fullmatch(name)
    assert SLOW in caught.value.message
    assert name in caught.value.message


@pytest.mark.parametrize("name", ["a" * 30 + "!", "a" * 200 + "!"])
def test_nested_repetition_answers_or_refuses(name: str) -> None:
    with suppress(RefusedError):
        assert UserPattern.compile("(a+)+", 0.5).fullmatch(name) is None


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"(pr-\d+)-.*", ["pr-1-a", "pr-a", "pr-12-", "PR-1-a", "pr-1-a\n"]),
        (r"[0-9a-f]{7,40}", ["abc1234", "abc123", "ABC1234", "a" * 41]),
        (r"(?i)v\d{1,}", ["v1", "V23", "v", "ß", "SS"]),
        (r"a{,2}", ["", "a", "aa", "aaa"]),
        (r"\w+|\{x\}", ["é", "a-b", "{x}"]),
        (r"(?P<a>x)?y(?(a)z|w)", ["xyz", "yw", "yz"]),
        (r"(?!tmp).*", ["tmp1", "v1"]),
        (r"(?>a+)b|c++d", ["aab", "ccd"]),
    ],
)
def test_pattern_matches_what_re_matches(pattern: str, names: list[str]) -> None:
    compiled, expected = UserPattern.compile(pattern), re.compile(pattern)
    for name in names:
        match, expected_match = compiled.fullmatch(name), expected.fullmatch(name)
        assert (match and match.groups()) == (expected_match and expected_match.groups())
    assert compiled.groups == expected.groups


@pytest.mark.parametrize(
    "pattern",
    ["(?V1)a", r"\p{L}", "(?|a|b)", "[[:alpha:]]", "[a--b]", "a||b[a||b]", "(?R)", "(", r"\Kb",
     r"\L<words>"],
)  # fmt: skip
def test_syntax_that_re_does_not_support_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its cause is checked
        UserPattern.compile(pattern)
    assert isinstance(caught.value.__cause__, re.error | Warning)


@pytest.mark.parametrize("pattern", ["a{e}", "(?:v1){e<=1}", "a{1,x}", r"\\{e}", "[{]"])
def test_brace_that_regex_parses_differently_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - it has no cause
        UserPattern.compile(pattern)
    assert caught.value.__cause__ is None
    assert r"\{" in str(caught.value)


def test_patterns_are_equal_by_text_and_can_be_pickled() -> None:
    assert UserPattern.compile("v.*") == UserPattern.compile("v.*") != UserPattern.compile("w.*")
    copy = pickle.loads(pickle.dumps(UserPattern.compile("v.*")))  # noqa: S301 - made here
    assert copy.fullmatch("v1")
