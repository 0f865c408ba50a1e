"""Direct deletion where nothing goes wrong: what goes, in how many requests, and what stays."""

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context, seed_site
from tests.support.journals import read_outcomes
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


@pytest.fixture
def live(site: Bucket) -> Bucket:
    seed_site(site)
    return site


def test_everything_doomed_goes_in_one_batch(live: Bucket, proxy: FaultProxy) -> None:
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert live.folders() == {"new"}
    assert ran.result.count_objects(ObjectOutcome.DELETED) == 9
    assert ran.result.bytes_deleted == 9
    assert [len(one.batch_keys) for one in proxy.deletions] == [9]


def test_batches_never_pass_a_thousand_keys_and_deployments_share_them(
    live: Bucket, proxy: FaultProxy
) -> None:
    live.deploy("old-1", days=10, files=1001)
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert sorted(len(one.batch_keys) for one in proxy.deletions) == [7, 1000]
    assert live.folders() == {"new"}
    assert ran.counts("old-1") == {"deleted": 1001}


def test_plan_sends_no_request_that_writes(live: Bucket, proxy: FaultProxy) -> None:
    before = live.content()
    run = make_context(live)
    assert len(run.make_plan(run.open_bucket()).to_delete) == 3
    assert proxy.deletions == []
    assert live.content() == before


def test_versioned_bucket_gets_markers_and_keeps_every_version(live: Bucket) -> None:
    live.enable_versioning()
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert sum(is_marker for _, is_marker in live.versions()) == 9
    assert sum(not is_marker for _, is_marker in live.versions()) == 6 + 9
    assert all(one["marker"] for one in read_outcomes(ran.journal))


@pytest.mark.parametrize("name", ["a+b", "a%2Fb", "é 😀", "a&b<c>", "..", "a\x01b", "' \""])
def test_deployment_of_an_odd_name_goes_and_its_neighbours_stay(bucket: Bucket, name: str) -> None:
    bucket.deploy("new", days=1)
    bucket.deploy(f"{name}x", days=2)
    bucket.deploy(name, days=9)
    ran = apply(bucket, keep_count="2")
    assert ran.exit_code is ExitCode.DONE
    assert bucket.folders() == {"new", f"{name}x"}
