"""A prefix pattern and lifecycle rules are refused in one run, in a new or a saved plan."""

import pytest

from ci3.config.from_plan import resolve_plan_settings
from ci3.config.targets import PolicyFile
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.plan import Plan
from ci3.errors import SettingsError
from tests.support.builders import plan, target
from tests.unit.config.policy_files import resolve_policy

POLICY = """
targets:
- {{bucket: a-site, prefix: site, engine: {engine}}}
- {{bucket: b-site, prefix: {prefix}, match: '[0-9]+'}}
"""


@pytest.mark.parametrize("engine", ["lifecycle", "auto"])
def test_target_with_rules_is_refused_next_to_a_pattern(engine: str) -> None:
    assert len(resolve_policy(POLICY.format(engine=engine, prefix="apps/shop"))) == 2
    assert len(resolve_policy(POLICY.format(engine="direct", prefix="apps/*"))) == 2
    with pytest.raises(SettingsError, match=r"ci3\.yml"):
        resolve_policy(POLICY.format(engine=engine, prefix="apps/*"))


def make_plan(folder: str, **policy: str) -> Plan:
    entries = {
        name: PolicyEntry(value=value, origin=Origin.POLICY_FILE) for name, value in policy.items()
    }
    return plan(target=target(prefix=folder), policy=entries)


def test_saved_plan_with_rules_and_a_pattern_is_refused() -> None:
    pattern_plan = make_plan("apps/shop/", prefix="apps/*/", match="[0-9]+")
    direct, rules_plan = make_plan("site/"), make_plan("site/", engine="lifecycle")
    assert (
        len(resolve_plan_settings([direct, pattern_plan], "plan.json", {}, PolicyFile(), {})) == 2
    )
    with pytest.raises(SettingsError, match=r"plan\.json"):
        resolve_plan_settings([rules_plan, pattern_plan], "plan.json", {}, PolicyFile(), {})
