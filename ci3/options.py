"""The settings as the command line's options, and back."""

from collections.abc import Callable, Mapping, Sequence

import click

from ci3.core.plan import Origin
from ci3.definitions import Setting
from ci3.settings import SETTINGS, Given, Settings

TARGET_SETTINGS = ("bucket", "region", "prefix", "endpoint-url")
"""What says where the deployments are."""


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
    return click.Option(
        [*setting.options, setting.field],
        help=f"{setting.doc.replace('`', '')}{note}",
        metavar=setting.kind.upper() if not setting.choices else None,
        multiple=setting.is_repeatable,
    )


def names_of_options(*, besides: Sequence[str] = ()) -> tuple[str, ...]:
    """Name the settings that have an option, besides some."""
    return tuple(one.name for one in SETTINGS if one.options and one.name not in besides)


def targets_from(values: Mapping[str, str | Sequence[str] | None]) -> tuple[Settings, ...]:
    """Make every target's settings of the values that click gives, and of the policy file."""
    from ci3.policy_file import read_named_policy
    from ci3.targets import resolve_targets

    given = {}
    for setting in SETTINGS:
        value = values.get(setting.field)
        if value:
            texts = (value,) if isinstance(value, str) else tuple(value)
            where = f"option {setting.options[0]}"
            given[setting.name] = Given(texts=texts, origin=Origin.OPTION, where=where)
    return resolve_targets({}, read_named_policy(given), given)
