"""The definitions of all settings, shared by inputs, options, policy-file keys and docs."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import partial
from typing import Self

from ci3.config import parsers
from ci3.config.fields import Kind, Setting, define_choice, define_setting
from ci3.config.modes import CommentPolicy, Mode
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

_define_flag = partial(
    define_setting, parse=parsers.parse_flag, kind=Kind.FLAG, default=False, default_doc="false"
)
_define_count_of_periods = partial(
    define_setting, parse=parsers.parse_count, kind=Kind.COUNT, default=0, is_recorded=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings of one target.

    `recorded` maps the names of recorded settings to the values and origins that a plan stores:
    those that differ from their defaults, and `age-from` whenever it is set. `has_targets` is true
    if a policy file names the targets of the run, even if it is only one. `pattern` is the prefix
    pattern that the target was found by, if any, and `folder` what its segments with `*` matched.
    """

    bucket: str = define_setting(
        "The bucket's name.",
        parse=parsers.parse_bucket,
        option_aliases=("--bucket-name",),
        default=MISSING,
        default_doc="required",
    )
    region: str = define_setting(
        "The bucket's region.",
        parse=parsers.parse_region,
        option_aliases=("--aws-region",),
        default_doc="the AWS chain's",
    )
    prefix: str = define_setting(
        "The folder whose sub-folders are the deployments. With `*` for a folder name or a part "
        "of it, `apps/*/production/`, each folder in which `match` finds something is a target.",
        parse=parsers.parse_prefix,
        pattern=parsers.PREFIX_PATTERN,
        default_doc="the bucket's root",
    )
    endpoint_url: str = define_setting(
        "The address of an S3 other than AWS: MinIO, Ceph, R2, …",
        parse=parse_url,
        default_doc="AWS",
    )
    addressing_style: AddressingStyle | None = define_setting(
        "Where requests have the bucket's name: `path`, in the address's path; `virtual`, in its "
        "host; `auto`, as boto3 chooses.",
        parse=parsers.parse_choice(AddressingStyle),
        choices=AddressingStyle,
        default=None,
        default_doc="`path` with an endpoint, else `auto`",
        is_recorded=True,
    )
    # Not a policy key, like the token: a pull request must not choose the identity of ci3.
    role_to_assume: str = define_setting(
        "The ARN of a role to act as, with credentials that are got anew before they expire. In a "
        "workflow through GitHub's OIDC: the job needs `id-token: write`. Elsewhere with the AWS "
        "chain's own credentials.",
        parse=parsers.parse_role,
        is_policy_key=False,
    )
    mode: Mode = define_choice(
        "What to do: `plan` shows what would be deleted and cannot delete; `apply` deletes it; "
        "`restore` brings back what the run of `journal-file` deleted, where the bucket keeps "
        "versions; `doctor` says what stands in the way, and changes nothing.",
        Mode.PLAN,
        is_policy_key=False,
        has_option=False,
    )
    keep_count: int = define_setting(
        f"Keep the N newest complete deployments of each group; at least {MINIMUM_KEEP_COUNT}.",
        parse=parsers.parse_keep_count,
        kind=Kind.COUNT,
        minimum=MINIMUM_KEEP_COUNT,
        default=DEFAULT_KEEP_COUNT,
        default_doc=str(DEFAULT_KEEP_COUNT),
        is_recorded=True,
    )
    keep_within: Duration | None = define_setting(
        "Keep what was the newest within this time, such as `36h`, `14d` or `8w`. The clock of a "
        "deployment starts when the next one is complete, not when it was uploaded.",
        parse=Duration.parse,
        kind=Kind.DURATION,
        pattern=DURATION_PATTERN,
        default=None,
        is_recorded=True,
    )
    keep_daily: int = _define_count_of_periods(
        "Keep the newest complete deployment of each of the last N days (UTC) that have one.",
    )
    keep_weekly: int = _define_count_of_periods(
        "The same of each of the last N weeks (ISO, UTC) that have one.",
    )
    keep_monthly: int = _define_count_of_periods(
        "The same of each of the last N months (UTC) that have one.",
    )
    match: UserPattern | None = define_setting(
        "A regular expression that a folder's name must match in full to be a deployment; "
        "other folders are never deleted.",
        parse=parsers.parse_regex,
        default=None,
        default_doc="every folder",
        is_recorded=True,
    )
    group_by: UserPattern | None = define_setting(
        r"A regular expression with a group, such as `(pr-\d+)-.*`: folders in which the group "
        "reads the same are decided together, each group alone. It must match a name in full; "
        "what it does not match is a group of its own, and stays.",
        parse=parsers.parse_grouping,
        default=None,
        default_doc="one group",
        is_recorded=True,
    )
    required_file: str = define_setting(
        "A file that a finished deployment has, such as `index.html`. One without it is "
        "incomplete: it counts for no rule, and is kept while it may still be uploading.",
        parse=parsers.parse_file_path,
        pattern=parsers.FILE_PATH_PATTERN,
        is_recorded=True,
    )
    age_from: AgeFrom = define_choice(
        "Which times tell what is older. `span`: all of one deployment's objects are older than "
        "all of the other's. `oldest`, `newest`: that object of each. `first-object`: the first "
        "by name, so that a plan takes one request for each deployment that stays. `name`: the "
        "numbers in the names, such as `build-9` before `build-10`; the `keep-count` most recently "
        "uploaded stay too. Names with other text around the numbers are not compared, and stay.",
        AgeFrom.SPAN,
        is_recorded=True,
        is_default_recorded=True,
    )
    inventory: ReportLocation | None = define_setting(
        "The `s3://…/manifest.json` of an S3 Inventory report of the bucket, in CSV or Parquet, or "
        "the folder of its configuration, `s3://…/`, for the newest one. A plan then lists the "
        "folders, and in full only what the report does not have, what is due, and what that goes "
        "for. With it no more is deleted than without.",
        parse=ReportLocation.parse,
        pattern=ADDRESS_PATTERN,
        default=None,
        is_recorded=True,
    )
    protect: tuple[str, ...] = define_setting(
        "Folder names and globs that are never deleted, one a line. A plain name that matches "
        "nothing refuses to apply, a glob that matches nothing warns. Those of a policy file "
        "and of an input or option add up.",
        parse=parsers.parse_folder_name,
        kind=Kind.LINES,
        pattern=parsers.FOLDER_NAME_PATTERN,
        default=(),
        is_recorded=True,
    )
    live_from: tuple[LiveSource, ...] = define_setting(
        "What says which deployments are live, one a line: `github-deployments[:environment]`, "
        "`open-pull-requests`, `branches`, `cloudfront`, `ssm:/parameter`, `object:key`, "
        "`url:https://…`; the last three take `#key` for a JSON text. What is live is never "
        "deleted, and while one of them can't be read nothing is. `{folder}` is what `*` in "
        "`prefix` matched. Those of a policy file and of an input or option add up.",
        parse=parsers.parse_live_source,
        kind=Kind.LINES,
        pattern=parsers.LIVE_SOURCE_PATTERN,
        default=(),
        is_unique=True,
        is_recorded=True,
    )
    max_delete: DeleteLimit | None = define_setting(
        "Refuse to delete more deployments than this: `20`, or `50%` of those found. Applies per "
        "target; nothing is deleted if one exceeds it, so a total needs no limit of its own.",
        parse=parsers.parse_limit,
        kind=Kind.LIMIT,
        pattern=parsers.LIMIT_PATTERN,
        default=None,
        is_recorded=True,
    )
    max_delete_bytes: ByteSize | None = define_setting(
        "Refuse to delete more than this, such as `100GB` or `1.5GiB`.",
        parse=ByteSize.parse,
        kind=Kind.SIZE,
        pattern=SIZE_PATTERN,
        default=None,
        is_recorded=True,
    )
    engine: Engine = define_choice(
        "What deletes. `direct`: ci3 itself, object by object, at once. `lifecycle`: S3, by a rule "
        "of the bucket's lifecycle for each deployment that goes: any number of objects, free, "
        f"within a day or two. `auto`: up to {MAXIMUM_DIRECT_OBJECTS:,} objects directly, and more "
        "by the lifecycle, where nothing stands in its way; the plan says which and why.",
        Engine.DIRECT,
        is_recorded=True,
    )
    delete_versions: bool = _define_flag(
        "On a bucket that keeps versions, delete all versions of the deployments that go, and "
        "their delete markers: for good, nothing can be undone. Without it they stay as old "
        "versions, and cost as before.",
        is_recorded=True,
    )
    plan_file: str = define_setting(
        "To plan: write the plan to this file, as JSON. To apply: delete exactly what this plan "
        "names, as far as it is still due and unchanged; its settings count where none are given.",
        is_run_wide=True,
    )
    skip_changed: bool = _define_flag(
        "Of a plan file, delete what has not changed since, and skip the rest. Without it nothing "
        "is deleted once anything has changed.",
        is_policy_key=False,
    )
    journal_file: str = define_setting(
        "Where an apply writes down what it is about to delete, and what became of it. "
        "The file must not exist yet. Each of several targets has its own: `journal-1.jsonl` and "
        "so on, or by the folder of a pattern, `journal-shop.jsonl`. `s3://` stores it in the "
        "bucket itself, in `.ci3/journals/<run>/` below the prefix, which is never a deployment; "
        "whoever may read that folder reads the keys that went and the settings. To restore: the "
        "journal of the run to undo.",
        default_doc="`ci3-journal-<run>.jsonl` in the workspace",
        is_run_wide=True,
    )
    # Not a policy key: the journal belongs to a single run.
    resume: str = define_setting(
        "To apply: go on with the run that wrote this journal, where a crash, a timeout or lost "
        "access has ended it. Nothing is deleted but what that run was to delete, as far as it is "
        "still due and unchanged but for its own deletions. Place and settings are the journal's "
        "where none are given. Empty means unset: where an earlier step's output may be missing, "
        "give that step an `if:`, or a full apply is what runs.",
        is_policy_key=False,
    )
    # Not a policy key, like the other probe: it applies to a single run of `doctor`.
    probe_deletes: bool = _define_flag(
        "To examine (`doctor`): also find out whether this identity may delete, and whether this "
        "S3 holds a deletion to a condition. It asks S3 to delete keys under the prefix that "
        "nobody has, `.ci3-probe-…`; without it nothing is sent that writes.",
        is_policy_key=False,
    )
    probe_restore: bool = _define_flag(
        "To examine (`doctor`): also find out whether this S3 can restore what is deleted, where "
        "the bucket keeps versions. It writes, deletes and restores one object under the prefix, "
        "`.ci3/restore-probe-…`, and removes it. `ci3 iam-policy probe-restore` prints what that "
        "needs.",
        is_policy_key=False,
    )
    timeout: Duration | None = define_setting(
        "Stop deleting after this long, such as `90s`, `30m` or `2h`: what is out is waited for, "
        "and a later run goes on.",
        parse=Duration.parse_timeout,
        kind=Kind.DURATION,
        pattern=TIMEOUT_PATTERN,
        default=None,
        is_run_wide=True,
    )
    concurrency: int = define_setting(
        "Requests to S3 that may be out at once. As many are as the network and this machine make "
        "worth having, and fewer when S3 asks for that; never more than this.",
        parse=parsers.parse_concurrency,
        kind=Kind.COUNT,
        minimum=1,
        default=MAXIMUM_CONCURRENCY,
        default_doc=f"adaptive, at most {MAXIMUM_CONCURRENCY}",
        is_run_wide=True,
    )
    policy_file: str = define_setting(
        "A YAML file with any of these settings as keys; or with `targets`, a list of several "
        "buckets or prefixes with the settings of each, and `defaults` for all of them. An input "
        "or option goes before it.",
        is_policy_key=False,
    )
    comment: CommentPolicy = define_choice(
        "When to comment on the pull request: `always`, `changes` (when something would be "
        "deleted, is refused, names and settings do not fit the bucket, or a comment is there "
        "already) or `never`.",
        CommentPolicy.CHANGES,
        is_run_wide=True,
        has_option=False,
    )
    comment_id: str = define_setting(
        "Tells several comments on one pull request apart.",
        default_doc="bucket, prefix and match",
        is_run_wide=True,
        has_option=False,
    )
    github_token: str = define_setting(
        "The token that writes the comment; it needs `pull-requests: write`, and `contents: read` "
        "to tell of the commits that deployments are named after.",
        default_doc="the workflow's",
        action_default="${{ github.token }}",
        is_policy_key=False,
        is_secret=True,
        has_option=False,
    )
    github_api_url: str = define_setting(
        "The address of GitHub's API.",
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


SETTINGS: tuple[Setting, ...] = tuple(
    replace(field_.metadata["setting"], name=field_.name.replace("_", "-"))
    for field_ in fields(Settings)
    if field_.metadata
)
SETTINGS_BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}
