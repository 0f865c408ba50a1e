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
    indexes_by_folder = _group_by_folder(plans)
    return tuple(
        _add_refusal(plan, index, plans, indexes_by_folder[plan.target.folder_id])
        for index, plan in enumerate(plans)
    )


def find_overlap(plans: Sequence[Plan]) -> tuple[int, int] | None:
    """Return the indexes of two plans of which the second is in a deployment of the first.

    Two targets of one folder overlap, too, unless each has a `match`: see
    `refuse_shared_deployments`.
    """
    indexes_by_folder = _group_by_folder(plans)
    for inner, plan in enumerate(plans):
        same_folder = indexes_by_folder[plan.target.folder_id]
        for index in same_folder:
            if index > inner and not ("match" in plan.policy and "match" in plans[index].policy):
                return inner, index
        names = plan.target.prefix.split("/")[:-1]
        for depth, name in enumerate(names):
            parent = "".join(f"{part}/" for part in names[:depth])
            for outer in indexes_by_folder.get((*plan.target.folder_id[:2], parent), ()):
                if name in _collect_names(plans[outer]):
                    return outer, inner
    return None


def label_refusals(plans: Sequence[Plan]) -> list[tuple[str, Refusal]]:
    """Return all refusals, those of several plans with a label for the target.

    Equal ones are returned once: `s3://my-site/apps/a/ and 2 more: `.
    """
    if len(plans) == 1:
        return [("", refusal) for refusal in plans[0].refusals]
    labels: dict[Refusal, list[str]] = {}
    for plan, label in zip(plans, label_plans(plans), strict=True):
        for refusal in plan.refusals:
            labels.setdefault(refusal, []).append(label)
    return [(f"{join_names(urls, 1)}: ", refusal) for refusal, urls in labels.items()]


def label_plans(plans: Sequence[Plan]) -> list[str]:
    """Return a label for each plan: the URL, and `match` where another plan has the same URL."""
    return label_targets([(plan.target.url, _match_of(plan)) for plan in plans])


def label_targets(targets: Sequence[tuple[str, str]]) -> list[str]:
    """Return a label for each target of a URL and its `match`; see `label_plans`."""
    counts = Counter(url for url, _ in targets)
    return [url if counts[url] == 1 else f"{url} match: {match}" for url, match in targets]


def _group_by_folder(plans: Sequence[Plan]) -> dict[tuple[str, str, str], list[int]]:
    indexes: dict[tuple[str, str, str], list[int]] = {}
    for index, plan in enumerate(plans):
        indexes.setdefault(plan.target.folder_id, []).append(index)
    return indexes


def _add_refusal(
    plan: Plan, index: int, plans: Sequence[Plan], indexes_of_folder: Sequence[int]
) -> Plan:
    names = _collect_names(plan)
    for other_index in indexes_of_folder:
        if other_index == index:
            continue
        other_plan = plans[other_index]
        if shared := sorted(names & _collect_names(other_plan)):
            message = (
                f"Targets {index + 1} and {other_index + 1} both match {join_names(shared)}. "
                "Change one match so that each folder matches only one of them"
            )
            refusal = Refusal(code=RefusalCode.IN_TWO_TARGETS, message=message)
            return replace(plan, refusals=(*plan.refusals, refusal))
    return plan


def _collect_names(plan: Plan) -> set[str]:
    return {decision.deployment.name for decision in plan.decisions}


def _match_of(plan: Plan) -> str:
    entry = plan.policy.get("match")
    return str(entry.value) if entry is not None else ""
