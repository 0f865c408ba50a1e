"""A lifecycle configuration as text: what is not ours stays byte for byte, the unknown refuses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci3.core.lifecycle.configuration import (
    NAMESPACE,
    ConfigurationText,
    Element,
    LifecycleTextError,
    parse_configuration,
)
from ci3.core.lifecycle.rule import parse_managed_rule
from tests.support.golden import assert_messages
from tests.support.s3.lifecycle_texts import config, configurations, foreign_rule, make_rule


@settings(max_examples=40, deadline=None)
@given(configurations(), st.integers(1, 3))
def test_rules_put_in_and_cut_out_leave_every_byte_as_it_was(raw: bytes, count: int) -> None:
    before = parse_configuration(raw)
    ours = [make_rule(f"old-{number}/") for number in range(count)]

    after = parse_configuration(before.with_rules(one.elements for one in ours))

    assert [parse_managed_rule(one.rule) for one in after.rules[len(before.rules) :]] == ours
    assert (
        after.normalized_rules - before.normalized_rules
        == parse_configuration(
            ConfigurationText().with_rules(one.elements for one in ours)
        ).normalized_rules
    )
    for old, new in zip(before.rules, after.rules, strict=False):
        assert raw[old.start : old.end] == after.raw[new.start : new.end]
    own = [one for one in after.rules if parse_managed_rule(one.rule)]
    assert after.without_rules(own) == raw


@settings(max_examples=40, deadline=None)
@given(configurations(), st.data())
def test_a_rule_of_ours_is_cut_out_from_between_others(raw: bytes, data: st.DataObject) -> None:
    text = parse_configuration(raw)
    at = data.draw(st.sampled_from([one.start for one in text.rules] + [text.insert_offset]))
    name = f"{text.namespace_prefix}Rule"
    own = parse_configuration(text.with_rules([make_rule("old/").elements])).rules[-1]
    whole_with = text.with_rules([make_rule("old/").elements])
    written = whole_with[own.start : own.end]
    assert written.startswith(f"<{name}>".encode())

    mixed = parse_configuration(raw[:at] + written + raw[at:])

    assert mixed.without_rules([one for one in mixed.rules if parse_managed_rule(one.rule)]) == raw


def test_configuration_of_ours_alone_is_made_and_taken_away_whole() -> None:
    made = parse_configuration(ConfigurationText().with_rules([make_rule("old/").elements]))
    root = "<LifecycleConfiguration"
    assert made.raw.startswith(f'{root} xmlns="{NAMESPACE}"><Rule>'.encode())
    assert made.without_rules(made.rules) == b""


UNKNOWN = [
    config("<Rule><Foo>1</Foo></Rule>"),
    config("<Rule><Filter><Version>1</Version></Filter></Rule>"),
    config("<Rule><Expiration><Hours>1</Hours></Expiration></Rule>"),
    config("<Rule><ID><b>x</b></ID></Rule>"),
    config(f"{foreign_rule()}<Note/>"),
    config('<Rule kind="x"><ID>a</ID></Rule>'),
    config('<Rule xmlns="urn:other"><ID>a</ID></Rule>'),
    config("<s3:Rule><ID>a</ID></s3:Rule>"),
    config("<Rule>words<ID>a</ID></Rule>"),
    config("<Rule/>"),
    config(""),
    b"<LifecycleConfiguration/>",
    b"<html><body>Sign in</body></html>",
    b'<LifecycleConfiguration xmlns="urn:x"><Rule><ID>a</ID></Rule></LifecycleConfiguration>',
    b"<LifecycleConfiguration><Rule>",
    b"not XML",
    b'<!DOCTYPE x [<!ENTITY e "y">]>' + config("<Rule><ID>&e;</ID></Rule>"),
    b'<?xml version="1.0" encoding="latin-1"?>' + config(foreign_rule()),
]


@pytest.mark.parametrize("raw", UNKNOWN)
def test_what_is_not_known_for_certain_refuses(raw: bytes) -> None:
    with pytest.raises(LifecycleTextError):
        parse_configuration(raw)


def test_messages_are_the_golden_ones() -> None:
    cases = []
    for raw in UNKNOWN:
        with pytest.raises(LifecycleTextError) as caught:
            parse_configuration(raw)
        cases.append((raw.decode("latin-1"), caught.value))
    assert_messages(__file__, cases)


def test_nothing_at_all_is_a_bucket_without_rules() -> None:
    assert parse_configuration(b"") == ConfigurationText()


def test_meaning_is_the_same_in_any_order_and_another_with_another_text() -> None:
    one = Element("Rule", "", (Element("ID", "a"), Element("Status", "Enabled")))
    other = Element("Rule", "", (Element("Status", "Enabled"), Element("ID", "a")))
    assert one.normalized == other.normalized
    assert one.normalized != Element("Rule", "", (Element("ID", "a"),)).normalized
