"""All versions of a deployment that are deleted along with it: summary, and order of deletion."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC

from ci3.core.model.objects import StoredObject, StoredVersion, VersionSummary


def summarize_versions(versions: Iterable[StoredVersion]) -> VersionSummary:
    """Return count, total size and fingerprint of listed versions.

    The fingerprint is the SHA-256 in hex over all fields of each version, ordered by key and
    version ID. The ID alone is not enough: a `null` version can be overwritten.
    """
    ordered = sorted(versions, key=lambda version: (version.key, version.version_id))
    digest = hashlib.sha256()
    for version in ordered:
        record = (
            version.key,
            version.version_id,
            "marker" if version.is_delete_marker else "version",
            "latest" if version.is_latest else "older",
            version.etag,
            str(version.size_bytes),
            version.modified_at.astimezone(UTC).isoformat(),
        )
        for field in record:
            encoded = field.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return VersionSummary(
        count=len(ordered),
        size_bytes=sum(version.size_bytes for version in ordered),
        fingerprint=digest.hexdigest(),
        oldest_at=min((version.modified_at for version in ordered), default=None),
        newest_at=max((version.modified_at for version in ordered), default=None),
    )


def select_current_objects(versions: Iterable[StoredVersion]) -> tuple[StoredObject, ...]:
    """Return the current objects among listed versions, ordered by key."""
    current = (
        version for version in versions if version.is_latest and not version.is_delete_marker
    )
    return tuple(
        StoredObject(
            key=version.key,
            etag=version.etag,
            size_bytes=version.size_bytes,
            modified_at=version.modified_at,
            version_id=version.version_id,
        )
        for version in sorted(current, key=lambda version: version.key)
    )


def deletion_phases(versions: Iterable[StoredVersion]) -> tuple[Sequence[StoredVersion], ...]:
    """Split versions into three phases of deletion: noncurrent, current markers, current objects.

    In this order no noncurrent version becomes current on the way, and the deployment is listed
    until nothing else is left. Example, newest version first:

    | key | versions             | phase 1 | phase 2 | phase 3 |
    |-----|----------------------|---------|---------|---------|
    | `a` | object 2, object 1   | 1       |         | 2       |
    | `b` | marker 2, object 1   | 1       | 2       |         |
    | `c` | object 2, marker 1   | 1       |         | 2       |
    """
    noncurrent, markers, current = [], [], []
    for version in versions:
        if not version.is_latest:
            noncurrent.append(version)
        elif version.is_delete_marker:
            markers.append(version)
        else:
            current.append(version)
    return noncurrent, markers, current
