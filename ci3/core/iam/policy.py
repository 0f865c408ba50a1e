"""Build the least-privilege IAM policy for ci3 with given settings.

Source of the actions, resources and condition keys:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ci3.constants import JOURNAL_FOLDER, PROBE_KEY_PREFIX, RESTORE_PROBE_KEY_PREFIX
from ci3.core.iam.patterns import IamPattern, escape_literal, translate_glob
from ci3.core.inventory.report_location import ReportLocation
from ci3.core.live.sources import LiveKind, LiveSource
from ci3.core.model.prefix_pattern import (
    FOLDER_PLACEHOLDER,
    PatternLevel,
    PrefixPattern,
    is_pattern,
)

MAX_POLICY_CHARACTERS: Final = 6_144
"""Maximum number of characters in a managed policy, not counting white space.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
_DELETE_ACTIONS: Final = ("s3:DeleteObject", "s3:DeleteObjectVersion")

JsonObject = Mapping[str, object]


class Purpose(StrEnum):
    """The ci3 operation that a policy allows."""

    PLAN = "plan"
    APPLY = "apply"
    RESTORE = "restore"
    LIFECYCLE = "lifecycle"
    PROBE_RESTORE = "probe-restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class IamTarget:
    """The settings of one target that affect permissions.

    `prefix` is empty or ends with a slash. `partition` is that of the region as in an ARN, such as
    `aws-cn`. An empty `account` or `region` means any. If
    `requires_conditional_deletes` is True, the policy allows only conditional deletes: those with
    `If-Match`, of exactly the object that was listed.
    """

    bucket: str
    prefix: str = ""
    partition: str = "aws"
    region: str = ""
    account: str = ""
    protect: Sequence[str] = ()
    live_from: Sequence[LiveSource] = ()
    inventory: ReportLocation | None = None
    stores_journal: bool = False
    delete_versions: bool = False
    requires_conditional_deletes: bool = False

    @property
    def bucket_arn(self) -> str:
        """The ARN for permissions on the bucket itself."""
        is_arn = self.bucket.startswith("arn:")
        return self.bucket if is_arn else f"arn:{self.partition}:s3:::{self.bucket}"

    def build_objects_arn(self, pattern: str) -> str:
        """Return the ARN of the objects whose keys match an IAM pattern."""
        separator = "/object/" if self.bucket.startswith("arn:") else "/"
        return f"{self.bucket_arn}{separator}{pattern}"

    def build_prefix_arn(self, pattern: str) -> str:
        """Return the ARN of the objects under the prefix that match an IAM pattern."""
        return self.build_objects_arn(f"{self.prefix_text}{pattern}")

    @property
    def prefix_text(self) -> str:
        """The prefix as an IAM pattern: each `*` of a prefix pattern is kept."""
        return _escape_except(self.prefix, "*")

    @property
    def levels(self) -> list[tuple[str, PatternLevel]]:
        """The levels of a prefix pattern, each with its parent folder as an IAM pattern."""
        levels, parent = [], ""
        for level in PrefixPattern(self.prefix).levels:
            folder = f"{parent}{escape_literal(level.parent)}"
            levels.append((folder, level))
            parent = f"{folder}{_escape_except(level.segment, '*')}/"
        return levels

    @property
    def listed_prefixes(self) -> list[str]:
        """The prefixes that are listed, as IAM patterns; empty if the root is one of them."""
        levels = [f"{folder}{escape_literal(level.beginning)}" for folder, level in self.levels]
        if not self.prefix or "" in levels:
            return []
        return [*levels, f"{self.prefix_text}*"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IamPolicy:
    """An IAM policy document, and notes for its reader."""

    document: JsonObject
    notes: tuple[str, ...] = ()


def build_policy(purpose: Purpose, targets: Sequence[IamTarget]) -> IamPolicy:
    """Return the policy that allows exactly this operation on all the targets."""
    statements: list[JsonObject] = []
    for number, target in enumerate(targets, 1):
        suffix = str(number) if len(targets) > 1 else ""
        for sid, statement in _build_statements(purpose, target):
            if statement not in [{**previous, "Sid": ""} for previous in statements]:
                statements.append({**statement, "Sid": f"{sid}{suffix}"})
    document: JsonObject = {"Version": "2012-10-17", "Statement": statements}
    notes = dict.fromkeys(note for target in targets for note in _find_notes(purpose, target))
    return IamPolicy(document=document, notes=tuple(notes))


def _build_statements(purpose: Purpose, target: IamTarget) -> Iterator[tuple[str, JsonObject]]:
    list_actions, bucket_actions = _select_read_actions(purpose, target)
    # Only requests that list keys have s3:prefix: the condition would deny any other action.
    prefixes = target.listed_prefixes
    values = prefixes[0] if len(prefixes) == 1 else prefixes
    prefix_condition = {"StringLike": {"s3:prefix": values}} if prefixes else {}
    yield "ListDeployments", _allow(list_actions, [target.bucket_arn], prefix_condition)
    yield "ReadBucket", _allow(bucket_actions, [target.bucket_arn])
    if purpose not in (Purpose.RESTORE, Purpose.PROBE_RESTORE):
        yield from _build_live_statements(target)
        if location := target.inventory:
            yield from _build_report_statements(
                location, f"arn:{target.partition}:s3:::{location.bucket}"
            )
    if purpose is Purpose.PLAN:
        # Records of restores, and the journals of unfinished runs, whoever stored them.
        yield "ReadJournals", _allow(["s3:GetObject"], [_journals_arn(target)])
    if purpose in (Purpose.APPLY, Purpose.LIFECYCLE):
        yield from _build_delete_statements(target)
    if purpose is Purpose.RESTORE:
        deployments = [target.build_prefix_arn("*/*")]
        yield "RemoveDeleteMarkers", _allow(["s3:DeleteObjectVersion"], deployments)
        if target.stores_journal:
            records = [target.build_prefix_arn(f"{JOURNAL_FOLDER}/restored/*")]
            yield "RecordRestores", _allow(["s3:PutObject"], records)
            yield "ReadJournals", _allow(["s3:GetObject"], [_journals_arn(target)])
    if purpose is Purpose.PROBE_RESTORE:
        probes = [target.build_prefix_arn(f"{RESTORE_PROBE_KEY_PREFIX}*")]
        yield "ProbeRestore", _allow(["s3:PutObject", "s3:GetObject", *_DELETE_ACTIONS], probes)
    if purpose is Purpose.LIFECYCLE:
        yield "WriteLifecycle", _allow(["s3:PutLifecycleConfiguration"], [target.bucket_arn])


def _select_read_actions(purpose: Purpose, target: IamTarget) -> tuple[list[str], list[str]]:
    """Return the actions that list keys, and those that read the configuration of the bucket."""
    versions = "s3:ListBucketVersions"
    bucket_actions = ["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"]
    # Listed by a plan that would delete an incomplete deployment, and by each apply.
    uploads = "s3:ListBucketMultipartUploads"
    if purpose in (Purpose.RESTORE, Purpose.PROBE_RESTORE):
        return ["s3:ListBucket", versions], bucket_actions
    is_deleting = purpose in (Purpose.APPLY, Purpose.LIFECYCLE)
    needs_versions = is_deleting or target.delete_versions
    return ["s3:ListBucket", *([versions] if needs_versions else [])], [*bucket_actions, uploads]


def _build_live_statements(target: IamTarget) -> Iterator[tuple[str, JsonObject]]:
    sources = target.live_from
    if any(source.kind is LiveKind.CLOUDFRONT for source in sources):
        yield "ReadLiveFromCloudFront", _allow(["cloudfront:ListDistributions"], ["*"])
    if parameters := [source.argument for source in sources if source.kind is LiveKind.SSM]:
        resources = [_parameter_arn(target, name) for name in parameters]
        yield "ReadLiveFromParameter", _allow(["ssm:GetParameter"], resources)
    if pointers := [source.argument for source in sources if source.kind is LiveKind.OBJECT]:
        resources = [target.build_objects_arn(_escape_source(key)) for key in pointers]
        yield "ReadLiveFromObject", _allow(["s3:GetObject"], resources)


def _build_report_statements(
    location: ReportLocation, bucket_arn: str
) -> Iterator[tuple[str, JsonObject]]:
    keys = f"{escape_literal(location.folder)}*"
    yield "ReadInventoryReports", _allow(["s3:GetObject"], [f"{bucket_arn}/{keys}"])
    if location.is_folder:
        prefix_condition = {"StringLike": {"s3:prefix": keys}}
        yield "FindInventoryReports", _allow(["s3:ListBucket"], [bucket_arn], prefix_condition)


def _parameter_arn(target: IamTarget, name: str) -> str:
    if name.startswith("arn:"):
        return name.replace(FOLDER_PLACEHOLDER, "*")
    path = f"arn:{target.partition}:ssm:{target.region or '*'}:{target.account or '*'}"
    return f"{path}:parameter/{_escape_source(name.removeprefix('/'))}"


def _escape_source(text: str) -> str:
    """Return an IAM pattern for a parameter's name or a key, with `*` in place of `{folder}`."""
    return _escape_except(text, FOLDER_PLACEHOLDER)


def _escape_except(text: str, wildcard: str) -> str:
    """Escape a text as an IAM pattern, with `*` in place of each wildcard."""
    return "*".join(map(escape_literal, text.split(wildcard)))


def _build_delete_statements(target: IamTarget) -> Iterator[tuple[str, JsonObject]]:
    # Only objects in folders: files directly under the prefix are not deployments. The probes of
    # conditional deletes are the exception, their keys are directly under the prefix.
    deployments = target.build_prefix_arn("*/*")
    probes = target.build_prefix_arn(f"{PROBE_KEY_PREFIX}*")
    condition = {"Null": {"s3:if-match": "false"}} if target.requires_conditional_deletes else {}
    yield "DeleteObjects", _allow(["s3:DeleteObject"], [deployments, probes], condition)
    yield "ConditionalDeletes", _allow(["s3:GetObject"], [deployments, probes])
    if target.delete_versions:
        yield "DeleteVersions", _allow(["s3:DeleteObjectVersion"], [deployments])
    yield "AbortUploads", _allow(["s3:AbortMultipartUpload"], [deployments])
    if target.stores_journal:
        yield "WriteJournals", _allow(["s3:PutObject"], [_journals_arn(target)])
    protected = [
        target.build_prefix_arn(f"{pattern}/*")
        for name in target.protect
        for pattern in _build_protect_patterns(name)
    ]
    # In IAM the `*` of a pattern matches `.ci3` too: `apps/*/*/*` includes the journals of `apps/`.
    journals = [
        target.build_objects_arn(f"{folder}{JOURNAL_FOLDER}/*")
        for folder, level in target.levels
        if JOURNAL_FOLDER.startswith(level.beginning)
    ]
    denied = _allow(_DELETE_ACTIONS, [*protected, *journals, _journals_arn(target)])
    yield "NeverDelete", {**denied, "Effect": "Deny"}


def _build_protect_patterns(name: str) -> list[str]:
    """Return the IAM patterns of a `protect` name.

    It protects what it matches as a glob, and also the folder of exactly that name:
    `v[12]` gives `v?` and `v[12]`.
    """
    by_glob = translate_glob(name).text
    return [by_glob, escape_literal(name)] if "[" in name else [by_glob]


def _journals_arn(target: IamTarget) -> str:
    return target.build_prefix_arn(f"{JOURNAL_FOLDER}/*")


def _allow(
    actions: Iterable[str], resources: Iterable[str], condition: JsonObject | None = None
) -> JsonObject:
    statement: dict[str, object] = {
        "Sid": "",
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(dict.fromkeys(resources)),
    }
    return {**statement, "Condition": condition} if condition else statement


def _find_notes(purpose: Purpose, target: IamTarget) -> Iterator[str]:
    if is_pattern(target.prefix):
        yield (
            f"prefix is {target.prefix}, but * in IAM also matches slashes: the policy also "
            "applies to deeper folders"
        )
    if purpose in (Purpose.APPLY, Purpose.LIFECYCLE):
        yield from (
            note for glob in target.protect for note in _find_glob_notes(glob, translate_glob(glob))
        )
    if purpose is Purpose.PROBE_RESTORE:
        yield (
            "attach it to a separate role, or replace the policy for `apply` during the probe: "
            "the policy for `apply` denies deletions in .ci3/"
        )
    if purpose in (Purpose.RESTORE, Purpose.PROBE_RESTORE):
        return
    if any(source.kind is LiveKind.SSM for source in target.live_from):
        if not target.account and any(
            source.kind is LiveKind.SSM and not source.argument.startswith("arn:")
            for source in target.live_from
        ):
            yield "the policy allows the parameter in every account: restrict it with --account-id"
        yield (
            "if the parameter is a SecureString with your own KMS key, also allow kms:Decrypt on "
            "that key"
        )
    if target.inventory:
        yield (
            "if inventory reports are encrypted with your own KMS key, also allow kms:Decrypt on "
            "that key"
        )
    if any(source.kind.is_on_github for source in target.live_from):
        yield "live-from sources on GitHub need permissions of the workflow, not of this policy"
    if purpose in (Purpose.APPLY, Purpose.LIFECYCLE) and target.requires_conditional_deletes:
        yield (
            "S3 denies every deletion that is not conditional: use this on AWS, and on another S3 "
            "service only if it supports conditional deletes (check with "
            "`ci3 doctor --probe-deletes`)"
        )


def _find_glob_notes(glob: str, pattern: IamPattern) -> Iterator[str]:
    if pattern.is_wider:
        yield (
            f"protect has {glob}, but IAM does not support [...]: the Deny statement matches any "
            "character there, so it protects more; a cleanup reports such deletions as denied"
        )
    if pattern.reaches_deeper:
        yield (
            f"protect has {glob}, but * in IAM also matches slashes: the Deny statement also "
            "protects folders with such names inside other deployments; a cleanup reports such "
            "deletions as denied"
        )
