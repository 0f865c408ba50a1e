"""The checks of names, times, folders and pull requests that a plan and `doctor` have in common."""

from contextlib import closing

from ci3.aws.bucket import BucketReader
from ci3.config.resolve import TIME_RULES
from ci3.config.settings import Settings
from ci3.constants import JOURNAL_FOLDER
from ci3.core.model.issues import BucketIssues
from ci3.core.plan.empty_target import (
    BucketRoot,
    find_empty_target_warnings,
    needs_bucket_root,
)
from ci3.core.plan.hexadecimal_names import refuse_hexadecimal_names
from ci3.core.plan.name_checks import find_name_refusals
from ci3.core.plan.name_times import compare_names_with_times
from ci3.core.plan.overlaps import find_overlap_warnings
from ci3.core.retention.closed_previews import find_expiry_warnings
from ci3.errors import AccessError
from ci3.pipeline.target_state import TargetState

_AGE_FROM_SETTING = "age-from"


def find_bucket_issues(
    bucket: BucketReader, state: TargetState, settings: Settings
) -> BucketIssues:
    """Return what a plan and `doctor` report of names, times, folders and pull requests.

    One request is sent, if nothing is under the prefix.
    """
    name_times = compare_names_with_times(
        state.evaluations,
        settings.age_from,
        is_age_from_set=_AGE_FROM_SETTING in settings.recorded,
        has_time_rules=any(name in settings.recorded for name in TIME_RULES),
        readings=state.readings,
    )
    root = BucketRoot()
    if needs_bucket_root(state.inventory, state.target):
        root = _read_bucket_root(bucket)
    decisions = [evaluation.decision for evaluation in state.evaluations]
    return BucketIssues(
        refusals=(
            *(find_name_refusals(decisions, state.target.prefix) if settings.match is None else ()),
            *name_times.find_refusals(),
            *refuse_hexadecimal_names(state.inventory.deployments, state.pins, settings.age_from),
        ),
        warnings=(
            *name_times.find_warnings(),
            *find_overlap_warnings(state.evaluations, settings.age_from),
            *find_empty_target_warnings(
                state.inventory,
                state.target,
                settings.match,
                root,
                may_be_empty=settings.expire_closed is not None,
            ),
            *find_expiry_warnings(state.pull_requests),
        ),
    )


def _read_bucket_root(bucket: BucketReader) -> BucketRoot:
    """Return the first names at the root, at most a page of them, or why they are unknown."""
    try:
        with closing(bucket.list_pages("", delimiter="/")) as pages:
            page = next(pages)
    except AccessError as exc:
        return BucketRoot(problem=exc.message)
    names = (*page.folders, *page.columns.keys)
    return BucketRoot(names=tuple(name for name in names if name != f"{JOURNAL_FOLDER}/"))
