"""List the first level under a prefix: folders that can be deployments, and everything else."""

from dataclasses import dataclass

from ci3.aws.bucket import BucketReader
from ci3.constants import JOURNAL_FOLDER
from ci3.core.formatting import escape_control_chars
from ci3.core.inventory.keyspace import end_of_folder, is_sorted
from ci3.core.model.deployment import IgnoredEntry
from ci3.core.model.objects import StoredObject
from ci3.core.model.user_pattern import UserPattern
from ci3.errors import ListingError, RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The first level under `prefix`: names that can be deployments, and ignored entries.

    `boundaries` are sorted keys, each after one folder or file and before the next. `is_sorted` is
    true if this S3 listed the folders in S3's order.
    """

    prefix: str
    names: tuple[str, ...]
    ignored: tuple[IgnoredEntry, ...]
    boundaries: tuple[str, ...]
    is_sorted: bool


def find_folders(
    bucket: BucketReader,
    prefix: str,
    match: UserPattern | None = None,
    *,
    beginning: str = "",
    maximum_pages: int | None = None,
) -> Folders:
    """List the folders under a prefix, and what else is at that level.

    With `beginning`, only folders and files whose name begins with it are listed. Raises
    RefusedError if there are more pages than `maximum_pages`, without listing the others.
    """
    files: list[StoredObject] = []
    folders: list[str] = []
    for number, page in enumerate(bucket.list_pages(f"{prefix}{beginning}", delimiter="/"), 1):
        if number == maximum_pages and not page.is_last:
            raise RefusedError(
                f"s3://{bucket.bucket}/{escape_control_chars(prefix)} has too many files and "
                f"folders to search it for targets: more than {maximum_pages:,} pages",
                "Nothing was deleted. Write a narrower prefix, or several targets.",
            )
        files += page.objects
        folders += page.folders
    classified = {folder: _classify_folder(bucket, prefix, folder, match) for folder in folders}
    return Folders(
        prefix=prefix,
        names=tuple(name for name, reason in classified.values() if not reason),
        ignored=(
            *(_ignore_file(stored, prefix) for stored in files),
            *(
                IgnoredEntry(name=name, reason=reason)
                for name, reason in classified.values()
                if reason
            ),
        ),
        boundaries=tuple(
            sorted([*(stored.key for stored in files), *map(end_of_folder, classified)])
        ),
        is_sorted=is_sorted(folders),
    )


def _classify_folder(
    bucket: BucketReader, prefix: str, folder: str, match: UserPattern | None
) -> tuple[str, str]:
    """Return a folder's name, and the reason why it cannot be a deployment, or ""."""
    name = folder.removeprefix(prefix).removesuffix("/")
    if "/" in name:
        raise ListingError(
            f"listing s3://{bucket.bucket}/{prefix}: {folder!r} is not a folder under it",
            "Nothing was deleted. Check that endpoint-url is the URL of an S3 service.",
        )
    if not name or f"{prefix}{name}/" != folder:
        return folder, "a folder without a name"
    if name == JOURNAL_FOLDER:
        return f"{name}/", "contains the journals of ci3"
    if match is not None and not match.fullmatch(name):
        return f"{name}/", f"does not match {match.pattern}"
    return name, ""


def _ignore_file(stored: StoredObject, prefix: str) -> IgnoredEntry:
    if stored.key == prefix:
        return IgnoredEntry(name=stored.key, reason="the marker of the folder")
    return IgnoredEntry(
        name=stored.key.removeprefix(prefix), reason="a file outside of all deployments"
    )
