"""What an examination says of the folders: whether they look like deployments, and are whole."""

from collections.abc import Iterator, Sequence
from typing import Final

from ci3.core.doctor.facts import Examination, FoldersSeen, Unread
from ci3.core.doctor.finding import Finding, note, ok, problem, warning
from ci3.core.doctor.name_pattern import find_naming
from ci3.core.formatting import counted, listed
from ci3.core.live.pins import protect
from ci3.core.plan.checks import (
    about_protected,
    about_readings,
    against_protected,
    against_readings,
)

_SHOWN: Final = 5
_LIKELY_LAST: Final = ("index.html", "manifest.json", "version.json")
"""What builds often upload last, or could."""


def about_folders(seen: Examination) -> Iterator[Finding]:
    """Say what counts as a deployment here, what is odd about it, and what is live."""
    if isinstance(seen.folders, Unread):
        for reading in seen.readings:
            if reading.problem:
                yield _unreadable(str(reading.source), reading.problem)
        return
    yield from _about_names(seen, seen.folders)
    yield from _about_required_file(seen)
    names = (*seen.folders.names, *seen.folders.ignored)
    yield from _about_protected(seen, names)
    yield from _about_live(seen, names)


def _about_names(seen: Examination, folders: FoldersSeen) -> Iterator[Finding]:
    topic, names, url = "folders", folders.names, seen.aim.target.url
    if not names:
        left_out = (
            f"match leaves out all {counted(len(folders.ignored), 'folder')} under {url}: "
            f"{_listed(folders.ignored)}"
        )
        yield warning(
            topic,
            left_out if folders.ignored else f"there is no folder under {url}",
            "Check match." if folders.ignored else "Check the bucket's name and the prefix.",
        )
        return
    count = counted(len(names), "folder")
    beside = f"{counted(folders.file_count, 'file')} beside them" if folders.file_count else ""
    if seen.aim.match:
        left = [one for one in (beside, _listed(folders.ignored)) if one]
        out = f"; left alone: {', '.join(left)}" if left else ""
        yield ok(topic, f"match takes {count} for deployments{out}")
        return
    naming = find_naming(names)
    if not naming.pattern:
        yield warning(
            topic,
            f"{count}, each of which counts as a deployment: {_listed(names)}",
            "Set match to a regular expression that only deployments' names match.",
        )
    elif naming.unlike:
        them = "it" if len(naming.unlike) == 1 else "them"
        yield warning(
            topic,
            f"{count}, and each counts as a deployment, also {_listed(naming.unlike)}, named "
            f"unlike the other {len(naming.fitting):,}: ci3 would delete {them} when old",
            f"To leave {them} alone, set match to `{naming.pattern}`, or protect {them} by name.",
        )
    else:
        yield note(
            topic,
            f"{count}, all named alike, such as {names[0][:60]}",
            f"Set match to `{naming.pattern}`, so that no folder that comes beside them counts as "
            "a deployment.",
        )


def _about_required_file(seen: Examination) -> Iterator[Finding]:
    topic, looked = "required-file", seen.first_files
    if not looked:
        return
    wanted = seen.aim.required_file
    count = len(looked)
    if wanted:
        have = sum(wanted in files for files in looked.values())
        if not have:
            yield warning(
                topic,
                f"{wanted} is in none of the {count:,} looked at: a deployment without it is "
                "incomplete and counts for no rule, so ci3 deletes nothing",
                "Check its spelling; it is a path within the deployment.",
            )
        else:
            yield ok(topic, f"{wanted} is in {have:,} of the {count:,} looked at")
        return
    common = sorted(frozenset.intersection(*looked.values()))
    likely = [name for name in _LIKELY_LAST if name in common] or common[:1]
    if likely:
        yield note(
            topic,
            "not set: a deployment counts as complete as soon as it has one file",
            f"Set it to the file that your deploy uploads last. In each of the {count:,} looked at "
            f"there is {_listed(common)}.",
        )


def _about_protected(seen: Examination, names: Sequence[str]) -> Iterator[Finding]:
    pins = protect(seen.aim.protect)
    refused, warned = against_protected(pins, names), about_protected(pins, names)
    for refusal in refused:
        yield problem("protect", refusal.message, "Correct the name, or take it out.")
    for warned_of in warned:
        yield warning("protect", warned_of.message, "Correct the glob, or take it out.")
    if pins and not refused and not warned:
        held = [name for name in names if any(pin.holds(name) for pin in pins)]
        yield ok("protect", f"keeps {_listed(held)}")


def _about_live(seen: Examination, names: Sequence[str]) -> Iterator[Finding]:
    for reading in seen.readings:
        source = str(reading.source)
        if reading.problem:
            yield _unreadable(source, reading.problem)
            continue
        refused, warned = against_readings((reading,), names), about_readings((reading,), names)
        for refusal in refused:
            yield problem("live", refusal.message, "Nothing is deleted until this is set right.")
        for warned_of in warned:
            yield warning("live", warned_of.message, "Check what the source names.")
        if not refused and not warned:
            named = sorted({one.name for one in reading.sightings})
            yield ok("live", f"{source} answers: {_listed(named) if named else 'nothing is live'}")
    if not seen.readings:
        yield note(
            "live",
            "live-from is not set: ci3 can't know which deployment is live",
            "If a rollback can make an old one live, set live-from, or protect it by name.",
        )


def _unreadable(source: str, why: str) -> Finding:
    message = f"live-from {source} can't be read: {why}"
    advice = "Nothing is deleted while it can't be read."
    return problem("live", message, advice)


def _listed(names: Sequence[str], most: int = _SHOWN) -> str:
    return listed([name[:60] for name in names], most)
