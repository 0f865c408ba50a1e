"""The check `never-deletable`: deployments whose times overlap so that none can be deleted.

A deployment is known to be older than another only if all of it is. A file that is rewritten in
every deployment, such as `robots.txt`, makes each of them overlap the next ones.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ci3.constants import LONG_SPAN_SECONDS
from ci3.core.formatting import pluralize
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.plan.numbered_names import NumberedName, parse_names
from ci3.core.retention.age_order import AgeFrom, AgeOrder, DatedDeployment, date_deployment
from ci3.core.retention.evaluation import Evaluation

_MIN_OVERLAPPING: Final = 3
"""So many that overlap one another are no coincidence; two parallel builds may do so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The complete, unprotected deployments of a group that has more than are always kept."""

    deployments: Sequence[Deployment]
    required_count: int

    def order_by(self, age_from: AgeFrom) -> AgeOrder:
        dated = (date_deployment(deployment, age_from) for deployment in self.deployments)
        return AgeOrder(item for item in dated if item is not None)

    def has_deletable(self, order: AgeOrder) -> bool:
        """Return True if enough deployments are known to be newer than one of the group."""
        return any(
            order.count_newer(dated) >= self.required_count
            for dated in order.deployments[self.required_count :]
        )

    def is_always_overlapping(self, order: AgeOrder) -> bool:
        """Return True if later deployments will probably not make one of the group deletable.

        Either all overlap that were uploaded in a short time, or those that keep-count does not
        keep were changed long after their upload. One folder that is changed again and again, such
        as `latest`, does not keep the others from being deleted later.
        """
        uploads = AgeOrder(dated for dated in order.deployments if not _has_long_span(dated))
        older = uploads.deployments[1:]
        is_coincidence = len(uploads.deployments) < _MIN_OVERLAPPING
        if all(map(uploads.find_overlapping, older)) and not is_coincidence:
            return True
        changed_count = len(order.deployments) - len(uploads.deployments)
        return changed_count > 1 and self.is_older_changed(order)

    def is_older_changed(self, order: AgeOrder) -> bool:
        """Return True if those that keep-count does not keep were changed after their upload."""
        return all(map(_has_long_span, order.deployments[self.required_count :]))


def find_overlap_warnings(
    evaluations: Iterable[Evaluation], age_from: AgeFrom
) -> tuple[PlanWarning, ...]:
    """Return a warning if no deployment can be deleted because each overlaps a newer one.

    A setting is suggested only if deployments can be deleted with it: `age-from: newest` if each
    name is that of a branch or has one number, `age-from: oldest` if each name has a number or
    commit, and all that keep-count does not keep were changed later, with the newest file at the
    same path. Of an inventory report, the newest file is unknown.
    """
    if age_from is AgeFrom.NAME:
        return ()
    groups = _collect_groups(evaluations)
    ordered = [(group, group.order_by(age_from)) for group in groups]
    if any(group.has_deletable(order) for group, order in ordered):
        return ()
    stuck = [group for group, order in ordered if group.is_always_overlapping(order)]
    if not stuck:
        return ()
    count = sum(len(group.deployments) for group in stuck)
    late_file = _find_late_file(
        dated.deployment
        for group in stuck
        for dated in group.order_by(age_from).deployments[group.required_count :]
    )
    late_text = f" In all but the newest, {late_file} is the newest file." if late_file else ""
    message = (
        f"Nothing can be deleted: each of {pluralize(count, 'deployment')} was uploaded "
        f"or changed while a newer one was, so none is known to be older.{late_text} "
        + " ".join(_suggest_settings(stuck, age_from, late_file))
    )
    return (PlanWarning(code=WarningCode.NEVER_DELETABLE, message=message),)


def _collect_groups(evaluations: Iterable[Evaluation]) -> list[_Group]:
    by_name: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        if evaluation.is_counted:
            by_name.setdefault(evaluation.group, []).append(evaluation)
    return [
        _Group(
            deployments=[evaluation.deployment for evaluation in group],
            required_count=group[0].required_count,
        )
        for group in by_name.values()
        if len(group) > group[0].required_count
    ]


def _has_long_span(dated: DatedDeployment) -> bool:
    oldest_at = dated.deployment.oldest_at or dated.completed_at
    return dated.completed_at - oldest_at > timedelta(seconds=LONG_SPAN_SECONDS)


def _find_late_file(deployments: Iterable[Deployment]) -> str:
    """Return the path of the newest file if it is the same in each deployment, or ""."""
    paths = {deployment.newest_key.removeprefix(deployment.prefix) for deployment in deployments}
    return paths.pop() if len(paths) == 1 else ""


def _suggest_settings(groups: Sequence[_Group], age_from: AgeFrom, late_file: str) -> Iterator[str]:
    names = [deployment.name for group in groups for deployment in group.deployments]
    parsed_names = parse_names(names)
    has_moving_names = all(map(NumberedName.may_be_updated, parsed_names.values()))
    are_uploaded_once = all(
        parsed_name.numbers or parsed_name.has_commit for parsed_name in parsed_names.values()
    ) and all(group.is_older_changed(group.order_by(age_from)) for group in groups)
    suggestions = {
        AgeFrom.NEWEST: "If folders are uploaded again, as for branches and pull requests, set "
        "age-from: newest."
        if has_moving_names
        else "",
        AgeFrom.OLDEST: f"If {late_file} was changed after the upload, set age-from: oldest."
        if late_file and are_uploaded_once
        else "",
    }
    texts = [
        text
        for suggested, text in suggestions.items()
        if text
        and suggested is not age_from
        and any(group.has_deletable(group.order_by(suggested)) for group in groups)
    ]
    yield from texts
    if not texts:
        yield (
            "To make deletion possible, upload deployments one after another, each to a new folder "
            "that does not change later."
        )
