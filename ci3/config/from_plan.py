"""Resolve the settings for applying a saved plan and for resuming a journal."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ci3.config.lines import unquote_line
from ci3.config.pattern_targets import (
    bind_target,
    refuse_rules_in_pattern_run,
    separate_journals,
)
from ci3.config.resolve import RawSetting, raw_text, resolve_settings, split_lines
from ci3.config.settings import SETTINGS_BY_NAME, Settings
from ci3.config.targets import PolicyFile, bucket_identity, resolve_targets
from ci3.config.unknown_names import refuse_unknown
from ci3.core.journal.location import is_s3_url
from ci3.core.live.sources import LiveSource
from ci3.core.model.decision import Engine
from ci3.core.model.deployment import Target
from ci3.core.model.policy import DELETE_VERSIONS_SETTING, ENGINE_SETTING, Origin, PolicyEntry
from ci3.core.model.prefix_pattern import is_pattern
from ci3.core.plan.plan import Plan
from ci3.errors import SettingsError

if TYPE_CHECKING:
    from ci3.core.journal.header import JournalHeader

JOURNAL_TARGET_SETTINGS = ("bucket", "region", "prefix", "endpoint-url")
"""The settings of the target that a journal's header records."""


def find_plan_file(policy: PolicyFile, overrides: Mapping[str, RawSetting]) -> str:
    """Return the path of the plan file that is set, or an empty text."""
    return raw_text(overrides, "plan-file") or raw_text(policy.defaults, "plan-file")


def resolve_plan_settings(
    plans: Sequence[Plan],
    path: str,
    fallbacks: Mapping[str, RawSetting],
    policy: PolicyFile,
    overrides: Mapping[str, RawSetting],
) -> tuple[Settings, ...]:
    """Return the settings with which each plan is applied.

    Those recorded in a plan are overridden by the policy file and by `overrides`, inputs or
    options. If the policy file has targets, these count instead of what the plans record.

    Raises SettingsError as `resolve_targets` does, and if the settings name other targets than the
    plans, another engine, or differ in `delete-versions`.
    """
    if policy.targets:
        settings = _select_targets(plans, resolve_targets(fallbacks, policy, overrides))
    else:
        layers = [
            _recorded_layer(plan.target, plan.policy, path, (policy.defaults, overrides))
            for plan in plans
        ]
        resolved = [
            resolve_settings(fallbacks, layer, policy.defaults, overrides) for layer in layers
        ]
        settings = separate_journals(
            [
                bind_target(target, plan.target.prefix) or target
                for plan, target in zip(plans, resolved, strict=True)
            ]
        )
        if len(plans) > 1:
            settings = tuple(
                replace(target, has_targets=target.has_targets or not target.pattern)
                for target in settings
            )
    planned_urls = [plan.target.url for plan in plans]
    if [target.url for target in settings] != planned_urls:
        raise SettingsError(
            f"{path} is a plan for {', '.join(planned_urls)}, but the settings name "
            f"{', '.join(target.url for target in settings)}",
            "Use the bucket and prefix of the plan, or create a new plan. Nothing was deleted.",
        )
    pairs = zip(plans, settings, strict=True)
    settings = tuple(target.with_engine(plan.engine) for plan, target in pairs)
    for plan, target in zip(plans, settings, strict=True):
        _refuse_other_deletion(target, plan.policy, f"{path} is a plan")
    refuse_rules_in_pattern_run(settings, [f"{path}: {url}" for url in planned_urls])
    return settings


def _select_targets(plans: Sequence[Plan], targets: tuple[Settings, ...]) -> tuple[Settings, ...]:
    """Return the settings for each plan if targets have patterns, which have several plans.

    Each other target must have exactly one plan. Of several targets with the plan's bucket and
    folder, the one counts that has the endpoint and the `match` of the plan. The targets are
    returned unchanged if that fails.
    """
    if not any(is_pattern(target.prefix) for target in targets):
        return targets
    selected: list[Settings] = []
    unused = {index for index, target in enumerate(targets) if not is_pattern(target.prefix)}
    for plan in plans:
        candidates = [
            (index, bound)
            for index, target in enumerate(targets)
            if target.bucket == plan.target.bucket
            and (bound := bind_target(target, plan.target.prefix)) is not None
        ]
        if len({bucket_identity(bound) for _, bound in candidates}) > 1:
            candidates = [
                (index, bound) for index, bound in candidates if _has_endpoint(bound, plan)
            ]
        if len(candidates) > 1:
            candidates = [(index, bound) for index, bound in candidates if _has_match(bound, plan)]
        if len(candidates) != 1:
            return targets
        selected.append(candidates[0][1])
        unused.discard(candidates[0][0])
    return targets if unused else tuple(selected)


def _has_endpoint(settings: Settings, plan: Plan) -> bool:
    planned = replace(settings, endpoint_url=plan.target.endpoint_url)
    return bucket_identity(settings) == bucket_identity(planned)


def _has_match(settings: Settings, plan: Plan) -> bool:
    match = plan.policy.get("match")
    return match is not None and str(settings.match) == match.value


def resolve_journal_settings(
    header: "JournalHeader",
    path: str,
    fallbacks: Mapping[str, RawSetting],
    policy: PolicyFile,
    overrides: Mapping[str, RawSetting],
) -> Settings:
    """Return the settings with which a run is resumed.

    Those recorded in the journal are overridden by the policy file and by `overrides`, inputs or
    options.

    Raises SettingsError if another target, another journal file, a plan file or a policy file with
    targets is set, and for a journal of a run with another engine than `direct`.
    """
    if policy.targets:
        raise SettingsError(
            f"{policy.where} has targets, but {path} is the journal of one target",
            "Remove policy-file: the journal contains the settings. Resume targets one by one.",
        )
    expected = {"bucket": header.target.bucket, "prefix": header.target.prefix}
    expected["endpoint-url"] = header.target.endpoint_url
    for layer in (policy.defaults, overrides):
        for name, recorded in (expected | {"journal-file": path}).items():
            value = raw_text(layer, name).rstrip("/")
            if name == "journal-file" and is_s3_url(value) and is_s3_url(recorded):
                continue
            is_pattern_of_it = name == "prefix" and is_pattern(value)
            if value and value != recorded.rstrip("/") and not is_pattern_of_it:
                raise SettingsError(
                    f"{layer[name].where} is {value!r}, but the run to resume has "
                    f"{recorded or 'none'}",
                    "Remove it: resume uses the value of that run. Nothing was deleted.",
                )
        if raw_text(layer, "plan-file"):
            raise SettingsError(
                f"{layer['plan-file'].where} cannot be combined with resume",
                "Remove plan-file: the journal lists what was approved.",
            )
    if ENGINE_SETTING in header.policy:
        raise SettingsError(
            f"{path} is the journal of a run with engine: {header.policy[ENGINE_SETTING].value}, "
            "which cannot be resumed",
            "Run apply again without resume: it detects the existing rules and does the rest.",
        )
    layer = _recorded_layer(header.target, header.policy, path, (policy.defaults, overrides))
    resolved = resolve_settings(fallbacks, layer, policy.defaults, overrides)
    settings = bind_target(resolved, header.target.prefix)
    if settings is None:
        raise SettingsError(
            f"{path} is the journal of a run in {header.target.url}, but prefix is "
            f"{resolved.prefix}",
            "Remove prefix: resume uses the one of that run. Nothing was deleted.",
        )
    settings = replace(settings, journal_file=resolved.journal_file).with_engine(Engine.DIRECT)
    _refuse_other_deletion(settings, header.policy, f"{path} is the journal of a run")
    return settings


def journal_target_layer(target: Target, path: str) -> dict[str, RawSetting]:
    """Return the target of a journal's header as a layer of raw settings."""
    return {
        name: RawSetting(
            texts=(text,), origin=Origin.OPTION, where=f"the journal {path}", is_recorded=True
        )
        for name in JOURNAL_TARGET_SETTINGS
        if (text := getattr(target, name.replace("-", "_")))
    }


def _refuse_other_deletion(
    settings: Settings, recorded: Mapping[str, PolicyEntry], subject: str
) -> None:
    """Raise SettingsError if `delete-versions` or `engine` differs from what was recorded."""
    hint = "Use the same setting, or create a new plan. Nothing was deleted."
    name, deleted_versions = DELETE_VERSIONS_SETTING, DELETE_VERSIONS_SETTING in recorded
    if settings.delete_versions is not deleted_versions:
        was, now = ("with", "without") if deleted_versions else ("without", "with")
        raise SettingsError(f"{subject} {was} {name}, but the settings are {now} it", hint)
    engine = recorded[ENGINE_SETTING].value if ENGINE_SETTING in recorded else Engine.DIRECT
    if settings.engine != engine:
        settings_note = f"the settings have engine: {settings.engine}"
        raise SettingsError(f"{subject} with engine: {engine}, but {settings_note}", hint)


def _recorded_layer(
    target: Target,
    policy: Mapping[str, PolicyEntry],
    path: str,
    override_layers: Sequence[Mapping[str, RawSetting]],
) -> dict[str, RawSetting]:
    """Return a recorded target and policy as a layer of raw settings.

    Raises SettingsError for an unknown setting, and for one that could not be recorded completely
    and is not set again in `override_layers`.
    """
    entries: dict[str, tuple[str, ...]] = {
        name: (getattr(target, name.replace("-", "_")),) for name in JOURNAL_TARGET_SETTINGS
    }
    for name, entry in policy.items():
        is_known = name in SETTINGS_BY_NAME and SETTINGS_BY_NAME[name].is_recorded
        if not (is_known or name == "prefix"):
            refuse_unknown(name, f"{path}, policy", SETTINGS_BY_NAME)
        value = entry.value
        entries[name] = value if isinstance(value, tuple) else (str(value),)
    entries["live-from"] = _select_complete_sources(
        entries.get("live-from", ()), path, override_layers
    )
    origins = {name: entry.origin for name, entry in policy.items()}
    return {
        name: RawSetting(
            texts=texts,
            origin=origins.get(name, Origin.OPTION),
            where=f"{path}, {name}",
            is_recorded=True,
        )
        for name, texts in entries.items()
    }


def _select_complete_sources(
    texts: Sequence[str], path: str, override_layers: Sequence[Mapping[str, RawSetting]]
) -> tuple[str, ...]:
    """Return the live sources that were recorded completely.

    The query of a URL may contain a secret and is recorded as `?…`. Such a source must be set again
    in `override_layers`, or SettingsError is raised.
    """
    overrides = [
        text
        for layer in override_layers
        if "live-from" in layer
        for text in layer["live-from"].texts
    ]
    set_again = {_mask_query(unquote_line(line)) for line in split_lines(overrides)}
    missing = [text for text in texts if "?…" in text and text not in set_again]
    if missing:
        raise SettingsError(
            f"{path} does not contain the query of live-from {missing[0]}",
            "Set that live-from again, with its query. Nothing was deleted.",
        )
    return tuple(text for text in texts if "?…" not in text)


def _mask_query(text: str) -> str:
    """Return a live source as a plan or journal records it."""
    try:
        return str(LiveSource.parse(text))
    except ValueError:  # refused later, with its location, when the settings are resolved
        return text
