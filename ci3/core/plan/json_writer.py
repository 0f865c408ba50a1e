"""The plan file's writer, and that of the other JSON: plans, listings and explanations as text.

It knows nothing of the reader's checks, which take longer to import than a plan to write.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ci3.constants import PLAN_FORMAT
from ci3.core.formatting import timestamp
from ci3.core.model.decision import Decision, Reason
from ci3.core.model.deployment import Deployment, Ignored
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.model.objects import StoredObject
from ci3.core.plan.plan import Plan

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import StandingRule
    from ci3.core.retention.explain import Explanation


def dump_plan(plan: Plan) -> str:
    """Write a plan as JSON text that ends in a line break; keys as in docs/plan.schema.json."""
    return as_json(plan_content(plan))


def dump_plans(plans: Sequence[Plan], *, has_targets: bool) -> str:
    """Write the plans of a run: one as it is, those of a policy file's targets as `plans`."""
    if not has_targets and len(plans) == 1:
        return dump_plan(plans[0])
    return as_json({"format": PLAN_FORMAT, "plans": [plan_content(plan) for plan in plans]})


def plan_content(plan: Plan) -> dict[str, object]:
    """Give a plan as the values of its JSON; their codes are still members of their enums."""
    return {
        "format": PLAN_FORMAT,
        "ci3_version": plan.ci3_version,
        "plan_id": plan.plan_id,
        "created_at": timestamp(plan.created_at),
        "target": dataclasses.asdict(plan.target),
        "policy": {
            name: {"value": entry.value, "from": entry.origin}
            for name, entry in plan.policy.items()
        },
        "applyable": plan.applyable,
        "refusals": _coded(plan.refusals),
        "warnings": _coded(plan.warnings),
        "deployments": [_decision(decision) for decision in plan.decisions],
        "ignored": [{"name": one.name, "reason": one.reason} for one in plan.ignored],
        "rules": [_rule(one) for one in plan.rules],
        "choice": list(plan.choice),
        "totals": dataclasses.asdict(plan.totals),
    }


def _rule(one: "StandingRule") -> dict[str, object]:
    return {
        "id": one.rule.rule_id,
        "name": one.name,
        "prefix": one.rule.prefix,
        "days": one.rule.days,
        "noncurrent_days": one.rule.noncurrent_days,
        "expires_at": timestamp(one.rule.expires_at),
        "fate": one.fate,
        "message": one.message,
    }


Listing = tuple[str, Sequence[Deployment], Sequence[Ignored]]
"""A target's address, its deployments, and what is ignored there."""


def dump_inventories(listings: Sequence[Listing], *, has_targets: bool) -> str:
    """Write listings of deployments as JSON: `deployments` as in a plan, and `ignored`.

    Those of a policy file's targets stand under `targets`, each with its `url`.
    """
    content: list[tuple[str, dict[str, object]]] = [
        (
            url,
            {
                "deployments": [_deployment(one) for one in deployments],
                "ignored": [{"name": one.name, "reason": one.reason} for one in ignored],
            },
        )
        for url, deployments, ignored in listings
    ]
    return _of_targets(content, has_targets=has_targets)


def dump_explanations(
    explanations: "Sequence[tuple[str, Explanation]]", *, has_targets: bool
) -> str:
    """Write explanations as JSON: the decision as in a plan, `checks` and `outlook`.

    Each stands beside its target's address; those of a policy file's targets under `targets`.
    """
    content = [(url, _explanation(one)) for url, one in explanations]
    return _of_targets(content, has_targets=has_targets)


def _explanation(explanation: "Explanation") -> dict[str, object]:
    checks = [
        {"code": check.code, "is_matched": check.is_matched, "message": check.message}
        for check in explanation.judgement.checks
    ]
    decision = _decision(explanation.judgement.decision)
    return {**decision, "checks": checks, "outlook": explanation.outlook}


def _of_targets(content: Sequence[tuple[str, dict[str, object]]], *, has_targets: bool) -> str:
    if not has_targets and len(content) == 1:
        return as_json(content[0][1])
    return as_json({"targets": [{"url": url, **one} for url, one in content]})


def dump_objects(
    name: str, listings: Sequence[tuple[str, Sequence[StoredObject]]], *, has_targets: bool
) -> str:
    """Write listings of a deployment's objects as JSON; see `dump_inventories`."""
    content: list[tuple[str, dict[str, object]]] = [
        (url, {"name": name, "objects": [_object(stored) for stored in objects]})
        for url, objects in listings
    ]
    return _of_targets(content, has_targets=has_targets)


def _object(stored: StoredObject) -> dict[str, object]:
    return {
        "key": stored.key,
        "size_bytes": stored.size_bytes,
        "etag": stored.etag,
        "modified_at": timestamp(stored.modified_at),
    }


def as_json(content: object) -> str:
    """Write JSON for a file or a log; no line of it is a command to a workflow's runner."""
    return json.dumps(content, indent=2).replace("##[", "##\\u005b") + "\n"


def _coded(entries: Sequence[Refusal | PlanWarning | Reason]) -> list[dict[str, str]]:
    return [{"code": entry.code, "message": entry.message} for entry in entries]


def _decision(decision: Decision) -> dict[str, object]:
    described = _deployment(decision.deployment)
    return {
        "name": described.pop("name"),
        "prefix": described.pop("prefix"),
        "group": decision.group,
        "decision": decision.action,
        "reasons": _coded(decision.reasons),
        **described,
        "expire_days": decision.expire_days,
    }


def _deployment(deployment: Deployment) -> dict[str, object]:
    return {
        "name": deployment.name,
        "prefix": deployment.prefix,
        "object_count": deployment.object_count if deployment.is_counted else None,
        "size_bytes": deployment.size_bytes if deployment.is_counted else None,
        "oldest_at": deployment.oldest_at and timestamp(deployment.oldest_at),
        "newest_at": deployment.newest_at and timestamp(deployment.newest_at),
        "complete": deployment.complete,
        "fingerprint": deployment.fingerprint or None,
        "versions": deployment.versions and dataclasses.asdict(deployment.versions),
    }
