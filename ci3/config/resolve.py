"""Merge settings from several sources and parse them.

A layer is a mapping of setting names to the values of one source, such as the policy file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ci3.config.fields import Setting
from ci3.config.lines import build_line_hint, is_single_value, unquote_line
from ci3.config.parsers import parse_live_source
from ci3.config.pattern_targets import refuse_stray_placeholder
from ci3.config.settings import SETTINGS, SETTINGS_BY_NAME, Settings
from ci3.config.unknown_names import refuse_unknown
from ci3.core.model.decision import Engine
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.model.prefix_pattern import is_pattern
from ci3.core.model.service_url import parse_url
from ci3.core.retention.age_order import AgeFrom
from ci3.errors import SettingsError

TIME_RULES = ("keep-within", "keep-daily", "keep-weekly", "keep-monthly")
"""Keep rules that depend on upload times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSetting:
    """An unparsed value of a setting.

    `texts` are one text, or several; each can have one value per line. `where` says where the user
    set it, for errors. If it `is_recorded`, each text is one value, as a plan or
    journal stores it.
    """

    texts: tuple[str, ...] = field(repr=False)
    origin: Origin
    where: str
    is_recorded: bool = False


def raw_text(layer: Mapping[str, RawSetting], name: str) -> str:
    """Return the text of a single-valued setting in a layer; empty if it is not set there."""
    if name not in layer or not layer[name].texts:
        return ""
    text = layer[name].texts[0]
    return text if layer[name].is_recorded else text.strip()


def resolve_settings(*layers: Mapping[str, RawSetting], where: str = "") -> Settings:
    """Return the effective settings: a later layer overrides an earlier one.

    The values of a repeatable setting are collected from all layers, so that adding a protected
    name in one place never removes the protection of another:

    | layer       | keep-count | protect |
    |-------------|------------|---------|
    | policy file | 5          | a       |
    | option      | 3          | b       |
    | effective   | 3          | a, b    |

    Empty text counts as not set. Raises SettingsError for an unknown name, for an invalid value,
    and for a required setting that is missing; `where` begins the message of the last.
    """
    values: dict[str, object] = {}
    recorded: dict[str, PolicyEntry] = {}
    for name, raw_settings in _merge_layers(layers).items():
        setting = SETTINGS_BY_NAME[name]
        value = _parse_setting(setting, raw_settings)
        values[setting.field_name] = value
        is_changed = value != setting.default or setting.is_default_recorded
        # A plan records a pattern besides the prefix of its target.
        is_recorded = setting.is_recorded or (name == "prefix" and is_pattern(str(value)))
        if is_recorded and is_changed:
            recorded[name] = PolicyEntry(
                value=_to_recorded_value(value), origin=raw_settings[-1].origin
            )
    missing = [
        setting for setting in SETTINGS if setting.is_required and setting.field_name not in values
    ]
    if missing:
        name = missing[0].name
        option = f" or the option {missing[0].options[0]}" if missing[0].options else ""
        location = f"{where}: " if where else ""
        raise SettingsError(f"{location}{name} is not set", f"Set the input {name}{option}.")
    settings = Settings(**cast("dict[str, Any]", values), recorded=recorded)
    _refuse_times_with_names(settings, where)
    refuse_stray_placeholder(settings, where)
    _refuse_rules_with_pattern(settings, where)
    _refuse_expiry_without_match(settings, where)
    return settings


def _refuse_times_with_names(settings: Settings, where: str) -> None:
    """Refuse keep rules that depend on upload times where names define the age."""
    if settings.age_from is not AgeFrom.NAME:
        return
    values = {setting.name: getattr(settings, setting.field_name) for setting in SETTINGS}
    names = [name for name in TIME_RULES if values[name]]
    if names:
        location = f"{where}: " if where else ""
        raise SettingsError(
            f"{location}age-from: name cannot be combined with {' and '.join(names)}: "
            "time-based rules need upload times",
            f"Remove {' and '.join(names)}, or use another age-from.",
        )


def _refuse_rules_with_pattern(settings: Settings, where: str) -> None:
    """Refuse lifecycle rules for a prefix pattern.

    A folder in which `match` finds nothing any more is no target: a rule of an earlier run would
    not be removed there, and S3 would delete what is to be kept now.
    """
    if is_pattern(settings.prefix) and settings.engine is not Engine.DIRECT:
        location = f"{where}: " if where else ""
        raise SettingsError(
            f"{location}engine: {settings.engine} cannot be combined with prefix "
            f"{settings.prefix}: lifecycle rules would stay in folders that the pattern or "
            "match no longer finds",
            "Use engine: direct, or a policy file that lists the targets.",
        )


def _refuse_expiry_without_match(settings: Settings, where: str) -> None:
    """Refuse `expire-closed` unless `match` says which folders are deployments."""
    if settings.expire_closed is not None and settings.match is None:
        location = f"{where}: " if where else ""
        raise SettingsError(
            f"{location}expire-closed needs match: it also deletes the last preview",
            r"Set match to the names of all deployments, such as pr-\d+|[0-9a-f]{40}.",
        )


def _merge_layers(layers: Iterable[Mapping[str, RawSetting]]) -> dict[str, tuple[RawSetting, ...]]:
    """Return the raw values of each setting that is set; several only if it is repeatable."""
    merged: dict[str, tuple[RawSetting, ...]] = {}
    for layer in layers:
        for name, raw_setting in layer.items():
            if name not in SETTINGS_BY_NAME:
                refuse_unknown(name, raw_setting.where, SETTINGS_BY_NAME)
            texts = tuple(text for text in raw_setting.texts if text.strip())
            if not raw_setting.is_recorded:
                texts = tuple(text.strip() for text in texts)
            if texts:
                stripped = replace(raw_setting, texts=texts)
                previous = merged.get(name, ()) if SETTINGS_BY_NAME[name].is_repeatable else ()
                merged[name] = (*previous, stripped)
    return merged


def _parse_setting(setting: Setting, raw_settings: Sequence[RawSetting]) -> object:
    if setting.is_repeatable:
        return tuple(
            dict.fromkeys(value for raw in raw_settings for value in _parse_texts(setting, raw))
        )
    if len(raw_settings[-1].texts) != 1:
        raise SettingsError(
            f"{raw_settings[-1].where}: {setting.name} takes one value", "Set it once."
        )
    return _parse_texts(setting, raw_settings[-1])[0]


def _parse_texts(setting: Setting, raw_setting: RawSetting) -> list[object]:
    has_lines = setting.is_repeatable and not raw_setting.is_recorded
    values = []
    for text in split_lines(raw_setting.texts) if has_lines else raw_setting.texts:
        try:
            value = _read_line(setting, text, raw_setting) if has_lines else text
            values.append(setting.parse(value))
        except ValueError as exc:
            shown_text = _quote(setting, text)
            raise SettingsError(f"{raw_setting.where}: {shown_text} {exc}", setting.doc) from exc
        if setting.is_unique and values[-1] in values[:-1]:
            message = f"{raw_setting.where}: {_quote(setting, text)} is listed twice"
            raise SettingsError(message, "List it once.")
    return values


def _read_line(setting: Setting, line: str, raw_setting: RawSetting) -> str:
    if not is_single_value(setting, line):
        hint = build_line_hint(setting, line, raw_setting.origin)
        raise SettingsError(
            f"{raw_setting.where}: {_quote(setting, line)} is not a single value: it contains a "
            "comma, a semicolon, a space or a list",
            hint,
        )
    return unquote_line(line)


def split_lines(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the lines of texts, stripped, without empty ones."""
    return tuple(line.strip() for text in texts for line in text.splitlines() if line.strip())


def _quote(setting: Setting, text: str) -> str:
    """Return a value quoted for an error, or a placeholder if it may contain a secret."""
    is_address = setting.parse in (parse_url, parse_live_source)
    may_contain_secret = setting.is_secret or (is_address and re.search("[@?]", text))
    return "the value" if may_contain_secret else repr(text)


def _to_recorded_value(value: object) -> int | str | tuple[str, ...]:
    match value:
        case bool():
            return str(value).lower()
        case int() | str():
            return value
        case tuple():
            return tuple(str(part) for part in value)
        case _:
            return str(value)
