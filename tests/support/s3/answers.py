"""S3's answers as XML, for the fault proxy."""

from collections.abc import Iterable

from bench import s3_protocol

NAMESPACE = f'xmlns="{s3_protocol.NAMESPACE}"'
HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><p>Hello</p></body></html>"
GROUP_LISTING = r"prefix=(?!.*delimiter)(&|$|%2F&)"
"""Pattern for requests that list many deployments at once."""
TIME = "2026-11-02T14:03:00.000Z"


def entry(key: str, *, modified_at: str = TIME, size: str = "1") -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{modified_at}</LastModified>"
        f'<ETag>"e"</ETag><Size>{size}</Size></Contents>'
    )


def listing(
    *entries: str, folders: Iterable[str] = (), is_truncated: str = "false", token=""
) -> str:
    """Return a page of a listing; keys are not escaped."""
    prefixes = "".join(
        f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>" for folder in folders
    )
    next_token = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult {NAMESPACE}>'
        f"<IsTruncated>{is_truncated}</IsTruncated>{next_token}{''.join(entries)}{prefixes}"
        "</ListBucketResult>"
    )


def error(code: str, message: str = "refused by the test", xml: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>{message}</Message>{xml}</Error>"
    )


def delete_result(deleted: Iterable[str] = (), errors: Iterable[tuple[str, str]] = ()) -> str:
    deleted_xml = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in deleted)
    errors_xml = "".join(
        f"<Error><Key>{key}</Key><Code>{code}</Code><Message>refused by the test</Message></Error>"
        for key, code in errors
    )
    return f"<DeleteResult {NAMESPACE}>{deleted_xml}{errors_xml}</DeleteResult>"
