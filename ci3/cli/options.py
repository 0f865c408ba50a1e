"""The settings as the command line's options, and back."""

from collections.abc import Callable, Mapping, Sequence

import click

from ci3.config.fields import Kind, Setting
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import Given
from ci3.config.settings import SETTINGS, Settings
from ci3.config.targets import resolve_targets
from ci3.core.model.policy import Origin

TARGET_SETTINGS = ("bucket", "region", "prefix", "endpoint-url", "role-to-assume")
"""What says where the deployments are, and as whom they are looked at."""
_OF_DOCTOR = ("probe-deletes",)


def with_options(names: Sequence[str]) -> Callable[[click.Command], click.Command]:
    """Give a command the options of settings, in the settings' order."""

    def decorate(command: click.Command) -> click.Command:
        made = [_option(setting) for setting in SETTINGS if setting.name in names]
        command.params[:0] = made
        return command

    return decorate


def _option(setting: Setting) -> click.Option:
    default = setting.default_doc.replace("`", "")
    note = "" if default == "–" else f"  [{'' if setting.is_required else 'default: '}{default}]"
    if setting.kind is Kind.FLAG:
        return click.Option(
            [*setting.options, setting.field], help=setting.doc.replace("`", ""), is_flag=True
        )
    return click.Option(
        [*setting.options, setting.field],
        help=f"{setting.doc.replace('`', '')}{note}",
        metavar=setting.kind.upper() if not setting.choices else None,
        multiple=setting.is_repeatable,
    )


def names_of_options(*, besides: Sequence[str] = ()) -> tuple[str, ...]:
    """Name the settings that have an option and are about a cleanup, besides some."""
    left_out = (*besides, *_OF_DOCTOR)
    return tuple(one.name for one in SETTINGS if one.options and one.name not in left_out)


Values = Mapping[str, str | Sequence[str] | bool | None]


def given_from(values: Values) -> dict[str, Given]:
    """Collect by name what click gives a command."""
    given = {}
    for setting in SETTINGS:
        value = values.get(setting.field)
        if value:
            texts = (value,) if isinstance(value, str) else ("true",) if value is True else value
            where = f"option {setting.options[0]}"
            given[setting.name] = Given(texts=tuple(texts), origin=Origin.OPTION, where=where)
    return given


def targets_from(values: Values) -> tuple[Settings, ...]:
    """Make every target's settings of the values that click gives, and of the policy file."""
    given = given_from(values)
    return resolve_targets({}, read_named_policy(given), given)
