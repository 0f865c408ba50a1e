"""Plan files for tests: a usual one, and the same with one value replaced."""

import json

from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import IgnoredEntry
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.json_writer import dump_plan
from tests.support.builders import deployment, empty_deployment, kept, plan, to_delete


def usual():
    return plan(
        kept(deployment("new", 1)),
        to_delete(deployment("old", 9)),
        kept(empty_deployment("gone"), ReasonCode.NO_OBJECTS),
        policy={"keep-count": PolicyEntry(value=1, origin=Origin.INPUT)},
        ignored=(IgnoredEntry(name="robots.txt", reason="a file"),),
        warnings=(PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message="m"),),
    )


def edited(path, value):
    """A saved plan's text with one value, by its path, replaced by another."""
    written = json.loads(dump_plan(usual()))
    *parents, last = path.split("/")
    inner = written
    for step in parents:
        inner = inner[int(step) if step.isdigit() else step]
    if isinstance(inner, list):
        inner[int(last)] = value
    else:
        inner[last] = value
    return json.dumps(written)
