"""The command that replays a bucket's history under a policy, or under two."""

import json
import sys
from typing import TYPE_CHECKING

import click

from ci3.cli.console import OUTPUT, console, write_markdown
from ci3.cli.context import make_cleanup
from ci3.cli.options import TARGET_SETTINGS, names_of_options, targets_from, with_options
from ci3.config.policy_file import read_policy_file
from ci3.config.resolve import Given
from ci3.config.settings import Settings
from ci3.config.targets import resolve_targets
from ci3.core.formatting import visible
from ci3.core.model.policy import Origin
from ci3.errors import SettingsError
from ci3.report import simulation
from ci3.report.markdown_format import code
from ci3.report.simulation import Replayed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    _Sides = tuple[Settings, Replayed, Replayed | None]

_NOT_ASKED = (
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
    "inventory",
)


@with_options(names_of_options(besides=_NOT_ASKED))
@click.command("simulate")
@click.option("--against", metavar="POLICY-FILE", help="Another policy to compare with.")
@OUTPUT
def simulate(*, against: str | None, output: str, **values: str | None) -> None:
    """Replay the bucket's own history under a policy.

    How many deployments would have stayed, how much storage that takes, and how far back one
    could have rolled at any moment; with --against, beside another policy.

    \b
    Example:
      ci3 simulate --bucket-name my-site --keep-within 14d --against policy.yml
    """
    targets = targets_from(values)
    _show([_replay_sides(settings, against) for settings in targets], output)


def _replay_sides(settings: Settings, against: str | None) -> "_Sides":
    cleanup = make_cleanup(settings)
    other = _other_settings(settings, against) if against else settings
    inventory = cleanup.take_inventory(cleanup.open_bucket())
    one = Replayed(simulation=cleanup.simulate(inventory))
    if not against:
        return settings, one, None
    other_cleanup = make_cleanup(other)
    if (other.match, other.required_file) != (settings.match, settings.required_file):
        inventory = other_cleanup.take_inventory(other_cleanup.open_bucket())
    beside = Replayed(simulation=other_cleanup.simulate(inventory), policy_file=against)
    return settings, one, beside


def _other_settings(settings: Settings, path: str) -> Settings:
    """Read another policy file for the same place; rules alone are enough."""
    place = {
        name: Given(texts=(text,), origin=Origin.OPTION, where=f"option --{name}")
        for name in TARGET_SETTINGS
        if (text := getattr(settings, name.replace("-", "_")))
    }
    policy = read_policy_file(path)
    others = resolve_targets(place, policy, place if not policy.targets else {})
    for other in others:
        if (other.bucket, other.prefix) == (settings.bucket, settings.prefix):
            return other
    raise SettingsError(
        f"{path} has no target s3://{settings.bucket}/{settings.prefix} to compare with",
        "Name a policy file with this target, or with rules alone.",
    )


def _show(sides: "Sequence[_Sides]", output: str) -> None:
    if output == "json":
        shown: list[Mapping[str, object]] = [
            {"url": settings.url, **json.loads(simulation.simulation_json(one, other))}
            for settings, one, other in sides
        ]
        content = {"targets": shown} if sides[0][0].has_targets else shown[0]
        click.echo(json.dumps(content, indent=2))
        return
    for settings, one, other in sides:
        title = settings.url if len(sides) > 1 else ""
        if output == "markdown":
            head = f"### {code(title)}\n\n" if title else ""
            write_markdown(head + simulation.simulation_markdown(one, other))
        else:
            screen = console(sys.stdout)
            if title:
                screen.print(f"\n{visible(title)}", markup=False)
            simulation.show_simulation(screen, one, other)
