"""When old versions go: the shortest rule that may touch a prefix counts, not knowing is told."""

import pytest

from ci3.core.lifecycle.configuration import ConfigurationText, parse_configuration
from ci3.core.lifecycle.planning import LifecycleSnapshot
from ci3.core.model.deployment import NoncurrentExpiration
from tests.support.s3.lifecycle_texts import config

EXPIRES = "<NoncurrentVersionExpiration><NoncurrentDays>{}</NoncurrentDays>{}"
EXPIRES += "</NoncurrentVersionExpiration>"


def rule(where: str, days: int = 0, *, status: str = "Enabled", more: str = "") -> str:
    action = EXPIRES.format(days, more) if days else "<Expiration><Days>1</Days></Expiration>"
    return f"<Rule><ID>r</ID><Status>{status}</Status>{where}{action}</Rule>"


def within(prefix: str, more: str = "") -> str:
    return f"<Filter><Prefix>{prefix}</Prefix>{more}</Filter>"


def both(prefix: str) -> str:
    tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"
    return f"<Filter><And><Prefix>{prefix}</Prefix>{tag}</And></Filter>"


TAGGED = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
LARGE = "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>"


def term(*rules: str, prefixes: tuple[str, ...] = ("previews/",)) -> NoncurrentExpiration:
    configuration = parse_configuration(config("".join(rules)))
    return LifecycleSnapshot(configuration=configuration).find_noncurrent_term(prefixes)


def test_bucket_without_rules_keeps_old_versions() -> None:
    assert (
        LifecycleSnapshot(configuration=ConfigurationText()).find_noncurrent_term([""])
        == NoncurrentExpiration()
    )


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        pytest.param([rule(within(""), 30)], 30, id="the whole bucket"),
        pytest.param([rule("<Filter/>", 30)], 30, id="no filter"),
        pytest.param([rule("<Prefix>previews/</Prefix>", 30)], 30, id="the old way to say where"),
        pytest.param([rule(within("prev"), 30)], 30, id="around"),
        pytest.param([rule(within("previews/a/"), 30)], 30, id="inside"),
        pytest.param([rule(within("other/"), 30)], None, id="elsewhere"),
        pytest.param([rule(both("previews/"), 30)], 30, id="some objects of it"),
        pytest.param([rule(both("other/"), 30)], None, id="some objects elsewhere"),
        pytest.param([rule(TAGGED, 30)], 30, id="by tag"),
        pytest.param([rule(LARGE, 30)], 30, id="by size"),
        pytest.param([rule(within(""), 30, status="Disabled")], None, id="disabled"),
        pytest.param([rule(within(""))], None, id="a rule for current objects"),
        pytest.param(
            [rule(within(""), 30), rule(TAGGED, 3), rule(within("other/"), 1), rule(within(""))], 3,
            id="the shortest",
        ),
    ],
)  # fmt: skip
def test_shortest_rule_that_may_touch_the_prefix_counts(rules: list[str], days: int | None) -> None:
    assert term(*rules) == NoncurrentExpiration(days=days)


def test_minimum_of_the_rules_that_overlap_the_prefix_counts() -> None:
    """The example of `noncurrent`."""
    rules = [rule("<Filter/>", 30), rule(within("site/a/old/"), 10), rule(within("site/logs/"), 1)]
    assert term(*rules, prefixes=("site/b/", "site/a/")) == NoncurrentExpiration(days=10)


@pytest.mark.parametrize(
    ("rule_prefix", "is_counted"),
    [("", True), ("site/", True), ("site/b", True), ("site/b/x", True), ("site/c", False),
     ("logs/", False), ("site/b/", True), ("site/bb/", False)],
)  # fmt: skip
def test_rule_counts_only_if_it_applies_to_one_of_the_prefixes(
    rule_prefix: str, *, is_counted: bool
) -> None:
    expiration = term(rule(within(rule_prefix), 30), prefixes=("site/b/", "site/a/", "site/d/"))
    assert expiration.days == (30 if is_counted else None)


def test_rule_does_not_count_where_nothing_is_deleted() -> None:
    assert term(rule(within(""), 30), prefixes=()) == NoncurrentExpiration()


NEWER = "<NewerNoncurrentVersions>3</NewerNoncurrentVersions>"


@pytest.mark.parametrize(
    ("rules", "expiration"),
    [
        ([rule(within(""), 7, more=NEWER)], NoncurrentExpiration(days=7, is_minimum=True)),
        (
            [rule(within(""), 7, more=NEWER), rule(within(""), 30)],
            NoncurrentExpiration(days=7, is_minimum=True),
        ),
        ([rule(within(""), 7, more=NEWER), rule(within(""), 7)], NoncurrentExpiration(days=7)),
        ([rule(within(""), 30, more=NEWER), rule(within(""), 7)], NoncurrentExpiration(days=7)),
    ],
)
def test_rule_that_keeps_newer_versions_gives_a_minimum(
    rules: list[str], expiration: NoncurrentExpiration
) -> None:
    assert term(*rules) == expiration


@pytest.mark.parametrize(
    "says",
    [
        "",
        "<NewerNoncurrentVersions>3</NewerNoncurrentVersions>",
        "<NoncurrentDays/>",
        "<NoncurrentDays>soon</NoncurrentDays>",
        "<NoncurrentDays>0</NoncurrentDays>",
    ],
)
@pytest.mark.parametrize("others", [[], [rule(within(""), 30)]])
def test_rule_that_does_not_say_when_is_a_problem_not_none(says: str, others: list[str]) -> None:
    expires = f"<NoncurrentVersionExpiration>{says}</NoncurrentVersionExpiration>"
    timeless = f"<Rule><ID>t</ID><Status>Enabled</Status><Filter/>{expires}</Rule>"
    found = term(*others, timeless)
    assert found.problem
    assert found.days is None


def test_rules_that_were_not_read_are_a_problem_not_none() -> None:
    assert LifecycleSnapshot(problem="denied").find_noncurrent_term([""]) == NoncurrentExpiration(
        problem="denied"
    )
