"""Direct deletion without faults: what is deleted, in how many requests, and what is kept."""

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context, seed_site
from tests.support.journals import read_outcomes
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


@pytest.fixture
def seeded_site(site: Bucket) -> Bucket:
    seed_site(site)
    return site


def test_all_old_deployments_are_deleted_in_one_batch(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert seeded_site.folders() == {"new"}
    assert run.result.count_objects(ObjectOutcome.DELETED) == 9
    assert run.result.bytes_deleted == 9
    assert [len(request.batch_keys) for request in proxy.deletions] == [9]


def test_batches_have_at_most_1000_keys_of_several_deployments(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    seeded_site.deploy("old-1", days=10, files=1001)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert sorted(len(request.batch_keys) for request in proxy.deletions) == [7, 1000]
    assert seeded_site.folders() == {"new"}
    assert run.counts("old-1") == {"deleted": 1001}


def test_plan_sends_no_request_that_writes(seeded_site: Bucket, proxy: FaultProxy) -> None:
    before = seeded_site.content()
    context = make_context(seeded_site)
    assert len(context.make_plan(context.open_bucket()).to_delete) == 3
    assert proxy.deletions == []
    assert seeded_site.content() == before


def test_versioned_bucket_gets_markers_and_keeps_every_version(seeded_site: Bucket) -> None:
    seeded_site.enable_versioning()
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert sum(is_marker for _, is_marker in seeded_site.versions()) == 9
    assert sum(not is_marker for _, is_marker in seeded_site.versions()) == 6 + 9
    assert all(outcome["marker"] for outcome in read_outcomes(run.journal))
    intents = [record for record in run.journal if record["record"] == "intent"]
    rows = [row for intent in intents for part in intent["parts"] for row in part["objects"]]
    assert {version_id for *_, version_id in rows} == {"null"}


@pytest.mark.parametrize("name", ["a+b", "a%2Fb", "é 😀", "a&b<c>", "..", "a\x01b", "' \""])
def test_only_the_deployment_with_special_characters_is_deleted(bucket: Bucket, name: str) -> None:
    bucket.deploy("new", days=1)
    bucket.deploy(f"{name}x", days=2)
    bucket.deploy(name, days=9)
    run = apply(bucket, keep_count="2")
    assert run.exit_code is ExitCode.DONE
    assert bucket.folders() == {"new", f"{name}x"}
