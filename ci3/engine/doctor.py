"""Collect the facts about a bucket that `ci3 doctor` checks, without changing anything."""

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
"""Number of deployments whose first level is listed, to find common files."""

_T = TypeVar("_T")


def examine(
    bucket: BucketReader, find: Callable[[], Folders], examination: Examination
) -> Examination:
    """Collect all facts but live sources and the permission to delete; nothing is written.

    `find_folders` lists the first level; `initial_facts` has the target and the time. Where the
    bucket can't be reached, nothing else is requested. Errors are facts too and are not raised.
    """
    aim = examination.aim
    bucket_region = _try_request(lambda: bucket.stated_region(aim.target.prefix))
    folders = _try_request(find)
    facts = replace(
        examination,
        bucket_region=bucket_region if isinstance(bucket_region, str) else "",
        folders=folders if isinstance(folders, Unread) else _describe_folders(folders),
    )
    if isinstance(folders, Unread) and not folders.is_denied:
        return facts
    facts = replace(
        facts,
        identity=_read_identity(bucket, aim),
        lists_versions=_try_request(lambda: _can_list_versions(bucket, aim.target.prefix)),
        uploads=_try_request(lambda: _read_uploads(bucket, aim.target.prefix)),
        versioning=_try_request(bucket.versioning_state),
        lock=_try_request(bucket.object_lock),
        rules=_try_request(bucket.lifecycle_rules),
    )
    if isinstance(folders, Unread):
        return facts
    samples = {
        name: _try_request(partial(_list_first_files, bucket, aim, name))
        for name in _choose_samples(folders.names)
    }
    first_files = {name: files for name, files in samples.items() if not isinstance(files, Unread)}
    return replace(facts, first_files=first_files)


def probe(bucket: BucketReader, seen: Examination) -> GuardProbe | Unread:
    """Test on keys that do not exist whether this identity may delete."""
    versioning = Versioning.UNKNOWN
    if not isinstance(seen.versioning, Unread):
        versioning = seen.versioning.versioning
    return _try_request(lambda: bucket.open_writer().probe(seen.aim.target.prefix, versioning))


def _try_request(request: Callable[[], _T]) -> _T | Unread:
    try:
        return request()
    except AccessError as exc:
        return Unread(problem=exc.message, hint=exc.hint, is_denied=isinstance(exc, DeniedError))


def _read_identity(bucket: BucketReader, aim: Aim) -> str | Unread:
    def request() -> str:
        return find_identity(
            region=aim.target.region,
            is_aws=not bucket.endpoint_url,
            credentials=bucket.credentials,
        )

    return _try_request(request) or NOT_ASKED


def _can_list_versions(bucket: BucketReader, prefix: str) -> bool:
    with closing(bucket.list_versions(prefix)) as pages:
        return next(pages) is not None


def _read_uploads(bucket: BucketReader, prefix: str) -> UploadsSeen:
    started = [upload.started_at for page in bucket.list_uploads(prefix) for upload in page]
    return UploadsSeen(count=len(started), oldest_at=min(started, default=None))


def _describe_folders(folders: Folders) -> FoldersSeen:
    return FoldersSeen(
        names=folders.names,
        ignored=tuple(entry.name.rstrip("/") for entry in _filter_folders(folders.ignored)),
        file_count=sum(not entry.name.endswith("/") for entry in folders.ignored),
    )


def _filter_folders(ignored: Iterable[Ignored]) -> list[Ignored]:
    return [entry for entry in ignored if entry.name.endswith("/")]


def _choose_samples(names: Sequence[str]) -> Sequence[str]:
    """Return a few names, evenly spread over those that look like deployments."""
    likely = find_naming(names).fitting or tuple(names)
    step = max(1, len(likely) // LOOKED_AT)
    return likely[::step][:LOOKED_AT]


def _list_first_files(bucket: BucketReader, aim: Aim, name: str) -> frozenset[str]:
    """Return the files directly in a deployment, and the required file at any depth."""
    prefix = f"{aim.target.prefix}{name}/"
    keys: list[str] = []
    required_keys = [f"{prefix}{aim.required_file}"] if aim.required_file else []
    for listed_prefix, delimiter in ((prefix, "/"), *((key, "") for key in required_keys)):
        with closing(bucket.list_pages(listed_prefix, delimiter=delimiter)) as pages:
            keys += next(pages).listed.keys
    return frozenset(key.removeprefix(prefix) for key in keys if key != prefix)
