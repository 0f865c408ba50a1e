"""A lifecycle configuration as text: what is not ours stays byte for byte, the unknown refuses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci3.core.lifecycle.configuration import (
    NAMESPACE,
    ConfigurationText,
    Element,
    LifecycleTextError,
    read_configuration,
)
from ci3.core.lifecycle.rule import read_rule
from tests.support.s3.lifecycle_texts import configurations, foreign_rule, rule_for, whole


@settings(max_examples=40, deadline=None)
@given(configurations(), st.integers(1, 3))
def test_rules_put_in_and_cut_out_leave_every_byte_as_it_was(raw: bytes, count: int) -> None:
    before = read_configuration(raw)
    ours = [rule_for(f"old-{number}/") for number in range(count)]

    after = read_configuration(before.with_rules(one.elements for one in ours))

    assert [read_rule(one.rule) for one in after.rules[len(before.rules) :]] == ours
    assert (
        after.meanings - before.meanings
        == read_configuration(ConfigurationText().with_rules(one.elements for one in ours)).meanings
    )
    for old, new in zip(before.rules, after.rules, strict=False):
        assert raw[old.start : old.end] == after.raw[new.start : new.end]
    own = [one for one in after.rules if read_rule(one.rule)]
    assert after.without(own) == raw


@settings(max_examples=40, deadline=None)
@given(configurations(), st.data())
def test_a_rule_of_ours_is_cut_out_from_between_others(raw: bytes, data: st.DataObject) -> None:
    text = read_configuration(raw)
    at = data.draw(st.sampled_from([one.start for one in text.rules] + [text.insert_at]))
    name = f"{text.qualifier}Rule"
    own = read_configuration(text.with_rules([rule_for("old/").elements])).rules[-1]
    whole_with = text.with_rules([rule_for("old/").elements])
    written = whole_with[own.start : own.end]
    assert written.startswith(f"<{name}>".encode())

    mixed = read_configuration(raw[:at] + written + raw[at:])

    assert mixed.without([one for one in mixed.rules if read_rule(one.rule)]) == raw


def test_configuration_of_ours_alone_is_made_and_taken_away_whole() -> None:
    made = read_configuration(ConfigurationText().with_rules([rule_for("old/").elements]))
    assert made.raw.startswith(f'<LifecycleConfiguration xmlns="{NAMESPACE}"><Rule>'.encode())
    assert made.without(made.rules) == b""


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (whole("<Rule><Foo>1</Foo></Rule>"), "<Foo> in Rule"),
        (whole("<Rule><Filter><Version>1</Version></Filter></Rule>"), "<Version> in Filter"),
        (whole("<Rule><Expiration><Hours>1</Hours></Expiration></Rule>"), "<Hours> in Expiration"),
        (whole("<Rule><ID><b>x</b></ID></Rule>"), "<b> in ID"),
        (whole(f"{foreign_rule()}<Note/>"), "<Note> in LifecycleConfiguration"),
        (whole('<Rule kind="x"><ID>a</ID></Rule>'), 'kind="x"'),
        (whole('<Rule xmlns="urn:other"><ID>a</ID></Rule>'), 'xmlns="urn:other"'),
        (whole("<s3:Rule><ID>a</ID></s3:Rule>"), "<s3:Rule>"),
        (whole("<Rule>words<ID>a</ID></Rule>"), "text in <Rule>"),
        (whole("<Rule/>"), "empty rule"),
        (whole(""), "no rule"),
        (b"<LifecycleConfiguration/>", "no rule"),
        (b"<html><body>Sign in</body></html>", "<html>"),
        (b'<LifecycleConfiguration xmlns="urn:x"><Rule><ID>a</ID></Rule></LifecycleConfiguration>',
         "urn:x"),
        (b"<LifecycleConfiguration><Rule>", "no XML"),
        (b"not XML", "no XML"),
        (b'<!DOCTYPE x [<!ENTITY e "y">]>' + whole("<Rule><ID>&e;</ID></Rule>"), "document type"),
        (b'<?xml version="1.0" encoding="latin-1"?>' + whole(foreign_rule()), "latin-1"),
    ],
)  # fmt: skip
def test_what_is_not_known_for_certain_refuses(raw: bytes, told: str) -> None:
    with pytest.raises(LifecycleTextError) as caught:
        read_configuration(raw)
    assert told in str(caught.value)


def test_nothing_at_all_is_a_bucket_without_rules() -> None:
    assert read_configuration(b"") == ConfigurationText()


def test_meaning_is_the_same_in_any_order_and_another_with_another_text() -> None:
    one = Element("Rule", "", (Element("ID", "a"), Element("Status", "Enabled")))
    other = Element("Rule", "", (Element("Status", "Enabled"), Element("ID", "a")))
    assert one.meaning == other.meaning
    assert one.meaning != Element("Rule", "", (Element("ID", "a"),)).meaning
