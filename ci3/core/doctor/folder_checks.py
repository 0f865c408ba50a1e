"""Findings about the folders: names, required file, protected names and live sources."""

from collections.abc import Iterator, Sequence
from typing import Final

from ci3.core.doctor.facts import BucketFacts, FolderSummary, Unavailable
from ci3.core.doctor.finding import Finding, note, ok, problem, warning
from ci3.core.formatting import join_names, pluralize
from ci3.core.inventory.name_pattern import find_name_pattern
from ci3.core.live.pins import is_protected, pin_protected
from ci3.core.model.issues import BucketIssues, RefusalCode, WarningCode
from ci3.core.model.recipes import find_recipe_url
from ci3.core.plan.checks import (
    find_protect_refusals,
    find_protect_warnings,
)
from ci3.core.plan.live_checks import (
    find_live_refusals,
    find_live_warnings,
    select_refusals_of_empty_target,
)
from ci3.core.plan.name_checks import find_mixed_names

_LIKELY_LAST: Final = ("index.html", "manifest.json", "version.json")
"""Files that builds often upload last, or could."""
_UNTIL_FIXED: Final = "Nothing is deleted until this is fixed."


def check_folders(facts: BucketFacts) -> Iterator[Finding]:
    """Yield findings about which folders count as deployments, and which are live.

    If the folders could not be listed, only unreadable live sources are reported.
    """
    if isinstance(facts.folders, Unavailable):
        for reading in facts.readings:
            if reading.problem:
                yield _report_unreadable_source(str(reading.source), reading.problem)
        return
    yield from _check_issues(facts)
    yield from _check_names(facts, facts.folders)
    yield from _check_required_file(facts)
    names = (*facts.folders.names, *facts.folders.ignored)
    yield from _check_protected(facts, names)
    yield from _check_live_sources(facts, names)


def _check_issues(facts: BucketFacts) -> Iterator[Finding]:
    """Yield what every plan reports of names, times and folders."""
    issues = facts.issues
    if isinstance(issues, Unavailable):
        if issues.is_requested:
            message = f"Names and upload times could not be compared: {issues.problem}"
            yield problem("plan", message, issues.hint, is_of_access=issues.is_of_access)
        return
    for refusal in issues.refusals:
        advice, url = _UNTIL_FIXED, find_recipe_url(refusal.code)
        yield problem(refusal.code, refusal.message, advice, recipe_url=url)
    for plan_warning in issues.warnings:
        url = find_recipe_url(plan_warning.code)
        yield warning(plan_warning.code, plan_warning.message, "", recipe_url=url)


def _has_issue(facts: BucketFacts, code: WarningCode) -> bool:
    return isinstance(facts.issues, BucketIssues) and facts.issues.has_warning(code)


def _is_refused(facts: BucketFacts, code: RefusalCode) -> bool:
    return isinstance(facts.issues, BucketIssues) and facts.issues.has_refusal(code)


def _check_names(facts: BucketFacts, folders: FolderSummary) -> Iterator[Finding]:
    topic, names, url = "folders", folders.names, facts.doctor_target.target.url
    if not names:
        codes = (WarningCode.NOTHING_MATCHES, WarningCode.NO_PREVIEWS)
        if not any(_has_issue(facts, code) for code in codes):
            yield warning(
                topic,
                f"No deployments under {url}",
                "Check the bucket name, prefix and match.",
                recipe_url=find_recipe_url(WarningCode.NOTHING_MATCHES),
            )
        return
    count = pluralize(len(names), "folder")
    files = pluralize(folders.file_count, "file") if folders.file_count else ""
    if facts.doctor_target.match:
        excluded_parts = [text for text in (files, _format_names(folders.ignored)) if text]
        suffix = f"; ignored: {', '.join(excluded_parts)}" if excluded_parts else ""
        yield ok(topic, f"match selects {count}{suffix}")
        return
    if not _is_refused(facts, RefusalCode.MIXED_NAMES):
        yield _check_kinds(facts, names, count)


def _check_kinds(facts: BucketFacts, names: Sequence[str], count: str) -> Finding:
    """Return the finding about names without `match` that no plan refuses; `count` is a phrase."""
    topic, naming = "folders", find_name_pattern(names)
    mixed_names = None
    if isinstance(facts.issues, Unavailable):  # otherwise a plan has compared them
        pins = pin_protected(facts.doctor_target.protect)
        mixed_names = find_mixed_names(
            names, [name for name in names if not is_protected(name, pins)]
        )
    if mixed_names:
        pronoun = "it" if len(mixed_names.names) == 1 else "them"
        match = f"set match to `{mixed_names.match}`, or " if mixed_names.match else ""
        return warning(
            topic,
            f"{count}, each counted as a deployment, including {_format_names(mixed_names.names)}, "
            f"named {mixed_names.kind}: ci3 would delete {pronoun} when old",
            f"To keep {pronoun}, {match}add {pronoun} to protect.",
            recipe_url=find_recipe_url(RefusalCode.MIXED_NAMES),
        )
    if naming.pattern and not naming.outliers:
        return note(
            topic,
            f"{count} with similar names, such as {names[0][:60]}",
            f"Set match to `{naming.pattern}`, so that folders with other names do not count as "
            "deployments.",
        )
    report = note if naming.pattern else warning
    return report(
        topic,
        f"{count}, each counted as a deployment: {_format_names(names)}",
        "Set match to a regular expression that only names of deployments match.",
    )


def _check_required_file(facts: BucketFacts) -> Iterator[Finding]:
    topic, files_by_name = "required-file", facts.first_files
    if not files_by_name:
        return
    required_file = facts.doctor_target.required_file
    count = len(files_by_name)
    if required_file:
        found_count = sum(required_file in files for files in files_by_name.values())
        if not found_count:
            yield warning(
                topic,
                f"{required_file} is in 0 of {count:,} sampled deployments: a deployment without "
                "it is incomplete. If all are incomplete, nothing is deleted",
                "Check its spelling. It is a path within the deployment.",
            )
        else:
            yield ok(
                topic,
                f"{required_file} is in {found_count:,} of {count:,} sampled deployments",
            )
        return
    common = sorted(frozenset.intersection(*files_by_name.values()))
    likely_files = [name for name in _LIKELY_LAST if name in common] or common[:1]
    if likely_files:
        yield note(
            topic,
            "Not set: a deployment counts as complete as soon as it has one file",
            "Set it to the file that your deploy uploads last. Files in each sampled deployment: "
            f"{_format_names(common)}.",
        )


def _check_protected(facts: BucketFacts, names: Sequence[str]) -> Iterator[Finding]:
    pins = pin_protected(facts.doctor_target.protect)
    refusals = find_protect_refusals(pins, names, facts.target_names)
    warnings = find_protect_warnings(pins, names, facts.target_names)
    for refusal in refusals:
        yield problem("protect", refusal.message, "Correct the name or remove it.")
    for plan_warning in warnings:
        yield warning("protect", plan_warning.message, "Correct the glob or remove it.")
    if pins and not refusals and not warnings:
        protected = [name for name in names if any(pin.matches(name) for pin in pins)]
        yield ok("protect", f"Keeps {_format_names(protected)}")


def _check_live_sources(facts: BucketFacts, names: Sequence[str]) -> Iterator[Finding]:
    for reading in facts.readings:
        source = str(reading.source)
        if reading.problem:
            yield _report_unreadable_source(source, reading.problem)
            continue
        refusals = find_live_refusals((reading,), names, facts.target_names)
        if _has_issue(facts, WarningCode.NO_PREVIEWS):
            refusals = select_refusals_of_empty_target(refusals)
        warnings = find_live_warnings((reading,), names, facts.target_names)
        for refusal in refusals:
            yield problem("live", refusal.message, _UNTIL_FIXED)
        for plan_warning in warnings:
            yield warning("live", plan_warning.message, "Check what the source names.")
        if not refusals and not warnings:
            names_text = _format_names(sorted({item.name for item in reading.references}))
            yield ok(
                "live",
                f"{source} names {names_text if reading.references else 'nothing as live'}",
            )
    if not facts.readings:
        yield note(
            "live",
            "live-from is not set: ci3 does not check which deployment is live",
            "If a rollback can make an older deployment live, set live-from or add its name to "
            "protect.",
        )


def _report_unreadable_source(source: str, reason: str) -> Finding:
    message = f"live-from {source} could not be read: {reason}"
    return problem("live", message, _UNTIL_FIXED)


def _format_names(names: Sequence[str]) -> str:
    return join_names([name[:60] for name in names])
