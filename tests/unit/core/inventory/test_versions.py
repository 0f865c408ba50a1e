"""The order in which all versions of a deployment are deleted."""

from datetime import timedelta

from ci3.core.inventory.versions import deletion_phases
from ci3.core.model.objects import StoredVersion
from tests.support.builders import NOW


def make_versions(key, *kinds):
    """Return versions of a key, newest first, with version IDs such as `a2` and `a1`."""
    return [
        StoredVersion(
            key=key,
            version_id=f"{key}{len(kinds) - index}",
            is_latest=index == 0,
            is_delete_marker=kind == "marker",
            etag="" if kind == "marker" else '"e"',
            size_bytes=0 if kind == "marker" else 1,
            modified_at=NOW - timedelta(hours=index),
        )
        for index, kind in enumerate(kinds)
    ]


def test_versions_are_split_into_phases_as_in_the_example():
    versions = [
        *make_versions("a", "object", "object"),
        *make_versions("b", "marker", "object"),
        *make_versions("c", "object", "marker"),
    ]
    phases = [[version.version_id for version in phase] for phase in deletion_phases(versions)]
    assert phases == [["a1", "b1", "c1"], ["b2"], ["a2", "c2"]]
