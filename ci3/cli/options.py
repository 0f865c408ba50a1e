"""Conversion of settings to command-line options, and of option values to settings."""

from collections.abc import Callable, Mapping, Sequence

import click

from ci3.config.fields import Kind, Setting
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import RawSetting
from ci3.config.settings import SETTINGS, Settings
from ci3.config.targets import resolve_targets
from ci3.core.model.policy import Origin

TARGET_SETTINGS = (
    "bucket",
    "region",
    "prefix",
    "endpoint-url",
    "addressing-style",
    "role-to-assume",
)
"""Settings that locate the deployments and select the credentials."""
_DOCTOR_SETTINGS = ("probe-deletes", "probe-restore")


def with_options(names: Sequence[str]) -> Callable[[click.Command], click.Command]:
    """Return a decorator that adds the options of the named settings, in the settings' order."""

    def decorate(command: click.Command) -> click.Command:
        options = [_create_option(setting) for setting in SETTINGS if setting.name in names]
        command.params[:0] = options
        return command

    return decorate


def _create_option(setting: Setting) -> click.Option:
    default = setting.default_doc.replace("`", "")
    note = "" if default == "–" else f"  [{'' if setting.is_required else 'default: '}{default}]"
    if setting.kind is Kind.FLAG:
        return click.Option(
            [*setting.options, setting.field_name], help=setting.doc.replace("`", ""), is_flag=True
        )
    return click.Option(
        [*setting.options, setting.field_name],
        help=f"{setting.doc.replace('`', '')}{note}",
        metavar=setting.kind.upper() if not setting.choices else None,
        multiple=setting.is_repeatable,
    )


def list_option_names(*, exclude: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of a cleanup's settings that have an option, without the excluded ones."""
    left_out = (*exclude, *_DOCTOR_SETTINGS)
    return tuple(
        setting.name for setting in SETTINGS if setting.options and setting.name not in left_out
    )


OptionValues = Mapping[str, str | Sequence[str] | bool | None]


def read_raw_settings(values: OptionValues) -> dict[str, RawSetting]:
    """Return the raw settings, by name, from the values that click passes to a command."""
    raw_settings = {}
    for setting in SETTINGS:
        value = values.get(setting.field_name)
        if value:
            texts = (value,) if isinstance(value, str) else ("true",) if value is True else value
            location = f"option {setting.options[0]}"
            raw_settings[setting.name] = RawSetting(
                texts=tuple(texts), origin=Origin.OPTION, where=location
            )
    return raw_settings


def resolve_option_targets(values: OptionValues) -> tuple[Settings, ...]:
    """Return the settings of every target, from the options and the policy file."""
    raw_settings = read_raw_settings(values)
    return resolve_targets({}, read_named_policy(raw_settings), raw_settings)
