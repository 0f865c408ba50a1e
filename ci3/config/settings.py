"""The definitions of all settings, shared by inputs, options, policy-file keys and docs."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, replace
from typing import Self

from ci3.config import parsers
from ci3.config.fields import (
    Kind,
    define_choice,
    define_flag,
    define_period_count,
    define_recorded,
    define_setting,
    list_settings,
)
from ci3.config.modes import Mode, PostPolicy
from ci3.constants import (
    DEFAULT_KEEP_COUNT,
    MAXIMUM_CONCURRENCY,
    MAXIMUM_DIRECT_OBJECTS,
    MINIMUM_KEEP_COUNT,
)
from ci3.core.inventory.report_location import ADDRESS_PATTERN, ReportLocation
from ci3.core.live.sources import LiveSource
from ci3.core.model.decision import Engine
from ci3.core.model.policy import ENGINE_SETTING, DeleteLimit, PolicyEntry
from ci3.core.model.service_url import AddressingStyle, parse_url
from ci3.core.model.user_pattern import UserPattern
from ci3.core.retention.age_order import AgeFrom
from ci3.core.units import DURATION_PATTERN, SIZE_PATTERN, TIMEOUT_PATTERN, ByteSize, Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings of one target.

    `recorded` maps the names of recorded settings to the values and origins that a plan stores:
    those that differ from their defaults, and `age-from` whenever it is set. `has_targets` is true
    if a policy file names the targets of the run, even if it is only one. `pattern` is the prefix
    pattern that the target was found by, if any, and `folder` what its segments with `*` matched.
    """

    bucket: str = define_setting(
        "Name of the bucket.",
        parse=parsers.parse_bucket,
        option_aliases=("--bucket-name",),
        default=MISSING,
        default_doc="required",
    )
    region: str = define_setting(
        "AWS region of the bucket.",
        parse=parsers.parse_region,
        option_aliases=("--aws-region",),
        default_doc="from the AWS configuration",
    )
    prefix: str = define_setting(
        "Folder that contains the deployments. With `*` as a folder name or a part of it "
        "(`apps/*/production/`), each matching folder in which `match` finds deployments is a "
        "separate target.",
        parse=parsers.parse_prefix,
        pattern=parsers.PREFIX_PATTERN,
        default_doc="the bucket's root",
    )
    endpoint_url: str = define_setting(
        "URL of an S3-compatible service other than AWS; docs/stores.md lists the tested ones.",
        parse=parse_url,
        default_doc="AWS",
    )
    addressing_style: AddressingStyle | None = define_setting(
        "Where the bucket's name is in requests: `path` (in the URL's path), `virtual` (in the "
        "host name) or `auto` (boto3 decides).",
        parse=parsers.parse_choice(AddressingStyle),
        choices=AddressingStyle,
        default=None,
        default_doc="`path` with an endpoint, else `auto`",
        is_recorded=True,
    )
    # Not a policy key, like the token: a pull request must not choose the identity of ci3.
    role_to_assume: str = define_setting(
        "ARN of the IAM role to assume. Credentials are refreshed automatically. In a workflow, "
        "GitHub's OIDC token is used, which needs the permission `id-token: write`; elsewhere, "
        "the default credentials.",
        parse=parsers.parse_role,
        is_policy_key=False,
    )
    mode: Mode = define_choice(
        "`plan` shows what would be deleted (dry run), `apply` deletes it, `restore` restores "
        "what the run of `journal-file` deleted, `doctor` checks permissions and configuration. "
        "`restore` needs a versioned bucket; `plan` and `doctor` are read-only.",
        Mode.PLAN,
        is_policy_key=False,
        has_option=False,
    )
    keep_count: int = define_setting(
        f"Keep the N newest complete deployments of each group, at least {MINIMUM_KEEP_COUNT}.",
        parse=parsers.parse_keep_count,
        kind=Kind.COUNT,
        minimum=MINIMUM_KEEP_COUNT,
        default=DEFAULT_KEEP_COUNT,
        default_doc=str(DEFAULT_KEEP_COUNT),
        is_recorded=True,
    )
    keep_within: Duration | None = define_recorded(
        "Keep deployments that were the newest complete one at some time in this period, such as "
        "`36h`, `14d` or `8w`. Age counts from when a deployment was superseded, not from its "
        "upload.",
        parse=Duration.parse,
        kind=Kind.DURATION,
        pattern=DURATION_PATTERN,
    )
    keep_daily: int = define_period_count(
        "Keep the newest complete deployment of each of the last N days (UTC) that have one.",
    )
    keep_weekly: int = define_period_count(
        "Keep the newest complete deployment of each of the last N weeks (ISO, UTC) that have one.",
    )
    keep_monthly: int = define_period_count(
        "Keep the newest complete deployment of each of the last N months (UTC) that have one.",
    )
    match: UserPattern | None = define_recorded(
        "Regular expression for the names of deployment folders (full match). Other folders are "
        "never deleted.",
        parse=parsers.parse_regex,
        default_doc="every folder",
    )
    group_by: UserPattern | None = define_recorded(
        r"Regular expression with a capturing group, such as `(pr-\d+)-.*`. Folders with the same "
        "captured value form a group; rules apply per group. It must match the full name. Other "
        "folders form a group each and are kept.",
        parse=parsers.parse_grouping,
        default_doc="one group",
    )
    required_file: str = define_setting(
        "File that every complete deployment has, such as `index.html`. Deployments without it "
        "are incomplete: they do not count for keep rules and are kept while they may still be "
        "uploading.",
        parse=parsers.parse_file_path,
        pattern=parsers.FILE_PATH_PATTERN,
        is_recorded=True,
    )
    age_from: AgeFrom = define_choice(
        "How deployment age is determined: `span`, `oldest`, `newest`, `first-object` or `name`. "
        "`span`: a deployment is older only if all its objects are older. `oldest`, `newest`: by "
        "its oldest or newest object. `first-object`: by its first object in key order; a plan "
        "then lists only one page of each kept deployment. `name`: by the numbers in the names "
        "(`build-9` before `build-10`). Names that cannot be compared are kept, and so are the "
        "`keep-count` most recent uploads.",
        AgeFrom.SPAN,
        is_recorded=True,
        is_default_recorded=True,
    )
    inventory: ReportLocation | None = define_recorded(
        "Plan from an S3 Inventory report (CSV or Parquet): its `s3://…/manifest.json`, or the "
        "folder of its configuration for the newest one. Deployments to delete, and those that "
        "justify deleting them, are still verified by listing.",
        parse=ReportLocation.parse,
        pattern=ADDRESS_PATTERN,
    )
    protect: tuple[str, ...] = define_setting(
        "Names or globs of folders that are never deleted, one per line. An exact name that does "
        "not exist blocks apply; a glob without a match warns. The values of the policy file and "
        "of the input or option are combined.",
        parse=parsers.parse_folder_name,
        kind=Kind.LINES,
        pattern=parsers.FOLDER_NAME_PATTERN,
        default=(),
        is_recorded=True,
    )
    live_from: tuple[LiveSource, ...] = define_setting(
        "Sources that identify live deployments, one per line: "
        "`github-deployments[:environment]`, `open-pull-requests`, `branches`, `cloudfront`, "
        "`ssm:/parameter`, `object:key`, `url:https://…`. The last three accept `#key` for a "
        "JSON document. Live deployments are never deleted. If a source cannot be read, nothing "
        "is deleted. `{folder}` means what `*` in `prefix` matched. The values of the "
        "policy file and of the input or option are combined.",
        parse=parsers.parse_live_source,
        kind=Kind.LINES,
        pattern=parsers.LIVE_SOURCE_PATTERN,
        default=(),
        is_unique=True,
        is_recorded=True,
    )
    expire_closed: Duration | None = define_recorded(
        "Delete previews of pull requests that were closed at least this long ago, such as `3d` "
        "or `0d`, whatever the keep rules keep. Previews are named `pr-12`, `pull-12` or "
        "`preview-12`, also with a commit (`pr-12-a1b2c3d`). Age counts from the closing or the "
        "last upload, whichever is later. Needs `match` and a GitHub token.",
        parse=Duration.parse,
        kind=Kind.DURATION,
        pattern=DURATION_PATTERN,
    )
    max_delete: DeleteLimit | None = define_recorded(
        "Block apply if more deployments than this would be deleted: `20`, or `50%` of the "
        "deployments found. Applies per target; if one exceeds it, nothing is deleted in any.",
        parse=parsers.parse_limit,
        kind=Kind.LIMIT,
        pattern=parsers.LIMIT_PATTERN,
    )
    max_delete_bytes: ByteSize | None = define_recorded(
        "Block apply if more than this would be deleted per target: `100GB` or `1.5GiB`.",
        parse=ByteSize.parse,
        kind=Kind.SIZE,
        pattern=SIZE_PATTERN,
    )
    engine: Engine = define_choice(
        "Deletion method: `direct` (ci3 deletes the objects), `lifecycle` (S3 deletes them by "
        "lifecycle rules) or `auto`. S3 deletes by a rule for each deployment, free of charge, "
        f"within a day or two. `auto` deletes up to {MAXIMUM_DIRECT_OBJECTS:,} objects directly, "
        "more by lifecycle rules if possible; the plan shows which and why.",
        Engine.DIRECT,
        is_recorded=True,
    )
    delete_versions: bool = define_flag(
        "Permanently delete all versions and delete markers of the deployments in a versioned "
        "bucket. They cannot be restored. Otherwise objects become noncurrent versions and are "
        "still billed.",
        is_recorded=True,
    )
    plan_file: str = define_setting(
        "JSON file of a plan: `plan` writes it, and `apply` deletes only what it names and what "
        "has not changed since. Settings that are not given are taken from the plan.",
        is_run_wide=True,
    )
    skip_changed: bool = define_flag(
        "With a plan file: skip deployments that have changed since the plan and delete the "
        "others. Otherwise nothing is deleted if any has changed.",
        is_policy_key=False,
    )
    journal_file: str = define_setting(
        "Journal of planned and completed deletions. The file must not exist. Several targets "
        "have one file each: `journal-1.jsonl`, or `journal-shop.jsonl` by the folder of a "
        "pattern. `s3://` stores the journal in the bucket, in `.ci3/journals/<run>/` below the "
        "prefix; everyone who can read that folder can read the deleted keys and the settings. "
        "With restore: the journal of the run to restore.",
        default_doc="`ci3-journal-<run>.jsonl` in the workspace",
        is_run_wide=True,
    )
    # Not a policy key: the journal belongs to a single run.
    resume: str = define_setting(
        "Resume an interrupted apply from its journal. It deletes only what that run was "
        "approved to delete, if it has not changed and would still be deleted now. Settings that "
        "are not given are taken from the journal. An empty value is ignored: if the output of an "
        "earlier step may be empty, add an `if:` to the step, or a full apply runs.",
        is_policy_key=False,
    )
    probe_deletes: bool = define_flag(
        "With `doctor`: also test whether this identity can delete, and whether the S3 service "
        "supports conditional deletes. It sends delete requests for keys that do not exist "
        "(`.ci3-probe-…` below the prefix).",
        is_policy_key=False,
    )
    probe_restore: bool = define_flag(
        "With `doctor`: also test whether the S3 service can restore deleted objects of a "
        "versioned bucket. It writes, deletes, restores and removes one object "
        "(`.ci3/restore-probe-…` below the prefix). `ci3 iam-policy probe-restore` prints the "
        "permissions that this needs.",
        is_policy_key=False,
    )
    timeout: Duration | None = define_setting(
        "Stop deleting after this time, such as `90s`, `30m` or `2h`. In-flight requests finish; "
        "a later run continues.",
        parse=Duration.parse_timeout,
        kind=Kind.DURATION,
        pattern=TIMEOUT_PATTERN,
        default=None,
        is_run_wide=True,
    )
    concurrency: int = define_setting(
        "Maximum number of parallel S3 requests. The actual number adapts to the network, the "
        "machine and throttling by S3.",
        parse=parsers.parse_concurrency,
        kind=Kind.COUNT,
        minimum=1,
        default=MAXIMUM_CONCURRENCY,
        default_doc=f"adaptive, at most {MAXIMUM_CONCURRENCY}",
        is_run_wide=True,
    )
    policy_file: str = define_setting(
        "YAML file with settings as keys, or with `targets` (a list of buckets or prefixes with "
        "their settings) and `defaults`. Inputs and options override it.",
        is_policy_key=False,
    )
    comment: PostPolicy = define_choice(
        "When to comment on the pull request: `always`, `never`, or `changes` (something would "
        "be deleted, the plan is blocked, names or settings need attention, or a comment exists "
        "already).",
        PostPolicy.CHANGES,
        is_run_wide=True,
        has_option=False,
    )
    comment_id: str = define_setting(
        "Unique key of the comment or issue, for several ci3 steps on one pull request.",
        default_doc="bucket, prefix and match",
        is_run_wide=True,
        has_option=False,
    )
    issue: PostPolicy = define_choice(
        "When to keep one issue open, in runs without a pull request: `always`, `never`, or "
        "`changes` (in the same cases as `comment`).",
        PostPolicy.NEVER,
        is_run_wide=True,
        has_option=False,
    )
    github_token: str = define_setting(
        "Token to comment, to keep the issue and to read commits. It needs `pull-requests: write`, "
        "`issues: write` for `issue`, and `contents: read` to show the commits of deployments.",
        default_doc="the workflow's",
        action_default="${{ github.token }}",
        is_policy_key=False,
        is_secret=True,
        has_option=False,
    )
    github_api_url: str = define_setting(
        "URL of GitHub's API.",
        parse=parse_url,
        default="https://api.github.com",
        default_doc="the workflow's",
        action_default="${{ github.api_url }}",
        is_policy_key=False,
        has_option=False,
    )
    recorded: Mapping[str, PolicyEntry] = field(default_factory=dict)
    has_targets: bool = False
    pattern: str = ""
    folder: str = ""

    @property
    def url(self) -> str:
        """The address of the folder whose subfolders are the deployments."""
        return f"s3://{self.bucket}/{self.prefix}"

    def with_engine(self, engine: Engine) -> Self:
        """Return the settings with the engine that was chosen, if the setting is `auto`."""
        if self.engine is not Engine.AUTO:
            return self
        recorded = dict(self.recorded)
        entry = recorded.pop(ENGINE_SETTING, None)
        if entry is not None and engine is not Engine.DIRECT:
            recorded[ENGINE_SETTING] = replace(entry, value=engine.value)
        return replace(self, engine=engine, recorded=recorded)

    def __repr__(self) -> str:
        return f"Settings({self.bucket!r}, {self.prefix!r}, {self.mode})"


SETTINGS = list_settings(Settings)
SETTINGS_BY_NAME = {setting.name: setting for setting in SETTINGS}
