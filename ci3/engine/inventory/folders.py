"""The first level under a prefix: which folders can be deployments, and what is beside them."""

import re
from dataclasses import dataclass

from ci3.aws.bucket import BucketReader
from ci3.constants import JOURNAL_FOLDER
from ci3.core.inventory.keyspace import end_of, is_sorted
from ci3.core.model.deployment import Ignored
from ci3.core.model.objects import StoredObject
from ci3.errors import ListingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The first level under `prefix`: names that can be deployments, and what stands beside them.

    `borders` are keys in order, each behind one folder or file and before the next. `is_sorted`
    says whether this S3 gave the folders in the order of S3.
    """

    prefix: str
    names: tuple[str, ...]
    ignored: tuple[Ignored, ...]
    borders: tuple[str, ...]
    is_sorted: bool


def find_folders(
    bucket: BucketReader, prefix: str, match: re.Pattern[str] | None = None
) -> Folders:
    """List the names of a prefix's folders, and what else stands beside them."""
    files: list[StoredObject] = []
    folders: list[str] = []
    for page in bucket.list_pages(prefix, delimiter="/"):
        files += page.objects
        folders += page.folders
    sorting = {folder: _sort_out(bucket, prefix, folder, match) for folder in folders}
    return Folders(
        prefix=prefix,
        names=tuple(name for name, why in sorting.values() if not why),
        ignored=(
            *(_outside(stored, prefix) for stored in files),
            *(Ignored(name=name, reason=why) for name, why in sorting.values() if why),
        ),
        borders=tuple(sorted([*(one.key for one in files), *map(end_of, sorting)])),
        is_sorted=is_sorted(folders),
    )


def _sort_out(
    bucket: BucketReader, prefix: str, folder: str, match: re.Pattern[str] | None
) -> tuple[str, str]:
    """Give a folder's name, and why it can be no deployment, or nothing."""
    name = folder.removeprefix(prefix).removesuffix("/")
    if "/" in name:
        raise ListingError(
            f"listing s3://{bucket.bucket}/{prefix}: {folder!r} is no folder of it",
            "Nothing was deleted. Check that the endpoint-url is an S3.",
        )
    if not name or f"{prefix}{name}/" != folder:
        return folder, "a folder without a name"
    if name == JOURNAL_FOLDER:
        return f"{name}/", "where ci3 keeps its journals"
    if match is not None and not match.fullmatch(name):
        return f"{name}/", f"does not match {match.pattern}"
    return name, ""


def _outside(stored: StoredObject, prefix: str) -> Ignored:
    if stored.key == prefix:
        return Ignored(name=stored.key, reason="the folder's own marker")
    return Ignored(name=stored.key.removeprefix(prefix), reason="a file outside every deployment")
