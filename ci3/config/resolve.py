"""From what was given in several places, as texts, to the settings in force."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Never, cast

from ci3.config.fields import Setting
from ci3.config.parsers import parse_live_source, parse_url
from ci3.config.settings import BY_NAME, SETTINGS, Settings
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.errors import SettingsError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value as somebody wrote it: one text, or a text a line; `where` names the place."""

    texts: tuple[str, ...] = field(repr=False)
    origin: Origin
    where: str


def text_of(layer: Mapping[str, Given], name: str) -> str:
    """Give what a layer says of a setting that takes one text, or nothing."""
    return layer[name].texts[0].strip() if name in layer and layer[name].texts else ""


def resolve(*layers: Mapping[str, Given], where: str = "") -> Settings:
    """Make settings of what was given by name; a later layer goes before an earlier one.

    What a repeatable one holds adds up over the layers, so that protecting one thing more never
    takes the protection from another.

    Raises SettingsError for an unknown name, for a value that does not fit, naming the place, and
    when a required one is missing, which `where` says. Empty text counts as not given.
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
        place = f"{where}: " if where else ""
        raise SettingsError(f"{place}{name} is not set", f"Set the input {name}{option}.")
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
        if setting.is_unique and parsed[-1] in parsed[:-1]:
            twice = f"{given.where}: {_shown(setting, text)} is named twice"
            raise SettingsError(twice, "Name it once.")
    return parsed


def _shown(setting: Setting, text: str) -> str:
    """Quote a value for an error, unless it is a secret or an address that may carry one."""
    is_address = setting.parse in (parse_url, parse_live_source)
    may_hold_secret = setting.is_secret or (is_address and re.search("[@?]", text))
    return "the value" if may_hold_secret else repr(text)


def _recordable(value: object) -> int | str | tuple[str, ...]:
    match value:
        case bool():
            return str(value).lower()
        case int() | str():
            return value
        case tuple():
            return tuple(str(part) for part in value)
        case re.Pattern():
            return str(value.pattern)
        case _:
            return str(value)
