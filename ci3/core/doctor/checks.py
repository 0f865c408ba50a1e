"""What an examination comes to: its findings, in the order in which they are told. Pure."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from ci3.core.doctor.facts import Examination, LifecycleRule, Unread
from ci3.core.doctor.finding import Finding, note, ok, problem, warning
from ci3.core.doctor.folder_checks import about_folders
from ci3.core.formatting import ago, counted, listed
from ci3.core.lifecycle.rule import term_of
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import DeleteGuard

STRAY_AFTER: Final = timedelta(days=7)
"""An unfinished upload that is older is nobody's any more: S3 would have seen its last part."""
_NAMES_SHOWN: Final = 5


def diagnose(seen: Examination) -> tuple[Finding, ...]:
    """Say of all that was asked how it stands, and what to do next."""
    return (
        *_about_identity(seen),
        *_about_region(seen),
        *_about_access(seen),
        *_about_deleting(seen),
        *_about_versioning(seen),
        *_about_lock(seen),
        *_about_rules(seen),
        *_about_uploads(seen),
        *about_folders(seen),
    )


def _about_identity(seen: Examination) -> Iterator[Finding]:
    topic = "identity"
    if isinstance(seen.identity, str):
        if seen.identity.endswith(":root"):
            yield warning(
                topic,
                "this is an AWS account's root user, who may do anything",
                "Use a role that may do what ci3 needs and no more: `ci3 iam-policy apply`.",
            )
        else:
            yield ok(topic, f"you are {seen.identity}")
    elif seen.identity.is_asked:
        yield note(topic, f"who you are can't be told: {seen.identity.problem}", seen.identity.hint)
    else:
        where = seen.aim.target.endpoint_url
        yield note(topic, f"who you are can't be told: {where} is not AWS")


def _about_region(seen: Examination) -> Iterator[Finding]:
    in_force, said = seen.aim.target.region, seen.bucket_region
    where = f" at {seen.aim.target.endpoint_url}" if seen.aim.target.endpoint_url else ""
    if said and said != in_force:
        yield note(
            "region",
            f"the bucket is in {said}, and {in_force} was asked{where}: each run is redirected",
            f"Set region to {said}.",
        )
    elif said:
        yield ok("region", f"{said}{where}, as the bucket says")
    elif not isinstance(seen.folders, Unread):
        yield ok("region", f"{in_force}{where}")


def _about_access(seen: Examination) -> Iterator[Finding]:
    topic, url = "list", seen.aim.target.url
    if isinstance(seen.folders, Unread):
        advice = _allow(seen, "s3:ListBucket") if seen.folders.is_denied else seen.folders.hint
        what = f"you may not list {url}" if seen.folders.is_denied else seen.folders.problem
        yield problem(topic, what, advice, is_of_access=True)
    else:
        yield ok(topic, f"you may list {url}")
    if isinstance(seen.lists_versions, Unread):
        if seen.lists_versions.is_asked:
            yield _unread_for_apply(
                seen,
                "list versions",
                seen.lists_versions,
                "old versions can't be listed: no restore, no delete-versions, and no versions in "
                "the journal",
                "s3:ListBucketVersions",
            )
    else:
        yield ok("list versions", "you may list old versions")


def _about_deleting(seen: Examination) -> Iterator[Finding]:
    topic, probe = "delete", seen.probe
    if isinstance(probe, Unread):
        if probe.is_asked:
            yield problem(topic, f"deleting can't be tried: {probe.problem}", probe.hint,
                          is_of_access=True)  # fmt: skip
        elif not isinstance(seen.folders, Unread):
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
            f"condition needs: {_whole_policy(seen, 'apply')}",
            is_of_access=True,
        )
    elif probe.guard is DeleteGuard.ETAG:
        yield ok(topic, f"you may delete, and {probe.reason}: only the object that was listed goes")
    else:
        is_sure = probe.guard is DeleteGuard.ETAG_SINGLE
        what = "you may delete; " if is_sure else "deleting was not denied; "
        yield warning(
            topic,
            f"{what}{probe.reason}",
            "ci3 lists again right before it deletes; what is uploaded over an object in the "
            "seconds after that goes with it. Deploy each commit to a folder of its own.",
        )


def _about_versioning(seen: Examination) -> Iterator[Finding]:
    topic, state = "versioning", seen.versioning
    if isinstance(state, Unread):
        if state.is_asked:
            what = "whether the bucket keeps versions can't be told: take a deletion as final"
            yield _unread(seen, topic, state, what, "s3:GetBucketVersioning")
        return
    match state.versioning:
        case Versioning.ENABLED:
            yield from _about_undo(seen)
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
    if state.needs_mfa:
        act = warning if not seen.aim.delete_versions else problem
        yield act(
            "MFA delete",
            "on: versions and delete markers can't be removed without a token, so `ci3 restore` "
            "and delete-versions are refused by S3",
            "Turn MFA delete off to use them; plain deletions work with it.",
        )


def _about_undo(seen: Examination) -> Iterator[Finding]:
    topic, rules = "versioning", seen.rules
    if seen.aim.delete_versions:
        yield warning(
            topic,
            "on, and delete-versions is set: what ci3 deletes is gone for good all the same",
            "Leave delete-versions out to be able to undo.",
        )
        return
    if isinstance(rules, Unread):
        yield ok(topic, "on: a deletion can be undone with `ci3 restore`")
        return
    prefix = seen.aim.target.prefix
    terms = [rule.noncurrent_days for rule in rules if rule.may_touch(prefix)]
    days = min((term for term in terms if term is not None), default=None)
    if days is None:
        yield note(
            topic,
            "on: a deletion can be undone at any time; old versions stay, and cost as before",
            "To free storage too, add a lifecycle rule with NoncurrentVersionExpiration, such as "
            "30 days, or set delete-versions.",
        )
    else:
        yield ok(
            topic,
            f"on: a deletion can be undone with `ci3 restore` for {counted(days, 'day')}, until a "
            "lifecycle rule removes the old versions",
        )


def _about_lock(seen: Examination) -> Iterator[Finding]:
    topic, lock = "object lock", seen.lock
    if isinstance(lock, Unread):
        if lock.is_asked:
            yield note(
                topic,
                "whether versions are locked can't be told"
                + (" (s3:GetBucketObjectLockConfiguration)" if lock.is_denied else ""),
                "ci3 works without knowing: it never bypasses a lock.",
            )
        return
    if not lock.is_enabled:
        yield ok(topic, "off")
        return
    term = f", by default for {lock.default}" if lock.default else ""
    if seen.aim.delete_versions:
        yield warning(
            topic,
            f"on{term}: delete-versions can't remove a locked version",
            "Such a deployment stays with what lies above it, and is told as denied (exit code 3).",
        )
    else:
        yield note(topic, f"on{term}: a deletion hides objects, their locked versions stay")


def _about_rules(seen: Examination) -> Iterator[Finding]:
    topic, rules = "lifecycle", seen.rules
    if isinstance(rules, Unread):
        if rules.is_asked:
            what = "whether lifecycle rules delete here too can't be told"
            yield _unread(seen, topic, rules, what, "s3:GetLifecycleConfiguration")
        return
    terms = {rule.name: term for rule in rules if (term := term_of(rule.name, rule.prefix))}
    yield from _about_own(seen, terms)
    others = [rule for rule in rules if rule.name not in terms]
    expiring = [rule for rule in others if rule.expires and _is_in_the_way(rule, seen)]
    for rule in expiring:
        which = "each object of its tags or sizes" if rule.is_narrowed else "every object"
        where = f"that begins with {rule.prefix}" if rule.prefix else "of the bucket"
        yield warning(
            topic,
            f"rule {rule.name} deletes {which} {where} {_when(rule)}, live or not",
            "S3 knows ages only. Take the rule away and let ci3 decide, or narrow its prefix to "
            "what is no deployment.",
        )
    if not expiring:
        yield ok(topic, "no rule of the bucket deletes deployments by their age")


def _about_own(seen: Examination, terms: Mapping[str, datetime]) -> Iterator[Finding]:
    """Tell of ci3's own rules, which stand for a few days and are no collision."""
    over = sorted(name for name, term in terms.items() if term <= seen.at)
    if over:
        yield warning(
            "own rules",
            f"{counted(len(over), 'lifecycle rule')} of ci3's own should be gone by now: "
            f"{listed(over, _NAMES_SHOWN)}",
            "What is uploaded to such a folder again is deleted too, once it is old enough. Run "
            "`ci3 cleanup`, with any engine: it takes them away first.",
        )
    if standing := len(terms) - len(over):
        yield note(
            "own rules",
            f"{counted(standing, 'lifecycle rule')} of ci3's own: S3 deletes by them what a run "
            "left to it",
            "The next run takes away those that are done.",
        )


def _is_in_the_way(rule: LifecycleRule, seen: Examination) -> bool:
    """Whether a rule is about deployments, and not only about a folder that is none."""
    prefix = seen.aim.target.prefix
    if not rule.may_touch(prefix):
        return False
    folder, slash, _ = rule.prefix.removeprefix(prefix).partition("/")
    is_inside = rule.prefix.startswith(prefix) and slash
    if not is_inside or isinstance(seen.folders, Unread):
        return True
    return folder in seen.folders.names


def _when(rule: LifecycleRule) -> str:
    if rule.expires_after_days is not None:
        return f"{counted(rule.expires_after_days, 'day')} after its upload"
    return f"from {rule.expires_on} on"


def _about_uploads(seen: Examination) -> Iterator[Finding]:
    topic, uploads = "uploads", seen.uploads
    if isinstance(uploads, Unread):
        if uploads.is_asked:
            what = "unfinished uploads can't be listed: under what ci3 deletes they stay, and cost"
            yield _unread_for_apply(seen, topic, uploads, what, "s3:ListBucketMultipartUploads")
    elif not uploads.count or uploads.oldest_at is None:
        yield ok(topic, "no unfinished ones")
    else:
        age = seen.at - uploads.oldest_at
        message = (
            f"{counted(uploads.count, 'unfinished upload')}, the oldest begun {ago(age)}: "
            "the parts cost, and no listing of objects shows them"
        )
        advice = (
            "ci3 aborts those under what it deletes. For the others add a lifecycle rule with "
            "AbortIncompleteMultipartUpload, such as 7 days."
        )
        yield (warning if age > STRAY_AFTER else note)(topic, message, advice)


def _unread(
    seen: Examination, topic: str, unread: Unread, message: str, permission: str
) -> Finding:
    if unread.is_denied:
        return warning(topic, message, _allow(seen, permission))
    return warning(topic, f"{message} ({unread.problem})", unread.hint)


def _unread_for_apply(
    seen: Examination, topic: str, unread: Unread, message: str, permission: str
) -> Finding:
    if not unread.is_denied:
        return _unread(seen, topic, unread, message, permission)
    advice = f"Not needed for a plan. To apply, allow {permission}: {_whole_policy(seen, 'apply')}"
    return note(topic, message, advice)


def _allow(seen: Examination, permission: str) -> str:
    return f"Allow {permission}: {_whole_policy(seen, 'plan')}"


def _whole_policy(seen: Examination, purpose: str) -> str:
    target = seen.aim.target
    prefix = f" --prefix {shlex.quote(target.prefix.rstrip('/'))}" if target.prefix else ""
    versions = " --delete-versions" if seen.aim.delete_versions else ""
    command = f"ci3 iam-policy {purpose} --bucket {target.bucket}{prefix}{versions}"
    return f"`{command}` prints the whole policy."
