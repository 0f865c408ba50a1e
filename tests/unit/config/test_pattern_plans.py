"""Which target of a policy file a saved plan is for, if the file has a prefix pattern."""

from dataclasses import replace

import pytest

from ci3.config.from_plan import resolve_plan_settings
from ci3.config.policy_file import read_policy_file
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.plan import Plan
from ci3.errors import SettingsError
from tests.support.builders import plan, target
from tests.unit.config.policy_files import write_policy

ENDPOINTS = ["https://a.test:9000", "https://b.test:9000", ""]
POLICY = """
targets:
- {{bucket: my-site, prefix: '{prefixes[0]}', match: '[0-9]+', endpoint-url: 'https://a.test:9000/'}}
- {{bucket: my-site, prefix: '{prefixes[1]}', match: '[0-9]+', endpoint-url: 'https://b.test:9000'}}
- {{bucket: my-site, prefix: '{prefixes[2]}', match: '[0-9]+'}}
"""


def make_plan(endpoint_url: str) -> Plan:
    entry = PolicyEntry(value="[0-9]+", origin=Origin.POLICY_FILE)
    return plan(
        target=replace(target(prefix="apps/shop/"), endpoint_url=endpoint_url),
        policy={"match": entry},
    )


@pytest.mark.parametrize(
    "prefixes",
    [("apps/*",) * 3, ("apps/shop", "apps/shop", "apps/*"), ("apps/*", "apps/shop", "*/shop")],
)
def test_plan_is_for_the_target_with_its_endpoint(
    prefixes: tuple[str, ...],
) -> None:
    policy = read_policy_file(write_policy(POLICY.format(prefixes=prefixes)))
    plans = [make_plan(endpoint_url) for endpoint_url in ENDPOINTS]
    settings = resolve_plan_settings(plans, "plan.json", {}, policy, {})
    assert [item.endpoint_url for item in settings] == ENDPOINTS
    assert {item.prefix for item in settings} == {"apps/shop/"}


def test_plan_for_an_endpoint_that_no_target_has_is_refused() -> None:
    policy = read_policy_file(write_policy(POLICY.format(prefixes=("apps/*",) * 3)))
    plans = [make_plan(endpoint_url) for endpoint_url in [*ENDPOINTS[:2], "https://c.test"]]
    with pytest.raises(SettingsError):
        resolve_plan_settings(plans, "plan.json", {}, policy, {})
