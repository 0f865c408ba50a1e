"""The check `nothing-matches`: a target without deployments, in a bucket that is not empty."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci3.constants import JOURNAL_FOLDER
from ci3.core.formatting import join_names, pluralize
from ci3.core.inventory.name_pattern import find_name_pattern
from ci3.core.model.deployment import Inventory, Target
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.model.user_pattern import UserPattern
from ci3.errors import RefusedError, end_sentence, format_suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRoot:
    """The first names at the root of a bucket, folders with a slash, or why they are unknown."""

    names: tuple[str, ...] = ()
    problem: str = ""


def needs_bucket_root(inventory: Inventory, target: Target) -> bool:
    """Return True if nothing at all is under the prefix: is the bucket empty, too?"""
    has_entries = inventory.deployments or inventory.ignored or inventory.unlisted
    return bool(target.prefix) and not has_entries


def find_empty_target_warnings(
    inventory: Inventory,
    target: Target,
    match: UserPattern | None,
    root: BucketRoot,
    *,
    may_be_empty: bool = False,
) -> tuple[PlanWarning, ...]:
    """Return a warning if there is no deployment, although the bucket is not empty.

    `root` is used if `needs_bucket_root`. A prefix with only the journals of ci3 or its own marker
    is empty: it is not misspelt. With `may_be_empty`, as `expire-closed` deletes the last preview,
    the warning is only a notice.
    """
    if inventory.deployments or inventory.unlisted:
        return ()
    folders = [*_find_folders(inventory)]
    files = [entry.name for entry in inventory.ignored if not entry.name.endswith("/")]
    if folders and match is not None:
        text = f"match excludes {_describe_all(folders)} under {target.url}"
        message = f"{text}: {join_names(folders)}. {_suggest_match(folders, match)}"
    elif files:
        message = (
            f"No folders under {target.url}, only {pluralize(len(files), 'file')}: "
            f"{join_names(files)}. A deployment is a folder. Check prefix"
        )
    elif needs_bucket_root(inventory, target) and root.problem:
        message = (
            f"Nothing is under {target.url}, and the rest of the bucket could not be listed: "
            f"{end_sentence(root.problem)} Check prefix"
        )
    elif needs_bucket_root(inventory, target) and root.names:
        first_folder = target.prefix.partition("/")[0]
        root_folders = [name.rstrip("/") for name in root.names if name.endswith("/")]
        message = (
            f"Nothing is under {target.url}, but the bucket contains {join_names(root.names)}. "
            "Check prefix."
            f"{_suggest_folder(first_folder, root_folders)}"
        ).removesuffix(".")
    else:
        return ()
    if may_be_empty:
        message = f"No preview is left. If there should be some: {message}"
        return (PlanWarning(code=WarningCode.NO_PREVIEWS, message=message),)
    return (PlanWarning(code=WarningCode.NOTHING_MATCHES, message=message),)


def _find_folders(inventory: Inventory) -> Iterator[str]:
    """Yield the names of the folders that `match` leaves out."""
    for entry in inventory.ignored:
        name = entry.name.removesuffix("/")
        if entry.name.endswith("/") and name and "/" not in name and name != JOURNAL_FOLDER:
            yield name


def _describe_all(folders: Sequence[str]) -> str:
    return "the only folder" if len(folders) == 1 else f"all {len(folders):,} folders"


def _suggest_match(folders: Sequence[str], match: UserPattern) -> str:
    """Return what to do about a pattern that no folder's name matches, without a full stop."""
    if "/" in match.pattern:
        last_part = match.pattern.strip("/").rpartition("/")[2]
        advice = "remove it from match"
        if _matches_any(last_part, folders):
            advice = f"set match to `{last_part}`"
        return f"Folder names do not contain a slash: {advice}"
    if pattern := find_name_pattern(folders).pattern:
        return f"If they are deployments, set match to `{pattern}`"
    return "Check match, or set prefix to the folder that contains the deployments"


def _matches_any(pattern: str, names: Sequence[str]) -> bool:
    try:
        compiled = UserPattern.compile(pattern)
        return any(compiled.fullmatch(name) for name in names)
    except (ValueError, RefusedError):
        return False


def _suggest_folder(name: str, folders: Sequence[str]) -> str:
    return "" if name in folders else format_suggestion(name, folders)
