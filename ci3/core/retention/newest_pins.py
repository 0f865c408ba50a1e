"""Which folders a pin keeps that have its pull request or branch before a commit.

A live source may name a commit that was not deployed: the build of a pull request's head failed, or
is still running. Then the newest deployment of that pull request or branch is the live one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ci3.core.live.pins import Pin, is_protected
from ci3.core.model.deployment import Deployment
from ci3.core.model.user_pattern import UserPattern
from ci3.core.retention.age_order import AgeFrom, AgeOrder, DatedDeployment, date_deployment
from ci3.core.retention.groups import group_deployments


def resolve_pins(
    pins: Sequence[Pin],
    deployments: Iterable[Deployment],
    *,
    group_by: UserPattern | None,
    age_from: AgeFrom,
) -> tuple[Pin, ...]:
    """Return the pins with their `newest_names`, determined among these deployments.

    `deployments` are all of a target. In each group in which no complete deployment has the commit
    of a pin, these are the folders of its pull request, and of each branch, that are not known to
    be older than a complete one of them. Protected deployments supersede no other. Fewer
    deployments never make `newest_names` lose one of the rest.

    For example, with a pin on the branch `main` at a1b2c3d, newest first:

        deployment                    kept   reason
        main-4444444 (incomplete)     yes    not known to be older than main-3333333
        main-3333333                  yes    the newest complete one
        main-2222222                  no
        main-a1b2c3d (if there)       yes    has the commit, and the other three are not kept
    """
    if not any(pin.reference.can_precede_commit for pin in pins):
        return tuple(pins)
    groups = [*group_deployments(deployments, group_by).values()]
    dated = [
        [item for item in (date_deployment(each, age_from) for each in group) if item is not None]
        for group in groups
    ]
    return tuple(
        replace(
            pin,
            newest_names=frozenset(
                name for group in dated for name in _find_newest_names(pin, group, pins)
            ),
        )
        if pin.reference.can_precede_commit
        else pin
        for pin in pins
    )


def _find_newest_names(
    pin: Pin, group: Sequence[DatedDeployment], pins: Sequence[Pin]
) -> Iterator[str]:
    reference = pin.reference
    candidates = [
        dated for dated in group if reference.describe_before_commit(dated.deployment.name)
    ]
    if not candidates or any(
        dated.deployment.is_complete and reference.has_commit(dated.deployment.name)
        for dated in group
    ):
        return
    # The pull request of a fork may have the branch `main`: builds of the repository's own `main`
    # must not supersede those of the pull request.
    for subject in reference.split_subjects():
        builds = [
            dated for dated in candidates if subject.describe_before_commit(dated.deployment.name)
        ]
        complete = AgeOrder(
            dated
            for dated in builds
            if dated.deployment.is_complete and not is_protected(dated.deployment.name, pins)
        )
        for dated in builds:
            if complete.find_successor(dated) is None:
                yield dated.deployment.name
