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
    "`failed`; with `mode: restore`, also `restored` and `nothing-to-restore`; with "
    "`mode: doctor`, `examined`.",
    "plan-id": "ID of the plan: the same for the same bucket, settings and decisions.",
    "plan-file": "Path of the plan file, if `plan-file` is set.",
    "journal-file": "Path or URL of the journal, if there is one; with several targets, one per "
    "line.",
    "deployments-found": "Deployments in the bucket before the run.",
    "deployments-kept": "Deployments that the plan keeps.",
    "deployments-to-delete": "Deployments that the plan deletes.",
    "deployments-expiring": "Deployments that S3 deletes by a lifecycle rule, within a day or two.",
    "deployments-deleted": "Deployments that were deleted completely.",
    "objects-deleted": "Objects that were deleted; with `delete-versions`, versions and delete "
    "markers.",
    "objects-absent": "Planned objects that no longer existed when ci3 deleted them, or were "
    "deleted by a request whose response was lost.",
    "bytes-deleted": "Size of `objects-deleted` in bytes.",
    "objects-restored": "With `mode: restore`, objects that were restored.",
    "comment-url": "URL of the comment, if there is one.",
    "issue-url": "URL of the issue that `issue` keeps, if there is one.",
    "targets": "With targets of a policy file or a `prefix` pattern: `bucket`, `prefix` and the "
    "outputs of each target, as a JSON list.",
}

EXIT_CODES = {
    ExitCode.DONE: "done, or nothing to do",
    ExitCode.USAGE: "invalid setting or usage",
    ExitCode.PARTIAL: "partly done: something was not deleted; the report lists it with the reason",
    ExitCode.REFUSED: "refused: the plan may not be applied, and its refusals say why; you "
    "declined, or could not be asked; `doctor` found a problem; or nothing can be restored",
    ExitCode.STALE_PLAN: "stale plan: something in it has changed since; nothing was deleted",
    ExitCode.ACCESS: "access denied, network error, or a file that cannot be read or written",
    ExitCode.WOULD_DELETE: "with `plan-cleanup --detailed-exitcode`: something would be deleted",
    ExitCode.INTERRUPTED: "interrupted before anything was deleted",
    ExitCode.BROKEN_PIPE: "output pipe closed",
    ExitCode.BUG: "a bug in ci3",
}

PLAN_KEYS = {
    "format": "Name of the format. A file in another format is refused.",
    "ci3_version": "Version of ci3 that wrote the plan. Informational.",
    "plan_id": "ID of the plan; see [below](#plan_id).",
    "created_at": "When the plan was created. Ages in messages refer to this time.",
    "target.bucket": "Name of the bucket.",
    "target.region": "Region, from the settings or the AWS configuration.",
    "target.prefix": "Folder that contains the deployments, with a trailing slash; empty for the "
    "root of the bucket.",
    "target.endpoint_url": "URL of the S3 endpoint; empty for AWS.",
    "target.repository": "Repository whose pull requests are read for `expire-closed`; missing "
    "without that setting.",
    "target.versioning": "Versioning state of the bucket. Only with `enabled` and `suspended` can "
    "it have noncurrent versions.",
    "policy": "Effective settings that are not at their default, by name; `age-from` whenever it "
    "is set.",
    "policy.*.value": "Value. Durations, sizes, flags and regular expressions are text.",
    "policy.*.from": "Where it was set.",
    "applyable": "Whether the plan may be applied: true if there are no refusals.",
    "refusals[].code": "Why the plan may not be applied, for programs; see [below](#refusals).",
    "refusals[].message": "The same, for people.",
    "warnings[].code": "Warning, for programs; see [below](#warnings).",
    "warnings[].message": "The same, for people.",
    "restore_period": "How long S3 keeps the noncurrent versions of what is deleted; `null` unless "
    "versioning is `enabled`, and with `delete-versions`.",
    "restore_period.days": "Minimum number of days after which a lifecycle rule removes them; "
    "`null` if no rule does.",
    "restore_period.is_minimum": "Whether some are kept longer.",
    "restore_period.problem": "Why the rules could not be read, or empty. If it is not empty, the "
    "period is unknown.",
    "deployments[].name": "Name of the folder. Deployments are sorted from newest to oldest.",
    "deployments[].prefix": "Full key prefix, with a trailing slash.",
    "deployments[].group": "Text that `group-by` captured in the name; empty without `group-by`. "
    "If `group-by` does not match, the name itself.",
    "deployments[].decision": "What the plan does with the deployment.",
    "deployments[].reasons[].code": "Reason, for programs; see [below](#reasons).",
    "deployments[].reasons[].message": "The same, for people.",
    "deployments[].object_count": "Number of objects; `null` for a kept deployment that was not "
    "listed completely (`age-from: first-object`). From the [inventory report](inventory.md) if "
    "the deployment was not listed.",
    "deployments[].size_bytes": "Total size of the objects.",
    "deployments[].oldest_at": "When its oldest object was last modified; `null` without objects.",
    "deployments[].newest_at": "When its newest object was last modified; `null` without objects.",
    "deployments[].complete": "Whether the deployment is complete: it has objects, and the "
    "`required-file` if one is set.",
    "deployments[].fingerprint": "SHA-256 over key, ETag, size and time of each object, sorted. An "
    "apply deletes nothing from a deployment whose fingerprint has changed. `null` if it was not "
    "listed completely.",
    "deployments[].versions": "With `delete-versions`, for each deployment to delete; else `null`:",
    "deployments[].versions.count": "Number of versions and delete markers.",
    "deployments[].versions.size_bytes": "Total size of all versions.",
    "deployments[].versions.fingerprint": "SHA-256 over all versions and delete markers.",
    "deployments[].expire_days": "With `engine: lifecycle`, the age in days at which the lifecycle "
    "rule deletes objects; `null` if ci3 deletes the deployment itself or keeps it.",
    "ignored[].name": "File or folder under the prefix that is not a deployment. It is never "
    "deleted.",
    "ignored[].reason": "Why it is not a deployment.",
    "rules[].id": "ID of a managed lifecycle rule in the bucket.",
    "rules[].name": "Name of the deployment that the rule is for.",
    "rules[].prefix": "Full key prefix of the deployment.",
    "rules[].days": "Age in days at which S3 deletes objects; `null` for a rule that deletes only "
    "noncurrent versions.",
    "rules[].noncurrent_days": "How many days S3 keeps noncurrent versions; `null` if the bucket "
    "does not create any.",
    "rules[].expires_at": "When the rule's lifetime ends. The next apply after that removes it.",
    "rules[].status": "`active`, or why the next apply removes or replaces the rule first.",
    "rules[].message": "The same, for people.",
    "next_run_by": "By when another apply must run: the lifetime of the first lifecycle rule ends "
    "then. Rules that the plan adds count from `created_at`. `null` without rules.",
    "choice": "With `engine: auto`, the engine that was chosen, the reason, and the estimated "
    "effort of each engine, for people. `policy` contains the chosen engine.",
    "totals.found": "Deployments.",
    "totals.keep": "Deployments to keep.",
    "totals.delete": "Deployments to delete.",
    "totals.expiring": "Deployments that S3 is deleting by a rule of an earlier run. They count as "
    "neither kept nor to delete.",
    "totals.objects_to_delete": "Objects in the deployments to delete.",
    "totals.versions_to_delete": "With `delete-versions`, versions and delete markers to delete; "
    "otherwise 0.",
    "totals.bytes_to_delete": "Size of what is to be deleted; with `delete-versions`, of all "
    "versions.",
    "totals.bytes_expiring": "Size of the expiring deployments.",
    "totals.bytes_to_keep": "Size of the deployments to keep; `null` if one was not listed "
    "completely.",
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
        "Check the upload times, and set `age-from` or `group-by`.",
    ),
}

WARNINGS = {
    WarningCode.PROTECTED_GLOB_UNMATCHED: "A glob in `protect` matches no folder.",
    WarningCode.LIVE_NOT_FOUND: "A live source also names deployments that do not exist, or "
    "`open-pull-requests` or `branches` matches no folder and keeps nothing.",
    WarningCode.LONG_SPAN: "Deployments were uploaded over more than an hour or changed later.",
    WarningCode.UNGROUPED: "Deployments that do not match `group-by` are kept as separate groups.",
    WarningCode.REQUIRED_FILE_UNFOUND: "No deployment has the `required-file`, so all are kept.",
    WarningCode.RESTORE_PERIOD: "It is unknown how long deletions can be restored: the lifecycle "
    "rules could not be read.",
    WarningCode.VERSIONING_UNKNOWN: "The versioning status could not be read; assume deletion is "
    "permanent.",
    WarningCode.RESUMED: "The plan resumes an interrupted run and names what remains of it.",
    WarningCode.INVENTORY_REPORT: "Some kept deployments are taken from an inventory report, whose "
    "age is shown.",
    WarningCode.LIFECYCLE: "About lifecycle rules: some cannot be added yet, look like managed "
    "rules but are not, could not be read, or are in a folder in which a `prefix` pattern finds no "
    "deployments.",
    WarningCode.RESTORED: "The plan deletes deployments that `ci3 restore` restored from a journal "
    "in the bucket, or the records of restores could not be read.",
    WarningCode.UNFINISHED_RUN: "The stored journal of an unfinished run could not be read: "
    "deployments older than the run are kept and do not count.",
    WarningCode.RULE_REMOVAL: "An apply first removes managed rules.",
    WarningCode.NAMES_CONTRADICT_TIMES: "Numbers or dates in names contradict the upload times.",
    WarningCode.NEVER_DELETABLE: "No deployment can be deleted, because each overlaps a newer one.",
    WarningCode.NOTHING_MATCHES: "There are no deployments, but the bucket is not empty.",
    WarningCode.EXPIRE_CLOSED: "Pull requests of previews could not be read, or none of them "
    "exists: `expire-closed` keeps these previews. Or the keep rules delete all previews of an "
    "open pull request.",
    WarningCode.NO_PREVIEWS: "With `expire-closed`, no deployment is left: the last preview may "
    "have been deleted, or `prefix` or `match` is wrong.",
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
    ReasonCode.IN_PROGRESS: "It is [incomplete](policies.md#incomplete-deployments) and may still "
    "be uploading.",
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
    ReasonCode.EXPIRE_CLOSED: "Its pull request was closed longer ago than `expire-closed`.",
    ReasonCode.BY_RULE: "S3 deletes it with a lifecycle rule.",
    ReasonCode.NOT_BY_RULE: "ci3 deletes it, because a lifecycle rule must not.",
    ReasonCode.EXPIRING: "S3 deletes it with a lifecycle rule of an earlier run.",
}
