"""Examines a bucket: asks all that there is to ask without changing anything."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from ci3.aws.bucket import BucketReader
from ci3.aws.identity import find_identity
from ci3.core.doctor.facts import NOT_ASKED, Aim, Examination, FoldersSeen, Unread, UploadsSeen
from ci3.core.doctor.name_pattern import find_naming
from ci3.core.model.deployment import Ignored, Versioning
from ci3.core.model.result import GuardProbe
from ci3.engine.inventory.folders import Folders
from ci3.errors import AccessError, DeniedError

LOOKED_AT: Final = 5
"""Deployments whose first level is listed, to see which files they have in common."""

_T = TypeVar("_T")


def examine(
    bucket: BucketReader, find: Callable[[], Folders], examination: Examination
) -> Examination:
    """Ask of a bucket all but what is live and whether it may be deleted from; nothing is written.

    `find` lists the first level; `examination` has the aim and the time. Where the bucket can't be
    reached at all, nothing more is asked. What fails is told, never raised.
    """
    aim = examination.aim
    region = _asked(lambda: bucket.stated_region(aim.target.prefix))
    found = _asked(find)
    seen = replace(
        examination,
        bucket_region=region if isinstance(region, str) else "",
        folders=found if isinstance(found, Unread) else _folders(found),
    )
    if isinstance(found, Unread) and not found.is_denied:
        return seen
    seen = replace(
        seen,
        identity=_identity(bucket, aim),
        lists_versions=_asked(lambda: _lists_versions(bucket, aim.target.prefix)),
        uploads=_asked(lambda: _uploads(bucket, aim.target.prefix)),
        versioning=_asked(bucket.versioning_state),
        lock=_asked(bucket.object_lock),
        rules=_asked(bucket.lifecycle_rules),
    )
    if isinstance(found, Unread):
        return seen
    looked = {
        name: _asked(partial(_first_files, bucket, aim, name)) for name in _samples(found.names)
    }
    has = {name: files for name, files in looked.items() if not isinstance(files, Unread)}
    return replace(seen, first_files=has)


def probe(bucket: BucketReader, seen: Examination) -> GuardProbe | Unread:
    """Try on keys that do not exist whether this identity may delete."""
    versioning = Versioning.UNKNOWN
    if not isinstance(seen.versioning, Unread):
        versioning = seen.versioning.versioning
    return _asked(lambda: bucket.open_writer().probe(seen.aim.target.prefix, versioning))


def _asked(ask: Callable[[], _T]) -> _T | Unread:
    try:
        return ask()
    except AccessError as exc:
        return Unread(problem=exc.message, hint=exc.hint, is_denied=isinstance(exc, DeniedError))


def _identity(bucket: BucketReader, aim: Aim) -> str | Unread:
    def ask() -> str:
        return find_identity(
            region=aim.target.region,
            is_aws=not bucket.endpoint_url,
            credentials=bucket.credentials,
        )

    return _asked(ask) or NOT_ASKED


def _lists_versions(bucket: BucketReader, prefix: str) -> bool:
    with closing(bucket.list_versions(prefix)) as pages:
        return next(pages) is not None


def _uploads(bucket: BucketReader, prefix: str) -> UploadsSeen:
    begun = [one.started_at for page in bucket.list_uploads(prefix) for one in page]
    return UploadsSeen(count=len(begun), oldest_at=min(begun, default=None))


def _folders(found: Folders) -> FoldersSeen:
    return FoldersSeen(
        names=found.names,
        ignored=tuple(one.name.rstrip("/") for one in _left_out(found.ignored)),
        file_count=sum(not one.name.endswith("/") for one in found.ignored),
    )


def _left_out(ignored: Iterable[Ignored]) -> list[Ignored]:
    return [one for one in ignored if one.name.endswith("/")]


def _samples(names: Sequence[str]) -> Sequence[str]:
    """Choose a few names from all over those that look like deployments."""
    likely = find_naming(names).fitting or tuple(names)
    step = max(1, len(likely) // LOOKED_AT)
    return likely[::step][:LOOKED_AT]


def _first_files(bucket: BucketReader, aim: Aim, name: str) -> frozenset[str]:
    """Name the files directly in a deployment, and the required one, wherever it is in it."""
    prefix = f"{aim.target.prefix}{name}/"
    keys: list[str] = []
    wanted = [f"{prefix}{aim.required_file}"] if aim.required_file else []
    for within, delimiter in ((prefix, "/"), *((key, "") for key in wanted)):
        with closing(bucket.list_pages(within, delimiter=delimiter)) as pages:
            keys += next(pages).listed.keys
    return frozenset(key.removeprefix(prefix) for key in keys if key != prefix)
