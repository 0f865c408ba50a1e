"""Conversion of settings to command-line options, and of option values to settings."""

from collections.abc import Callable, Mapping, Sequence

import click

from ci3.config.fields import Kind, Setting
from ci3.config.groups import SETTING_GROUPS
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import RawSetting
from ci3.config.settings import SETTINGS, SETTINGS_BY_NAME, Settings
from ci3.config.targets import resolve_targets
from ci3.core.model.policy import Origin

TARGET_SETTINGS = SETTING_GROUPS["Bucket and access"]
"""Settings that locate the deployments and select the credentials."""
_DOCTOR_SETTINGS = ("probe-deletes", "probe-restore")


YES_OPTION = click.option(
    "--auto-approve",
    "--yes",
    "-y",
    "auto_approve",
    is_flag=True,
    help="Do not ask before deleting or restoring.",
)


class SettingsCommand(click.Command):
    """A command whose help shows its own options first, then the settings in their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group of options."""
        titles = {
            SETTINGS_BY_NAME[name].field_name: title
            for title, names in SETTING_GROUPS.items()
            for name in names
        }
        records: dict[str, list[tuple[str, str]]] = {"Options": []}
        records |= {title: [] for title in SETTING_GROUPS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:
                records[titles.get(param.name or "", "Options")].append(record)
        for title, rows in records.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def with_options(
    names: Sequence[str], *, alternatives: Sequence[str] = ()
) -> Callable[[click.Command], click.Command]:
    """Return a decorator that adds the options of the named settings, in the settings' order.

    `alternatives` are the command's arguments and options that replace a required setting.
    """

    def decorate(command: click.Command) -> click.Command:
        options = [
            _create_option(setting, alternatives) for setting in SETTINGS if setting.name in names
        ]
        command.params[:0] = options
        return command

    return decorate


def _create_option(setting: Setting, alternatives: Sequence[str]) -> click.Option:
    doc = setting.doc.replace("`", "")
    if setting.kind is Kind.FLAG:
        return click.Option([*setting.options, setting.field_name], help=doc, is_flag=True)
    choices = f"[{'|'.join(setting.choices)}]" if setting.choices else ""
    return click.Option(
        [*setting.options, setting.field_name],
        help=f"{doc}{_format_default(setting, alternatives)}",
        metavar=choices or setting.kind.upper(),
        multiple=setting.is_repeatable,
    )


def _format_default(setting: Setting, alternatives: Sequence[str]) -> str:
    """Return a note on the default, or on when the setting is required."""
    if setting.is_required:
        condition = f" without {' or '.join(alternatives)}" if alternatives else ""
        return f"  [required{condition}]"
    default = setting.default_doc.replace("`", "")
    return "" if default == "–" else f"  [default: {default}]"


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
