"""A lifecycle configuration as text: other rules keep every byte; unknown elements are refused."""

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
def test_adding_and_removing_rules_keeps_every_byte(raw: bytes, count: int) -> None:
    before = parse_configuration(raw)
    managed_rules = [make_rule(f"old-{number}/") for number in range(count)]

    after = parse_configuration(before.with_rules(rule.elements for rule in managed_rules))

    assert [
        parse_managed_rule(rule.rule) for rule in after.rules[len(before.rules) :]
    ] == managed_rules
    assert (
        after.normalized_rules - before.normalized_rules
        == parse_configuration(
            ConfigurationText().with_rules(rule.elements for rule in managed_rules)
        ).normalized_rules
    )
    for rule_before, rule_after in zip(before.rules, after.rules, strict=False):
        assert (
            raw[rule_before.start : rule_before.end] == after.raw[rule_after.start : rule_after.end]
        )
    managed = [rule for rule in after.rules if parse_managed_rule(rule.rule)]
    assert after.without_rules(managed) == raw


@settings(max_examples=40, deadline=None)
@given(configurations(), st.data())
def test_managed_rule_is_removed_from_between_others(raw: bytes, data: st.DataObject) -> None:
    configuration = parse_configuration(raw)
    offset = data.draw(
        st.sampled_from(
            [rule.start for rule in configuration.rules] + [configuration.insert_offset]
        )
    )
    name = f"{configuration.namespace_prefix}Rule"
    managed = parse_configuration(configuration.with_rules([make_rule("old/").elements])).rules[-1]
    extended = configuration.with_rules([make_rule("old/").elements])
    rule_text = extended[managed.start : managed.end]
    assert rule_text.startswith(f"<{name}>".encode())

    mixed = parse_configuration(raw[:offset] + rule_text + raw[offset:])

    assert (
        mixed.without_rules([rule for rule in mixed.rules if parse_managed_rule(rule.rule)]) == raw
    )


def test_configuration_with_only_managed_rules_is_created_and_removed() -> None:
    configuration = parse_configuration(
        ConfigurationText().with_rules([make_rule("old/").elements])
    )
    root = "<LifecycleConfiguration"
    assert configuration.raw.startswith(f'{root} xmlns="{NAMESPACE}"><Rule>'.encode())
    assert configuration.without_rules(configuration.rules) == b""


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
def test_unknown_content_is_refused(raw: bytes) -> None:
    with pytest.raises(LifecycleTextError):
        parse_configuration(raw)


def test_messages_are_the_golden_ones() -> None:
    cases = []
    for raw in UNKNOWN:
        with pytest.raises(LifecycleTextError) as caught:
            parse_configuration(raw)
        cases.append((raw.decode("latin-1"), caught.value))
    assert_messages(__file__, cases)


def test_empty_text_is_a_bucket_without_rules() -> None:
    assert parse_configuration(b"") == ConfigurationText()


def test_normalized_form_depends_on_the_content_but_not_on_the_order() -> None:
    first = Element("Rule", "", (Element("ID", "a"), Element("Status", "Enabled")))
    second = Element("Rule", "", (Element("Status", "Enabled"), Element("ID", "a")))
    assert first.normalized == second.normalized
    assert first.normalized != Element("Rule", "", (Element("ID", "a"),)).normalized
