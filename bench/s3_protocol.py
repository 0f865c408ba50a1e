"""S3's protocol as far as both in-memory servers serve it: operations, documents and errors.

`bench.memory_s3` generates what it lists, for measurements; `tests.support.s3.memory_s3` stores
objects and versions, for tests.
"""

from collections.abc import Collection, Mapping
from html import escape

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
UNKNOWN = "Unknown"

_OF_BUCKETS: Mapping[tuple[str, str], str] = {
    ("DELETE", "lifecycle"): "DeleteBucketLifecycle",
    ("GET", "lifecycle"): "GetBucketLifecycleConfiguration",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "versioning"): "GetBucketVersioning",
    ("GET", "versions"): "ListObjectVersions",
    ("POST", "delete"): "DeleteObjects",
    ("PUT", "lifecycle"): "PutBucketLifecycleConfiguration",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("GET", ""): "ListObjects",
    ("HEAD", ""): "HeadBucket",
    ("PUT", ""): "CreateBucket",
}
_OF_OBJECTS: Mapping[tuple[str, str], str] = {
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("DELETE", ""): "DeleteObject",
    ("GET", ""): "GetObject",
    ("HEAD", ""): "HeadObject",
    ("PUT", ""): "PutObject",
}
_PARAMETERS = frozenset(
    ("encoding-type", "marker", "max-keys", "prefix", "delimiter", "versionId", "x-id")
)
"""Parameters that do not select an operation."""


def name_operation(method: str, key: str, query: Collection[str]) -> str:
    """Return the name of a request's operation, by the names in its query, or UNKNOWN.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
    """
    operations = _OF_OBJECTS if key else _OF_BUCKETS
    for name in query:
        if operation := operations.get((method, name)):
            return operation
    if not _PARAMETERS.issuperset(query):
        return UNKNOWN
    return operations.get((method, ""), UNKNOWN)


def format_document(root: str, inner: str = "") -> str:
    """Return a response's XML; `inner` is XML."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{inner}</{root}>'


def format_error(code: str, message: str) -> str:
    """Return an error's XML."""
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
