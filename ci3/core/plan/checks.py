"""Refusals and warnings of a plan: what forbids applying it, and what a reader should check."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ci3.constants import LONG_SPAN_SECONDS
from ci3.core.formatting import (
    format_age,
    format_duration,
    format_minute,
    format_size,
    join_names,
    pluralize,
)
from ci3.core.live.pins import Pin, is_protected
from ci3.core.live.sources import LiveReading
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.deployment import (
    Deployment,
    IgnoredEntry,
    Inventory,
    NoncurrentExpiration,
    UnlistedFolder,
    Versioning,
)
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.policy import DELETE_VERSIONS_SETTING, DeleteLimit
from ci3.core.model.user_pattern import UserPattern
from ci3.core.plan.live_checks import (
    find_live_refusals,
    find_live_warnings,
    select_refusals_of_empty_target,
)
from ci3.core.plan.target_names import NO_OTHER_TARGETS, TargetNames
from ci3.core.units import ByteSize
from ci3.errors import format_suggestion

_LIMIT_CODES = (RefusalCode.MAX_DELETE, RefusalCode.MAX_DELETE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a plan may delete; None sets no limit."""

    max_delete: DeleteLimit | None = None
    max_delete_bytes: ByteSize | None = None


def find_refusals(
    inventory: Inventory,
    pins: Iterable[Pin],
    readings: Iterable[LiveReading],
    target_names: TargetNames = NO_OTHER_TARGETS,
    *,
    may_be_empty: bool = False,
) -> tuple[Refusal, ...]:
    """Return everything in a target that forbids applying any decision about it.

    With `may_be_empty`, as `expire-closed` deletes the last preview, the target may have none.
    """
    names = collect_folder_names(inventory.deployments, inventory.ignored, inventory.unlisted)
    unlisted = (
        Refusal(
            code=RefusalCode.UNREADABLE_DEPLOYMENT,
            message=f"deployment {folder.name} could not be listed: {folder.reason}",
        )
        for folder in inventory.unlisted
    )
    live_refusals = find_live_refusals(readings, names, target_names)
    if may_be_empty and not inventory.deployments and not inventory.unlisted:
        live_refusals = select_refusals_of_empty_target(live_refusals)
    return (*unlisted, *find_protect_refusals(pins, names, target_names), *live_refusals)


def find_protect_refusals(
    pins: Iterable[Pin], names: Sequence[str], target_names: TargetNames = NO_OTHER_TARGETS
) -> tuple[Refusal, ...]:
    """Return a refusal for each plain `protect` name that no folder has, in any target.

    `names` are the names of all folders under the prefix. A glob without a match only warns, unless
    it may be several in one line.
    """
    return tuple(
        Refusal(
            code=RefusalCode.PROTECTED_NOT_FOUND,
            message=(
                f"protect names {pin.pattern}, but no such folder exists."
                f"{format_suggestion(pin.pattern, names)}"
            ).removesuffix("."),
        )
        for pin in _find_unmatched_pins(pins, names, target_names)
        if not pin.may_match_nothing
    )


def recheck_limits(
    refusals: Iterable[Refusal], decisions: Sequence[Decision], limits: Limits
) -> tuple[Refusal, ...]:
    """Return the refusals with those for the limits recomputed for other decisions."""
    other_refusals = (refusal for refusal in refusals if refusal.code not in _LIMIT_CODES)
    return (*other_refusals, *find_limit_refusals(decisions, limits))


def find_limit_refusals(decisions: Sequence[Decision], limits: Limits) -> Iterator[Refusal]:
    """Yield a refusal for each limit that the decisions exceed."""
    to_delete = [decision.deployment for decision in decisions if decision.is_delete]
    max_delete = limits.max_delete
    if max_delete is not None and not max_delete.allows(len(to_delete), len(decisions)):
        yield Refusal(
            code=RefusalCode.MAX_DELETE,
            message=f"{pluralize(len(to_delete), 'deployment')} of {len(decisions):,} would be "
            f"deleted, but max-delete allows {max_delete}",
        )
    size_bytes = sum(deployment.deletion_bytes for deployment in to_delete)
    if limits.max_delete_bytes is not None and size_bytes > limits.max_delete_bytes.size_bytes:
        yield Refusal(
            code=RefusalCode.MAX_DELETE_BYTES,
            message=f"{format_size(size_bytes)} ({size_bytes:,} bytes) would be deleted, "
            f"but max-delete-bytes allows {limits.max_delete_bytes}",
        )


def find_versioning_refusals(versioning: Versioning) -> tuple[Refusal, ...]:
    """Return the refusal for `delete-versions` on a bucket whose versioning state is unknown."""
    if versioning is not Versioning.UNKNOWN:
        return ()
    message = (
        f"{DELETE_VERSIONS_SETTING} is set, but the versioning status could not be read "
        "(s3:GetBucketVersioning)"
    )
    return (Refusal(code=RefusalCode.VERSIONING_UNKNOWN, message=message),)


def find_warnings(  # noqa: PLR0913 - each argument is checked separately
    inventory: Inventory,
    pins: Sequence[Pin],
    readings: Iterable[LiveReading],
    versioning: Versioning,
    *,
    group_by: UserPattern | None = None,
    required_file: str = "",
    target_names: TargetNames = NO_OTHER_TARGETS,
) -> tuple[PlanWarning, ...]:
    """Return what a reader of the plan should check, although it forbids nothing."""
    names = collect_folder_names(inventory.deployments, inventory.ignored, inventory.unlisted)
    warnings = [*find_protect_warnings(pins, names, target_names)]
    warnings += find_live_warnings(readings, names, target_names)
    warnings += _find_span_warnings(inventory)
    if group_by is not None:
        warnings += _find_group_warnings(inventory, group_by)
    deployments = [
        deployment
        for deployment in inventory.deployments
        if not is_protected(deployment.name, pins)
    ]
    if (
        required_file
        and deployments
        and not any(deployment.is_complete for deployment in deployments)
    ):
        is_partial = len(deployments) < len(inventory.deployments)
        subject = "unprotected deployment" if is_partial else "deployment"
        message = f"No {subject} has {required_file}, so all are incomplete and kept"
        warnings.append(PlanWarning(code=WarningCode.REQUIRED_FILE_UNFOUND, message=message))
    if versioning is Versioning.UNKNOWN:
        message = "Versioning status unknown (s3:GetBucketVersioning); assume deletion is permanent"
        warnings.append(PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message=message))
    return tuple(warnings)


def find_protect_warnings(
    pins: Iterable[Pin], names: Sequence[str], target_names: TargetNames = NO_OTHER_TARGETS
) -> tuple[PlanWarning, ...]:
    """Return a warning for each `protect` glob that matches none of the folder names.

    That a glob matches in no target of a pattern is reported in the first one only.
    """
    if not target_names.is_first:
        return ()
    return tuple(
        PlanWarning(
            code=WarningCode.PROTECTED_GLOB_UNMATCHED,
            message=f"The glob {pin.pattern} in protect does not match any folder",
        )
        for pin in _find_unmatched_pins(pins, names, target_names)
        if pin.may_match_nothing
    )


def find_restore_period_warnings(term: NoncurrentExpiration | None) -> tuple[PlanWarning, ...]:
    """Return a warning if it is unknown how long deletions can be restored."""
    if term is None or not term.problem:
        return ()
    message = (
        "It is unknown how long deletions can be restored: lifecycle rules could not be read: "
        f"{term.problem}"
    )
    return (PlanWarning(code=WarningCode.RESTORE_PERIOD, message=message),)


def find_restored_warnings(
    decisions: Iterable[Decision], restored: Mapping[str, datetime]
) -> tuple[PlanWarning, ...]:
    """Return a warning if a plan deletes what was restored, unless it was deployed again since."""
    names = [
        decision.deployment.name
        for decision in decisions
        if decision.is_delete and _is_as_restored(decision.deployment, restored)
    ]
    if not names:
        return ()
    message = (
        f"The plan deletes {pluralize(len(names), 'restored deployment')}: {join_names(names)}. "
        "To keep restored deployments, add them to protect"
    )
    return (PlanWarning(code=WarningCode.RESTORED, message=message),)


def _is_as_restored(deployment: Deployment, restored: Mapping[str, datetime]) -> bool:
    restored_at = restored.get(deployment.name)
    newest_at = deployment.newest_at
    return restored_at is not None and (newest_at is None or newest_at <= restored_at)


def find_report_warnings(inventory: Inventory, now: datetime) -> tuple[PlanWarning, ...]:
    """Return a warning that names the inventory report used, its age, and what was listed."""
    report = inventory.report
    if report is None:
        return ()
    reported_count = sum(deployment.is_from_report for deployment in inventory.deployments)
    missing_part = (
        f" and {report.missing_count:,} missing from the report" if report.missing_count else ""
    )
    message = (
        f"{pluralize(reported_count, 'deployment')} taken from the inventory report of "
        f"{format_minute(report.created_at)} ({format_age(now - report.created_at)}); "
        f"{len(inventory.deployments) - reported_count:,} listed now, "
        f"including all to delete{missing_part}"
    )
    return (PlanWarning(code=WarningCode.INVENTORY_REPORT, message=message),)


def _find_span_warnings(inventory: Inventory) -> Iterator[PlanWarning]:
    long_spans = [
        f"{deployment.name} ({format_duration(deployment.newest_at - deployment.oldest_at)})"
        for deployment in inventory.deployments
        if deployment.oldest_at is not None
        and deployment.newest_at is not None
        and deployment.newest_at - deployment.oldest_at > timedelta(seconds=LONG_SPAN_SECONDS)
    ]
    verb = "deployment was" if len(long_spans) == 1 else "deployments were"
    text = f"{verb} uploaded over more than an hour or changed later"
    return _warn_of_names(WarningCode.LONG_SPAN, text, long_spans)


def _find_group_warnings(inventory: Inventory, group_by: UserPattern) -> Iterator[PlanWarning]:
    names = [deployment.name for deployment in inventory.deployments]
    ungrouped = [name for name in names if not group_by.fullmatch(name)]
    text = (
        "deployment does not match group-by and is kept as a separate group"
        if len(ungrouped) == 1
        else "deployments do not match group-by and are kept as separate groups"
    )
    return _warn_of_names(WarningCode.UNGROUPED, text, ungrouped)


def _warn_of_names(code: WarningCode, text: str, names: Sequence[str]) -> Iterator[PlanWarning]:
    if names:
        message = f"{len(names):,} {text}: {join_names(names)}"
        yield PlanWarning(code=code, message=message)


def collect_folder_names(
    deployments: Iterable[Deployment],
    ignored: Iterable[IgnoredEntry],
    unlisted: Iterable[UnlistedFolder] = (),
) -> list[str]:
    """Return the name of every folder, also of those that are not deployments; no files."""
    return [
        *(deployment.name for deployment in deployments),
        *(item.name.removesuffix("/") for item in ignored if item.name.endswith("/")),
        *(folder.name for folder in unlisted),
    ]


def _find_unmatched_pins(
    pins: Iterable[Pin], names: Sequence[str], target_names: TargetNames
) -> list[Pin]:
    return [
        pin
        for pin in pins
        if pin.code is ReasonCode.PROTECTED and not target_names.has_match(pin, pin.matches, names)
    ]
