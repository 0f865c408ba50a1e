"""What ci3 must be allowed to do for its settings, as IAM's policy: that, and nothing more.

Actions, resources and condition keys are those of
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ci3.constants import JOURNAL_FOLDER, PROBE_NAME
from ci3.core.iam.patterns import IamPattern, literal, of_glob
from ci3.core.inventory.report_location import ReportPlace
from ci3.core.live.sources import LiveKind, LiveSource

POLICY_LIMIT: Final = 6_144
"""Characters of a managed policy, spaces left out.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
_DELETIONS: Final = ("s3:DeleteObject", "s3:DeleteObjectVersion")

Json = Mapping[str, object]


class Purpose(StrEnum):
    """What a policy lets ci3 do."""

    PLAN = "plan"
    APPLY = "apply"
    RESTORE = "restore"
    LIFECYCLE = "lifecycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One target, as far as permissions go; `prefix` is empty or ends with a slash.

    `account` and `region` may be empty: then all are meant. With `insists_on_condition` an object
    may be deleted only on condition that it is the one that was listed.
    """

    bucket: str
    prefix: str = ""
    region: str = ""
    account: str = ""
    protect: Sequence[str] = ()
    live_from: Sequence[LiveSource] = ()
    inventory: ReportPlace | None = None
    stores_journal: bool = False
    delete_versions: bool = False
    insists_on_condition: bool = False

    @property
    def partition(self) -> str:
        """Which of AWS's partitions the bucket is in, as an ARN names it."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    @property
    def bucket_arn(self) -> str:
        """The ARN that permissions on the bucket as a whole are given on."""
        is_arn = self.bucket.startswith("arn:")
        return self.bucket if is_arn else f"arn:{self.partition}:s3:::{self.bucket}"

    def objects_arn(self, pattern: str) -> str:
        """The ARN of objects, named by IAM's pattern of their keys."""
        between = "/object/" if self.bucket.startswith("arn:") else "/"
        return f"{self.bucket_arn}{between}{pattern}"

    def under_prefix(self, pattern: str) -> str:
        """The ARN of objects under the prefix."""
        return self.objects_arn(f"{literal(self.prefix)}{pattern}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy as IAM reads it, and what its reader should know of it."""

    document: Json
    notes: tuple[str, ...] = ()


def policy_for(purpose: Purpose, scopes: Sequence[Scope]) -> Policy:
    """Write the policy that lets ci3 do this, and no more, in all these places."""
    statements: list[Json] = []
    for number, scope in enumerate(scopes, 1):
        suffix = str(number) if len(scopes) > 1 else ""
        for sid, statement in _statements(purpose, scope):
            if statement not in [{**one, "Sid": ""} for one in statements]:
                statements.append({**statement, "Sid": f"{sid}{suffix}"})
    document: Json = {"Version": "2012-10-17", "Statement": statements}
    notes = dict.fromkeys(note for scope in scopes for note in _notes(purpose, scope))
    return Policy(document=document, notes=tuple(notes))


def _statements(purpose: Purpose, scope: Scope) -> Iterator[tuple[str, Json]]:
    listing, on_bucket = _reading(purpose, scope)
    # Only listings of keys know s3:prefix: with that condition all else would be denied.
    within = {"StringLike": {"s3:prefix": f"{literal(scope.prefix)}*"}} if scope.prefix else {}
    yield "ListDeployments", _allow(listing, [scope.bucket_arn], within)
    yield "ReadBucket", _allow(on_bucket, [scope.bucket_arn])
    if purpose is not Purpose.RESTORE:
        yield from _live(scope)
        if place := scope.inventory:
            yield from _reports(place, f"arn:{scope.partition}:s3:::{place.bucket}")
    if purpose in (Purpose.APPLY, Purpose.LIFECYCLE):
        yield from _deleting(scope)
    if purpose is Purpose.RESTORE:
        deployments = [scope.under_prefix("*/*")]
        yield "RemoveDeleteMarkers", _allow(["s3:DeleteObjectVersion"], deployments)
        if scope.stores_journal:
            yield "ReadJournals", _allow(["s3:GetObject"], [_journals(scope)])
    if purpose is Purpose.LIFECYCLE:
        yield "WriteLifecycle", _allow(["s3:PutLifecycleConfiguration"], [scope.bucket_arn])


def _reading(purpose: Purpose, scope: Scope) -> tuple[list[str], list[str]]:
    """Name what lists keys, and what reads of the bucket as a whole."""
    versions = "s3:ListBucketVersions"
    on_bucket = ["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"]
    if purpose is Purpose.RESTORE:
        return ["s3:ListBucket", versions] if scope.stores_journal else [versions], on_bucket
    is_deleting = purpose in (Purpose.APPLY, Purpose.LIFECYCLE)
    needs_versions = is_deleting or scope.delete_versions
    if is_deleting:
        on_bucket.append("s3:ListBucketMultipartUploads")
    return ["s3:ListBucket", *([versions] if needs_versions else [])], on_bucket


def _live(scope: Scope) -> Iterator[tuple[str, Json]]:
    sources = scope.live_from
    if any(one.kind is LiveKind.CLOUDFRONT for one in sources):
        yield "ReadLiveFromCloudFront", _allow(["cloudfront:ListDistributions"], ["*"])
    if parameters := [one.argument for one in sources if one.kind is LiveKind.SSM]:
        resources = [_parameter(scope, name) for name in parameters]
        yield "ReadLiveFromParameter", _allow(["ssm:GetParameter"], resources)
    if pointers := [one.argument for one in sources if one.kind is LiveKind.OBJECT]:
        resources = [scope.objects_arn(literal(key)) for key in pointers]
        yield "ReadLiveFromObject", _allow(["s3:GetObject"], resources)


def _reports(place: ReportPlace, bucket_arn: str) -> Iterator[tuple[str, Json]]:
    keys = f"{literal(place.folder)}*"
    yield "ReadInventoryReports", _allow(["s3:GetObject"], [f"{bucket_arn}/{keys}"])
    if place.is_folder:
        within = {"StringLike": {"s3:prefix": keys}}
        yield "FindInventoryReports", _allow(["s3:ListBucket"], [bucket_arn], within)


def _parameter(scope: Scope, name: str) -> str:
    if name.startswith("arn:"):
        return name
    place = f"arn:{scope.partition}:ssm:{scope.region or '*'}:{scope.account or '*'}"
    return f"{place}:parameter/{literal(name.removeprefix('/'))}"


def _deleting(scope: Scope) -> Iterator[tuple[str, Json]]:
    # Objects in folders only: files beside them are no deployments. Probes are tried beside them.
    deployments = scope.under_prefix("*/*")
    probes = scope.under_prefix(f"{PROBE_NAME}*")
    condition = {"Null": {"s3:if-match": "false"}} if scope.insists_on_condition else {}
    yield "DeleteObjects", _allow(["s3:DeleteObject"], [deployments, probes], condition)
    yield "JudgeConditions", _allow(["s3:GetObject"], [deployments, probes])
    if scope.delete_versions:
        yield "DeleteVersions", _allow(["s3:DeleteObjectVersion"], [deployments])
    yield "AbortUploads", _allow(["s3:AbortMultipartUpload"], [deployments])
    if scope.stores_journal:
        yield "WriteJournals", _allow(["s3:PutObject"], [_journals(scope)])
    kept = [scope.under_prefix(f"{name}/*") for one in scope.protect for name in _held_by(one)]
    denied = _allow(_DELETIONS, [*kept, _journals(scope)])
    yield "NeverDelete", {**denied, "Effect": "Deny"}


def _held_by(protected: str) -> list[str]:
    """Name as patterns what is protected: what a glob matches, and a folder that is called so."""
    by_glob = of_glob(protected).text
    return [by_glob, literal(protected)] if "[" in protected else [by_glob]


def _journals(scope: Scope) -> str:
    return scope.under_prefix(f"{JOURNAL_FOLDER}/*")


def _allow(actions: Iterable[str], resources: Iterable[str], condition: Json | None = None) -> Json:
    statement: dict[str, object] = {
        "Sid": "",
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(dict.fromkeys(resources)),
    }
    return {**statement, "Condition": condition} if condition else statement


def _notes(purpose: Purpose, scope: Scope) -> Iterator[str]:
    if purpose in (Purpose.APPLY, Purpose.LIFECYCLE):
        for glob in scope.protect:
            yield from _notes_of_glob(glob, of_glob(glob))
    if purpose is Purpose.RESTORE:
        return
    if any(one.kind is LiveKind.SSM for one in scope.live_from):
        if not scope.account and any(
            one.kind is LiveKind.SSM and not one.argument.startswith("arn:")
            for one in scope.live_from
        ):
            yield "the parameter is named in every account: --account-id narrows it"
        yield (
            "where the parameter is a SecureString with a key of your own, allow kms:Decrypt on "
            "that key too"
        )
    if scope.inventory:
        yield (
            "where inventory reports are encrypted with a key of your own, allow kms:Decrypt on "
            "that key too"
        )
    if any(one.kind.is_on_github for one in scope.live_from):
        yield "what live-from asks GitHub is allowed by the workflow's permissions, not by this"
    if purpose in (Purpose.APPLY, Purpose.LIFECYCLE) and scope.insists_on_condition:
        yield (
            "without a condition S3 denies each deletion: that is right at AWS, and on another S3 "
            "only if it honours conditions (`ci3 doctor --probe-deletes` tells)"
        )


def _notes_of_glob(glob: str, pattern: IamPattern) -> Iterator[str]:
    if pattern.is_wider:
        yield (
            f"protect has {glob}, and IAM has no [...]: the Deny holds any character there, so "
            "more than is protected; a cleanup that meets one is told as denied"
        )
    if pattern.reaches_deeper:
        yield (
            f"protect has {glob}, and IAM's * goes on past a slash: the Deny also holds folders of "
            "such a name inside other deployments; a cleanup that meets one is told as denied"
        )
