"""The inventory: what is a deployment, what is not, and what it costs to find out."""

import re

import pytest

from ci3.core.model import Inventory
from ci3.engine.inventory import Scope, take_inventory
from ci3.engine.progress import Silent
from ci3.errors import AccessError
from tests.aws.answers import HTML, entry, error, listing
from tests.engine.road import cleanup
from tests.fault_proxy import FaultProxy
from tests.s3 import Bucket


def inventory(bucket: Bucket, prefix: str = "", match: str = "") -> Inventory:
    reader = cleanup(bucket).open_bucket()
    scope = Scope(prefix=prefix, match=re.compile(match) if match else None)
    return take_inventory(reader, scope, Silent())


def counts(found: Inventory) -> dict[str, int]:
    return {one.name: one.object_count for one in found.deployments}


def test_files_at_the_root_are_no_deployments(bucket: Bucket) -> None:
    bucket.put("index.html")
    bucket.deploy("a", days=1, files=2)
    found = inventory(bucket)
    assert counts(found) == {"a": 2}
    assert [one.name for one in found.ignored] == ["index.html"]


def test_folder_of_the_journals_is_no_deployment(bucket: Bucket) -> None:
    bucket.put(".ci3/journals/run.jsonl", days=999)
    bucket.deploy("a", days=1)
    found = inventory(bucket)
    assert counts(found) == {"a": 3}
    assert [one.name for one in found.ignored] == [".ci3/"]


def test_folders_that_do_not_match_in_full_are_ignored(bucket: Bucket) -> None:
    for name in ("abc", "abc-old", "xabc"):
        bucket.deploy(name, days=1)
    found = inventory(bucket, match="[a-c]+")
    assert counts(found) == {"abc": 3}
    assert {one.name for one in found.ignored} == {"abc-old/", "xabc/"}


def test_names_that_begin_alike_are_kept_apart(bucket: Bucket) -> None:
    for files, name in enumerate(("a", "ab", "a-b", "a.", "a b"), start=1):
        bucket.deploy(name, days=1, files=files)
    assert counts(inventory(bucket)) == {"a": 1, "ab": 2, "a-b": 3, "a.": 4, "a b": 5}


@pytest.mark.parametrize("prefix", ["", "app/"])
def test_folder_without_a_name_is_no_deployment(bucket: Bucket, prefix: str) -> None:
    bucket.put(f"{prefix}/x")
    bucket.put(f"{prefix}//x")
    bucket.deploy(f"{prefix}a", days=1)
    found = inventory(bucket, prefix)
    assert counts(found) == {"a": 3}
    assert [one.reason for one in found.ignored] == ["a folder without a name"]


def test_prefix_hides_everything_beside_it(bucket: Bucket) -> None:
    for key in ("app/", "app/index.html", "app/a/x", "apps/b/x", "app-2/c/x", "d/x", "app"):
        bucket.put(key)
    found = inventory(bucket, "app/")
    assert counts(found) == {"a": 1}
    assert {one.name for one in found.ignored} == {"app/", "index.html"}


def test_marker_of_a_folder_is_one_of_its_objects_and_makes_no_deployment(bucket: Bucket) -> None:
    bucket.put("a/", body=b"")
    bucket.put("b/", body=b"")
    bucket.put("b/x")
    found = inventory(bucket)
    assert counts(found) == {"a": 1, "b": 2}
    assert [one.complete for one in found.deployments] == [False, True]


@pytest.mark.parametrize("deployment_count", [0, 1, 999, 1000, 1001])
def test_folders_cost_one_request_per_thousand_and_one_for_each_that_matches(
    site: Bucket, proxy: FaultProxy, deployment_count: int
) -> None:
    for number in range(deployment_count):
        site.put(f"{number:05}/x")
    found = inventory(site, match="..[05]0.")
    matching_count = sum(f"{number:05}"[2:4] in ("00", "50") for number in range(deployment_count))
    assert len(found.deployments) == matching_count
    assert len(found.deployments) + len(found.ignored) == deployment_count
    folder_pages = max(1, -(-deployment_count // 1000))
    assert len(proxy.sent("GET", "delimiter")) == folder_pages
    assert len(proxy.requests) == folder_pages + matching_count


@pytest.mark.parametrize("file_count", [1, 999, 1000, 1001])
def test_objects_cost_one_request_per_thousand(
    site: Bucket, proxy: FaultProxy, file_count: int
) -> None:
    site.deploy("a", days=1, files=file_count)
    site.deploy("b", days=1, files=1)
    assert counts(inventory(site)) == {"a": file_count, "b": 1}
    assert len(proxy.requests) == 1 + -(-file_count // 1000) + 1


def test_root_files_count_as_folders_do(site: Bucket, proxy: FaultProxy) -> None:
    for number in range(999):
        site.put(f"file-{number:03}")
    site.deploy("a", days=1)
    site.deploy("b", days=1)
    assert set(counts(inventory(site))) == {"a", "b"}
    assert len(proxy.requests) == 2 + 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(403, error("AccessDenied"), id="denied"),
        pytest.param(200, HTML, id="a login page"),
        pytest.param(200, "", id="empty"),
        pytest.param(200, listing(entry("b/x"), more="true"), id="cut off"),
        pytest.param(200, listing(entry("b/x"), entry("b/x")), id="a key twice"),
    ],
)
def test_deployment_that_cannot_be_listed_is_a_hole_that_forbids_applying(
    site: Bucket, proxy: FaultProxy, status: int, body: str
) -> None:
    for days, name in enumerate("abcd"):
        site.deploy(name, days=days)
    proxy.answer("GET", "prefix=b%2F", body, status=status)
    run = cleanup(site)
    plan = run.make_plan(run.open_bucket())
    assert not plan.applyable
    assert plan.refusals[0].message.startswith("b could not be listed")
    assert {one.deployment.name for one in plan.decisions} == {"a", "c", "d"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(403, error("AccessDenied"), id="denied"),
        pytest.param(200, HTML, id="a login page"),
        pytest.param(200, listing(folders=["a/"], more="true"), id="cut off"),
    ],
)
def test_folders_that_cannot_be_listed_are_an_error(
    site: Bucket, proxy: FaultProxy, status: int, body: str
) -> None:
    proxy.answer("GET", "delimiter", body, status=status)
    with pytest.raises(AccessError):
        inventory(site)


def test_credentials_that_expire_in_the_midst_are_an_error(site: Bucket, proxy: FaultProxy) -> None:
    for name in "abcd":
        site.deploy(name, days=1)
    proxy.answer("GET", "prefix=b%2F", error("ExpiredToken"), status=400)
    with pytest.raises(AccessError, match="ExpiredToken"):
        inventory(site)


def test_folder_that_a_server_names_on_two_pages_counts_once(
    site: Bucket, proxy: FaultProxy
) -> None:
    site.deploy("a", days=1)
    proxy.answer("GET", "delimiter", listing(folders=["a/"], more="true", token="t"), nth=1)
    proxy.answer("GET", "delimiter", listing(folders=["a/"]), nth=2)
    assert [one.name for one in inventory(site).deployments] == ["a"]


def test_folder_that_is_gone_when_it_is_listed_has_no_objects(
    site: Bucket, proxy: FaultProxy
) -> None:
    site.deploy("a", days=1)
    proxy.answer("GET", "prefix=a%2F", listing())
    assert counts(inventory(site)) == {"a": 0}
