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
MAXIMUM_PAGES: Final = 100
"""Pages of one folder, each of up to 1,000 entries, after which its search is refused."""

_NARROWER: Final = "Nothing was deleted. Use a narrower prefix, or several runs."


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTarget:
    """A target with one folder, and the reader of its bucket; those of a pattern share it."""

    context: TargetContext
    bucket: BucketReader


def open_targets(contexts: Sequence[TargetContext]) -> tuple[OpenTarget, ...]:
    """Open the bucket of each target, and expand the patterns.

    A pattern that finds no target is refused, but with `expire-closed` it is an empty target.
    Raises RefusedError if a pattern finds no target or too many, SettingsError if it has no `match`
    or targets overlap, and AccessError if a listing fails.
    """
    for context in contexts:
        require_match(context.settings)
    opened: list[OpenTarget] = []
    for context in contexts:
        if is_pattern(context.settings.prefix):
            opened += _expand(context)
        else:
            opened.append(OpenTarget(context=context, bucket=context.open_bucket()))
    if any(target.context.settings.pattern for target in opened):
        if len(opened) > MAXIMUM_TARGETS:
            raise RefusedError(
                f"the prefix patterns match {len(opened):,} targets, more than the maximum of "
                f"{MAXIMUM_TARGETS:,} per run",
                _NARROWER,
            )
        refuse_overlaps([target.context.settings for target in opened])
    return tuple(opened)


def open_planned_targets(contexts: Sequence[TargetContext]) -> tuple[OpenTarget, ...]:
    """Open the bucket of each target of a saved plan, which no other folder of a pattern joins.

    Those of one pattern and match share a reader. Raises AccessError if a listing fails.
    """
    groups: dict[tuple[object, ...], list[TargetContext]] = {}
    for context in contexts:
        groups.setdefault(_identify_pattern(context.settings), []).append(context)
    listings = {
        key: _list_targets(group[0], [context.settings.prefix for context in group])
        for key, group in groups.items()
        if group[0].settings.pattern
    }
    return tuple(
        _open_target(context, listings.get(_identify_pattern(context.settings)))
        for context in contexts
    )


def open_resumed_target(context: TargetContext) -> OpenTarget:
    """Open the bucket of one target; of a pattern's, also list the others for its checks.

    The target is among them even if it has no deployment any more.
    """
    settings = context.settings
    if not settings.pattern:
        return _open_target(context)
    bucket, listed_at = context.open_bucket(), context.monotonic()
    folders, _ = _find_targets(bucket, replace(settings, prefix=settings.pattern))
    if settings.prefix not in folders:
        folders |= list_all_folders(bucket, settings.match, [settings.prefix])
    listing = PatternListing(
        bucket=bucket, match=settings.match, folders=folders, listed_at=listed_at
    )
    return _open_target(context, listing)


def _identify_pattern(settings: Settings) -> tuple[object, ...]:
    access = (settings.bucket, settings.region, settings.endpoint_url, settings.role_to_assume)
    return (*access, settings.pattern, settings.match)


def _list_targets(context: TargetContext, prefixes: Sequence[str]) -> PatternListing:
    bucket, match, listed_at = context.open_bucket(), context.settings.match, context.monotonic()
    folders = list_all_folders(bucket, match, prefixes)
    return PatternListing(bucket=bucket, match=match, folders=folders, listed_at=listed_at)


def _open_target(context: TargetContext, listing: PatternListing | None = None) -> OpenTarget:
    if listing is None:
        return OpenTarget(context=context, bucket=context.open_bucket())
    return OpenTarget(context=replace(context, pattern_listing=listing), bucket=listing.bucket)


def _expand(context: TargetContext) -> Iterator[OpenTarget]:
    settings = context.settings
    bucket, listed_at = context.open_bucket(), context.monotonic()
    folders, without_match = _find_targets(bucket, settings)
    if not folders and settings.expire_closed is not None:
        # The last preview is deleted. No other folder than those of the pattern has this prefix.
        empty = replace(settings, pattern=settings.prefix, live_from=(), protect=())
        yield OpenTarget(context=replace(context, settings=empty), bucket=bucket)
        return
    if not folders:
        raise RefusedError(
            f"prefix {settings.prefix} matches no target in s3://{settings.bucket}: "
            f"{_describe_folders(without_match, settings)}",
            "Nothing was deleted. Check prefix and match.",
        )
    listing = PatternListing(
        bucket=bucket, match=settings.match, folders=folders, listed_at=listed_at
    )
    for prefix in folders:
        bound = bind_target(settings, prefix)
        if bound is not None:
            yield _open_target(replace(context, settings=bound), listing)


def _find_targets(bucket: BucketReader, settings: Settings) -> tuple[dict[str, Folders], list[str]]:
    """Return the folders of each target by its prefix, in order of the prefixes.

    The second value are the prefixes of the other folders that the pattern matches.
    """
    pattern = PrefixPattern(settings.prefix)
    prefixes = [""]
    for level in pattern.levels:
        with open_listing_pool(bucket) as pool:
            listings = pool.map(partial(_list_level, bucket, level), prefixes)
            prefixes = _collect(listings, settings)
    targets: dict[str, Folders] = {}
    without_match: list[str] = []
    candidates = sorted(f"{prefix}{pattern.suffix}" for prefix in prefixes)
    with open_listing_pool(bucket) as pool:
        list_candidate = partial(
            find_folders, bucket, match=settings.match, maximum_pages=MAXIMUM_PAGES
        )
        for prefix, folders in zip(candidates, pool.map(list_candidate, candidates), strict=True):
            if folders.names:
                targets[prefix] = folders
            else:
                without_match.append(prefix)
            if len(targets) > MAXIMUM_TARGETS:
                raise RefusedError(
                    f"prefix {settings.prefix} matches {len(candidates):,} folders with more than "
                    f"{MAXIMUM_TARGETS:,} targets, the maximum per run",
                    _NARROWER,
                )
    return targets, without_match


def _list_level(bucket: BucketReader, level: PatternLevel, prefix: str) -> list[str]:
    parent = f"{prefix}{level.parent}"
    folders = find_folders(bucket, parent, beginning=level.beginning, maximum_pages=MAXIMUM_PAGES)
    return [f"{parent}{name}/" for name in folders.names if level.matches(name)]


def _collect(listings: Iterable[list[str]], settings: Settings) -> list[str]:
    prefixes: list[str] = []
    for listing in listings:
        prefixes += listing
        if len(prefixes) > MAXIMUM_FOLDERS:
            raise RefusedError(
                f"prefix {settings.prefix} matches at least {len(prefixes):,} folders, more than "
                f"the maximum of {MAXIMUM_FOLDERS:,}",
                _NARROWER,
            )
    return prefixes


def _describe_folders(prefixes: Sequence[str], settings: Settings) -> str:
    if not prefixes:
        return "no folder matches the pattern"
    folders = join_names([escape_control_chars(prefix) for prefix in prefixes])
    return f"match {settings.match} matches no folder in {folders}"
