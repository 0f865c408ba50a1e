"""The settings of one target of a prefix pattern."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ci3.config.settings import Settings
from ci3.core.journal.location import is_s3_url
from ci3.core.model.decision import Engine
from ci3.core.model.prefix_pattern import FOLDER_PLACEHOLDER, PrefixPattern, is_pattern
from ci3.errors import SettingsError

EXAMPLE_MATCH: Final = "[0-9a-f]{40}"
_LABEL_LENGTH: Final = 60


def bind_target(settings: Settings, prefix: str) -> Settings | None:
    """Return the settings for one target: those of a pattern with the values of its folder.

    They are returned unchanged if they are for this prefix, and None is returned if they are for
    another one. Raises SettingsError if the folder makes a live source invalid.
    """
    if settings.prefix == prefix:
        return settings
    folder = PrefixPattern(settings.prefix).find_folder(prefix)
    if folder is None or not is_pattern(settings.prefix):
        return None
    sources = []
    for source in settings.live_from:
        try:
            sources.append(source.for_folder(folder))
        except ValueError as exc:
            raise SettingsError(
                f"prefix {settings.prefix}: live-from {source} {exc}",
                "Rename the folder, or use a prefix and live-from that do not contain its name. "
                "Nothing was deleted.",
            ) from exc
    return replace(
        settings,
        prefix=prefix,
        pattern=settings.prefix,
        folder=folder,
        live_from=tuple(dict.fromkeys(sources)),
        journal_file=add_label(settings.journal_file, label_folder(folder)),
    )


def lists_targets(settings: Settings) -> bool:
    """Return True if the run reports a list of targets, even if it is only one."""
    return settings.has_targets or is_pattern(settings.pattern or settings.prefix)


def require_match(settings: Settings) -> None:
    """Raise SettingsError for a pattern without `match`: any folder could be a target then."""
    if is_pattern(settings.prefix) and settings.match is None:
        raise SettingsError(
            f"prefix {settings.prefix} is a pattern, but match is not set: without it, every "
            "folder would count as a deployment, such as the assets of a site",
            "Set match to a pattern that only deployment names match, such as "
            f"match: '{EXAMPLE_MATCH}' for commits. Nothing was deleted.",
        )


def refuse_rules_in_pattern_run(targets: Sequence[Settings], labels: Sequence[str]) -> None:
    """Raise SettingsError if one target has a prefix pattern, and one another engine than `direct`.

    A pattern that finds nothing stops the run before outdated lifecycle rules are removed: S3 would
    then delete what is to be kept now. `labels` name the targets in the error.
    """
    patterns = [settings.pattern or settings.prefix for settings in targets]
    pattern = next(filter(is_pattern, patterns), "")
    for settings, label in zip(targets, labels, strict=True):
        if pattern and settings.engine is not Engine.DIRECT:
            raise SettingsError(
                f"{label} has engine: {settings.engine}, which can't be combined with prefix "
                f"{pattern} in one run: if the pattern finds nothing, the run stops before it "
                "removes outdated lifecycle rules",
                "Nothing was deleted. Use engine: direct in all targets, or a run without a "
                "pattern for targets with lifecycle rules.",
            )


def refuse_pattern(settings: Settings, reason: str) -> Settings:
    """Return the settings; raise SettingsError if the prefix is a pattern."""
    if is_pattern(settings.prefix):
        raise SettingsError(
            f"prefix {settings.prefix} is a pattern, and {reason}",
            "Set prefix to the folder of one target.",
        )
    return settings


def refuse_stray_placeholder(settings: Settings, where: str) -> None:
    """Raise SettingsError if a live source has `{folder}`, but the prefix is not a pattern."""
    stray = [source for source in settings.live_from if source.has_placeholder]
    if stray and not is_pattern(settings.prefix):
        location = f"{where}: " if where else ""
        raise SettingsError(
            f"{location}live-from {stray[0]} contains {FOLDER_PLACEHOLDER}, but prefix has no *",
            f"Replace {FOLDER_PLACEHOLDER} with a name, or use a prefix such as apps/*/.",
        )


def separate_journals(targets: Sequence[Settings]) -> tuple[Settings, ...]:
    """Return the settings with a number in each journal's name if two would have the same name."""
    files = [settings.journal_file for settings in targets if settings.journal_file]
    if len({*files}) == len(files) or is_s3_url(files[0]):
        return tuple(targets)
    return tuple(
        replace(settings, journal_file=add_label(settings.journal_file, str(number)))
        for number, settings in enumerate(targets, 1)
    )


def add_label(text: str, label: str) -> str:
    """Return a path with a label before the suffix: `ci3.jsonl`, `shop` gives `ci3-shop.jsonl`.

    An `s3://` address is not changed, because every run has its own folder there. Neither is a text
    that is not a file name: it is refused when the file is written.
    """
    path = Path(text)
    if is_s3_url(text) or path.name in ("", "..") or text.endswith("/"):
        return text
    return str(path.with_name(f"{path.stem}-{label}{path.suffix}"))


def label_folder(folder: str) -> str:
    """Return a text for a file name that is different for each folder, whatever its characters.

    | folder      | label               |
    |-------------|---------------------|
    | `shop`      | `shop`              |
    | `shop/cart` | `shop-cart~c9d3ab12`|
    | `Shop`      | `Shop~1f0e9a77`     |

    File systems may ignore case, and no label without a digest has a `~`.
    """
    if re.fullmatch(r"[a-z0-9._-]+", folder) and len(folder) <= _LABEL_LENGTH:
        return folder
    digest = hashlib.sha256(folder.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", folder)[:_LABEL_LENGTH]
    return f"{readable}~{digest}"
