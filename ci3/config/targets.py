"""Resolve the settings of every target of a run, and refuse targets that overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from urllib.parse import urlsplit

from ci3.config.pattern_targets import add_label, refuse_rules_in_pattern_run
from ci3.config.resolve import RawSetting, resolve_settings
from ci3.config.settings import Settings
from ci3.core.formatting import escape_control_chars
from ci3.core.model.decision import Engine
from ci3.core.model.service_url import is_aws_host
from ci3.errors import SettingsError

_LOCATION_SETTINGS = ("bucket", "prefix", "endpoint-url")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTarget:
    """The raw settings of one target in a policy file, and the line where it begins."""

    line: int
    raw_settings: Mapping[str, RawSetting]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """The content of a policy file: settings for all targets, and for each target.

    `where` is the path of the file, for errors. `targets` is empty if the file has settings of one
    target only; these are in `defaults`.
    """

    where: str = ""
    defaults: Mapping[str, RawSetting] = field(default_factory=dict)
    targets: Sequence[PolicyTarget] = ()


def resolve_targets(
    fallbacks: Mapping[str, RawSetting], policy: PolicyFile, overrides: Mapping[str, RawSetting]
) -> tuple[Settings, ...]:
    """Return the settings of every target, in the order of the policy file.

    Without targets in the file, the result is one target. Each of these layers overrides the
    previous ones: `fallbacks`, the file's defaults, the keys of the target, `overrides` (inputs or
    options).

    Raises SettingsError as `resolve_settings` does, and if one target is inside a folder that
    another one treats as a deployment, or if a run with a prefix pattern has a target with another
    engine than `direct`. Targets may share a folder if each has another `match`;
    whether a deployment matches both is only known once the folder is listed.
    """
    if not policy.targets:
        return (resolve_settings(fallbacks, policy.defaults, overrides),)
    resolved = []
    for number, target in enumerate(policy.targets, 1):
        where = f"{policy.where}, line {target.line}, target {number}"
        _refuse_moved_target(where, {**policy.defaults, **target.raw_settings}, overrides)
        settings = resolve_settings(
            fallbacks, policy.defaults, target.raw_settings, overrides, where=where
        )
        journal_file = settings.journal_file
        if len(policy.targets) > 1:
            journal_file = add_label(journal_file, str(number))
        resolved.append(replace(settings, journal_file=journal_file, has_targets=True))
    labels = [
        f"target {number} (line {target.line}, {_format_address(settings)})"
        for number, (target, settings) in enumerate(zip(policy.targets, resolved, strict=True), 1)
    ]
    refuse_rules_in_pattern_run(resolved, [f"{policy.where}: {label}" for label in labels])
    refuse_overlaps(resolved, labels, f"{policy.where}: ")
    return tuple(resolved)


def refuse_overlaps(
    targets: Sequence[Settings], labels: Sequence[str] = (), where: str = ""
) -> None:
    """Raise SettingsError if two targets are the same folder, or one is in another's deployment.

    `labels` name the targets in errors; without them, these are their addresses.
    """
    labels = labels or [_format_address(settings) for settings in targets]
    _refuse_shared_folders(targets, labels, where)
    _refuse_nested_folders(targets, labels, where)


def bucket_identity(settings: Settings) -> tuple[str, ...]:
    """Return values that are equal for the same bucket, however its endpoint URL is written."""
    parts = urlsplit(settings.endpoint_url)
    host, port = parts.hostname or "", parts.port
    if is_aws_host(host):
        return settings.bucket, "", ""
    return settings.bucket, host if port in (None, 80, 443) else f"{host}:{port}", parts.path


def _refuse_moved_target(
    where: str, target_settings: Mapping[str, RawSetting], overrides: Mapping[str, RawSetting]
) -> None:
    """Refuse an input or option that changes a target's location.

    The rules of a target are written for its location only.
    """
    for name in _LOCATION_SETTINGS:
        if name in target_settings and name in overrides:
            in_file = _normalize_location(target_settings[name])
            override = _normalize_location(overrides[name])
            if in_file and override and in_file != override:
                raise SettingsError(
                    f"{where} has a different {name} than {overrides[name].where}",
                    f"Remove {overrides[name].where}: it would apply this target's rules to "
                    "another location.",
                )


def _normalize_location(raw_setting: RawSetting) -> str:
    return " ".join(raw_setting.texts).strip().rstrip("/")


def _refuse_shared_folders(
    targets: Sequence[Settings], labels: Sequence[str], location: str
) -> None:
    """Refuse targets of one folder unless each has another `match` and deletes directly.

    A lifecycle rule for a deployment of one target is removed by the other one.
    """
    for indexes in _group_by_location(targets).values():
        for first, second in combinations(indexes, 2):
            where = f"{location}{labels[first]} and {labels[second]} use the same folder"
            matches = [targets[first].match, targets[second].match]
            if None in matches or matches[0] == matches[1]:
                raise SettingsError(
                    where,
                    "Remove one of them, change its bucket or prefix, or set a different match in "
                    "each, so that no folder matches both.",
                )
            engines = {targets[first].engine, targets[second].engine}
            if engines != {Engine.DIRECT}:
                raise SettingsError(
                    f"{where}, and one of them does not have engine: direct",
                    "Use engine: direct for both, or one target with group-by.",
                )


def _refuse_nested_folders(
    targets: Sequence[Settings], labels: Sequence[str], location: str
) -> None:
    """Refuse a target inside a folder that another target treats as a deployment.

    Deleting that deployment would delete the inner target. With the targets `app/` and `app/x/y/`,
    the first one must exclude the folder `x` by `match`.
    """
    indexes_by_location = _group_by_location(targets)
    for inner, settings in enumerate(targets):
        parts = settings.prefix.split("/")[:-1]
        for depth, folder in enumerate(parts):
            parent = "".join(f"{part}/" for part in parts[:depth])
            for outer in indexes_by_location.get((*bucket_identity(settings), parent), ()):
                match = targets[outer].match
                if match is None or match.fullmatch(folder):
                    raise SettingsError(
                        f"{location}{labels[inner]} is in the folder {folder!r}, which "
                        f"{labels[outer]} treats as a deployment",
                        f"Set match in target {outer + 1} so that it excludes {folder!r}: "
                        f"deleting that folder would delete target {inner + 1}.",
                    )


def _group_by_location(targets: Sequence[Settings]) -> dict[tuple[str, ...], list[int]]:
    """Return the indexes of the targets at each location."""
    indexes: dict[tuple[str, ...], list[int]] = {}
    for index, settings in enumerate(targets):
        indexes.setdefault((*bucket_identity(settings), settings.prefix), []).append(index)
    return indexes


def _format_address(settings: Settings) -> str:
    address = escape_control_chars(settings.url)
    return f"{address} (prefix {settings.pattern})" if settings.pattern else address
