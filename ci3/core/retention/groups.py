"""Groups of deployments: each is decided alone."""

from collections.abc import Iterable, Sequence

from ci3.core.model.deployment import Deployment
from ci3.core.model.user_pattern import UserPattern

GroupKey = tuple[str, ...]
"""Identifies a group; all but its first item are the texts that `group-by` captures."""


def group_deployments(
    deployments: Iterable[Deployment], group_by: UserPattern | None
) -> dict[GroupKey, Sequence[Deployment]]:
    """Return the deployments of each group, in the given order."""
    groups: dict[GroupKey, list[Deployment]] = {}
    for deployment in deployments:
        groups.setdefault(_group_key(deployment.name, group_by), []).append(deployment)
    return {**groups}


def _group_key(name: str, group_by: UserPattern | None) -> GroupKey:
    """Return a key per group. A name that does not match forms a group alone.

    The first item keeps such a group apart from a group that happens to have the same name.
    """
    if group_by is None:
        return ("grouped", "")
    match = group_by.fullmatch(name)
    if match is None:
        return ("alone", name)
    return ("grouped", *(part or "" for part in match.groups()))
