"""What speaks against applying a plan, and what a reader should know besides."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ci3.constants import LONG_SPAN_SECONDS
from ci3.core.formatting import ago, counted, listed, moment, size, span
from ci3.core.live.pins import Pin, pin_live
from ci3.core.live.sources import Reading, Sighting
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.deployment import (
    Deployment,
    Hole,
    Ignored,
    Inventory,
    NoncurrentTerm,
    Versioning,
)
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.policy import DELETE_VERSIONS, DeleteLimit
from ci3.core.units import ByteSize
from ci3.errors import nearest

NAMES_SHOWN = 5

_LIMIT_CODES = (RefusalCode.MAX_DELETE, RefusalCode.MAX_DELETE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a plan may delete; None sets no limit."""

    max_delete: DeleteLimit | None = None
    max_delete_bytes: ByteSize | None = None


def find_refusals(
    inventory: Inventory,
    decisions: Sequence[Decision],
    pins: Iterable[Pin],
    readings: Iterable[Reading],
    limits: Limits | None = None,
) -> tuple[Refusal, ...]:
    """Collect everything that forbids deleting what was decided; without limits, all else."""
    names = folder_names(inventory.deployments, inventory.ignored, inventory.holes)
    refusals = [
        Refusal(
            code=RefusalCode.UNREADABLE_DEPLOYMENT,
            message=f"{hole.name} could not be listed: {hole.reason}",
        )
        for hole in inventory.holes
    ]
    refusals += against_protected(pins, names)
    refusals += against_readings(readings, names)
    return (*refusals, *against_limits(decisions, limits or Limits()))


def against_protected(pins: Iterable[Pin], names: Sequence[str]) -> tuple[Refusal, ...]:
    """Collect what forbids deleting because a protected name is none of all folders' names."""
    return tuple(
        Refusal(
            code=RefusalCode.PROTECTED_NOT_FOUND,
            message=f"protect names {pin.pattern}, and there is no such folder: nothing is deleted "
            f"while a protected name may be misspelt.{nearest(pin.pattern, names)}",
        )
        for pin in _unmatched(pins, names)
        if not pin.is_glob
    )


def against_readings(readings: Iterable[Reading], names: Sequence[str]) -> tuple[Refusal, ...]:
    """Collect what forbids deleting because a live source did not say what is live.

    `names` are those of all folders that are there.
    """
    return tuple(refusal for one in readings for refusal in _against_reading(one, names))


def _against_reading(reading: Reading, names: Sequence[str]) -> Iterator[Refusal]:
    source = f"live-from {reading.source}"
    if reading.problem:
        yield Refusal(
            code=RefusalCode.LIVE_SOURCE_UNREADABLE,
            message=f"{source} could not be read: {reading.problem}",
        )
    elif not reading.source.kind.must_be_found:
        return
    elif not reading.sightings:
        yield Refusal(
            code=RefusalCode.LIVE_SOURCE_UNREADABLE, message=f"{source} names nothing as live"
        )
    else:
        required = [one for one in reading.sightings if one.must_be_found]
        missing = _not_found(
            replace(reading, sightings=tuple(required or reading.sightings)), names
        )
        if len(missing) == len(required or reading.sightings):
            told = listed([one.told_when_missing for one in missing], NAMES_SHOWN)
            hint = nearest(missing[0].name, names)
            yield Refusal(
                code=RefusalCode.LIVE_NOT_FOUND,
                message=f"{source} names nothing that is there: {told}.{hint}",
            )


def hold_limits(
    refusals: Iterable[Refusal], decisions: Sequence[Decision], limits: Limits
) -> tuple[Refusal, ...]:
    """Hold the limits against other decisions than those that these refusals were collected of."""
    others = (one for one in refusals if one.code not in _LIMIT_CODES)
    return (*others, *against_limits(decisions, limits))


def against_limits(decisions: Sequence[Decision], limits: Limits) -> Iterator[Refusal]:
    """Collect what forbids deleting as much as was decided."""
    doomed = [decision.deployment for decision in decisions if decision.is_delete]
    most = limits.max_delete
    if most is not None and not most.allows(len(doomed), len(decisions)):
        yield Refusal(
            code=RefusalCode.MAX_DELETE,
            message=f"{counted(len(doomed), 'deployment')} of {len(decisions):,} would be deleted, "
            f"and max-delete allows {most}",
        )
    size_bytes = sum(one.deletion_bytes for one in doomed)
    if limits.max_delete_bytes is not None and size_bytes > limits.max_delete_bytes.size_bytes:
        yield Refusal(
            code=RefusalCode.MAX_DELETE_BYTES,
            message=f"{size(size_bytes)} ({size_bytes:,} bytes) would be deleted, "
            f"and max-delete-bytes allows {limits.max_delete_bytes}",
        )


def against_versioning(versioning: Versioning) -> tuple[Refusal, ...]:
    """Say what forbids deleting all versions: not knowing whether the bucket keeps any."""
    if versioning is not Versioning.UNKNOWN:
        return ()
    message = (
        f"{DELETE_VERSIONS} is set, and whether the bucket keeps versions could not be read "
        "(s3:GetBucketVersioning)"
    )
    return (Refusal(code=RefusalCode.VERSIONING_UNKNOWN, message=message),)


def find_warnings(  # noqa: PLR0913 - each is one thing that may be odd
    inventory: Inventory,
    pins: Iterable[Pin],
    readings: Iterable[Reading],
    versioning: Versioning,
    *,
    group_by: re.Pattern[str] | None = None,
    required_file: str = "",
) -> tuple[PlanWarning, ...]:
    """Collect what a reader should know, though it forbids nothing."""
    names = folder_names(inventory.deployments, inventory.ignored, inventory.holes)
    warnings = [*about_protected(pins, names)]
    warnings += about_readings(readings, names)
    warnings += _about_spans(inventory)
    if group_by is not None:
        warnings += _about_groups(inventory, group_by)
    deployments = inventory.deployments
    if required_file and deployments and not any(one.complete for one in deployments):
        message = f"no deployment has {required_file}, so none is complete, and all stay"
        warnings.append(PlanWarning(code=WarningCode.REQUIRED_FILE_UNFOUND, message=message))
    if versioning is Versioning.UNKNOWN:
        message = (
            "whether the bucket keeps versions could not be read "
            "(s3:GetBucketVersioning): take deletion as final"
        )
        warnings.append(PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message=message))
    return tuple(warnings)


def about_protected(pins: Iterable[Pin], names: Sequence[str]) -> tuple[PlanWarning, ...]:
    """Say which protected globs match none of all folders' names."""
    return tuple(
        PlanWarning(
            code=WarningCode.PROTECTED_GLOB_UNMATCHED,
            message=f"protect has {pin.pattern}, which matches no folder",
        )
        for pin in _unmatched(pins, names)
        if pin.is_glob
    )


def warn_of_undo_term(term: NoncurrentTerm | None) -> tuple[PlanWarning, ...]:
    """Say until when a deletion can be undone, where a lifecycle rule ends that."""
    if term is None or (term.days is None and not term.problem):
        return ()
    message = (
        f"whether a lifecycle rule removes old versions could not be read: {term.problem}"
        if term.problem
        else f"a lifecycle rule removes old versions {counted(term.days or 0, 'day')} after they "
        "were hidden: until then what is deleted can be brought back"
    )
    return (PlanWarning(code=WarningCode.UNDO_TERM, message=message),)


def tell_report(inventory: Inventory, now: datetime) -> tuple[PlanWarning, ...]:
    """Say which inventory report told of deployments, how old it is, and what was listed."""
    report = inventory.report
    if report is None:
        return ()
    told = sum(one.is_reported for one in inventory.deployments)
    lacking = (
        f", among them {report.lacking_count:,} that the report does not have"
        if report.lacking_count
        else ""
    )
    message = (
        f"what is said of {counted(told, 'deployment')} is from the inventory report of "
        f"{moment(report.made_at)}, {ago(now - report.made_at)}; the other "
        f"{len(inventory.deployments) - told:,} were listed now, with all that is due{lacking}"
    )
    return (PlanWarning(code=WarningCode.INVENTORY_REPORT, message=message),)


def about_readings(readings: Iterable[Reading], names: Sequence[str]) -> tuple[PlanWarning, ...]:
    """Say what live sources name that is not there, where that forbids nothing."""
    return tuple(warning for one in readings for warning in _about_reading(one, names))


def _about_reading(reading: Reading, names: Sequence[str]) -> Iterator[PlanWarning]:
    missing, sightings = _not_found(reading, names), reading.sightings
    if reading.source.kind.must_be_found and 0 < len(missing) < len(sightings):
        told = listed([one.told_when_missing for one in missing], NAMES_SHOWN)
        yield PlanWarning(
            code=WarningCode.LIVE_NOT_FOUND,
            message=f"live-from {reading.source} also names what is not there: {told}",
        )
    if not reading.source.kind.must_be_found and sightings and len(missing) == len(sightings):
        yield PlanWarning(
            code=WarningCode.LIVE_NOT_FOUND,
            message=f"live-from {reading.source} names {counted(len(sightings), 'commit')}, and no "
            "folder is named after one: it keeps nothing",
        )


def _about_spans(inventory: Inventory) -> Iterator[PlanWarning]:
    long = [
        f"{one.name} ({span(one.newest_at - one.oldest_at)})"
        for one in inventory.deployments
        if one.oldest_at is not None
        and one.newest_at is not None
        and one.newest_at - one.oldest_at > timedelta(seconds=LONG_SPAN_SECONDS)
    ]
    if long:
        what = "deployment was" if len(long) == 1 else "deployments were"
        yield PlanWarning(
            code=WarningCode.LONG_SPAN,
            message=f"{len(long):,} {what} uploaded over more than an hour, or changed later: "
            f"{listed(long, NAMES_SHOWN)}",
        )


def _about_groups(inventory: Inventory, group_by: re.Pattern[str]) -> Iterator[PlanWarning]:
    alone = [one.name for one in inventory.deployments if not group_by.fullmatch(one.name)]
    if alone:
        what = "deployment does" if len(alone) == 1 else "deployments do"
        yield PlanWarning(
            code=WarningCode.UNGROUPED,
            message=f"{len(alone):,} {what} not match group-by, and each is kept as a group of "
            f"its own: {listed(alone, NAMES_SHOWN)}",
        )


def _not_found(reading: Reading, names: Sequence[str]) -> list[Sighting]:
    pins = zip(reading.sightings, pin_live((reading,)), strict=True)
    return [one for one, pin in pins if not any(pin.holds(name) for name in names)]


def folder_names(
    deployments: Iterable[Deployment], ignored: Iterable[Ignored], holes: Iterable[Hole] = ()
) -> list[str]:
    """Name every folder that is there, also those that are no deployments; never a file."""
    return [
        *(deployment.name for deployment in deployments),
        *(one.name.removesuffix("/") for one in ignored if one.name.endswith("/")),
        *(hole.name for hole in holes),
    ]


def _unmatched(pins: Iterable[Pin], names: Sequence[str]) -> list[Pin]:
    return [
        pin
        for pin in pins
        if pin.code is ReasonCode.PROTECTED and not any(pin.holds(name) for name in names)
    ]
