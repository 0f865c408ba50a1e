"""The inventory: which folders are deployments, and how many requests listing takes."""

import re

import pytest

from ci3.core.model.deployment import Inventory
from ci3.core.model.issues import RefusalCode
from ci3.engine.inventory.listing import ListingScope, take_inventory
from ci3.engine.workers.progress import NoProgress
from ci3.errors import AccessError
from tests.support.cleanup_run import make_context
from tests.support.messages import words_in
from tests.support.s3.answers import GROUP_LISTING, HTML, entry, error, listing
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def make_inventory(
    bucket: Bucket, prefix: str = "", match: str = "", concurrency: int = 32
) -> Inventory:
    reader = make_context(bucket).open_bucket()
    pattern = re.compile(match) if match else None
    scope = ListingScope(prefix=prefix, match=pattern, concurrency=concurrency)
    return take_inventory(reader, scope, NoProgress())


def count_objects(inventory: Inventory) -> dict[str, int]:
    return {deployment.name: deployment.object_count for deployment in inventory.deployments}


def test_files_at_the_root_are_not_deployments(bucket: Bucket) -> None:
    bucket.put("index.html")
    bucket.deploy("a", days=1, files=2)
    inventory = make_inventory(bucket)
    assert count_objects(inventory) == {"a": 2}
    assert [folder.name for folder in inventory.ignored] == ["index.html"]


def test_folder_of_the_journals_is_not_a_deployment(bucket: Bucket) -> None:
    bucket.put(".ci3/journals/run.jsonl", days=999)
    bucket.deploy("a", days=1)
    inventory = make_inventory(bucket)
    assert count_objects(inventory) == {"a": 3}
    assert [folder.name for folder in inventory.ignored] == [".ci3/"]


def test_folders_that_do_not_match_in_full_are_ignored(bucket: Bucket) -> None:
    for name in ("abc", "abc-old", "xabc"):
        bucket.deploy(name, days=1)
    inventory = make_inventory(bucket, match="[a-c]+")
    assert count_objects(inventory) == {"abc": 3}
    assert {folder.name for folder in inventory.ignored} == {"abc-old/", "xabc/"}


def test_names_with_a_common_beginning_are_separate_deployments(bucket: Bucket) -> None:
    for files, name in enumerate(("a", "ab", "a-b", "a.", "a b"), start=1):
        bucket.deploy(name, days=1, files=files)
    assert count_objects(make_inventory(bucket)) == {"a": 1, "ab": 2, "a-b": 3, "a.": 4, "a b": 5}


@pytest.mark.parametrize("prefix", ["", "app/"])
def test_folder_without_a_name_is_not_a_deployment(bucket: Bucket, prefix: str) -> None:
    bucket.put(f"{prefix}/x")
    bucket.put(f"{prefix}//x")
    bucket.deploy(f"{prefix}a", days=1)
    inventory = make_inventory(bucket, prefix)
    assert count_objects(inventory) == {"a": 3}
    assert len(inventory.ignored) == 1


def test_only_folders_below_the_prefix_are_listed(bucket: Bucket) -> None:
    for key in ("app/", "app/index.html", "app/a/x", "apps/b/x", "app-2/c/x", "d/x", "app"):
        bucket.put(key)
    inventory = make_inventory(bucket, "app/")
    assert count_objects(inventory) == {"a": 1}
    assert {folder.name for folder in inventory.ignored} == {"app/", "index.html"}


def test_folder_marker_counts_as_an_object_and_not_as_content(bucket: Bucket) -> None:
    bucket.put("a/", body=b"")
    bucket.put("b/", body=b"")
    bucket.put("b/x")
    inventory = make_inventory(bucket)
    assert count_objects(inventory) == {"a": 1, "b": 2}
    assert [deployment.is_complete for deployment in inventory.deployments] == [False, True]


COUNTS_AROUND_A_PAGE = (0, 1, 999, 1000, 1001)
SIMILAR_NAMES = ("a", "a-b", "a.", "a0", "aa", "v1", "v10", "v1-x")
"""Names that are prefixes of each other and sort differently with a trailing slash."""


def count_pages(count: int) -> int:
    """Return the number of pages for a number of objects or folders."""
    return -(-count // 1000)


@pytest.mark.parametrize("deployment_count", COUNTS_AROUND_A_PAGE)
def test_one_request_lists_a_thousand_folders_or_objects(
    site: Bucket, proxy: FaultProxy, deployment_count: int
) -> None:
    for number in range(deployment_count):
        site.put(f"{number:05}/x")
    assert len(make_inventory(site, concurrency=1).deployments) == deployment_count
    folder_pages = max(1, count_pages(deployment_count))
    assert len(proxy.find_requests("GET", "delimiter")) == folder_pages
    assert len(proxy.requests) == folder_pages + count_pages(deployment_count)


@pytest.mark.parametrize("file_count", COUNTS_AROUND_A_PAGE[1:])
def test_objects_of_neighboring_deployments_share_pages(
    site: Bucket, proxy: FaultProxy, file_count: int
) -> None:
    for name in SIMILAR_NAMES:
        site.deploy(name, days=1, files=1)
    site.deploy("v1", days=1, files=file_count)
    counts = count_objects(make_inventory(site, concurrency=1))
    assert counts == dict.fromkeys(SIMILAR_NAMES, 1) | {"v1": file_count}
    assert len(proxy.requests) == 1 + count_pages(file_count + len(SIMILAR_NAMES) - 1)


def test_files_at_the_root_are_listed_once(site: Bucket, proxy: FaultProxy) -> None:
    site.deploy("a", days=1)
    for number in range(1500):
        site.put(f"file-{number:04}")
    site.deploy("z", days=1)
    assert count_objects(make_inventory(site, concurrency=1)) == {"a": 3, "z": 3}
    assert len(proxy.find_requests("GET", "delimiter")) == 2
    assert len(proxy.requests) == 2 + 2


def test_large_ignored_folder_is_skipped(site: Bucket, proxy: FaultProxy) -> None:
    site.deploy("a", days=1)
    site.deploy("images", days=1, files=3500)
    site.deploy("z", days=1)
    assert count_objects(make_inventory(site, match="[a-z]", concurrency=1)) == {"a": 3, "z": 3}
    assert len(proxy.requests) == 1 + 2


@pytest.mark.parametrize("concurrency", [2, 32])
def test_concurrent_listing_takes_few_more_requests(
    site: Bucket, proxy: FaultProxy, concurrency: int
) -> None:
    for number in range(30):
        site.deploy(f"{number:02}", days=1, files=200)
    site.deploy("large", days=1, files=5000)
    counts = count_objects(make_inventory(site, concurrency=concurrency))
    assert counts == {f"{number:02}": 200 for number in range(30)} | {"large": 5000}
    assert 12 <= len(proxy.requests) <= 1 + 11 * 1.05 + concurrency


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(403, error("AccessDenied"), id="denied"),
        pytest.param(200, HTML, id="a login page"),
        pytest.param(200, "", id="empty"),
        pytest.param(200, listing(entry("b/x"), is_truncated="true"), id="cut off"),
        pytest.param(200, listing(entry("b/x"), entry("b/x")), id="a key twice"),
    ],
)
def test_deployment_that_cannot_be_listed_forbids_applying(
    site: Bucket, proxy: FaultProxy, status: int, body: str
) -> None:
    for days, name in enumerate("abcd"):
        site.deploy(name, days=days)
    proxy.answer("GET", GROUP_LISTING, body, status=status)
    proxy.answer("GET", "prefix=b%2F", body, status=status)
    context = make_context(site)
    plan = context.make_plan(context.open_bucket())
    assert not plan.is_applyable
    assert plan.refusals[0].code is RefusalCode.UNREADABLE_DEPLOYMENT
    assert "b" in words_in(plan.refusals[0].message)
    assert {decision.deployment.name for decision in plan.decisions} == {"a", "c", "d"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(403, error("AccessDenied"), id="denied"),
        pytest.param(200, HTML, id="a login page"),
        pytest.param(200, listing(folders=["a/"], is_truncated="true"), id="cut off"),
    ],
)
def test_folders_that_cannot_be_listed_are_an_error(
    site: Bucket, proxy: FaultProxy, status: int, body: str
) -> None:
    proxy.answer("GET", "delimiter", body, status=status)
    with pytest.raises(AccessError):
        make_inventory(site)


def test_credentials_that_expire_during_the_listing_are_an_error(
    site: Bucket, proxy: FaultProxy
) -> None:
    for name in "abcd":
        site.deploy(name, days=1)
    proxy.answer("GET", GROUP_LISTING, error("ExpiredToken"), status=400)
    with pytest.raises(AccessError, match="ExpiredToken"):
        make_inventory(site)


def test_folder_on_two_pages_counts_once(site: Bucket, proxy: FaultProxy) -> None:
    site.deploy("a", days=1)
    proxy.answer("GET", "delimiter", listing(folders=["a/"], is_truncated="true", token="t"), nth=1)
    proxy.answer("GET", "delimiter", listing(folders=["a/"]), nth=2)
    assert [deployment.name for deployment in make_inventory(site).deployments] == ["a"]


def test_folder_deleted_before_its_listing_has_no_objects(site: Bucket, proxy: FaultProxy) -> None:
    site.deploy("a", days=1)
    proxy.answer("GET", GROUP_LISTING, listing())
    proxy.answer("GET", "prefix=a%2F", listing())
    assert count_objects(make_inventory(site)) == {"a": 0}


def test_deployment_that_a_shared_listing_omits_is_listed_alone(
    site: Bucket, proxy: FaultProxy
) -> None:
    for name in "abc":
        site.deploy(name, days=1)
    proxy.answer("GET", GROUP_LISTING, listing(entry("a/x"), entry("c/x")))
    assert count_objects(make_inventory(site)) == {"a": 1, "b": 3, "c": 1}


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(("b/x", "a/x"), id="another order"),
        pytest.param(("a/x", "a/x"), id="a key twice"),
    ],
)
def test_shared_listing_in_another_order_is_not_used(
    site: Bucket, proxy: FaultProxy, keys: tuple[str, ...]
) -> None:
    for name in "ab":
        site.deploy(name, days=1)
    proxy.answer("GET", GROUP_LISTING, listing(*map(entry, keys)))
    assert count_objects(make_inventory(site)) == {"a": 3, "b": 3}


def test_folders_in_another_order_are_listed_separately(site: Bucket, proxy: FaultProxy) -> None:
    for name in ("a", "a-b"):
        site.deploy(name, days=1)
    proxy.answer("GET", "delimiter", listing(folders=["a/", "a-b/"]))
    assert count_objects(make_inventory(site)) == {"a": 3, "a-b": 3}
    assert not proxy.find_requests("GET", GROUP_LISTING)


def test_listing_slows_down_when_s3_asks_for_it(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    site.deploy("a", days=1)
    proxy.answer("GET", GROUP_LISTING, error("SlowDown"), status=503, nth=1)
    assert count_objects(make_inventory(site)) == {"a": 3}
    assert len(pauses) == 1
