"""The commands that look at a bucket and explain: they list, and can't delete."""

import sys
from typing import TYPE_CHECKING

import click

from ci3.cli.console import OUTPUT, console, show_error, write_markdown
from ci3.cli.context import make_cleanup
from ci3.cli.options import TARGET_SETTINGS, names_of_options, targets_from, with_options
from ci3.core.plan.json_writer import dump_explanations, dump_inventories, dump_objects
from ci3.core.retention.age_order import newest_first
from ci3.engine.inventory.listing import list_deployment
from ci3.errors import AccessError, ExitCode, SettingsError
from ci3.report.listings import deployments_markdown, explanation_markdown, objects_markdown

if TYPE_CHECKING:
    from ci3.config.settings import Settings

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


@with_options(_LISTING_SETTINGS)
@click.command("list-deployments")
@OUTPUT
def list_deployments(*, output: str, **values: str | None) -> int:
    """List the deployments of a bucket, newest first.

    \b
    Example:
      ci3 list-deployments --bucket-name my-site --prefix app
    """
    targets = targets_from(values)
    code = ExitCode.DONE
    inventories = []
    for settings in targets:
        cleanup = make_cleanup(settings)
        inventory = cleanup.take_inventory(cleanup.open_bucket())
        for hole in inventory.holes:
            show_error(AccessError(f"{hole.name} could not be listed: {hole.reason}", ""))
            code = ExitCode.ACCESS
        inventories.append((settings.url, newest_first(inventory.deployments), inventory.ignored))
    if output == "json":
        click.echo(dump_inventories(inventories, has_targets=targets[0].has_targets), nl=False)
        return code
    for url, deployments, _ in inventories:
        if output == "markdown":
            write_markdown(deployments_markdown(deployments, url if len(inventories) > 1 else ""))
        else:
            from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

            title = url if len(inventories) > 1 else ""
            terminal.show_deployments(console(sys.stdout), deployments, title)
    return code


@with_options((*TARGET_SETTINGS, "policy-file"))
@click.command("list-objects")
@click.argument("name")
@OUTPUT
def list_objects(*, name: str, output: str, **values: str | None) -> None:
    """List the objects of the deployment NAME.

    \b
    Example:
      ci3 list-objects ab12cd3 --bucket-name my-site
    """
    folder = name.rstrip("/")
    targets = targets_from(values)
    found = []
    for settings in targets if folder else ():
        bucket = make_cleanup(settings).open_bucket()
        _, objects = list_deployment(bucket, folder, f"{settings.prefix}{folder}/")
        if objects:
            found.append((settings.url, objects))
    if not found:
        raise _not_found(name, targets)
    if output == "json":
        click.echo(dump_objects(folder, found, has_targets=targets[0].has_targets), nl=False)
        return
    for url, objects in found:
        title = url if len(found) > 1 else ""
        if output == "markdown":
            write_markdown(objects_markdown(objects, title))
        else:
            from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

            terminal.show_objects(console(sys.stdout), objects, title)


@with_options(names_of_options(besides=_APPLY_SETTINGS))
@click.command("explain")
@click.argument("name")
@OUTPUT
def explain(*, name: str, output: str, **values: str | None) -> None:
    """Explain why the deployment NAME stays or goes.

    Every rule and pin, whether it keeps it, and when it would go if nothing changes.

    \b
    Example:
      ci3 explain ab12cd3 --bucket-name my-site --keep-count 10
    """
    folder = name.rstrip("/")
    targets = targets_from(values)
    found, why = [], ""
    for settings in targets:
        cleanup = make_cleanup(settings)
        explanation = cleanup.explain(cleanup.open_bucket(), folder)
        if isinstance(explanation, str):
            why = why or explanation
        else:
            found.append((settings.url, explanation))
    if not found:
        raise _not_found(name, targets, why)
    if output == "json":
        click.echo(dump_explanations(found, has_targets=targets[0].has_targets), nl=False)
        return
    for url, explanation in found:
        title = url if len(targets) > 1 else ""
        if output == "markdown":
            write_markdown(explanation_markdown(explanation, title))
        else:
            from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

            terminal.show_explanation(console(sys.stdout), explanation, title)


def _not_found(name: str, targets: "tuple[Settings, ...]", why: str = "") -> SettingsError:
    where = ", ".join(one.url for one in targets)
    if why:
        return SettingsError(
            f"{name!r} in {where} is no deployment: {why}", "It is never deleted as it is."
        )
    return SettingsError(
        f"there is no deployment {name!r} in {where}",
        "ci3 list-deployments shows which there are.",
    )
