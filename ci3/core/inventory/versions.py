"""All versions of a deployment, where they are to be deleted with it: summed up and put in turn."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC

from ci3.core.model.objects import AllVersions, StoredObject, StoredVersion


def sum_up_versions(versions: Iterable[StoredVersion]) -> AllVersions:
    """Sum up what a listing of versions showed.

    The fingerprint is SHA-256 in hex over everything that is known of each, in the order of key and
    version id: what is called `null` can be overwritten, and is another then.
    """
    listed = sorted(versions, key=lambda one: (one.key, one.version_id))
    digest = hashlib.sha256()
    for one in listed:
        record = (
            one.key,
            one.version_id,
            "marker" if one.is_marker else "version",
            "latest" if one.is_latest else "older",
            one.etag,
            str(one.size_bytes),
            one.modified_at.astimezone(UTC).isoformat(),
        )
        for field in record:
            encoded = field.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return AllVersions(
        count=len(listed),
        size_bytes=sum(one.size_bytes for one in listed),
        fingerprint=digest.hexdigest(),
    )


def current_objects(versions: Iterable[StoredVersion]) -> tuple[StoredObject, ...]:
    """Give the objects that a listing of versions shows as current, by key."""
    current = (one for one in versions if one.is_latest and not one.is_marker)
    return tuple(
        StoredObject(
            key=one.key,
            etag=one.etag,
            size_bytes=one.size_bytes,
            modified_at=one.modified_at,
            version_id=one.version_id,
        )
        for one in sorted(current, key=lambda one: one.key)
    )


def in_turn(versions: Iterable[StoredVersion]) -> tuple[Sequence[StoredVersion], ...]:
    """Part versions into those that go first, second and last.

    First what is hidden, then the markers that hid it, last what is current: so nothing that was
    hidden becomes current on the way, and a deployment can be seen until nothing else is left.
    """
    hidden, markers, current = [], [], []
    for one in versions:
        if not one.is_latest:
            hidden.append(one)
        elif one.is_marker:
            markers.append(one)
        else:
            current.append(one)
    return hidden, markers, current
