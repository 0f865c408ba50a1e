"""IAM in front of the in-process S3: evaluates a policy for each request as AWS documents it.

The actions of a request: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
and, for conditions, https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
moto's IAM ignores conditions, and checks a batch of deletions against the bucket only.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import unescape

from tests.support.s3.fault_proxy import Answer, FaultProxy, Request

_BUCKET_ACTIONS = {
    "versions": "s3:ListBucketVersions",
    "uploads": "s3:ListBucketMultipartUploads",
    "versioning": "s3:GetBucketVersioning",
    "lifecycle": "s3:GetLifecycleConfiguration",
    "object-lock": "s3:GetBucketObjectLockConfiguration",
}
_LISTING_ACTIONS = ("s3:ListBucket", "s3:ListBucketVersions")


@dataclass(frozen=True, kw_only=True)
class RequiredPermission:
    """One action on one resource, with the request's values for condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def is_allowed(policy: Mapping, need: RequiredPermission) -> bool:
    """Evaluate as IAM does: Deny overrides Allow, and everything else is denied."""
    effects = {
        statement["Effect"] for statement in policy["Statement"] if _applies(statement, need)
    }
    return effects == {"Allow"}


def _applies(statement: Mapping, need: RequiredPermission) -> bool:
    return (
        any(
            matches_pattern(pattern, need.action, ignores_case=True)
            for pattern in _as_list(statement["Action"])
        )
        and any(
            matches_pattern(pattern, need.resource) for pattern in _as_list(statement["Resource"])
        )
        and all(
            _condition_holds(operator, key, _as_list(values), need.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _condition_holds(
    operator: str, key: str, values: Sequence[str], context: Mapping[str, str]
) -> bool:
    match operator:
        case "StringLike":
            return key in context and any(
                matches_pattern(pattern, context[key]) for pattern in values
            )
        case "StringEquals":
            return key in context and context[key] in values
        case "Null":
            return values == [str(key not in context).lower()]
        case _:
            raise AssertionError(f"{operator} is not supported")


def matches_pattern(pattern: str, text: str, *, ignores_case: bool = False) -> bool:
    """Return True if IAM's pattern matches: `*` and `?` are wildcards, `${*}` etc. are literal."""
    parts = re.findall(r"\$\{[*?$]\}|.", pattern, re.DOTALL)
    regex = "".join(
        {"*": ".*", "?": "."}.get(part) or re.escape(part[2] if len(part) > 1 else part)
        for part in parts
    )
    flags = re.DOTALL | (re.IGNORECASE if ignores_case else 0)
    return re.fullmatch(regex, text, flags) is not None


def _as_list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


class IamProxy(FaultProxy):
    """Forwards requests that `policy` allows to an S3; `needed` collects the actions."""

    def __init__(self, upstream: str, policy: Mapping) -> None:
        super().__init__(upstream)
        self.policy = policy
        self.needed: set[str] = set()
        self.denied: list[RequiredPermission] = []

    def _forward(self, request: Request) -> Answer:
        path = urlsplit(request.target)
        if request.method == "POST" and "delete" in parse_qs(path.query, keep_blank_values=True):
            return self._delete_batch(request, unquote(path.path).strip("/"))
        if not self._is_allowed(_needs(request)):
            return Answer(
                status=403,
                body=b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
            )
        return super()._forward(request)

    def _delete_batch(self, request: Request, bucket: str) -> Answer:
        object_elements = re.findall("<Object>(.*?)</Object>", request.body.decode(), re.DOTALL)
        refused = {
            key: ("AccessDenied", "Access Denied")
            for key, object_xml in zip(request.batch_keys, object_elements, strict=True)
            if not self._is_allowed(_needs_of_deletion(bucket, unescape(key), object_xml))
        }
        if not refused:
            return super()._forward(request)
        allowed_elements = [
            object_xml
            for key, object_xml in zip(request.batch_keys, object_elements, strict=True)
            if key not in refused
        ]
        deleted_xml = ""
        if allowed_elements:
            objects = "".join(f"<Object>{object_xml}</Object>" for object_xml in allowed_elements)
            answer = super()._forward(replace(request, body=f"<Delete>{objects}</Delete>".encode()))
            deleted_xml = re.sub(
                r".*<DeleteResult[^>]*>|</DeleteResult>",
                "",
                answer.body.decode(),
                flags=re.DOTALL,
            )
        errors = "".join(
            f"<Error><Key>{key}</Key><Code>AccessDenied</Code>"
            "<Message>Access Denied</Message></Error>"
            for key in refused
        )
        return Answer(
            status=200, body=f"<DeleteResult>{deleted_xml}{errors}</DeleteResult>".encode()
        )

    def _is_allowed(self, needs: Sequence[RequiredPermission]) -> bool:
        denied_needs = [need for need in needs if not is_allowed(self.policy, need)]
        self.needed |= {need.action for need in needs}
        self.denied += denied_needs
        return not denied_needs


def _needs(request: Request) -> list[RequiredPermission]:
    parts = urlsplit(request.target)
    query = parse_qs(parts.query, keep_blank_values=True)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    if not key and "lifecycle" in query and request.method in ("PUT", "DELETE"):
        return [
            RequiredPermission(
                action="s3:PutLifecycleConfiguration", resource=f"arn:aws:s3:::{bucket}"
            )
        ]
    if not key:
        assert request.method == "GET", request.target
        action = next(
            (_BUCKET_ACTIONS[name] for name in _BUCKET_ACTIONS if name in query), "s3:ListBucket"
        )
        context = {}
        if action in _LISTING_ACTIONS and "prefix" in query:
            context["s3:prefix"] = query["prefix"][0]
        return [
            RequiredPermission(action=action, resource=f"arn:aws:s3:::{bucket}", context=context)
        ]
    resource = f"arn:aws:s3:::{bucket}/{key}"
    match request.method:
        case "GET" | "HEAD":
            return [RequiredPermission(action="s3:GetObject", resource=resource)]
        case "PUT" | "POST":
            return [RequiredPermission(action="s3:PutObject", resource=resource)]
        case "DELETE" if "uploadId" in query:
            return [RequiredPermission(action="s3:AbortMultipartUpload", resource=resource)]
        case "DELETE":
            headers = {name.lower(): value for name, value in request.headers.items()}
            version = "<VersionId>" if "versionId" in query else ""
            condition = "<ETag>" if "if-match" in headers else ""
            return _needs_of_deletion(bucket, key, version + condition)
        case _:
            raise AssertionError(f"{request.method} {request.target} is not supported")


def _needs_of_deletion(bucket: str, key: str, object_xml: str) -> list[RequiredPermission]:
    """Return the permissions for a deletion; a version or a condition needs others."""
    resource = f"arn:aws:s3:::{bucket}/{key}"
    if "<VersionId>" in object_xml:
        return [RequiredPermission(action="s3:DeleteObjectVersion", resource=resource)]
    if "<ETag>" not in object_xml:
        return [RequiredPermission(action="s3:DeleteObject", resource=resource)]
    condition = {"s3:if-match": "etag"}
    return [
        RequiredPermission(action="s3:DeleteObject", resource=resource, context=condition),
        RequiredPermission(action="s3:GetObject", resource=resource),
    ]
