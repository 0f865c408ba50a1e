"""Plan files for tests: a sample plan, and the same with one value replaced."""

import json

from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import IgnoredEntry
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.json_writer import dump_plan
from tests.support.builders import deployment, empty_deployment, kept, plan, to_delete


def make_sample_plan():
    return plan(
        kept(deployment("new", 1)),
        to_delete(deployment("old", 9)),
        kept(empty_deployment("gone"), ReasonCode.NO_OBJECTS),
        policy={"keep-count": PolicyEntry(value=1, origin=Origin.INPUT)},
        ignored=(IgnoredEntry(name="robots.txt", reason="a file"),),
        warnings=(PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message="m"),),
    )


def dump_edited(path, value):
    """Return the text of the sample plan file with the value at `path` replaced."""
    written = json.loads(dump_plan(make_sample_plan()))
    *parents, last = path.split("/")
    parent = written
    for key in parents:
        parent = parent[int(key) if key.isdigit() else key]
    if isinstance(parent, list):
        parent[int(last)] = value
    else:
        parent[last] = value
    return json.dumps(written)
