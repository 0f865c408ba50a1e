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


def term(*rules: str, prefix: str = "previews/") -> NoncurrentExpiration:
    configuration = parse_configuration(config("".join(rules)))
    return LifecycleSnapshot(configuration=configuration).find_noncurrent_term(prefix)


def test_bucket_without_rules_keeps_old_versions() -> None:
    assert (
        LifecycleSnapshot(configuration=ConfigurationText()).find_noncurrent_term("")
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
            [rule(within(""), 7, more="<NewerNoncurrentVersions>3</NewerNoncurrentVersions>")], 7,
            id="all but some",
        ),
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
    rules = [rule("<Filter/>", 30), rule(within("site/old/"), 10), rule(within("other/"), 1)]
    assert term(*rules, prefix="site/") == NoncurrentExpiration(days=10)


@pytest.mark.parametrize(
    "says",
    [
        "",
        "<NewerNoncurrentVersions>3</NewerNoncurrentVersions>",
        "<NoncurrentDays/>",
        "<NoncurrentDays>soon</NoncurrentDays>",
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
    assert LifecycleSnapshot(problem="denied").find_noncurrent_term("") == NoncurrentExpiration(
        problem="denied"
    )
