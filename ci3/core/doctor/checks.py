"""Turn the facts about a bucket into findings, in the order in which they are reported."""

import shlex
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from ci3.constants import RESTORE_CHECK
from ci3.core.doctor.facts import NOT_REQUESTED, BucketFacts, RestoreProbe, Unavailable
from ci3.core.doctor.finding import Finding, note, ok, problem, warning
from ci3.core.doctor.folder_checks import check_folders
from ci3.core.doctor.rule_checks import can_apply_to_deployments, check_rules
from ci3.core.formatting import format_age, pluralize
from ci3.core.model.deployment import Versioning, VersioningState
from ci3.core.model.result import DeleteGuard

_ABANDONED_AFTER: Final = timedelta(days=7)
"""Age after which an unfinished upload counts as abandoned: a live one would have ended by then."""


def check_bucket(facts: BucketFacts) -> tuple[Finding, ...]:
    """Return the findings of all checks, in the order in which they are reported."""
    return (
        *_check_identity(facts),
        *_check_region(facts),
        *_check_access(facts),
        *_check_delete_permission(facts),
        *_check_versioning(facts),
        *_check_restore_probe(facts),
        *_check_object_lock(facts),
        *_check_lifecycle_rules(facts),
        *_check_uploads(facts),
        *check_folders(facts),
    )


def _check_identity(facts: BucketFacts) -> Iterator[Finding]:
    topic, identity = "identity", facts.identity
    if isinstance(identity, Unavailable):
        not_aws = f"{facts.doctor_target.target.endpoint_url} is not AWS"
        reason = identity.problem if identity.is_requested else not_aws
        yield note(topic, f"Identity unknown: {reason}", identity.hint)
    elif identity.endswith(":root"):
        yield warning(
            topic,
            "These are credentials of the AWS account's root user, which has all permissions",
            "Use a role with only the permissions that ci3 needs; see `ci3 iam-policy apply`.",
        )
    else:
        yield ok(topic, f"Authenticated as {identity}")


def _check_region(facts: BucketFacts) -> Iterator[Finding]:
    topic, target, reported_region = "region", facts.doctor_target.target, facts.bucket_region
    at_endpoint = f" at {target.endpoint_url}" if target.endpoint_url else ""
    if reported_region and reported_region != target.region:
        message = (
            f"The bucket is in {reported_region}, but requests are sent to "
            f"{target.region}{at_endpoint} and redirected"
        )
        yield note(topic, message, f"Set region to {reported_region}.")
    elif reported_region:
        yield ok(topic, f"{reported_region}{at_endpoint}, as reported by S3")
    elif not isinstance(facts.folders, Unavailable):
        yield ok(topic, f"{target.region}{at_endpoint}")


def _check_access(facts: BucketFacts) -> Iterator[Finding]:
    topic, url, folders = "list", facts.doctor_target.target.url, facts.folders
    if not isinstance(folders, Unavailable):
        yield ok(topic, f"Listing {url} is allowed")
    elif folders.is_denied:
        advice = _advise_permission(facts, "s3:ListBucket")
        yield problem(topic, f"Listing {url} is not allowed", advice, is_of_access=True)
    else:
        yield problem(topic, folders.problem, folders.hint, is_of_access=folders.is_of_access)
    topic, lists_versions = "list versions", facts.lists_versions
    if not isinstance(lists_versions, Unavailable):
        yield ok(topic, "Listing noncurrent versions is allowed")
        return
    message = (
        "Noncurrent versions cannot be listed: restore and delete-versions do not work, and the "
        "journal does not record versions"
    )
    policy = _advise_policy(facts, "apply")
    advice = f"Not needed for plans. For apply, allow s3:ListBucketVersions: {policy}"
    yield from _report_unavailable(topic, lists_versions, message, advice, note)


def _check_delete_permission(facts: BucketFacts) -> Iterator[Finding]:
    topic, probe = "delete", facts.probe
    if isinstance(probe, Unavailable):
        if probe.is_requested:
            message = f"Delete permission could not be tested: {probe.problem}"
            yield problem(topic, message, probe.hint, is_of_access=True)
        elif not isinstance(facts.folders, Unavailable):
            yield note(
                topic,
                "Delete permission not tested",
                "Not needed for plans. To test it, set probe-deletes: it sends delete requests for "
                "keys that do not exist.",
            )
    elif probe.is_denied:
        yield problem(
            topic,
            "Deleting is not allowed",
            "Not needed for plans. For apply, allow s3:DeleteObject, and s3:GetObject for "
            f"conditional deletes: {_advise_policy(facts, 'apply')}",
            is_of_access=True,
        )
    elif probe.guard is DeleteGuard.ETAG:
        message = "Deleting is allowed, and objects whose content has changed are not deleted"
        yield ok(topic, f"{message} ({probe.reason})")
    else:
        is_permitted = probe.guard is DeleteGuard.ETAG_SINGLE
        result = "Deleting is allowed" if is_permitted else "Deleting was not denied"
        yield warning(
            topic,
            f"{result}, but objects may be deleted although they have changed ({probe.reason})",
            "ci3 lists objects again right before it deletes them, but an object that is "
            "overwritten in the seconds after that may be lost. Deploy each commit to a separate "
            "folder.",
        )


def _check_versioning(facts: BucketFacts) -> Iterator[Finding]:
    topic, state = "versioning", facts.versioning
    if isinstance(state, Unavailable):
        message = "Versioning status unknown; assume deletion is permanent"
        advice = _advise_permission(facts, "s3:GetBucketVersioning")
        yield from _report_unavailable(topic, state, message, advice)
        return
    match state.versioning:
        case Versioning.ENABLED:
            yield from _check_restore(facts)
        case Versioning.SUSPENDED:
            yield warning(
                topic,
                "Suspended: deleting objects that were uploaded since then is permanent",
                "To be able to restore deletions with `ci3 restore`, turn versioning on again.",
            )
        case _:
            yield note(
                topic,
                "Off: deletion is permanent",
                "To be able to restore deletions, turn versioning on, with a lifecycle rule that "
                "removes noncurrent versions after some days.",
            )
    if state.has_mfa_delete:
        create_finding = warning if not facts.doctor_target.delete_versions else problem
        yield create_finding(
            "MFA delete",
            "On: S3 does not remove versions and delete markers without a token, so `ci3 restore` "
            "and delete-versions do not work",
            "To use them, turn MFA delete off. Other deletions work with it.",
        )


def _check_restore(facts: BucketFacts) -> Iterator[Finding]:
    topic, rules = "versioning", facts.rules
    if facts.doctor_target.delete_versions:
        yield warning(
            topic,
            "On, but delete-versions is set: deletion is permanent",
            "To be able to restore deletions, do not set delete-versions.",
        )
        return
    condition = "" if _can_restore(facts) else ", if this store supports it"
    if isinstance(rules, Unavailable):
        yield ok(topic, f"On: deletions can be restored with `ci3 restore`{condition}")
        return
    matching = (rule for rule in rules if can_apply_to_deployments(rule, facts))
    terms = [
        (rule.noncurrent_days, rule.keeps_newer_versions)
        for rule in matching
        if rule.noncurrent_days is not None
    ]
    if not terms:
        yield note(
            topic,
            f"On: deletions can be restored at any time{condition}; noncurrent versions stay and "
            "are still billed",
            "To free storage as well, add a lifecycle rule with NoncurrentVersionExpiration, such "
            "as 30 days, or set delete-versions.",
        )
    else:
        days, is_minimum = min(terms)
        term = f"{'at least ' if is_minimum else ''}{pluralize(days, 'day')}"
        yield ok(
            topic,
            f"On: deletions can be restored with `ci3 restore` for {term}{condition}, until a "
            "lifecycle rule removes the noncurrent versions",
        )


def _can_restore(facts: BucketFacts) -> bool:
    """Return True if the store is AWS's, or a probe has restored an object."""
    probe = facts.restore_probe
    if isinstance(probe, RestoreProbe):
        return not probe.problem
    return facts.doctor_target.target.is_aws


def _check_restore_probe(facts: BucketFacts) -> Iterator[Finding]:
    topic, probe, state = "restore", facts.restore_probe, facts.versioning
    if probe is NOT_REQUESTED:
        keeps_versions = state == VersioningState(versioning=Versioning.ENABLED)
        if keeps_versions and not _can_restore(facts):
            yield note(
                topic,
                "It is unknown whether this store can restore deleted objects",
                f"To find out, {RESTORE_CHECK}: it writes, deletes and restores one object.",
            )
        return
    if isinstance(probe, Unavailable):
        advice = _advise_policy(facts, "probe-restore") if probe.is_denied else probe.hint
        message = f"The restore test was not completed: {probe.problem}"
        yield problem(topic, message, advice, is_of_access=probe.is_denied)
        return
    if probe.problem:
        yield problem(
            topic,
            f"This store cannot restore deleted objects: {probe.problem}",
            "Assume deletion is permanent: `ci3 restore` would fail here.",
        )
    else:
        yield ok(topic, "`ci3 restore` works here: an object was written, deleted and restored")
    for leftover in probe.leftovers:
        yield warning("leftover", leftover, "Remove it by hand; it is not part of a deployment.")


def _check_object_lock(facts: BucketFacts) -> Iterator[Finding]:
    topic, lock = "object lock", facts.lock
    if isinstance(lock, Unavailable):
        if lock.is_requested:
            permission = (
                " (s3:GetBucketObjectLockConfiguration is not allowed)" if lock.is_denied else ""
            )
            message = f"Object Lock status unknown{permission}"
            yield note(topic, message, "ci3 does not need it: it never bypasses a lock.")
        return
    if not lock.is_enabled:
        yield ok(topic, "Off")
        return
    retention = f", by default for {lock.default}" if lock.default else ""
    if facts.doctor_target.delete_versions:
        yield warning(
            topic,
            f"On{retention}: delete-versions cannot delete locked versions",
            "A deployment with locked versions is deleted only in part and reported as denied "
            "(exit code 3).",
        )
    else:
        yield note(topic, f"On{retention}: locked versions of deleted objects stay")


def _check_lifecycle_rules(facts: BucketFacts) -> Iterator[Finding]:
    rules = facts.rules
    if isinstance(rules, Unavailable):
        message = "Lifecycle rules unknown: they may delete deployments too"
        advice = _advise_permission(facts, "s3:GetLifecycleConfiguration")
        yield from _report_unavailable("lifecycle", rules, message, advice)
    else:
        yield from check_rules(rules, facts)


def _check_uploads(facts: BucketFacts) -> Iterator[Finding]:
    topic, uploads = "uploads", facts.uploads
    if isinstance(uploads, Unavailable):
        message = (
            "Unfinished uploads cannot be listed: incomplete deployments are kept, and unfinished "
            "uploads to deleted deployments stay and are billed"
        )
        advice = _advise_permission(facts, "s3:ListBucketMultipartUploads")
        yield from _report_unavailable(topic, uploads, message, advice, note)
    elif not uploads.count or uploads.oldest_at is None:
        yield ok(topic, "No unfinished uploads")
    else:
        age = facts.read_at - uploads.oldest_at
        message = (
            f"{pluralize(uploads.count, 'unfinished upload')}, the oldest started "
            f"{format_age(age)}: their parts are billed, but not shown in object listings"
        )
        advice = (
            "ci3 aborts those of the deployments that it deletes. For the others, add a lifecycle "
            "rule with AbortIncompleteMultipartUpload, such as 7 days."
        )
        yield (warning if age > _ABANDONED_AFTER else note)(topic, message, advice)


def _report_unavailable(
    topic: str,
    unavailable: Unavailable,
    message: str,
    advice: str,
    create_finding: Callable[[str, str, str], Finding] = warning,
) -> Iterator[Finding]:
    """Yield a finding unless nothing was requested; for a denied request, one with the advice."""
    if unavailable.is_denied:
        yield create_finding(topic, message, advice)
    elif unavailable.is_requested:
        yield warning(topic, f"{message} ({unavailable.problem})", unavailable.hint)


def _advise_permission(facts: BucketFacts, permission: str) -> str:
    return f"Allow {permission}: {_advise_policy(facts, 'plan')}"


def _advise_policy(facts: BucketFacts, purpose: str) -> str:
    target = facts.doctor_target.target
    prefix = f" --prefix {shlex.quote(target.prefix.rstrip('/'))}" if target.prefix else ""
    versions = " --delete-versions" if facts.doctor_target.delete_versions else ""
    command = f"ci3 iam-policy {purpose} --bucket {target.bucket}{prefix}{versions}"
    return f"`{command}` prints the full policy."
