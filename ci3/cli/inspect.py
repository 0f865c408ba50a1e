"""The read-only commands `list-deployments`, `list-objects` and `explain`."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ci3.cli.common_options import choose_tables, with_common_options
from ci3.cli.console import OUTPUT_OPTION, create_console, show_error, write_markdown
from ci3.cli.context import open_command_targets
from ci3.cli.options import (
    TARGET_SETTINGS,
    SettingsCommand,
    list_option_names,
    resolve_option_targets,
    with_options,
)
from ci3.config.pattern_targets import lists_targets
from ci3.core.plan.json_writer import dump_explanations, dump_inventories, dump_objects
from ci3.core.plan.shared_folders import label_targets
from ci3.core.retention.age_order import sort_newest_first
from ci3.engine.inventory.listing import list_deployment
from ci3.engine.inventory.names import NameScope, resolve_name
from ci3.errors import AccessError, ExitCode, SettingsError
from ci3.report import listings
from ci3.report.markdown_format import escape_markdown
from ci3.report.terminal_format import print_line

if TYPE_CHECKING:
    from ci3.config.settings import Settings
    from ci3.core.model.deployment import Inventory
    from ci3.pipeline.expansion import OpenTarget

_LISTING_SETTINGS = (*TARGET_SETTINGS, "match", "required-file", "policy-file")
_APPLY_SETTINGS = (
    "resume",
    "plan-file",
    "journal-file",
    "max-delete",
    "max-delete-bytes",
    "skip-changed",
    "timeout",
)


@with_common_options
@with_options(_LISTING_SETTINGS, alternatives=["--policy-file"])
@click.command("list-deployments", cls=SettingsCommand)
@OUTPUT_OPTION
def list_deployments(*, output: str, **values: str | None) -> int:
    """List the deployments of a bucket, newest first.

    \b
    Example:
      ci3 list-deployments --bucket-name my-site --prefix app
    """
    targets = resolve_option_targets(values)
    exit_code = ExitCode.DONE
    inventories = []
    opened = open_command_targets(targets)
    for target in opened:
        inventory = target.context.take_inventory(target.bucket)
        for unlisted_folder in inventory.unlisted:
            show_error(
                AccessError(
                    f"deployment {unlisted_folder.name} could not be listed: "
                    f"{unlisted_folder.reason}",
                    "",
                )
            )
            exit_code = ExitCode.ACCESS
        inventories.append((target.context.settings.url, inventory))
    if output == "json":
        entries = [
            (url, sort_newest_first(inventory.deployments), inventory.ignored)
            for url, inventory in inventories
        ]
        click.echo(dump_inventories(entries, has_targets=lists_targets(targets[0])), nl=False)
        return exit_code
    for (url, inventory), title in zip(inventories, _make_titles(opened), strict=True):
        _show_inventory(title, url, inventory, output)
    return exit_code


def _make_titles(targets: Sequence["OpenTarget"]) -> list[str]:
    """Return a title for each of several targets, an empty one for a single target."""
    if len(targets) == 1:
        return [""]
    all_settings = [target.context.settings for target in targets]
    return label_targets([(settings.url, str(settings.match or "")) for settings in all_settings])


def _show_inventory(title: str, url: str, inventory: "Inventory", output: str) -> None:
    deployments = sort_newest_first(inventory.deployments)
    is_markdown, screen = output == "markdown", create_console(sys.stdout)
    if not deployments:
        sentence = listings.describe_empty_listing(url, inventory)
        if is_markdown:
            write_markdown(f"{escape_markdown(sentence)}\n")
        else:
            print_line(screen, sentence, indent="  ")
    elif is_markdown:
        write_markdown(listings.render_deployments_markdown(deployments, title))
    else:
        listings.show_deployments(screen, deployments, title, choose_tables(can_hide=False))


@with_common_options
@with_options((*TARGET_SETTINGS, "match", "policy-file"), alternatives=["--policy-file"])
@click.command("list-objects", cls=SettingsCommand)
@click.argument("name")
@OUTPUT_OPTION
def list_objects(*, name: str, output: str, **values: str | None) -> None:
    """List the objects of a deployment.

    NAME may be abbreviated as long as it is unique.

    \b
    Example:
      ci3 list-objects ab12cd3 --bucket-name my-site
    """
    targets = resolve_option_targets(values)
    opened = open_command_targets(targets)
    folder = _resolve_name(name, opened)
    objects_by_url, titles = [], []
    for target, title in zip(opened, _make_titles(opened), strict=True) if folder else ():
        settings = target.context.settings
        if len(opened) > 1 and settings.match and not settings.match.fullmatch(folder):
            continue  # a deployment of another target in the same folder
        _, objects = list_deployment(target.bucket, folder, f"{settings.prefix}{folder}/")
        if objects:
            objects_by_url.append((settings.url, objects))
            titles.append(title)
    if not objects_by_url:
        raise _not_found(name, targets)
    if output == "json":
        click.echo(
            dump_objects(folder, objects_by_url, has_targets=lists_targets(targets[0])), nl=False
        )
        return
    for (_, objects), title in zip(objects_by_url, titles, strict=True):
        if output == "markdown":
            write_markdown(listings.render_objects_markdown(objects, title))
        else:
            listings.show_objects(create_console(sys.stdout), objects, title)


@with_common_options
@with_options(list_option_names(exclude=_APPLY_SETTINGS), alternatives=["--policy-file"])
@click.command("explain", cls=SettingsCommand)
@click.argument("name")
@OUTPUT_OPTION
def explain(*, name: str, output: str, **values: str | None) -> None:
    """Explain why a deployment is kept or deleted.

    Shows every rule and pin, whether it keeps the deployment, and when the deployment would be
    deleted if nothing changes. NAME may be abbreviated as long as it is unique.

    \b
    Example:
      ci3 explain ab12cd3 --bucket-name my-site --match '[0-9a-f]{40}'
    """
    targets = resolve_option_targets(values)
    opened = open_command_targets(targets)
    folder = _resolve_name(name, opened)
    explanations, titles, ignored_reason = [], [], ""
    for target, title in zip(opened, _make_titles(opened), strict=True):
        explanation = target.context.explain(target.bucket, folder)
        if isinstance(explanation, str):
            ignored_reason = ignored_reason or explanation
        else:
            explanations.append((target.context.settings.url, explanation))
            titles.append(title)
    if not explanations:
        raise _not_found(name, targets, ignored_reason)
    if output == "json":
        click.echo(dump_explanations(explanations, has_targets=lists_targets(targets[0])), nl=False)
        return
    for (_, explanation), title in zip(explanations, titles, strict=True):
        if output == "markdown":
            write_markdown(listings.render_explanation_markdown(explanation, title))
        else:
            listings.show_explanation(create_console(sys.stdout), explanation, title)


def _resolve_name(name: str, targets: Sequence["OpenTarget"]) -> str:
    scopes = [
        NameScope(
            bucket=target.bucket,
            prefix=target.context.settings.prefix,
            match=target.context.settings.match,
        )
        for target in targets
    ]
    return resolve_name(name.rstrip("/"), scopes)


def _not_found(
    name: str, targets: "tuple[Settings, ...]", ignored_reason: str = ""
) -> SettingsError:
    urls = ", ".join(settings.url for settings in targets)
    if ignored_reason:
        return SettingsError(
            f"{name!r} in {urls} is not a deployment: {ignored_reason}",
            "With these settings, it is never deleted.",
        )
    return SettingsError(
        f"deployment {name!r} not found in {urls}",
        "Run ci3 list-deployments to see all deployments.",
    )
