"""Turn the facts about a bucket into findings, in the order in which they are reported."""

import shlex
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from ci3.constants import RESTORE_CHECK
from ci3.core.doctor.facts import NOT_REQUESTED, BucketFacts, RestoreProbe, Unavailable
from ci3.core.doctor.finding import Finding, note, ok, problem, warning
from ci3.core.doctor.folder_checks import check_folders
from ci3.core.doctor.rule_checks import check_rules
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
        yield note(topic, f"who you are can't be told: {reason}", identity.hint)
    elif identity.endswith(":root"):
        yield warning(
            topic,
            "this is an AWS account's root user, who may do anything",
            "Use a role that may do what ci3 needs and no more: `ci3 iam-policy apply`.",
        )
    else:
        yield ok(topic, f"you are {identity}")


def _check_region(facts: BucketFacts) -> Iterator[Finding]:
    topic, target, reported_region = "region", facts.doctor_target.target, facts.bucket_region
    at_endpoint = f" at {target.endpoint_url}" if target.endpoint_url else ""
    if reported_region and reported_region != target.region:
        message = f"the bucket is in {reported_region}, and {target.region} was asked{at_endpoint}"
        advice = f"Set region to {reported_region}."
        yield note(topic, f"{message}: each run is redirected", advice)
    elif reported_region:
        yield ok(topic, f"{reported_region}{at_endpoint}, as the bucket says")
    elif not isinstance(facts.folders, Unavailable):
        yield ok(topic, f"{target.region}{at_endpoint}")


def _check_access(facts: BucketFacts) -> Iterator[Finding]:
    topic, url, folders = "list", facts.doctor_target.target.url, facts.folders
    if not isinstance(folders, Unavailable):
        yield ok(topic, f"you may list {url}")
    elif folders.is_denied:
        advice = _advise_permission(facts, "s3:ListBucket")
        yield problem(topic, f"you may not list {url}", advice, is_of_access=True)
    else:
        yield problem(topic, folders.problem, folders.hint, is_of_access=folders.is_of_access)
    topic, lists_versions = "list versions", facts.lists_versions
    if not isinstance(lists_versions, Unavailable):
        yield ok(topic, "you may list old versions")
        return
    message = (
        "old versions can't be listed: no restore, no delete-versions, and no versions in the "
        "journal"
    )
    policy = _advise_policy(facts, "apply")
    advice = f"Not needed for a plan. To apply, allow s3:ListBucketVersions: {policy}"
    yield from _report_unavailable(topic, lists_versions, message, advice, note)


def _check_delete_permission(facts: BucketFacts) -> Iterator[Finding]:
    topic, probe = "delete", facts.probe
    if isinstance(probe, Unavailable):
        if probe.is_requested:
            message = f"deleting can't be tried: {probe.problem}"
            yield problem(topic, message, probe.hint, is_of_access=True)
        elif not isinstance(facts.folders, Unavailable):
            yield note(
                topic,
                "whether you may delete is not known: doctor only looks",
                "Not needed for a plan. To find out, add probe-deletes: it asks S3 to delete keys "
                "that nobody has.",
            )
    elif probe.is_denied:
        yield problem(
            topic,
            "you may not delete here",
            "Not needed for a plan. To apply, allow s3:DeleteObject, and s3:GetObject, which a "
            f"condition needs: {_advise_policy(facts, 'apply')}",
            is_of_access=True,
        )
    elif probe.guard is DeleteGuard.ETAG:
        yield ok(topic, f"you may delete, and {probe.reason}: only the object that was listed goes")
    else:
        is_permitted = probe.guard is DeleteGuard.ETAG_SINGLE
        result = "you may delete; " if is_permitted else "deleting was not denied; "
        yield warning(
            topic,
            f"{result}{probe.reason}",
            "ci3 lists again right before it deletes; what is uploaded over an object in the "
            "seconds after that goes with it. Deploy each commit to a folder of its own.",
        )


def _check_versioning(facts: BucketFacts) -> Iterator[Finding]:
    topic, state = "versioning", facts.versioning
    if isinstance(state, Unavailable):
        message = "whether the bucket keeps versions can't be told: take a deletion as final"
        advice = _advise_permission(facts, "s3:GetBucketVersioning")
        yield from _report_unavailable(topic, state, message, advice)
        return
    match state.versioning:
        case Versioning.ENABLED:
            yield from _check_restore(facts)
        case Versioning.SUSPENDED:
            yield warning(
                topic,
                "suspended: what was uploaded since is deleted for good, older objects are not",
                "Turn versioning on again if deletions should be undone by `ci3 restore`.",
            )
        case _:
            yield note(
                topic,
                "off: what ci3 deletes is gone for good",
                "To be able to undo, turn versioning on, with a lifecycle rule that removes old "
                "versions after some days.",
            )
    if state.has_mfa_delete:
        create_finding = warning if not facts.doctor_target.delete_versions else problem
        yield create_finding(
            "MFA delete",
            "on: versions and delete markers can't be removed without a token, so `ci3 restore` "
            "and delete-versions are refused by S3",
            "Turn MFA delete off to use them; plain deletions work with it.",
        )


def _check_restore(facts: BucketFacts) -> Iterator[Finding]:
    topic, rules = "versioning", facts.rules
    if facts.doctor_target.delete_versions:
        yield warning(
            topic,
            "on, and delete-versions is set: what ci3 deletes is gone for good all the same",
            "Leave delete-versions out to be able to undo.",
        )
        return
    condition = "" if _can_restore(facts) else ", if this store supports it"
    if isinstance(rules, Unavailable):
        yield ok(topic, f"on: a deletion can be undone with `ci3 restore`{condition}")
        return
    prefix = facts.doctor_target.target.prefix
    matching = (rule for rule in rules if rule.can_match_under(prefix))
    terms = [rule.noncurrent_days for rule in matching if rule.noncurrent_days is not None]
    if not terms:
        yield note(
            topic,
            f"on: a deletion can be undone at any time{condition}; old versions stay, and cost as "
            "before",
            "To free storage too, add a lifecycle rule with NoncurrentVersionExpiration, such as "
            "30 days, or set delete-versions.",
        )
    else:
        term = pluralize(min(terms), "day")
        yield ok(
            topic,
            f"on: a deletion can be undone with `ci3 restore` for {term}, until a lifecycle rule "
            "removes the old versions",
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
                "whether this store restores what was deleted is not known",
                f"To find out, {RESTORE_CHECK}: it writes, deletes and restores one object.",
            )
        return
    if isinstance(probe, Unavailable):
        advice = _advise_policy(facts, "probe-restore") if probe.is_denied else probe.hint
        message = f"restoring was not tried to its end: {probe.problem}"
        yield problem(topic, message, advice, is_of_access=probe.is_denied)
        return
    if probe.problem:
        yield problem(
            topic,
            f"this store does not restore what was deleted: {probe.problem}",
            "Take each deletion as final: `ci3 restore` would fail here.",
        )
    else:
        yield ok(topic, "an object was written, deleted and restored: `ci3 restore` works here")
    for leftover in probe.leftovers:
        yield warning("leftover", leftover, "Remove it by hand; it is no part of any deployment.")


def _check_object_lock(facts: BucketFacts) -> Iterator[Finding]:
    topic, lock = "object lock", facts.lock
    if isinstance(lock, Unavailable):
        if lock.is_requested:
            permission = " (s3:GetBucketObjectLockConfiguration)" if lock.is_denied else ""
            message = f"whether versions are locked can't be told{permission}"
            yield note(topic, message, "ci3 works without knowing: it never bypasses a lock.")
        return
    if not lock.is_enabled:
        yield ok(topic, "off")
        return
    retention = f", by default for {lock.default}" if lock.default else ""
    if facts.doctor_target.delete_versions:
        yield warning(
            topic,
            f"on{retention}: delete-versions can't remove a locked version",
            "Such a deployment stays with what lies above it, and is told as denied (exit code 3).",
        )
    else:
        yield note(topic, f"on{retention}: a deletion hides objects, their locked versions stay")


def _check_lifecycle_rules(facts: BucketFacts) -> Iterator[Finding]:
    rules = facts.rules
    if isinstance(rules, Unavailable):
        message = "whether lifecycle rules delete here too can't be told"
        advice = _advise_permission(facts, "s3:GetLifecycleConfiguration")
        yield from _report_unavailable("lifecycle", rules, message, advice)
    else:
        yield from check_rules(rules, facts)


def _check_uploads(facts: BucketFacts) -> Iterator[Finding]:
    topic, uploads = "uploads", facts.uploads
    if isinstance(uploads, Unavailable):
        message = (
            "unfinished uploads can't be listed: incomplete deployments stay, and uploads under "
            "what ci3 deletes stay, and cost"
        )
        advice = _advise_permission(facts, "s3:ListBucketMultipartUploads")
        yield from _report_unavailable(topic, uploads, message, advice, note)
    elif not uploads.count or uploads.oldest_at is None:
        yield ok(topic, "no unfinished ones")
    else:
        age = facts.read_at - uploads.oldest_at
        message = (
            f"{pluralize(uploads.count, 'unfinished upload')}, the oldest begun {format_age(age)}: "
            "the parts cost, and no listing of objects shows them"
        )
        advice = (
            "ci3 aborts those under what it deletes. For the others add a lifecycle rule with "
            "AbortIncompleteMultipartUpload, such as 7 days."
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
    return f"`{command}` prints the whole policy."
