"""Which builds of a branch a pin keeps if only certain deployments may supersede others."""

import pytest

from ci3.core.live.pins import Pin
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.newest_pins import resolve_pins
from tests.support.builders import deployment, live_pin

PIN = Pin(code=ReasonCode.LIVE, reference=Reference(commits=("a1b2c3d",), branches=("main",)))
NEWEST, NEWER, OLD = "main-3333333", "main-2222222", "main-1111111"
WITH_COMMIT = "main-a1b2c3d"


@pytest.mark.parametrize(
    ("names", "superseding", "newest_names"),
    [
        ((NEWEST, NEWER, OLD), None, {NEWEST}),
        ((NEWEST, NEWER, OLD), {NEWEST, NEWER}, {NEWEST}),
        ((NEWEST, NEWER, OLD), {NEWER}, {NEWEST, NEWER}),
        ((NEWEST, NEWER, OLD), set(), {NEWEST, NEWER, OLD}),
        ((NEWEST, WITH_COMMIT), None, set()),
        ((NEWEST, WITH_COMMIT), {WITH_COMMIT}, set()),
        ((NEWEST, WITH_COMMIT), {NEWEST}, {NEWEST}),
    ],
)
def test_build_is_superseded_only_by_deployments_that_may_supersede(
    names, superseding, newest_names
):
    """For an approval, those are the deployments that the plan keeps."""
    deployments = [deployment(name, days) for days, name in enumerate(names, 1)]

    [pin] = resolve_pins(
        [PIN], deployments, group_by=None, age_from=AgeFrom.SPAN, superseding=superseding
    )

    assert pin.newest_names == newest_names


def test_pin_without_a_pull_request_or_branch_is_not_changed():
    exact = live_pin("main-1111111")

    resolved = resolve_pins(
        [PIN, exact], [deployment(NEWEST, 1)], group_by=None, age_from=AgeFrom.SPAN
    )

    assert resolved[0].newest_names == {NEWEST}
    assert resolved[1] == exact
