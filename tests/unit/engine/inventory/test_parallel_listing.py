"""A parallel listing finds the same deployments as separate listings, however it is split."""

import random
import re

from ci3.core.inventory.summary import summarize_folder
from ci3.core.model.deployment import Deployment
from ci3.engine.inventory.folders import find_folders
from ci3.engine.inventory.key_ranges import ListingThresholds
from ci3.engine.inventory.listing import ListingScope, take_inventory
from ci3.engine.workers.progress import NoProgress
from tests.unit.engine.inventory.sorted_bucket import SortedBucket, make_object

CASES = 200


THRESHOLDS = ListingThresholds(page_size=5, assumed_objects=2, min_objects_to_split=10)
"""Low enough to split ranges of few objects."""


def make_keys(rng: random.Random, prefix: str) -> set[str]:
    """Return the keys of deployments with similar names, and of files outside them."""

    def make_name() -> str:
        return "".join(rng.choice("ab0.-1 ") for _ in range(rng.randint(1, 4)))

    keys = {prefix + make_name() for _ in range(rng.randint(0, 10))}
    keys |= {f"{make_name()}/other" for _ in range(rng.randint(0, 4))}
    for _ in range(rng.randint(0, 25)):
        folder = f"{prefix}{make_name()}/"
        for _ in range(rng.choice([1, 2, 3, 3, 10, 60])):
            subfolder = rng.choice(["", "x/", "x.css", "x/y/"])
            keys.add(f"{folder}{subfolder}{rng.choice(['', str(rng.randint(0, 99))])}")
    return keys


def describe_deployments(
    keys: set[str], prefix: str, match: re.Pattern[str] | None
) -> list[Deployment]:
    """Return the expected deployments, from the keys and without a listing."""
    names = find_folders(SortedBucket(keys, 1000, 0), prefix, match).names
    return [
        summarize_folder(name, folder, [make_object(key) for key in keys if key.startswith(folder)])
        for name in sorted(names)
        for folder in [f"{prefix}{name}/"]
    ]


def test_parallel_listing_equals_separate_listings() -> None:
    separate_count = split_count = 0
    for seed in range(CASES):
        rng = random.Random(seed)  # noqa: S311 - reproducible by its seed
        prefix = rng.choice(["", "app/", "a/"])
        match = rng.choice([None, None, re.compile("[ab].*")])
        keys = make_keys(rng, prefix)
        bucket = SortedBucket(keys, rng.choice([1, 2, 3, 5, 1000]), seed)
        scope = ListingScope(prefix=prefix, match=match, thresholds=THRESHOLDS)
        inventory = take_inventory(bucket, scope, NoProgress())
        expected = describe_deployments(keys, prefix, match)
        assert list(inventory.deployments) == expected, seed
        assert [deployment.first_object_at for deployment in inventory.deployments] == [
            deployment.first_object_at for deployment in expected
        ], seed
        separate_count += sum(listed_prefix != prefix for listed_prefix, _ in bucket.requests)
        split_count += sum(
            start_after.count("/") > prefix.count("/") for _, start_after in bucket.requests
        )
    assert not separate_count, "a deployment was listed again although nothing changed"
    assert split_count, "no range inside a deployment was split"


def test_range_with_fewer_objects_than_the_threshold_is_not_split() -> None:
    keys = {f"{number:02}/{file_number}" for number in range(60) for file_number in range(2)}
    thresholds = ListingThresholds(min_objects_to_split=10_000)
    for seed in range(20):
        bucket = SortedBucket(keys, 5, seed)
        take_inventory(bucket, ListingScope(thresholds=thresholds), NoProgress())
        assert {start_after for _, start_after in bucket.requests} == {""}, seed


def test_deployment_that_grows_during_the_listing_is_listed_again_alone() -> None:
    """The test adds a key at the boundary of two ranges, which only one of them lists."""
    keys = {f"a/{number:03}" for number in range(200)}
    bucket = SortedBucket(keys, 5, 1)
    list_pages = bucket.list_pages

    def list_pages_and_add_key(prefix: str, *, delimiter: str = "", start_after: str = ""):
        pages = list_pages(prefix, delimiter=delimiter, start_after=start_after)
        if start_after and prefix == "":
            first_page = next(pages)
            bucket.keys = sorted({*bucket.keys, f"{start_after}-new"})
            yield first_page
        yield from pages

    bucket.list_pages = list_pages_and_add_key
    scope = ListingScope(thresholds=THRESHOLDS)
    (deployment,) = take_inventory(bucket, scope, NoProgress()).deployments
    assert ("a/", "") in bucket.requests
    assert deployment == summarize_folder("a", "a/", map(make_object, bucket.keys))
