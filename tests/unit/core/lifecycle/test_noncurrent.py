"""When noncurrent versions expire: the shortest rule that may apply to a prefix counts."""

import pytest

from ci3.core.lifecycle.configuration import ConfigurationText, parse_configuration
from ci3.core.lifecycle.planning import LifecycleSnapshot
from ci3.core.model.deployment import NoncurrentExpiration
from tests.support.s3.lifecycle_texts import config

EXPIRES = "<NoncurrentVersionExpiration><NoncurrentDays>{}</NoncurrentDays>{}"
EXPIRES += "</NoncurrentVersionExpiration>"


def format_rule(scope: str, days: int = 0, *, status: str = "Enabled", content: str = "") -> str:
    action = EXPIRES.format(days, content) if days else "<Expiration><Days>1</Days></Expiration>"
    return f"<Rule><ID>r</ID><Status>{status}</Status>{scope}{action}</Rule>"


def filter_prefix(prefix: str, content: str = "") -> str:
    return f"<Filter><Prefix>{prefix}</Prefix>{content}</Filter>"


def filter_prefix_and_tag(prefix: str) -> str:
    tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"
    return f"<Filter><And><Prefix>{prefix}</Prefix>{tag}</And></Filter>"


TAGGED = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
LARGE = "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>"


def find_term(*rules: str, prefixes: tuple[str, ...] = ("previews/",)) -> NoncurrentExpiration:
    configuration = parse_configuration(config("".join(rules)))
    return LifecycleSnapshot(configuration=configuration).find_noncurrent_term(prefixes)


def test_bucket_without_rules_keeps_noncurrent_versions() -> None:
    assert (
        LifecycleSnapshot(configuration=ConfigurationText()).find_noncurrent_term([""])
        == NoncurrentExpiration()
    )


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        pytest.param([format_rule(filter_prefix(""), 30)], 30, id="entire bucket"),
        pytest.param([format_rule("<Filter/>", 30)], 30, id="no filter"),
        pytest.param([format_rule("<Prefix>previews/</Prefix>", 30)], 30, id="deprecated prefix"),
        pytest.param([format_rule(filter_prefix("prev"), 30)], 30, id="a folder above"),
        pytest.param([format_rule(filter_prefix("previews/a/"), 30)], 30, id="a folder inside"),
        pytest.param([format_rule(filter_prefix("other/"), 30)], None, id="another folder"),
        pytest.param(
            [format_rule(filter_prefix_and_tag("previews/"), 30)], 30, id="prefix and tag"
        ),
        pytest.param(
            [format_rule(filter_prefix_and_tag("other/"), 30)], None, id="another folder and tag"
        ),
        pytest.param([format_rule(TAGGED, 30)], 30, id="by tag"),
        pytest.param([format_rule(LARGE, 30)], 30, id="by size"),
        pytest.param([format_rule(filter_prefix(""), 30, status="Disabled")], None, id="disabled"),
        pytest.param([format_rule(filter_prefix(""))], None, id="a rule for current objects"),
        pytest.param(
            [
                format_rule(filter_prefix(""), 30),
                format_rule(TAGGED, 3),
                format_rule(filter_prefix("other/"), 1),
                format_rule(filter_prefix("")),
            ],
            3,
            id="the shortest",
        ),
    ],
)
def test_shortest_rule_that_may_apply_to_the_prefix_counts(
    rules: list[str], days: int | None
) -> None:
    assert find_term(*rules) == NoncurrentExpiration(days=days)


def test_minimum_of_the_rules_that_overlap_the_prefix_counts() -> None:
    """The example of `noncurrent`."""
    rules = [
        format_rule("<Filter/>", 30),
        format_rule(filter_prefix("site/a/old/"), 10),
        format_rule(filter_prefix("site/logs/"), 1),
    ]
    assert find_term(*rules, prefixes=("site/b/", "site/a/")) == NoncurrentExpiration(days=10)


@pytest.mark.parametrize(
    ("rule_prefix", "is_counted"),
    [("", True), ("site/", True), ("site/b", True), ("site/b/x", True), ("site/c", False),
     ("logs/", False), ("site/b/", True), ("site/bb/", False)],
)  # fmt: skip
def test_rule_counts_only_if_it_applies_to_one_of_the_prefixes(
    rule_prefix: str, *, is_counted: bool
) -> None:
    expiration = find_term(
        format_rule(filter_prefix(rule_prefix), 30), prefixes=("site/b/", "site/a/", "site/d/")
    )
    assert expiration.days == (30 if is_counted else None)


def test_rule_does_not_count_where_nothing_is_deleted() -> None:
    assert find_term(format_rule(filter_prefix(""), 30), prefixes=()) == NoncurrentExpiration()


NEWER = "<NewerNoncurrentVersions>3</NewerNoncurrentVersions>"


@pytest.mark.parametrize(
    ("rules", "expiration"),
    [
        (
            [format_rule(filter_prefix(""), 7, content=NEWER)],
            NoncurrentExpiration(days=7, is_minimum=True),
        ),
        (
            [format_rule(filter_prefix(""), 7, content=NEWER), format_rule(filter_prefix(""), 30)],
            NoncurrentExpiration(days=7, is_minimum=True),
        ),
        (
            [format_rule(filter_prefix(""), 7, content=NEWER), format_rule(filter_prefix(""), 7)],
            NoncurrentExpiration(days=7),
        ),
        (
            [format_rule(filter_prefix(""), 30, content=NEWER), format_rule(filter_prefix(""), 7)],
            NoncurrentExpiration(days=7),
        ),
    ],
)
def test_rule_that_keeps_newer_versions_gives_a_minimum(
    rules: list[str], expiration: NoncurrentExpiration
) -> None:
    assert find_term(*rules) == expiration


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<NewerNoncurrentVersions>3</NewerNoncurrentVersions>",
        "<NoncurrentDays/>",
        "<NoncurrentDays>soon</NoncurrentDays>",
        "<NoncurrentDays>0</NoncurrentDays>",
    ],
)
@pytest.mark.parametrize("others", [[], [format_rule(filter_prefix(""), 30)]])
def test_rule_without_valid_days_is_a_problem(content: str, others: list[str]) -> None:
    expires = f"<NoncurrentVersionExpiration>{content}</NoncurrentVersionExpiration>"
    invalid_rule = f"<Rule><ID>t</ID><Status>Enabled</Status><Filter/>{expires}</Rule>"
    expiration = find_term(*others, invalid_rule)
    assert expiration.problem
    assert expiration.days is None


def test_unreadable_rules_are_a_problem() -> None:
    assert LifecycleSnapshot(problem="denied").find_noncurrent_term([""]) == NoncurrentExpiration(
        problem="denied"
    )
