"""Write JSON: plan files, listings and explanations.

Does not import the reader: its pydantic models take longer to import than a plan takes to write.
"""

import dataclasses
from collections.abc import Sequence

from ci3.constants import PLAN_FORMAT
from ci3.core.formatting import format_json, format_timestamp
from ci3.core.lifecycle.rule_status import ExistingRule
from ci3.core.model.decision import Decision, Reason
from ci3.core.model.deployment import Deployment, IgnoredEntry
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.model.objects import StoredObject, VersionSummary
from ci3.core.model.policy import encode_policy
from ci3.core.plan.plan import Plan
from ci3.core.retention.explain import Explanation


def dump_plan(plan: Plan) -> str:
    """Return a plan as JSON text with a final newline; keys as in docs/plan.schema.json."""
    return format_json(encode_plan(plan))


def dump_plans(plans: Sequence[Plan], *, has_targets: bool) -> str:
    """Return the plans of a run as JSON text: a single plan, or several under `plans`.

    `has_targets` is True if a policy file names the targets; its plans are always under `plans`.
    """
    if not has_targets and len(plans) == 1:
        return dump_plan(plans[0])
    return format_json({"format": PLAN_FORMAT, "plans": [encode_plan(plan) for plan in plans]})


def encode_plan(plan: Plan) -> dict[str, object]:
    """Return a plan as JSON values; codes are still enum members."""
    return {
        "format": PLAN_FORMAT,
        "ci3_version": plan.ci3_version,
        "plan_id": plan.plan_id,
        "created_at": format_timestamp(plan.created_at),
        "target": plan.target.encode(),
        "policy": encode_policy(plan.policy),
        "applyable": plan.is_applyable,
        "refusals": _encode_coded(plan.refusals),
        "warnings": _encode_coded(plan.warnings),
        "restore_period": plan.restore_period and dataclasses.asdict(plan.restore_period),
        "deployments": [_encode_decision(decision) for decision in plan.decisions],
        "ignored": [dataclasses.asdict(item) for item in plan.ignored],
        "rules": [_encode_rule(rule) for rule in plan.rules],
        "next_run_by": plan.next_run_by and format_timestamp(plan.next_run_by),
        "choice": list(plan.engine_explanation),
        "totals": dataclasses.asdict(plan.totals),
    }


def _encode_rule(entry: ExistingRule) -> dict[str, object]:
    return {
        "id": entry.rule.rule_id,
        "name": entry.name,
        "prefix": entry.rule.prefix,
        "days": entry.rule.days,
        "noncurrent_days": entry.rule.noncurrent_days,
        "expires_at": format_timestamp(entry.rule.expires_at),
        "status": entry.status,
        "message": entry.message,
    }


TargetListing = tuple[str, Sequence[Deployment], Sequence[IgnoredEntry]]
"""A target's address, its deployments, and its files and folders that are not deployments."""


def dump_inventories(listings: Sequence[TargetListing], *, has_targets: bool) -> str:
    """Return listings of deployments as JSON text: `deployments` as in a plan, and `ignored`.

    If a policy file names the targets, each listing is under `targets`, with its `url`.
    """
    content: list[tuple[str, dict[str, object]]] = [
        (
            url,
            {
                "deployments": [_encode_deployment(deployment) for deployment in deployments],
                "ignored": [dataclasses.asdict(item) for item in ignored],
            },
        )
        for url, deployments, ignored in listings
    ]
    return _dump_targets(content, has_targets=has_targets)


def dump_explanations(explanations: Sequence[tuple[str, Explanation]], *, has_targets: bool) -> str:
    """Return explanations as JSON text: the decision as in a plan, `checks` and `outlook`.

    `explanations` are pairs of a target's address and its explanation. If a policy file names the
    targets, each explanation is under `targets`, with its `url`.
    """
    content = [(url, _encode_explanation(explanation)) for url, explanation in explanations]
    return _dump_targets(content, has_targets=has_targets)


def _encode_explanation(explanation: Explanation) -> dict[str, object]:
    checks = [
        {"code": check.code, "is_matched": check.is_matched, "message": check.message}
        for check in explanation.evaluation.checks
    ]
    decision = _encode_decision(explanation.evaluation.decision)
    return {**decision, "checks": checks, "outlook": explanation.outlook}


def _dump_targets(content: Sequence[tuple[str, dict[str, object]]], *, has_targets: bool) -> str:
    if not has_targets and len(content) == 1:
        return format_json(content[0][1])
    return format_json({"targets": [{"url": url, **values} for url, values in content]})


def dump_objects(
    name: str, listings: Sequence[tuple[str, Sequence[StoredObject]]], *, has_targets: bool
) -> str:
    """Return listings of a deployment's objects as JSON text; see `dump_inventories`."""
    content: list[tuple[str, dict[str, object]]] = [
        (url, {"name": name, "objects": [_encode_object(item) for item in objects]})
        for url, objects in listings
    ]
    return _dump_targets(content, has_targets=has_targets)


def _encode_object(item: StoredObject) -> dict[str, object]:
    return {
        "key": item.key,
        "size_bytes": item.size_bytes,
        "etag": item.etag,
        "modified_at": format_timestamp(item.modified_at),
    }


def _encode_coded(entries: Sequence[Refusal | PlanWarning | Reason]) -> list[dict[str, str]]:
    return [{"code": entry.code, "message": entry.message} for entry in entries]


def _encode_decision(decision: Decision) -> dict[str, object]:
    deployment = _encode_deployment(decision.deployment)
    return {
        "name": deployment.pop("name"),
        "prefix": deployment.pop("prefix"),
        "group": decision.group,
        "decision": decision.action,
        "reasons": _encode_coded(decision.reasons),
        **deployment,
        "expire_days": decision.expire_days,
    }


def _encode_deployment(deployment: Deployment) -> dict[str, object]:
    return {
        "name": deployment.name,
        "prefix": deployment.prefix,
        "object_count": deployment.object_count if deployment.has_counts else None,
        "size_bytes": deployment.size_bytes if deployment.has_counts else None,
        "oldest_at": deployment.oldest_at and format_timestamp(deployment.oldest_at),
        "newest_at": deployment.newest_at and format_timestamp(deployment.newest_at),
        "complete": deployment.is_complete,
        "fingerprint": deployment.fingerprint or None,
        "versions": deployment.versions and _encode_versions(deployment.versions),
    }


def _encode_versions(versions: VersionSummary) -> dict[str, object]:
    return {
        "count": versions.count,
        "size_bytes": versions.size_bytes,
        "fingerprint": versions.fingerprint,
    }
