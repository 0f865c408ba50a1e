"""Descriptions of codes, keys and exit codes for the tables of tools/docs/generate.py."""

from ci3.core.model.decision import ReasonCode
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.errors import ExitCode

MOST_USED = (
    "bucket",
    "prefix",
    "match",
    "mode",
    "keep-count",
    "keep-within",
    "protect",
    "live-from",
    "required-file",
    "max-delete",
    "plan-file",
    "policy-file",
)
"""The settings in the README's table."""

OUTPUTS = {
    "outcome": "`nothing-to-delete`, `planned`, `applied`, `partial`, `refused`, `stale-plan`, "
    "`failed`, or with `mode: doctor` `examined`.",
    "plan-id": "Names the plan: the same for the same bucket, settings and decisions.",
    "plan-file": "Where the plan was written, if it was.",
    "journal-file": "Where an apply wrote down what it deleted, if it did.",
    "deployments-found": "Deployments in the bucket before the run.",
    "deployments-kept": "Deployments that the plan keeps.",
    "deployments-to-delete": "Deployments that the plan deletes.",
    "deployments-expiring": "Deployments that S3 deletes by a lifecycle rule, within a day or two.",
    "deployments-deleted": "Deployments of which nothing is left.",
    "objects-deleted": "Objects that were deleted; with `delete-versions`, all their versions.",
    "objects-absent": "Objects of the plan that were no longer there when they were to be "
    "deleted, or that went by a request whose answer was lost.",
    "bytes-deleted": "Size of `objects-deleted` in bytes.",
    "objects-restored": "With `mode: restore`, objects that are back.",
    "comment-url": "The comment's address, if there is one.",
    "targets": "With a policy file's targets: the other outputs for each of them, as a JSON list.",
}

EXIT_CODES = {
    ExitCode.DONE: "done, or nothing to do",
    ExitCode.USAGE: "a setting or the usage is wrong",
    ExitCode.PARTIAL: "partly done: something was not deleted; the report says what and why",
    ExitCode.REFUSED: "refused: a limit, a folder or live source that can't be read, no approval",
    ExitCode.STALE_PLAN: "the saved plan is stale: something that it names has changed, and "
    "nothing was deleted",
    ExitCode.ACCESS: "no access, or no network",
    ExitCode.WOULD_DELETE: "with `plan-cleanup --detailed-exitcode`: something would be deleted",
    ExitCode.INTERRUPTED: "interrupted before anything was deleted",
    ExitCode.BROKEN_PIPE: "nobody was left to read the output",
    ExitCode.BUG: "a bug in ci3",
}

PLAN_KEYS = {
    "format": "The format's name. A file with another one is refused.",
    "ci3_version": "Which ci3 wrote it. It decides nothing.",
    "plan_id": "Names the plan; see [below](#plan_id).",
    "created_at": "When the plan was made. All ages in messages are as of then.",
    "target.bucket": "The bucket.",
    "target.region": "Its region, as set or as the AWS chain says.",
    "target.prefix": "The folder of the deployments, with its closing slash; empty for the root.",
    "target.endpoint_url": "The S3's address; empty for AWS.",
    "target.versioning": "What becomes of what is deleted. Only `enabled` and `suspended` keep "
    "old versions.",
    "policy": "Each setting that decides and is not at its default, by its name; `age-from` if it "
    "is set at all.",
    "policy.*.value": "Its value. Durations, sizes, flags and expressions are text.",
    "policy.*.from": "Where it was set.",
    "applyable": "Whether it may be applied: there is no refusal.",
    "refusals[].code": "What forbids applying it, for programs; see [below](#refusals).",
    "refusals[].message": "The same for people.",
    "warnings[].code": "What to know besides; see [below](#warnings).",
    "warnings[].message": "The same for people.",
    "deployments[].name": "The folder's name. They stand newest first.",
    "deployments[].prefix": "Its whole key prefix, with the closing slash.",
    "deployments[].group": "The text that `group-by` found in the name; empty without it. What "
    "`group-by` does not match has its own name here.",
    "deployments[].decision": "What happens to it.",
    "deployments[].reasons[].code": "Why; see [below](#reasons).",
    "deployments[].reasons[].message": "The same for people.",
    "deployments[].object_count": "How many objects are in it; `null` where it was not listed in "
    "full (`age-from: first-object`), which only one that stays may be. Of one that only an "
    "[inventory report](inventory.md) tells of, the report's.",
    "deployments[].size_bytes": "Their size.",
    "deployments[].oldest_at": "When its oldest object was last modified; `null` without objects.",
    "deployments[].newest_at": "The same of its newest.",
    "deployments[].complete": "Whether it counts: it has an object, and the `required-file`.",
    "deployments[].fingerprint": "SHA-256 over key, ETag, size and time of each object, sorted. An "
    "apply deletes nothing of a deployment whose fingerprint is another by then. `null` where it "
    "was not listed in full.",
    "deployments[].versions": "`null`, but with `delete-versions` for what goes:",
    "deployments[].versions.count": "Versions and delete markers.",
    "deployments[].versions.size_bytes": "Their size.",
    "deployments[].versions.fingerprint": "SHA-256 over all of them.",
    "deployments[].expire_days": "With `engine: lifecycle`, the age in days at which S3 deletes by "
    "its rule; `null` where ci3 deletes it itself, or it stays.",
    "ignored[].name": "Something under the prefix that is no deployment, and is never deleted.",
    "ignored[].reason": "Why it is none.",
    "rules[].id": "A lifecycle rule of ci3's own that stands, by its ID.",
    "rules[].name": "The deployment that it is for.",
    "rules[].prefix": "Its whole key prefix.",
    "rules[].days": "At what age in days S3 deletes what is there; `null` of a rule that removes "
    "old versions only.",
    "rules[].noncurrent_days": "How long old versions stay then; `null` where there are none.",
    "rules[].expires_at": "When its term ends: an apply after that takes it away.",
    "rules[].status": "`active`, or why an apply removes or replaces it first.",
    "rules[].message": "The same for people.",
    "choice": "With `engine: auto` how the engine was chosen, for people: which and why, and what "
    "each would take. `policy` then has the engine that was chosen.",
    "totals.found": "Deployments.",
    "totals.keep": "Those that stay.",
    "totals.delete": "Those that go.",
    "totals.expiring": "Those that an earlier run has left to S3, neither kept nor to go.",
    "totals.objects_to_delete": "Objects in what goes.",
    "totals.versions_to_delete": "With `delete-versions`, versions and delete markers; else 0.",
    "totals.bytes_to_delete": "Their size; with `delete-versions`, that of all versions.",
    "totals.bytes_expiring": "The size of what is expiring.",
    "totals.bytes_to_keep": "The size of what stays; `null` where not all of it was counted.",
}

REFUSALS = {
    RefusalCode.UNREADABLE_DEPLOYMENT: (
        "A folder could not be listed.",
        "Fix the cause that the message names, such as a permission or the network.",
    ),
    RefusalCode.PROTECTED_NOT_FOUND: (
        "An exact name in `protect` matches no folder. It may be misspelled.",
        "Correct the name or remove it.",
    ),
    RefusalCode.LIVE_SOURCE_UNREADABLE: (
        "A live source could not be read, or does not name a live deployment.",
        "Fix the source or its permission, or run again later.",
    ),
    RefusalCode.LIVE_NOT_FOUND: (
        "A live source names deployments, but none of them exists.",
        "Check that the source belongs to this bucket and prefix.",
    ),
    RefusalCode.LIVE_MATCHES_NOTHING: (
        "`open-pull-requests` or `branches` matches no folder, and none has a similar name.",
        "Remove the source, and add what is live to `protect`.",
    ),
    RefusalCode.MIXED_NAMES: (
        "`match` is not set, and a folder is named unlike the others, such as `assets/`.",
        "Set `match` as suggested, add the folder to `protect`, or set `match` to `.*` for all.",
    ),
    RefusalCode.NESTED_DEPLOYMENTS: (
        "`match` is not set, and a folder has subfolders named like deployments.",
        "Set `prefix` to the folder that contains them, or `match` to `.*` for one deployment.",
    ),
    RefusalCode.MAX_DELETE: (
        "More deployments would be deleted than `max-delete` allows.",
        "Check the plan. If it is correct, raise the limit for this run.",
    ),
    RefusalCode.MAX_DELETE_BYTES: (
        "More bytes would be deleted than `max-delete-bytes` allows.",
        "As above.",
    ),
    RefusalCode.VERSIONING_UNKNOWN: (
        "`delete-versions` is set, but the versioning status could not be read.",
        "Allow `s3:GetBucketVersioning`.",
    ),
    RefusalCode.HEXADECIMAL_NAMES: (
        "`age-from: name` is set, but the name of a deployment contains a commit hash.",
        "Use another `age-from`, or a `match` that excludes such folders.",
    ),
    RefusalCode.IN_TWO_TARGETS: (
        "The `match` of two targets in the same folder matches this deployment.",
        "Change one `match` so that each folder matches only one of them.",
    ),
    RefusalCode.LIFECYCLE: (
        "`engine: lifecycle` is set, but lifecycle rules cannot be used here.",
        "Follow the message, or use `engine: direct`; see [lifecycle](lifecycle.md).",
    ),
    RefusalCode.NAMES_CONTRADICT_TIMES: (
        "The highest number or date in the names would be deleted, and `age-from` is not set.",
        "[Check the times](policies.md#checks-of-names-and-upload-times).",
    ),
}

WARNINGS = {
    WarningCode.PROTECTED_GLOB_UNMATCHED: "A glob in `protect` matches no folder.",
    WarningCode.LIVE_NOT_FOUND: "A live source also names deployments that do not exist, or "
    "`open-pull-requests` or `branches` matches no folder and keeps nothing.",
    WarningCode.LONG_SPAN: "Deployments were uploaded over more than an hour or changed later.",
    WarningCode.UNGROUPED: "Deployments that do not match `group-by` are kept as separate groups.",
    WarningCode.REQUIRED_FILE_UNFOUND: "No deployment has the `required-file`, so all are kept.",
    WarningCode.RESTORE_PERIOD: "How long deletions can be restored, because a lifecycle rule "
    "removes noncurrent versions; or the rules could not be read.",
    WarningCode.VERSIONING_UNKNOWN: "The versioning status could not be read; assume deletion is "
    "permanent.",
    WarningCode.RESUMED: "The plan resumes an interrupted run and names what remains of it.",
    WarningCode.INVENTORY_REPORT: "Some kept deployments are taken from an inventory report, whose "
    "age is shown.",
    WarningCode.LIFECYCLE: "About lifecycle rules: some cannot be added yet, look like managed "
    "rules but are not, or could not be read.",
    WarningCode.RESTORED: "The plan deletes deployments that `ci3 restore` restored from a journal "
    "in the bucket, or the records of restores could not be read.",
    WarningCode.UNFINISHED_RUN: "The stored journal of an unfinished run could not be read: "
    "deployments older than the run are kept and do not count.",
    WarningCode.RULE_REMOVAL: "An apply first removes managed rules.",
    WarningCode.NAMES_CONTRADICT_TIMES: "Numbers or dates in names contradict the upload times; "
    "see [checks](policies.md#checks-of-names-and-upload-times).",
    WarningCode.NEVER_DELETABLE: "No deployment can be deleted, because each overlaps a newer one; "
    "see [checks](policies.md#checks-of-names-and-upload-times).",
    WarningCode.NOTHING_MATCHES: "There are no deployments, but the bucket is not empty; see "
    "[checks](policies.md#checks-of-names-and-upload-times).",
}

REASONS = {
    ReasonCode.KEEP_COUNT: "One of the `keep-count` newest of its group.",
    ReasonCode.KEEP_WITHIN: "It was the newest at some time within `keep-within`.",
    ReasonCode.KEEP_DAILY: "The newest of a day that `keep-daily` counts.",
    ReasonCode.KEEP_WEEKLY: "The newest of a week that `keep-weekly` counts.",
    ReasonCode.KEEP_MONTHLY: "The newest of a month that `keep-monthly` counts.",
    ReasonCode.PROTECTED: "`protect` matches it.",
    ReasonCode.CURRENT_COMMIT: "It is named after the commit, pull request or branch of this "
    "workflow run.",
    ReasonCode.LIVE: "A live source names it.",
    ReasonCode.IN_PROGRESS: "It is incomplete and may still be uploading: it is newer than all "
    "complete ones, has an object younger than an hour or an upload of the last 24 hours, its "
    "uploads could not be listed, or (outside AWS) they may not be listed and an object is younger "
    "than 24 hours.",
    ReasonCode.PARTLY_DELETED: "According to the stored journal, an unfinished run has or may have "
    "deleted a part of it, so it does not count as complete. Also given if it is deleted.",
    ReasonCode.AMBIGUOUS_AGE: "It is not known to be older than enough others.",
    ReasonCode.INCOMPARABLE_NAME: "With `age-from: name`: its name cannot be compared with enough "
    "others, such as `v1.9` with `build-10`.",
    ReasonCode.MINIMUM_KEEP_COUNT: "The last complete one of its group.",
    ReasonCode.NO_OBJECTS: "It has no objects.",
    ReasonCode.NOT_APPROVED: "It would be deleted, but the resumed run was not approved to delete "
    "it.",
    ReasonCode.NO_ROOM_FOR_RULE: "It would be deleted, but the bucket cannot have more lifecycle "
    "rules. It is left to a later run.",
    ReasonCode.SUPERSEDED: "No rule keeps it: there are enough newer complete ones.",
    ReasonCode.BY_RULE: "S3 deletes it with a lifecycle rule.",
    ReasonCode.NOT_BY_RULE: "ci3 deletes it, because a lifecycle rule must not.",
    ReasonCode.EXPIRING: "S3 deletes it with a lifecycle rule of an earlier run.",
}
