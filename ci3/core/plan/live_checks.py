"""Refusals and warnings about live sources: whether what they name is among the folders."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from ci3.core.formatting import escape_control_chars, join_names, pluralize
from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveKind, LiveReading, LiveReference, LiveSource
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.plan.target_names import NO_OTHER_TARGETS, TargetNames
from ci3.errors import format_suggestion


def find_live_refusals(
    readings: Iterable[LiveReading],
    names: Sequence[str],
    target_names: TargetNames = NO_OTHER_TARGETS,
) -> tuple[Refusal, ...]:
    """Return a refusal for each live source that does not establish what is live.

    `names` are the names of all folders under the prefix, `target_names` those of all targets.
    """
    return tuple(
        refusal
        for reading in readings
        for refusal in _find_reading_refusals(reading, names, target_names)
    )


def _find_reading_refusals(
    reading: LiveReading, names: Sequence[str], target_names: TargetNames
) -> Iterator[Refusal]:
    source = f"live-from {reading.source}"
    expected = [reference for reference in reading.references if not reference.is_precaution]
    if reading.problem:
        yield Refusal(
            code=RefusalCode.LIVE_SOURCE_UNREADABLE,
            message=f"{source} could not be read: {reading.problem}",
        )
    elif reading.source.kind.is_required and not expected:
        yield Refusal(
            code=RefusalCode.LIVE_SOURCE_UNREADABLE,
            message=f"{source} does not name a live deployment",
        )
    elif not reading.source.kind.is_required:
        if names and _matches_no_form(reading, names, target_names):
            yield Refusal(
                code=RefusalCode.LIVE_MATCHES_NOTHING,
                message=f"{source} protects nothing: no folder matches what it names, or is named "
                f"like a commit or pull request ({_join_missing(reading.references)}). Remove the "
                "source only if these are not deployed here, and add what is live to protect",
            )
    else:
        required = _select_required(reading)
        missing = _find_missing_references(reading.source, required, names, target_names)
        here = [live for live in required if live.prefix and live.prefix == target_names.prefix]
        missing_here = [live for live in here if live in missing]
        if len(missing) == len(required) or (here and len(missing_here) == len(here)):
            missing_text = _join_missing(missing_here or missing)
            hint = format_suggestion((missing_here or missing)[0].name, names)
            yield Refusal(
                code=RefusalCode.LIVE_NOT_FOUND,
                message=(
                    f"{source} names deployments that do not exist: {missing_text}.{hint}"
                ).removesuffix("."),
            )
        elif outside := _find_references_outside(reading, target_names):
            yield Refusal(
                code=RefusalCode.LIVE_NOT_FOUND,
                message=f"{source} names a folder that is no target: "
                f"{join_names(_describe_outside(outside, target_names))}. Correct it there, or "
                "remove it if it does not exist any more; in a target, match finds a deployment",
            )


def select_refusals_of_empty_target(refusals: Iterable[Refusal]) -> tuple[Refusal, ...]:
    """Return the refusals of a target that may have no deployment, and has none.

    Open pull requests or branches match none then, whatever else is in the folder.
    """
    return tuple(
        refusal for refusal in refusals if refusal.code is not RefusalCode.LIVE_MATCHES_NOTHING
    )


def find_references_elsewhere(
    readings: Iterable[LiveReading], names: Sequence[str], prefix: str
) -> tuple[tuple[LiveReference, ...], ...]:
    """Return the required references of each live source if this target has none of them.

    Only another target of the pattern can have them. `names` are the folders under `prefix`.
    """
    required = [
        _select_required(reading) for reading in readings if reading.source.kind.is_required
    ]
    return tuple(
        references
        for references in required
        if not any(
            live.prefix in ("", prefix) and any(map(live.reference.matches_exactly, names))
            for live in references
        )
    )


def _select_required(reading: LiveReading) -> tuple[LiveReference, ...]:
    """Return the references of which at least one must exist."""
    expected = tuple(live for live in reading.references if not live.is_precaution)
    return tuple(live for live in expected if live.is_required) or expected


def find_live_warnings(
    readings: Iterable[LiveReading],
    names: Sequence[str],
    target_names: TargetNames = NO_OTHER_TARGETS,
) -> tuple[PlanWarning, ...]:
    """Return warnings for live references without a folder, where that forbids nothing.

    What a source without `{folder}` names for a pattern is reported in its first target only.
    """
    messages: list[str] = []
    for reading in readings:
        if not (reading.source.is_of_folder or target_names.is_first):
            continue
        source, references = f"live-from {reading.source}", reading.references
        if reading.source.kind.is_required:
            missing = [
                live
                for live in _find_missing_references(
                    reading.source, references, names, target_names
                )
                if not live.is_precaution
            ]
            outside = _find_references_outside(reading, target_names)  # these are refused
            missing = [live for live in missing if live not in outside]
            if 0 < len(missing) < len(references):
                messages.append(
                    f"{source} also names deployments that do not exist: {_join_missing(missing)}"
                )
        elif references and not any(
            target_names.has_match(("kept", live.reference), partial(_keeps, live.reference), names)
            for live in references
        ):
            messages.append(
                f"{source} names {pluralize(len(references), 'reference')}, but no folder matches: "
                "it keeps nothing"
            )
    return tuple(
        PlanWarning(code=WarningCode.LIVE_NOT_FOUND, message=message) for message in messages
    )


def _find_missing_references(
    source: LiveSource,
    references: Iterable[LiveReference],
    names: Sequence[str],
    target_names: TargetNames,
) -> list[LiveReference]:
    """Return the references that match no folder name.

    That a folder has the branch before another commit is no match: the live one is missing then.
    Nor is a folder named after a branch or tag that is cut off: it may be another one.
    """
    return [live for live in references if not target_names.has_reference(source, live, names)]


def _find_references_outside(
    reading: LiveReading, target_names: TargetNames
) -> list[LiveReference]:
    """Return the references with a path to a folder that the pattern matches and is no target.

    Such a folder may be misspelt, and then its target has no pin. The origin paths of CloudFront do
    not count: they are served as they are written, and may be of other sites of the account.
    """
    if reading.source.kind is LiveKind.CLOUDFRONT:
        return []
    return [
        live
        for live in reading.references
        if live.prefix and live.is_required and not target_names.has_target(live.prefix)
    ]


def _describe_outside(references: Iterable[LiveReference], target_names: TargetNames) -> list[str]:
    """Return each folder, or only where it was read: its text may be a secret.

    It is none if its first folder is that of a target: `apps/Blog/` and `apps/blog/`.
    """
    beginnings = {prefix.partition("/")[0] for prefix in target_names.by_prefix}
    texts = (
        escape_control_chars(live.prefix)
        if live.location and live.prefix.partition("/")[0] in beginnings
        else live.missing_message
        for live in references
    )
    return list(dict.fromkeys(texts))


def _keeps(reference: Reference, name: str) -> bool:
    """Return True if a folder is named after a reference, or has it before a commit."""
    return reference.matches(name) or bool(reference.describe_before_commit(name))


def _matches_no_form(reading: LiveReading, names: Sequence[str], target_names: TargetNames) -> bool:
    """Return True if there are references, and no name is or could be written as one of them."""
    return bool(reading.references) and not any(
        target_names.has_match(("form", live.reference), partial(_has_form, live.reference), names)
        for live in reading.references
    )


def _has_form(reference: Reference, name: str) -> bool:
    return _keeps(reference, name) or bool(reference.could_match(name))


def _join_missing(missing: Iterable[LiveReference]) -> str:
    return join_names([reference.missing_message for reference in missing])
