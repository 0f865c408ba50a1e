"""Collect the facts about a bucket that `ci3 doctor` checks, without changing anything."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from ci3.aws.bucket import BucketReader
from ci3.aws.identity import read_caller_arn
from ci3.core.doctor.facts import (
    NOT_REQUESTED,
    BucketFacts,
    DoctorTarget,
    FolderSummary,
    ObjectLock,
    RestoreProbe,
    Unavailable,
    UnfinishedUploads,
)
from ci3.core.inventory.name_pattern import find_name_pattern
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import GuardProbe
from ci3.core.model.user_pattern import UserPattern
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.errors import AccessError, Ci3Error, DeniedError

SAMPLE_SIZE: Final = 5
"""Number of deployments whose first level is listed, to find common files."""

_T = TypeVar("_T")


def collect_facts(
    bucket: BucketReader, match: UserPattern | None, initial_facts: BucketFacts
) -> BucketFacts:
    """Collect all facts but live sources and the permission to delete; nothing is written.

    `initial_facts` has the target and the time. Where the bucket can't be reached, nothing else is
    requested. Errors are facts too and are not raised.
    """
    aim = initial_facts.doctor_target
    bucket_region = _try_request(lambda: bucket.read_bucket_region(aim.target.prefix))
    folders = _try_request(lambda: find_folders(bucket, aim.target.prefix, match))
    facts = replace(
        initial_facts,
        bucket_region=bucket_region if isinstance(bucket_region, str) else "",
        folders=folders if isinstance(folders, Unavailable) else _describe_folders(folders),
    )
    if isinstance(folders, Unavailable) and not folders.is_denied:
        return facts
    facts = replace(
        facts,
        identity=_try_request(
            lambda: read_caller_arn(
                region=aim.target.region,
                is_aws=not bucket.endpoint_url,
                credentials=bucket.credentials,
            )
        )
        or NOT_REQUESTED,
        lists_versions=_try_request(lambda: _can_list_versions(bucket, aim.target.prefix)),
        uploads=_try_request(lambda: _read_uploads(bucket, aim.target.prefix)),
        versioning=_try_request(bucket.read_versioning_state),
        lock=_try_request(bucket.read_object_lock),
        rules=_try_request(bucket.read_lifecycle_rules),
    )
    if isinstance(folders, Unavailable):
        return facts
    samples = {
        name: _try_request(partial(_list_first_files, bucket, aim, name))
        for name in _choose_samples(folders.names)
    }
    first_files = {
        name: files for name, files in samples.items() if not isinstance(files, Unavailable)
    }
    return replace(facts, first_files=first_files)


def probe_deletion(bucket: BucketReader, facts: BucketFacts) -> GuardProbe | Unavailable:
    """Test on keys that do not exist whether this identity may delete."""
    versioning = Versioning.UNKNOWN
    if not isinstance(facts.versioning, Unavailable):
        versioning = facts.versioning.versioning
    return _try_request(
        lambda: bucket.open_writer().probe_conditional_deletes(
            facts.doctor_target.target.prefix, versioning
        )
    )


def probe_restore(bucket: BucketReader, facts: BucketFacts) -> RestoreProbe | Unavailable:
    """Write, delete and restore an object, unless it is known that this cannot work."""
    state = facts.versioning
    if isinstance(state, Unavailable):
        problem = f"the versioning status could not be read: {state.problem}"
        return Unavailable(problem=problem, hint=state.hint, is_denied=state.is_denied)
    if state.versioning is not Versioning.ENABLED:
        return Unavailable(
            problem=f"versioning is {state.versioning}, so nothing can be restored. "
            "Nothing was written",
            hint="Turn on versioning to be able to restore deleted objects.",
        )
    if state.has_mfa_delete or (isinstance(facts.lock, ObjectLock) and facts.lock.default):
        cause = "MFA delete is on" if state.has_mfa_delete else "Object Lock protects new objects"
        return Unavailable(
            problem=f"{cause}, so the probe could not remove its object. Nothing was written",
            hint="Run the probe in a bucket of the same store without MFA delete and Object Lock.",
        )
    prefix = facts.doctor_target.target.prefix
    return _try_request(lambda: bucket.open_restore_prober(prefix).probe())


def _try_request(request: Callable[[], _T]) -> _T | Unavailable:
    try:
        return request()
    except Ci3Error as exc:
        return Unavailable(
            problem=exc.message,
            hint=exc.hint,
            is_denied=isinstance(exc, DeniedError),
            is_of_access=isinstance(exc, AccessError),
        )


def _can_list_versions(bucket: BucketReader, prefix: str) -> bool:
    with closing(bucket.list_versions(prefix)) as pages:
        return next(pages) is not None


def _read_uploads(bucket: BucketReader, prefix: str) -> UnfinishedUploads:
    started = [upload.started_at for page in bucket.list_uploads(prefix) for upload in page]
    return UnfinishedUploads(count=len(started), oldest_at=min(started, default=None))


def _describe_folders(folders: Folders) -> FolderSummary:
    ignored = [entry.name for entry in folders.ignored]
    return FolderSummary(
        names=folders.names,
        ignored=tuple(name.rstrip("/") for name in ignored if name.endswith("/")),
        file_count=sum(not name.endswith("/") for name in ignored),
    )


def _choose_samples(names: Sequence[str]) -> Sequence[str]:
    """Return a few names, evenly spread over those that look like deployments."""
    likely = find_name_pattern(names).matching or tuple(names)
    step = max(1, len(likely) // SAMPLE_SIZE)
    return likely[::step][:SAMPLE_SIZE]


def _list_first_files(bucket: BucketReader, aim: DoctorTarget, name: str) -> frozenset[str]:
    """Return the files directly in a deployment, and the required file at any depth."""
    prefix = f"{aim.target.prefix}{name}/"
    keys: list[str] = []
    required_keys = [f"{prefix}{aim.required_file}"] if aim.required_file else []
    for listed_prefix, delimiter in ((prefix, "/"), *((key, "") for key in required_keys)):
        with closing(bucket.list_pages(listed_prefix, delimiter=delimiter)) as pages:
            keys += next(pages).columns.keys
    return frozenset(key.removeprefix(prefix) for key in keys if key != prefix)
