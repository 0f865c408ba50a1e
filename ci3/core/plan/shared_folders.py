"""Plans of targets that share a folder: no deployment may be in two of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ci3.core.formatting import join_names
from ci3.core.model.issues import Refusal, RefusalCode
from ci3.core.plan.plan import Plan


def refuse_shared_deployments(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return the plans, with a refusal in each that has a deployment of another plan.

    Each rule would count the other's deployments and could delete what the other one keeps.
    """
    return tuple(_add_refusal(plan, index, plans) for index, plan in enumerate(plans))


def label_plans(plans: Sequence[Plan]) -> list[str]:
    """Return a label for each plan: the URL, and `match` where another plan has the same URL."""
    counts = Counter(plan.target.url for plan in plans)
    return [
        plan.target.url
        if counts[plan.target.url] == 1
        else f"{plan.target.url} match: {_match_of(plan)}"
        for plan in plans
    ]


def _add_refusal(plan: Plan, index: int, plans: Sequence[Plan]) -> Plan:
    names = _collect_names(plan)
    for other_index, other in enumerate(plans):
        if other_index == index or not plan.target.is_same_folder(other.target):
            continue
        if shared := sorted(names & _collect_names(other)):
            message = (
                f"{join_names(shared)} is a deployment of target {index + 1} and of target "
                f"{other_index + 1}: match in both allows it. Change one match so that each "
                "folder matches one of them"
            )
            refusal = Refusal(code=RefusalCode.IN_TWO_TARGETS, message=message)
            return replace(plan, refusals=(*plan.refusals, refusal))
    return plan


def _collect_names(plan: Plan) -> set[str]:
    return {decision.deployment.name for decision in plan.decisions}


def _match_of(plan: Plan) -> str:
    entry = plan.policy.get("match")
    return str(entry.value) if entry is not None else ""
