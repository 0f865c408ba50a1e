"""Which folders a pin keeps that have its pull request or branch before a commit.

A live source may name a commit that was not deployed: the build of a pull request's head failed, or
is still running. Then the newest deployment of that pull request or branch is the live one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from ci3.core.live.pins import Pin, is_protected
from ci3.core.live.references import Head, Reference
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
    superseding: Collection[str] | None = None,
) -> tuple[Pin, ...]:
    """Return the pins with their `newest_names`, determined among these deployments.

    `deployments` are all of a target. In each group, these are the folders of the pull request of a
    pin, and of each of its branches, that are not known to be older than a complete one with the
    same text before the commit. Where a complete deployment has the pin's commit, there are none,
    with one exception: a build of the branch, such as `topic-a1b2c3d`, is not the preview of the
    pull request, whose builds may be named after its merge commits.

    Protected deployments supersede no other, nor do those that are not in `superseding`, if that is
    given. Nor do those whose branch is cut off: it may be another one. Fewer deployments never make
    `newest_names` lose one of the rest.

    For example, with a pin on pull request 12, of the branch `topic`, at a1b2c3d, newest first:

        deployment                    kept   reason
        pr-12-4444444 (incomplete)    yes    not known to be older than pr-12-3333333
        pr-12-3333333                 yes    the newest complete one
        12-2222222                    yes    the newest with only the number
        pr-12-1111111                 no
        pr-12-a1b2c3d (if there)      yes    has the commit, and the other four are not kept
        topic-a1b2c3d (if there)      yes    has the commit, and the other four stay as above
    """
    if not any(pin.reference.can_precede_commit for pin in pins):
        return tuple(pins)

    def may_supersede(dated: DatedDeployment) -> bool:
        name = dated.deployment.name
        is_complete = dated.deployment.is_complete and not is_protected(name, pins)
        return is_complete and (superseding is None or name in superseding)

    groups = [*group_deployments(deployments, group_by).values()]
    dated = [
        [item for item in (date_deployment(each, age_from) for each in group) if item is not None]
        for group in groups
    ]
    return tuple(
        replace(
            pin,
            newest_names=frozenset(
                name
                for group in dated
                for name in _find_newest_names(pin.reference, group, may_supersede)
            ),
        )
        if pin.reference.can_precede_commit
        else pin
        for pin in pins
    )


def _find_newest_names(
    reference: Reference,
    group: Sequence[DatedDeployment],
    may_supersede: Callable[[DatedDeployment], bool],
) -> Iterator[str]:
    group = [dated for dated in group if not reference.excludes(dated.deployment.name)]
    candidates = [dated for dated in group if reference.find_head(dated.deployment.name)]
    if not candidates:
        return
    names_with_commit = [
        dated.deployment.name
        for dated in group
        if reference.has_commit(dated.deployment.name) and may_supersede(dated)
    ]
    if any(reference.find_head(name) is None for name in names_with_commit):
        return
    # The pull request of a fork may have the branch `main`: builds of the repository's own `main`
    # must not supersede those of the pull request.
    for subject in reference.split_subjects():
        is_branch = subject.pull_request is None
        if any(is_branch or subject.find_head(name) for name in names_with_commit):
            continue
        by_head: dict[Head, list[DatedDeployment]] = {}
        for dated in candidates:
            if head := subject.find_head(dated.deployment.name):
                by_head.setdefault(head, []).append(dated)
        for head, builds in by_head.items():
            yield from _find_newest(head, builds, may_supersede)


def _find_newest(
    head: Head, builds: Sequence[DatedDeployment], may_supersede: Callable[[DatedDeployment], bool]
) -> Iterator[str]:
    complete = AgeOrder(dated for dated in builds if may_supersede(dated) and not head.is_cut_off)
    for dated in builds:
        if complete.find_successor(dated) is None:
            yield dated.deployment.name
