"""Every setting, once: its name, meaning, default and check, for inputs, options, keys, docs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, Never, cast

from ci3.constants import DEFAULT_KEEP_COUNT, MINIMUM_KEEP_COUNT
from ci3.core.plan import DeleteLimit, Origin, PolicyEntry
from ci3.errors import SettingsError, nearest
from ci3.values import (
    parse_bucket,
    parse_choice,
    parse_folder_name,
    parse_keep_count,
    parse_limit,
    parse_prefix,
    parse_regex,
    parse_region,
    parse_url,
)


class Mode(StrEnum):
    """What the action does."""

    PLAN = "plan"
    APPLY = "apply"


class CommentPolicy(StrEnum):
    """When the action writes a comment on the pull request."""

    ALWAYS = "always"
    CHANGES = "changes"
    NEVER = "never"


class Kind(StrEnum):
    """How a value is written."""

    TEXT = "text"
    COUNT = "count"
    LIMIT = "limit"
    LINES = "lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting's definition.

    `parse` makes the value of one text and raises ValueError with words that follow the text, such
    as `is not a whole number`. `options` is empty where the command line has none.
    """

    name: str
    doc: str
    parse: Callable[[str], object]
    kind: Kind
    choices: tuple[str, ...]
    options: tuple[str, ...]
    default: object
    default_doc: str
    action_default: str
    is_required: bool
    is_policy_key: bool
    is_recorded: bool
    is_secret: bool

    @property
    def field(self) -> str:
        """The name as Python spells it."""
        return self.name.replace("-", "_")

    @property
    def is_repeatable(self) -> bool:
        """Whether it holds several values: one a line, or a repeated option."""
        return self.kind is Kind.LINES


def _setting(  # noqa: PLR0913 - a definition has as many parts as it has
    doc: str,
    *,
    parse: Callable[[str], object] = str,
    kind: Kind = Kind.TEXT,
    choices: Iterable[str] = (),
    options: tuple[str, ...] = (),
    default: object = MISSING,
    default_doc: str = "–",
    action_default: str = "",
    is_policy_key: bool = True,
    is_recorded: bool = False,
    is_secret: bool = False,
) -> Any:  # noqa: ANN401 - like dataclasses.field, so that a field keeps its own type
    definition = {
        "doc": doc,
        "parse": parse,
        "kind": kind,
        "choices": tuple(choices),
        "options": options,
        "default": default,
        "default_doc": default_doc,
        "action_default": action_default,
        "is_required": default is MISSING,
        "is_policy_key": is_policy_key,
        "is_recorded": is_recorded,
        "is_secret": is_secret,
    }
    return field(default=default, metadata=definition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values in force; `recorded` holds the plan's account of those that are no defaults."""

    bucket: str = _setting(
        "The bucket's name.",
        parse=parse_bucket,
        options=("--bucket-name", "--bucket"),
        default_doc="required",
    )
    region: str = _setting(
        "The bucket's region.",
        parse=parse_region,
        options=("--aws-region", "--region"),
        default="",
        default_doc="the AWS chain's",
    )
    prefix: str = _setting(
        "The folder whose sub-folders are the deployments.",
        parse=parse_prefix,
        options=("--prefix",),
        default="",
        default_doc="the bucket's root",
    )
    endpoint_url: str = _setting(
        "The address of an S3 other than AWS: MinIO, Ceph, R2, …",
        parse=parse_url,
        options=("--endpoint-url",),
        default="",
        default_doc="AWS",
    )
    mode: Mode = _setting(
        "What to do: `plan` shows what would be deleted and cannot delete; `apply` deletes it.",
        parse=parse_choice(Mode),
        choices=Mode,
        default=Mode.PLAN,
        default_doc="`plan`",
        is_policy_key=False,
    )
    keep_count: int = _setting(
        f"Keep the N newest complete deployments; at least {MINIMUM_KEEP_COUNT}.",
        parse=parse_keep_count,
        kind=Kind.COUNT,
        options=("--keep-count",),
        default=DEFAULT_KEEP_COUNT,
        default_doc=str(DEFAULT_KEEP_COUNT),
        is_recorded=True,
    )
    match: re.Pattern[str] | None = _setting(
        "A regular expression that a folder's name must match in full to be a deployment; "
        "other folders are never deleted.",
        parse=parse_regex,
        options=("--match",),
        default=None,
        default_doc="every folder",
        is_recorded=True,
    )
    protect: tuple[str, ...] = _setting(
        "Folder names and globs that are never deleted, one a line. A plain name that matches "
        "nothing refuses to apply, a glob that matches nothing warns. Those of a policy file "
        "and of an input or option add up.",
        parse=parse_folder_name,
        kind=Kind.LINES,
        options=("--protect",),
        default=(),
        is_recorded=True,
    )
    max_delete: DeleteLimit | None = _setting(
        "Refuse to delete more deployments than this: `20`, or `50%` of those found.",
        parse=parse_limit,
        kind=Kind.LIMIT,
        options=("--max-delete",),
        default=None,
        is_recorded=True,
    )
    plan_file: str = _setting(
        "Write the plan to this file, as JSON.", options=("--plan-file",), default=""
    )
    journal_file: str = _setting(
        "Where an apply writes down what it is about to delete, and what became of it. "
        "The file must not exist yet.",
        options=("--journal-file",),
        default="",
        default_doc="`ci3-journal-<run>.jsonl` in the workspace",
    )
    policy_file: str = _setting(
        "A YAML file with any of these settings as keys. An input or option goes before it.",
        options=("--policy-file",),
        default="",
        is_policy_key=False,
    )
    comment: CommentPolicy = _setting(
        "When to comment on the pull request: `always`, `changes` (when something would be "
        "deleted, is refused, or a comment is there already) or `never`.",
        parse=parse_choice(CommentPolicy),
        choices=CommentPolicy,
        default=CommentPolicy.CHANGES,
        default_doc="`changes`",
    )
    comment_id: str = _setting(
        "Tells several comments on one pull request apart.",
        default="",
        default_doc="bucket and prefix",
    )
    github_token: str = _setting(
        "The token that writes the comment; it needs `pull-requests: write`.",
        default="",
        default_doc="the workflow's",
        action_default="${{ github.token }}",
        is_policy_key=False,
        is_secret=True,
    )
    github_api_url: str = _setting(
        "The address of GitHub's API.",
        parse=parse_url,
        default="https://api.github.com",
        default_doc="the workflow's",
        action_default="${{ github.api_url }}",
        is_policy_key=False,
    )
    recorded: Mapping[str, PolicyEntry] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Settings({self.bucket!r}, {self.prefix!r}, {self.mode})"


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(name=one.name.replace("_", "-"), **one.metadata)
    for one in fields(Settings)
    if one.metadata
)
BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value as somebody wrote it: one text, or a text a line; `where` names the place."""

    texts: tuple[str, ...] = field(repr=False)
    origin: Origin
    where: str


def resolve(*layers: Mapping[str, Given]) -> Settings:
    """Make settings of what was given by name; a later layer goes before an earlier one.

    What a repeatable one holds adds up over the layers, so that protecting one thing more never
    takes the protection from another.

    Raises SettingsError for an unknown name, for a value that does not fit, naming the place, and
    when a required one is missing. Empty text counts as not given.
    """
    values: dict[str, object] = {}
    recorded: dict[str, PolicyEntry] = {}
    for name, given in _in_force(layers).items():
        setting = BY_NAME[name]
        value = _value(setting, given)
        values[setting.field] = value
        if setting.is_recorded and value != setting.default:
            recorded[name] = PolicyEntry(value=_recordable(value), origin=given[-1].origin)
    missing = [one for one in SETTINGS if one.is_required and one.field not in values]
    if missing:
        name = missing[0].name
        option = f" or the option {missing[0].options[0]}" if missing[0].options else ""
        raise SettingsError(f"{name} is not set", f"Set the input {name}{option}.")
    return Settings(**cast("dict[str, Any]", values), recorded=recorded)


def _in_force(layers: Iterable[Mapping[str, Given]]) -> dict[str, tuple[Given, ...]]:
    in_force: dict[str, tuple[Given, ...]] = {}
    for layer in layers:
        for name, given in layer.items():
            if name not in BY_NAME:
                refuse_unknown(name, given.where, BY_NAME)
            texts = tuple(text.strip() for text in given.texts if text.strip())
            if texts:
                one = Given(texts=texts, origin=given.origin, where=given.where)
                earlier = in_force.get(name, ()) if BY_NAME[name].is_repeatable else ()
                in_force[name] = (*earlier, one)
    return in_force


def refuse_unknown(name: str, where: str, known: Iterable[str]) -> Never:
    """Raise the SettingsError for a name that no setting has, with the nearest that one has."""
    names = list(known)
    raise SettingsError(
        f"{where}: there is no setting {name!r}.{nearest(name.lower().replace('_', '-'), names)}",
        f"The settings are {', '.join(names)}.",
    )


def _value(setting: Setting, given: Sequence[Given]) -> object:
    if setting.is_repeatable:
        return tuple(dict.fromkeys(value for one in given for value in _parse(setting, one)))
    if len(given[-1].texts) != 1:
        raise SettingsError(f"{given[-1].where}: {setting.name} takes one value", "Give it once.")
    return _parse(setting, given[-1])[0]


def _parse(setting: Setting, given: Given) -> list[object]:
    texts = given.texts
    if setting.is_repeatable:
        texts = tuple(line.strip() for text in texts for line in text.splitlines() if line.strip())
    parsed = []
    for text in texts:
        try:
            parsed.append(setting.parse(text))
        except ValueError as exc:
            shown = _shown(setting, text)
            raise SettingsError(f"{given.where}: {shown} {exc}", setting.doc) from exc
    return parsed


def _shown(setting: Setting, text: str) -> str:
    """Quote a value for an error, unless it is a secret or an address that may carry one."""
    may_hold_secret = setting.is_secret or (setting.parse is parse_url and re.search("[@?]", text))
    return "the value" if may_hold_secret else repr(text)


def _recordable(value: object) -> int | str | tuple[str, ...]:
    match value:
        case int() | str():
            return value
        case tuple():
            return tuple(str(part) for part in value)
        case re.Pattern():
            return str(value.pattern)
        case _:
            return str(value)
