"""Which keys XML and a URL can carry unchanged."""

import pytest

from ci3.core.inventory.key_text import filter_xml_stable, is_url_stable, is_xml_stable

JAVASCRIPT_SPACES = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
PYTHON_SPACES = "".join(chr(code) for code in range(0x11_0000) if chr(code).isspace())
JAVA_SPACES = "".join(chr(code) for code in range(0x21))


@pytest.mark.parametrize("text", [JAVASCRIPT_SPACES, PYTHON_SPACES, JAVA_SPACES, "\u180e\u200b"])
def test_key_is_unstable_where_any_language_would_trim_it(text: str) -> None:
    stable = [
        key
        for character in text
        for key in (f"{character}v1/a", f"v1/a{character}")
        if is_xml_stable(key)
    ]
    assert stable == []


@pytest.mark.parametrize(
    "key",
    [
        "v1/a\tb", "v1/a\nb", "v1/a\rb", "v1/a\x85b", "v1/a\u2028b", "v1/a  b", "v1/a\x01b",
        "v1/a\x7fb", "v1/a\ufeffb", "v1/a\ufffeb", "v1/a\ufdd0b", "v1/cafe\u0301", "\u0338v1/a",
        "v1/\u212b",
    ],
)  # fmt: skip
def test_key_is_unstable_where_a_parser_may_normalize_it(key: str) -> None:
    assert not is_xml_stable(key)


@pytest.mark.parametrize(
    "key", ["v1/a b", "v1/+", "v1//a", "v1/&<>'\"%20", "v1/é", "v1/한글", "v1/😀", "v1/a\xa0b", "a"]
)
def test_other_keys_are_stable(key: str) -> None:
    assert is_xml_stable(key)


def test_filter_leaves_out_only_unstable_keys() -> None:
    keys = [f"v1/{number}" for number in range(999)]
    assert filter_xml_stable([*keys, " v1/a", "v1/é"]) == [*keys, "v1/é"]
    assert filter_xml_stable(keys) is keys
    # The end of a key may combine with the beginning of the next key.
    assert filter_xml_stable(["v1/e", "\u0301/a"]) == ["v1/e", "\u0301/a"]


@pytest.mark.parametrize(
    ("key", "is_stable"),
    [("v1/../v2/a", False), ("v1/./a", False), ("../a", False), ("v1/..", False), ("./a", False),
     ("v1/...", True), ("v1/a..b/.well-known", True), (" v1/a", True), ("v1//a", True)],
)  # fmt: skip
def test_dot_segments_are_unstable_in_a_url(key: str, *, is_stable: bool) -> None:
    assert is_url_stable(key) is is_stable
