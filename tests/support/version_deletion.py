"""Deleting all versions, and what another client sees of it."""

import re
from collections.abc import Mapping

from tests.support.cleanup_run import Ran, apply
from tests.support.s3.answers import delete_result
from tests.support.s3.fault_proxy import Request
from tests.support.s3.moto_s3 import Bucket

DELETE = r"\?delete"
VERSIONS = r"\?versions"
DOOMED = ("old-1/", "old-2/")

Version = tuple[str, str]
"""A version or a delete marker: its key and id."""


def versions(bucket: Bucket) -> dict[Version, str]:
    """Every version and delete marker, as another client lists it: `latest` or `older`, and what.

    What is the ETag, or `marker`.
    """
    pages = [*bucket.client.get_paginator("list_object_versions").paginate(Bucket=bucket.name)]
    found = [(one, one["ETag"]) for page in pages for one in page.get("Versions", ())]
    found += [(one, "marker") for page in pages for one in page.get("DeleteMarkers", ())]
    return {
        (one["Key"], one["VersionId"]): f"{'latest' if one['IsLatest'] else 'older'} {what}"
        for one, what in found
    }


def due(bucket: Bucket, prefixes: str | tuple[str, ...] = DOOMED) -> dict[Version, str]:
    """The versions under what is doomed."""
    return {one: what for one, what in versions(bucket).items() if one[0].startswith(prefixes)}


def named(request: Request) -> list[Version]:
    """What a DeleteObjects request names; each key of it must have an id."""
    body = request.body.decode()
    found = re.findall("<Key>([^<]*)</Key><VersionId>([^<]+)</VersionId>", body)
    assert len(found) == body.count("<Key>")
    return found


def final(bucket: Bucket, **settings) -> Ran:
    """Apply with `delete-versions`."""
    return apply(bucket, delete_versions="true", **settings)


def answered(bucket: Bucket, request: Request, errors: Mapping[Version | str, str]) -> str:
    """Delete what a request names, but for the keys or versions that end in an error."""
    told = ""
    for key, version_id in named(request):
        about = f"<Key>{key}</Key><VersionId>{version_id}</VersionId>"
        if code := errors.get((key, version_id)) or errors.get(key):
            told += f"<Error>{about}<Code>{code}</Code></Error>"
        else:
            bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=version_id)
            told += f"<Deleted>{about}</Deleted>"
    return delete_result().replace("></", f">{told}</")
