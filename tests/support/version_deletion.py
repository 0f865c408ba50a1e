"""Helpers for deleting all versions, and for listing versions with another client."""

import re
from collections.abc import Mapping

from tests.support.cleanup_run import CleanupRun, apply
from tests.support.s3.answers import delete_result
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Request

DELETE = r"\?delete"
VERSIONS = r"\?versions"
OLD_PREFIXES = ("old-1/", "old-2/")

Version = tuple[str, str]
"""A version or a delete marker: its key and id."""


def list_versions(bucket: Bucket) -> dict[Version, str]:
    """List every version and delete marker with boto3.

    The value is `latest` or `older`, and the ETag or `marker`: `latest "e"`, `older marker`.
    """
    pages = [*bucket.client.get_paginator("list_object_versions").paginate(Bucket=bucket.name)]
    entries = [(entry, entry["ETag"]) for page in pages for entry in page.get("Versions", ())]
    entries += [(entry, "marker") for page in pages for entry in page.get("DeleteMarkers", ())]
    return {
        (
            entry["Key"],
            entry["VersionId"],
        ): f"{'latest' if entry['IsLatest'] else 'older'} {description}"
        for entry, description in entries
    }


def list_versions_to_delete(
    bucket: Bucket, prefixes: str | tuple[str, ...] = OLD_PREFIXES
) -> dict[Version, str]:
    """List the versions under the prefixes to delete."""
    return {
        version: description
        for version, description in list_versions(bucket).items()
        if version[0].startswith(prefixes)
    }


def requested_versions(request: Request) -> list[Version]:
    """Return the versions that a DeleteObjects request names; each key must have a version id."""
    body = request.body.decode()
    named_versions = re.findall("<Key>([^<]*)</Key><VersionId>([^<]+)</VersionId>", body)
    assert len(named_versions) == body.count("<Key>")
    return named_versions


def apply_to_versions(bucket: Bucket, **settings) -> CleanupRun:
    """Plan and apply with `delete-versions`."""
    return apply(bucket, delete_versions="true", **settings)


def answer_deletion(bucket: Bucket, request: Request, errors: Mapping[Version | str, str]) -> str:
    """Delete the versions of a request and answer it, with errors for some keys or versions."""
    elements = ""
    for key, version_id in requested_versions(request):
        version_xml = f"<Key>{key}</Key><VersionId>{version_id}</VersionId>"
        if code := errors.get((key, version_id)) or errors.get(key):
            elements += f"<Error>{version_xml}<Code>{code}</Code></Error>"
        else:
            bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=version_id)
            elements += f"<Deleted>{version_xml}</Deleted>"
    return delete_result().replace("></", f">{elements}</")
