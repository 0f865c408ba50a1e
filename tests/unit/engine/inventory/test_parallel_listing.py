"""Listing many deployments at once gives what listing each alone gives, however it is parted."""

import random
import re

from ci3.core.inventory.summary import summarize_folder
from ci3.core.model.deployment import Deployment
from ci3.engine.inventory.folders import find_folders
from ci3.engine.inventory.key_ranges import ListingThresholds
from ci3.engine.inventory.listing import ListingScope, take_inventory
from ci3.engine.workers.progress import NoProgress
from tests.unit.engine.inventory.sorted_bucket import SortedBucket, stored

CASES = 200


THRESHOLDS = ListingThresholds(page_size=5, assumed_objects=2, min_objects_to_split=10)
"""Few objects are split as many would be."""


def make_keys(chance: random.Random, prefix: str) -> set[str]:
    """Make a bucket of deployments whose names begin alike, and files beside them."""

    def name() -> str:
        return "".join(chance.choice("ab0.-1 ") for _ in range(chance.randint(1, 4)))

    keys = {prefix + name() for _ in range(chance.randint(0, 10))}
    keys |= {f"{name()}/beside" for _ in range(chance.randint(0, 4))}
    for _ in range(chance.randint(0, 25)):
        folder = f"{prefix}{name()}/"
        for _ in range(chance.choice([1, 2, 3, 3, 10, 60])):
            inner = chance.choice(["", "x/", "x.css", "x/y/"])
            keys.add(f"{folder}{inner}{chance.choice(['', str(chance.randint(0, 99))])}")
    return keys


def each_alone(keys: set[str], prefix: str, match: re.Pattern[str] | None) -> list[Deployment]:
    """Describe each deployment from all keys, without any listing."""
    names = find_folders(SortedBucket(keys, 1000, 0), prefix, match).names
    return [
        summarize_folder(name, folder, [stored(key) for key in keys if key.startswith(folder)])
        for name in sorted(names)
        for folder in [f"{prefix}{name}/"]
    ]


def test_listing_at_once_gives_what_listing_each_alone_gives() -> None:
    alone = parted = 0
    for seed in range(CASES):
        chance = random.Random(seed)  # noqa: S311 - the same at each run
        prefix = chance.choice(["", "app/", "a/"])
        match = chance.choice([None, None, re.compile("[ab].*")])
        keys = make_keys(chance, prefix)
        bucket = SortedBucket(keys, chance.choice([1, 2, 3, 5, 1000]), seed)
        scope = ListingScope(prefix=prefix, match=match, thresholds=THRESHOLDS)
        found = take_inventory(bucket, scope, NoProgress())
        wanted = each_alone(keys, prefix, match)
        assert list(found.deployments) == wanted, seed
        assert [one.first_object_at for one in found.deployments] == [
            one.first_object_at for one in wanted
        ], seed
        alone += sum(asked != prefix for asked, _ in bucket.requests)
        parted += sum(after.count("/") > prefix.count("/") for _, after in bucket.requests)
    assert not alone, "what was listed at once was in doubt, though nothing changed"
    assert parted, "no deployment was ever parted in its midst"


def test_range_with_fewer_objects_than_the_threshold_is_not_split() -> None:
    keys = {f"{number:02}/{inner}" for number in range(60) for inner in range(2)}
    thresholds = ListingThresholds(min_objects_to_split=10_000)
    for seed in range(20):
        bucket = SortedBucket(keys, 5, seed)
        take_inventory(bucket, ListingScope(thresholds=thresholds), NoProgress())
        assert {start_after for _, start_after in bucket.requests} == {""}, seed


def test_deployment_that_grows_while_it_is_listed_is_listed_again_alone() -> None:
    """A key that comes to stand where two ranges meet was seen by one of them alone."""
    keys = {f"a/{number:03}" for number in range(200)}
    bucket = SortedBucket(keys, 5, 1)
    listing = bucket.list_pages

    def list_and_grow(prefix: str, *, delimiter: str = "", start_after: str = ""):
        pages = listing(prefix, delimiter=delimiter, start_after=start_after)
        if start_after and prefix == "":
            first_page = next(pages)
            bucket.keys = sorted({*bucket.keys, f"{start_after}-new"})
            yield first_page
        yield from pages

    bucket.list_pages = list_and_grow
    scope = ListingScope(thresholds=THRESHOLDS)
    (found,) = take_inventory(bucket, scope, NoProgress()).deployments
    assert ("a/", "") in bucket.requests
    assert found == summarize_folder("a", "a/", map(stored, bucket.keys))
