"""Parsing of a pointer's text: the names in it, or the problem with it."""

import pytest

from ci3.core.live.pointer import POINTER_LIMIT_BYTES, PointerError, decode_pointer, parse_pointer
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in


def parse_names(text: str, field: str = "", prefix: str = "") -> tuple[str, ...]:
    return parse_pointer(text, field=field, bucket="my-site", prefix=prefix)


def find_problem(text: str, field: str = "", prefix: str = "") -> str:
    with pytest.raises(PointerError) as caught:
        parse_names(text, field, prefix)
    return str(caught.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_is_utf_8_with_or_without_a_byte_order_mark(mark):
    assert decode_pointer(mark + "rélease".encode()) == "rélease"


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", b"ab\x80", b"\x1f\x8b\x08"])
def test_bytes_that_are_no_utf_8_are_a_problem(content):
    with pytest.raises(PointerError, match="UTF-8"):
        decode_pointer(content)


def test_content_is_read_up_to_the_limit_and_not_beyond():
    assert len(decode_pointer(b"x" * POINTER_LIMIT_BYTES)) == POINTER_LIMIT_BYTES
    with pytest.raises(PointerError) as caught:
        decode_pointer(b"x" * (POINTER_LIMIT_BYTES + 1))
    assert numbers_in(str(caught.value)) == [POINTER_LIMIT_BYTES]


@pytest.mark.parametrize(
    ("text", "prefix", "name"),
    [
        ("ab12cd3", "", "ab12cd3"),
        ("\n\t ab12cd3 \r\n", "", "ab12cd3"),
        ("\ufeffab12cd3", "", "ab12cd3"),
        ("release 1", "", "release 1"),
        ("/app/ab12cd3/", "app/", "ab12cd3"),
        ("s3://my-site/app/ab12cd3/index.html", "app/", "ab12cd3"),
        ("x" * 1000, "", "x" * 1000),
    ],
)
def test_text_is_one_name(text, prefix, name):
    assert parse_names(text, prefix=prefix) == (name,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab12cd3\nrelease-1\n", ("ab12cd3", "release-1")),
        ("\ufeffab12cd3\r\n\r\n  release-1\r\n", ("ab12cd3", "release-1")),
        ("ab12cd3\u2028ab12cd4", ("ab12cd3", "ab12cd4")),
        ("AB12CD3 9c41e07|1234567", ("AB12CD3", "9c41e07", "1234567")),
        ("ab12cd3 9c41e07\nrelease-1", ("ab12cd3", "9c41e07", "release-1")),
        ("/a/\ns3://my-site/b/index.html", ("a", "b")),
        ("v1.2-3-gab12cd3, 9c41e07", ("v1.2-3-gab12cd3", "9c41e07")),
        ("v1.2-3-gab12cd3\n1.2-2-g1234567-dirty", ("v1.2-3-gab12cd3", "1.2-2-g1234567-dirty")),
        ("release/1.2-3-gab12cd3", ("release/1.2-3-gab12cd3",)),
        ("/v1.2-3-gab12cd3\ns3://my-site/a/1.2-3-gab12cd3", ("v1.2-3-gab12cd3", "a")),
        ("a/v1.2-3-gab12cd3/index.html", ("a",)),
    ],
)
def test_text_may_have_several_names(text, expected):
    assert parse_names(text) == expected


BAD_TEXTS = [
    ("", ""),
    (" \r\n ", ""),
    ("\ufeff\n", ""),
    ("release 1\nab12cd4", ""),
    ("release-1, release-2", ""),
    ("ab12cd3 stable", ""),
    ("AB12CD3|stable", ""),
    ("v1,2", ""),
    ("ab12cd3\n<html>", ""),
    ("<html>ab12cd3</html>", ""),
    ('\n<?xml version="1.0"?>', ""),
    ('{"commit": "ab12cd3"}', ""),
    ('["ab12cd3"]', ""),
    ("x" * 1001, ""),
    ("ab12cd3\x00", ""),
    ("ab\x1b[31m12", ""),
    ("/", ""),
    ("ab12cd3/index.html", "app/"),
    ("s3://other/ab12cd3", ""),
    ("https://www.example.org/ab12cd3", ""),
]


@pytest.mark.parametrize(("text", "prefix"), BAD_TEXTS)
def test_text_that_names_nothing_is_a_problem(text, prefix):
    assert find_problem(text, prefix=prefix)


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ('{"commit": "ab12cd3"}', "commit", ("ab12cd3",)),
        ('\n{"commit": " ab12cd3 "}\n', "commit", ("ab12cd3",)),
        ('{"web": {"live": "ab12cd3"}, "api": 1}', "web.live", ("ab12cd3",)),
        ('{"live": ["ab12cd3", "s3://my-site/release-1"]}', "live", ("ab12cd3", "release-1")),
        ('{"": {"é": "ab12cd3"}}', ".é", ("ab12cd3",)),
        ('{"live": "ab12cd3\\nrelease 1\\n"}', "live", ("ab12cd3", "release 1")),
        ('{"live": "ab12cd3 9c41e07"}', "live", ("ab12cd3", "9c41e07")),
        ('{"live": "a,b"}', "live", ("a,b",)),
        ('{"releases": [{"commit": "a"}, {"commit": "b"}]}', "releases[].commit", ("a", "b")),
        ('{"r": [{"of": ["a", "b"]}, {"of": "c"}]}', "r[].of", ("a", "b", "c")),
        ('{"r": [{"of": [{"c": "a"}]}, {"of": [{"c": "b"}]}]}', "r[].of[].c", ("a", "b")),
        ('{"r": [["a"], ["b", "c"]]}', "r[][]", ("a", "b", "c")),
        ('[{"commit": "a"}, {"commit": "b"}]', "[].commit", ("a", "b")),
        ('["a", "b"]', "[]", ("a", "b")),
        ('{"my.app": {"v1.commit": "a"}}', "my.app.v1.commit", ("a",)),
        ('{"my.app": [{"commit.sha": "a"}]}', "my.app[].commit.sha", ("a",)),
    ],
)
def test_field_of_a_json_text_has_one_or_more_names(text, field, expected):
    assert parse_names(text, field) == expected


BAD_FIELDS = [
    ("", "commit"),
    ("ab12cd3", "commit"),
    ("<html></html>", "commit"),
    ('{"commit": "ab12cd3"', "commit"),
    ("[" * 4000, "commit"),
    ('{"commit": "ab12cd3"}', "Commit"),
    ('{"web": {"live": "ab12cd3"}}', "web.dead"),
    ('{"web": "ab12cd3"}', "web.live"),
    ('["ab12cd3"]', "0"),
    ("null", "commit"),
    ('{"commit": null}', "commit"),
    ('{"commit": 1234567}', "commit"),
    ('{"commit": {"sha": "ab12cd3"}}', "commit"),
    ('{"commit": ["ab12cd3", 1]}', "commit"),
    ('{"commit": [["ab12cd3"]]}', "commit"),
    ('{"commit": []}', "commit"),
    ('{"commit": ""}', "commit"),
    ('{"commit": ["ab12cd3", ""]}', "commit"),
    ('{"r": [{"commit": "a"}, {}]}', "r[].commit"),
    ('{"r": [{"commit": "a"}, {"commit": null}]}', "r[].commit"),
    ('{"r": [{"commit": "a"}, {"commit": []}]}', "r[].commit"),
    ('{"r": [{"commit": "a"}, {"commit": " "}]}', "r[].commit"),
    ('{"r": [{"commit": "a"}, "b"]}', "r[].commit"),
    ('{"r": []}', "r[].commit"),
    ('{"r": null}', "r[].commit"),
    ('{"r": {"commit": "a"}}', "r[].commit"),
    ('{"r": [[], ["a"]]}', "r[][]"),
    ("[]", "[].commit"),
    ('{"a": {"b": "x"}, "a.b": "y"}', "a.b"),
    ('{"commit": "a", "commit": "b"}', "commit"),
    ('{"web": {"live": "a", "live": "b"}}', "web.live"),
]


@pytest.mark.parametrize(("text", "field"), BAD_FIELDS)
def test_field_without_a_name_is_a_problem(text, field):
    assert find_problem(text, field)


def test_problem_never_quotes_the_text():
    for text, field in [
        ("s3cr3t x\ny", ""),
        ("<s3cr3t>", ""),
        ("{s3cr3t", ""),
        ("a/s3cr3t", ""),
        ("s3cr3t", "commit"),
        ('{"s3cr3t": 1}', "commit"),
        ('{"s3cr3t": 1, "s3cr3t": 2}', "commit"),
        ('{"commit": {"s3cr3t": 1}}', "commit"),
    ]:
        assert "s3cr3t" not in find_problem(text, field, prefix="app/")


def test_messages_are_the_golden_ones():
    texts = [(text, find_problem(text, prefix=prefix)) for text, prefix in BAD_TEXTS]
    fields = [(f"{field} of {text}", find_problem(text, field)) for text, field in BAD_FIELDS]
    assert_messages(__file__, texts + fields)
