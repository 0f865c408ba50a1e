"""Find the targets of a prefix pattern, and open the bucket of each target of a run.

The pattern is listed level by level with a delimiter; a level without `*` costs no request:

    apps/*/production/    lists apps/, then apps/shop/production/ and so on
    team-*/web/*/         lists team-, then team-a/web/ and so on, then each folder in these

The last listings are those of the targets' own folders, which their plans need anyway.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from ci3.aws.bucket import BucketReader
from ci3.config.pattern_targets import bind_target, require_match
from ci3.config.settings import Settings
from ci3.config.targets import refuse_overlaps
from ci3.core.formatting import escape_control_chars, join_names
from ci3.core.model.prefix_pattern import PatternLevel, PrefixPattern, is_pattern
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.errors import RefusedError
from ci3.pipeline.context import TargetContext
from ci3.pipeline.pattern_listing import PatternListing, list_all_folders, open_listing_pool

MAXIMUM_TARGETS: Final = 1_000
"""Targets of a pattern from which on it is refused."""
MAXIMUM_FOLDERS: Final = 10_000
"""Folders that a pattern matches, with or without deployments, from which on it is refused."""

_NARROWER: Final = "Nothing was deleted. Write a narrower prefix, or several targets."


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTarget:
    """A target with one folder, and the reader of its bucket; those of a pattern share it."""

    context: TargetContext
    bucket: BucketReader


def open_targets(
    contexts: Sequence[TargetContext], *, are_fixed: bool = False
) -> tuple[OpenTarget, ...]:
    """Open the bucket of each target, and expand the patterns.

    If the targets `are_fixed` by a saved plan, no pattern is expanded. Raises RefusedError if a
    pattern finds no target or too many, SettingsError if it has no `match` or targets overlap, and
    AccessError if a listing fails.
    """
    for context in contexts:
        require_match(context.settings)
    opened: list[OpenTarget] = []
    for context in contexts:
        if is_pattern(context.settings.prefix):
            opened += _expand(context)
        elif not (are_fixed and context.settings.pattern):
            opened.append(OpenTarget(context=context, bucket=context.open_bucket()))
    if are_fixed:
        opened += _open_fixed([item for item in contexts if item.settings.pattern])
        order = {id(item.settings): index for index, item in enumerate(contexts)}
        opened.sort(key=lambda target: order[id(target.context.settings)])
    if len(opened) > 1 and any(target.context.settings.pattern for target in opened):
        if len(opened) > MAXIMUM_TARGETS:
            raise RefusedError(
                f"the prefix patterns find {len(opened):,} targets, and {MAXIMUM_TARGETS:,} are "
                "the limit of a run",
                _NARROWER,
            )
        refuse_overlaps([target.context.settings for target in opened])
    return tuple(opened)


def open_among_targets(context: TargetContext) -> OpenTarget:
    """Open the bucket of one target of a pattern, and list the others for its checks.

    The target is among them even if it has no deployment any more.
    """
    settings = context.settings
    bucket = context.open_bucket()
    if not settings.pattern:
        return OpenTarget(context=context, bucket=bucket)
    listed_at = context.monotonic()
    found = _find_targets(bucket, replace(settings, prefix=settings.pattern), [])
    folders = found or list_all_folders(bucket, settings.match, [settings.prefix])
    if settings.prefix not in folders:
        folders |= list_all_folders(bucket, settings.match, [settings.prefix])
    listing = PatternListing(
        bucket=bucket, match=settings.match, folders=folders, listed_at=listed_at
    )
    return OpenTarget(context=replace(context, pattern_listing=listing), bucket=bucket)


def _expand(context: TargetContext) -> Iterator[OpenTarget]:
    settings = context.settings
    bucket, listed_at = context.open_bucket(), context.monotonic()
    without_match: list[str] = []
    folders = _find_targets(bucket, settings, without_match)
    if not folders:
        raise RefusedError(
            f"prefix {settings.prefix} finds no target in s3://{settings.bucket}: "
            f"{_describe_folders(without_match, settings)}",
            "Nothing was deleted. Check prefix and match.",
        )
    listing = PatternListing(
        bucket=bucket, match=settings.match, folders=folders, listed_at=listed_at
    )
    for prefix in folders:
        bound = bind_target(settings, prefix)
        if bound is not None:
            yield OpenTarget(
                context=replace(context, settings=bound, pattern_listing=listing), bucket=bucket
            )


def _open_fixed(contexts: Sequence[TargetContext]) -> Iterator[OpenTarget]:
    """Open the targets that a saved plan names; those of one pattern and match share a bucket."""
    groups: dict[tuple[object, ...], list[TargetContext]] = {}
    for context in contexts:
        settings = context.settings
        key = (settings.bucket, settings.region, settings.endpoint_url, settings.role_to_assume)
        groups.setdefault((*key, settings.pattern, settings.match), []).append(context)
    for group in groups.values():
        settings, bucket = group[0].settings, group[0].open_bucket()
        prefixes = [context.settings.prefix for context in group]
        listed_at = group[0].monotonic()
        listing = PatternListing(
            bucket=bucket,
            match=settings.match,
            folders=list_all_folders(bucket, settings.match, prefixes),
            listed_at=listed_at,
        )
        for context in group:
            yield OpenTarget(context=replace(context, pattern_listing=listing), bucket=bucket)


def _find_targets(
    bucket: BucketReader, settings: Settings, without_match: list[str]
) -> dict[str, Folders]:
    """Return the folders of each target by its prefix, in order of the prefixes.

    The prefixes of the other folders that the pattern matches are added to `without_match`.
    """
    pattern = PrefixPattern(settings.prefix)
    prefixes = [""]
    for level in pattern.levels:
        with open_listing_pool(bucket) as pool:
            listings = pool.map(partial(_list_level, bucket, level), prefixes)
            prefixes = _collect(listings, settings)
    targets: dict[str, Folders] = {}
    candidates = sorted(f"{prefix}{pattern.suffix}" for prefix in prefixes)
    with open_listing_pool(bucket) as pool:
        list_one = partial(find_folders, bucket, match=settings.match)
        for prefix, folders in zip(candidates, pool.map(list_one, candidates), strict=True):
            if folders.names:
                targets[prefix] = folders
            else:
                without_match.append(prefix)
            if len(targets) > MAXIMUM_TARGETS:
                raise RefusedError(
                    f"prefix {settings.prefix} finds more than {MAXIMUM_TARGETS:,} targets in "
                    f"{len(candidates):,} folders, and {MAXIMUM_TARGETS:,} are the limit of a run",
                    _NARROWER,
                )
    return targets


def _list_level(bucket: BucketReader, level: PatternLevel, prefix: str) -> list[str]:
    parent = f"{prefix}{level.parent}"
    folders = find_folders(bucket, parent, beginning=level.beginning)
    return [f"{parent}{name}/" for name in folders.names if level.matches(name)]


def _collect(listings: Iterable[list[str]], settings: Settings) -> list[str]:
    prefixes: list[str] = []
    for listing in listings:
        prefixes += listing
        if len(prefixes) > MAXIMUM_FOLDERS:
            raise RefusedError(
                f"prefix {settings.prefix} matches {len(prefixes):,} folders or more, and "
                f"{MAXIMUM_FOLDERS:,} are searched at most",
                _NARROWER,
            )
    return prefixes


def _describe_folders(prefixes: Sequence[str], settings: Settings) -> str:
    if not prefixes:
        return "there is no such folder"
    folders = join_names([escape_control_chars(prefix) for prefix in prefixes])
    return f"match {settings.match} matches no folder in {folders}"
