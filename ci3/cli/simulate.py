"""The command `simulate`, which simulates one or two policies on a bucket's history."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ci3.cli.common_options import with_common_options
from ci3.cli.console import OUTPUT_OPTION, create_console, write_markdown
from ci3.cli.context import create_target_context, open_command_targets
from ci3.cli.options import (
    TARGET_SETTINGS,
    SettingsCommand,
    list_option_names,
    resolve_option_targets,
    with_options,
)
from ci3.config.pattern_targets import bind_target, lists_targets
from ci3.config.policy_file import read_policy_file
from ci3.config.resolve import RawSetting
from ci3.config.settings import Settings
from ci3.config.targets import resolve_targets
from ci3.core.formatting import escape_control_chars
from ci3.core.model.policy import Origin
from ci3.errors import SettingsError
from ci3.report import simulation
from ci3.report.markdown_format import format_code
from ci3.report.simulation import PolicySimulation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci3.pipeline.expansion import OpenTarget

    _Comparison = tuple[Settings, Sequence[PolicySimulation]]

_UNUSED_SETTINGS = (
    "resume",
    "plan-file",
    "journal-file",
    "max-delete",
    "max-delete-bytes",
    "delete-versions",
    "engine",
    "skip-changed",
    "timeout",
    "live-from",
    "expire-closed",
    "inventory",
)


@with_common_options
@with_options(list_option_names(exclude=_UNUSED_SETTINGS), alternatives=["--policy-file"])
@click.command("simulate", cls=SettingsCommand)
@click.option(
    "--against", "other_policy_file", metavar="POLICY-FILE", help="Policy file to compare with."
)
@OUTPUT_OPTION
def simulate(*, other_policy_file: str | None, output: str, **values: str | None) -> None:
    """Simulate a policy on the bucket's upload history.

    Shows how many deployments would have been kept, how much storage they would have used, and
    how far back a rollback would have been possible. With --against, compares two policies.

    \b
    Examples:
      ci3 simulate --bucket-name my-site --match '[0-9a-f]{40}' --keep-within 14d
      ci3 simulate --policy-file policy.yml --against new-policy.yml
    """
    targets = open_command_targets(resolve_option_targets(values))
    _show_comparisons([_simulate_target(target, other_policy_file) for target in targets], output)


def _simulate_target(target: "OpenTarget", policy_file: str | None) -> "_Comparison":
    """Simulate the effective policy on one target, and the one of a policy file if it is named."""
    target_context = target.context
    settings = target_context.settings
    alternative_settings = (
        _read_alternative_settings(settings, policy_file) if policy_file else settings
    )
    inventory = target_context.take_inventory(target.bucket)
    primary = PolicySimulation(simulation=target_context.simulate(inventory))
    if not policy_file:
        return settings, [primary]
    alternative_context = create_target_context(alternative_settings)
    if (alternative_settings.match, alternative_settings.required_file) != (
        settings.match,
        settings.required_file,
    ):
        inventory = alternative_context.take_inventory(alternative_context.open_bucket())
    alternative = PolicySimulation(
        simulation=alternative_context.simulate(inventory), policy_file=policy_file
    )
    return settings, [primary, alternative]


def _read_alternative_settings(settings: Settings, path: str) -> Settings:
    """Return the settings for the same target from another policy file; targets are optional.

    Raises SettingsError if the file has targets and this one is not among them.
    """
    located = replace(settings, prefix=settings.pattern or settings.prefix)
    target_settings = {
        name: RawSetting(texts=(text,), origin=Origin.OPTION, where=f"option --{name}")
        for name in TARGET_SETTINGS
        if (text := getattr(located, name.replace("-", "_")))
    }
    policy = read_policy_file(path)
    candidates = resolve_targets(
        target_settings, policy, target_settings if not policy.targets else {}
    )
    for candidate in candidates:
        bound = bind_target(candidate, settings.prefix)
        if bound is not None and bound.bucket == settings.bucket:
            return bound
    raise SettingsError(
        f"{path} does not have the target s3://{settings.bucket}/{settings.prefix}",
        "Use a policy file that has this target, or one without targets.",
    )


def _show_comparisons(comparisons: "Sequence[_Comparison]", output: str) -> None:
    if output == "json":
        simulated = [(settings.url, replays) for settings, replays in comparisons]
        has_targets = lists_targets(comparisons[0][0])
        click.echo(simulation.render_simulations_json(simulated, has_targets=has_targets), nl=False)
        return
    for settings, replays in comparisons:
        title = settings.url if len(comparisons) > 1 else ""
        if output == "markdown":
            heading = f"### {format_code(title)}\n\n" if title else ""
            write_markdown(heading + simulation.render_simulation_markdown(*replays))
        else:
            screen = create_console(sys.stdout)
            if title:
                screen.print(f"\n{escape_control_chars(title)}", markup=False)
            simulation.show_simulation(screen, *replays)
