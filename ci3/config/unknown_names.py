"""Errors for names that are not settings, with the setting that was probably meant."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Never

from ci3.errors import SettingsError

_EQUIVALENTS: Mapping[str, Collection[str]] = {
    "addressing-style": ("force-path-style", "path-style", "s3-force-path-style"),
    "bucket": ("aws-bucket", "aws-s3-bucket", "bucket-name", "s3-bucket"),
    "delete-versions": ("all-versions", "purge"),
    "endpoint-url": ("aws-endpoint", "aws-endpoint-url", "endpoint", "s3-endpoint"),
    "github-token": ("repo-token", "token"),
    "keep-count": ("count", "keep", "keep-last", "keep-latest", "keep-n", "max-count", "min-keep"),
    "keep-within": ("age", "days", "keep-days", "max-age", "older-than", "retention-days"),
    "live-from": ("current", "live"),
    "match": ("filter", "include", "name-pattern", "pattern", "regex"),
    "max-delete": ("limit", "max-deletes", "max-deletions"),
    "prefix": ("dest", "directory", "folder", "path"),
    "protect": ("exclude", "exclude-names", "ignore", "keep-names", "skip"),
    "region": ("aws-region",),
    "role-to-assume": ("aws-role", "role", "role-arn"),
}
"""Names that other tools use, by the setting that is closest to them."""

_EQUIVALENT_COMMANDS: Mapping[str, Collection[str]] = {
    "cleanup": ("apply", "clean", "delete", "prune", "purge", "remove", "rm"),
    "doctor": ("check", "diagnose", "validate"),
    "iam-policy": ("iam", "permissions", "policy"),
    "list-deployments": ("deployments", "list", "ls"),
    "plan-cleanup": ("diff", "dry-run", "plan", "preview"),
    "restore": ("recover", "rollback", "undelete", "undo"),
}
_DRY_RUN = ("dryrun", "dry-run", "noop", "preview")
_DELETE = ("apply", "auto-approve", "confirm", "delete", "force", "yes")


def refuse_unknown(name: str, where: str, known_names: Iterable[str]) -> Never:
    """Raise SettingsError for an unknown setting; its message suggests what was probably meant."""
    raise SettingsError(
        f"{where}: unknown setting {name!r}.{_suggest_setting(name, list(known_names))}",
        "Correct or remove it. docs/settings.md lists all settings.",
    )


def _suggest_setting(name: str, known_names: Collection[str]) -> str:
    normalized = _normalize(name)
    if "mode" in known_names and normalized in _DRY_RUN:
        return " A dry run is mode: plan, the default."
    if "mode" in known_names and normalized in _DELETE:
        return " To delete, set mode: apply."
    nearest = _find_nearest(normalized, known_names)
    return f" Did you mean {nearest}?" if nearest else ""


def suggest_command(name: str) -> str:
    """Return what was probably meant by an unknown command, or an empty text."""
    for command, names in _EQUIVALENT_COMMANDS.items():
        if _normalize(name) in names:
            return f"Did you mean {command}?"
    return ""


def suggest_option(option: str, known_options: Iterable[str]) -> str:
    """Return what was probably meant by an unknown option of the command line, or an empty text."""
    name = _normalize(option)
    known_names = [known.lstrip("-") for known in known_options]
    if name in _DRY_RUN:
        return "ci3 plan-cleanup is the dry run."
    if name in _DELETE:
        return "Did you mean --yes?" if "yes" in known_names else "Only ci3 cleanup deletes."
    nearest = _find_nearest(name, known_names)
    return f"Did you mean --{nearest}?" if nearest else ""


def _normalize(name: str) -> str:
    """Return a name in the form of the settings: `--Dry_Run` gives `dry-run`."""
    return name.lower().replace("_", "-").strip("-")


def _find_nearest(name: str, known_names: Collection[str]) -> str:
    """Return the setting that is another tool's name or is spelled almost alike, or ""."""
    for setting, names in _EQUIVALENTS.items():
        if name in names and setting in known_names:
            return setting
    return next(iter(difflib.get_close_matches(name, known_names, n=1)), "")
