"""IAM in front of the in-process S3: judges each request by a policy, as AWS's reference says.

What a request needs: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
and, for conditions, https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
moto's own IAM knows no conditions, and judges a batch of deletions by the bucket.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import unescape

from tests.support.s3.fault_proxy import Answer, FaultProxy, Request

_OF_BUCKET = {
    "versions": "s3:ListBucketVersions",
    "uploads": "s3:ListBucketMultipartUploads",
    "versioning": "s3:GetBucketVersioning",
    "lifecycle": "s3:GetLifecycleConfiguration",
    "object-lock": "s3:GetBucketObjectLockConfiguration",
}
_LISTS_KEYS = ("s3:ListBucket", "s3:ListBucketVersions")


@dataclass(frozen=True, kw_only=True)
class Need:
    """One action on one resource, and what the request says of the keys that conditions know."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allows(policy: Mapping, need: Need) -> bool:
    """Judge as IAM does: a Deny goes before all, and nothing is allowed that no Allow names."""
    effects = {one["Effect"] for one in policy["Statement"] if _is_about(one, need)}
    return effects == {"Allow"}


def _is_about(statement: Mapping, need: Need) -> bool:
    return (
        any(like(one, need.action, ignores_case=True) for one in _each(statement["Action"]))
        and any(like(one, need.resource) for one in _each(statement["Resource"]))
        and all(
            _holds(operator, key, _each(values), need.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, key: str, values: Sequence[str], context: Mapping[str, str]) -> bool:
    match operator:
        case "StringLike":
            return key in context and any(like(one, context[key]) for one in values)
        case "StringEquals":
            return key in context and context[key] in values
        case "Null":
            return values == [str(key not in context).lower()]
        case _:
            raise AssertionError(f"{operator} is not known here")


def like(pattern: str, text: str, *, ignores_case: bool = False) -> bool:
    """Whether IAM's pattern matches a text: `*` and `?` are wild, `${*}` and so on are not."""
    parts = re.findall(r"\$\{[*?$]\}|.", pattern, re.DOTALL)
    regex = "".join(
        {"*": ".*", "?": "."}.get(part) or re.escape(part[2] if len(part) > 1 else part)
        for part in parts
    )
    flags = re.DOTALL | (re.IGNORECASE if ignores_case else 0)
    return re.fullmatch(regex, text, flags) is not None


def _each(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


class IamProxy(FaultProxy):
    """Passes on to an S3 what `policy` allows, and denies the rest; `needed` are the actions."""

    def __init__(self, upstream: str, policy: Mapping) -> None:
        super().__init__(upstream)
        self.policy = policy
        self.needed: set[str] = set()
        self.denied: list[Need] = []

    def _pass_on(self, request: Request) -> Answer:
        path = urlsplit(request.target)
        if request.method == "POST" and "delete" in parse_qs(path.query, keep_blank_values=True):
            return self._delete_batch(request, unquote(path.path).strip("/"))
        if not self._is_allowed(_needs(request)):
            return Answer(
                status=403,
                body=b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
            )
        return super()._pass_on(request)

    def _delete_batch(self, request: Request, bucket: str) -> Answer:
        asked = re.findall("<Object>(.*?)</Object>", request.body.decode(), re.DOTALL)
        refused = {
            key: ("AccessDenied", "no")
            for key, one in zip(request.batch_keys, asked, strict=True)
            if not self._is_allowed(_needs_of_deletion(bucket, unescape(key), one))
        }
        if not refused:
            return super()._pass_on(request)
        left = [one for key, one in zip(request.batch_keys, asked, strict=True)
                if key not in refused]  # fmt: skip
        done = ""
        if left:
            objects = "".join(f"<Object>{one}</Object>" for one in left)
            answered = super()._pass_on(
                replace(request, body=f"<Delete>{objects}</Delete>".encode())
            )
            done = re.sub(
                r".*<DeleteResult[^>]*>|</DeleteResult>",
                "",
                answered.body.decode(),
                flags=re.DOTALL,
            )
        errors = "".join(
            f"<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
            for key in refused
        )
        return Answer(status=200, body=f"<DeleteResult>{done}{errors}</DeleteResult>".encode())

    def _is_allowed(self, needs: Sequence[Need]) -> bool:
        denied = [one for one in needs if not allows(self.policy, one)]
        self.needed |= {one.action for one in needs}
        self.denied += denied
        return not denied


def _needs(request: Request) -> list[Need]:
    parts = urlsplit(request.target)
    query = parse_qs(parts.query, keep_blank_values=True)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    if not key and "lifecycle" in query and request.method in ("PUT", "DELETE"):
        return [Need(action="s3:PutLifecycleConfiguration", resource=f"arn:aws:s3:::{bucket}")]
    if not key:
        assert request.method == "GET", request.target
        action = next((_OF_BUCKET[name] for name in _OF_BUCKET if name in query), "s3:ListBucket")
        context = {}
        if action in _LISTS_KEYS and "prefix" in query:
            context["s3:prefix"] = query["prefix"][0]
        return [Need(action=action, resource=f"arn:aws:s3:::{bucket}", context=context)]
    resource = f"arn:aws:s3:::{bucket}/{key}"
    match request.method:
        case "GET" | "HEAD":
            return [Need(action="s3:GetObject", resource=resource)]
        case "PUT" | "POST":
            return [Need(action="s3:PutObject", resource=resource)]
        case "DELETE" if "uploadId" in query:
            return [Need(action="s3:AbortMultipartUpload", resource=resource)]
        case "DELETE":
            says = {name.lower(): value for name, value in request.headers.items()}
            version = "<VersionId>" if "versionId" in query else ""
            condition = "<ETag>" if "if-match" in says else ""
            return _needs_of_deletion(bucket, key, version + condition)
        case _:
            raise AssertionError(f"{request.method} {request.target} is not known here")


def _needs_of_deletion(bucket: str, key: str, asked: str) -> list[Need]:
    """Name what deleting needs: by version another action, on condition one more."""
    resource = f"arn:aws:s3:::{bucket}/{key}"
    if "<VersionId>" in asked:
        return [Need(action="s3:DeleteObjectVersion", resource=resource)]
    if "<ETag>" not in asked:
        return [Need(action="s3:DeleteObject", resource=resource)]
    condition = {"s3:if-match": "etag"}
    return [
        Need(action="s3:DeleteObject", resource=resource, context=condition),
        Need(action="s3:GetObject", resource=resource),
    ]
