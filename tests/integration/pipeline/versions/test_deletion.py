"""What goes where all versions are deleted, and what a plan says of it."""

from pathlib import Path

import pytest

from ci3.core.model.deployment import Versioning
from ci3.core.model.issues import RefusalCode
from ci3.core.model.result import DeleteGuard
from ci3.errors import ExitCode, RefusedError
from tests.support.cleanup_run import apply_plan, make_context
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.version_deletion import (
    DELETE,
    VERSIONS,
    apply_to_versions,
    list_versions_to_delete,
    requested_versions,
)

# What goes.


def test_every_version_and_marker_of_the_doomed_goes_and_no_other(live: Bucket) -> None:
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.DONE
    assert list_versions_to_delete(live) == {}
    assert (ran.counts("old-1"), ran.counts("old-2")) == ({"deleted": 7}, {"deleted": 3})
    assert ran.plan.totals.versions_to_delete == 10
    assert ran.plan.totals.objects_to_delete == 6
    assert ran.result.bytes_deleted == ran.plan.totals.bytes_to_delete == 6 + 2 * 5 + 1
    assert ran.result.guard.guard is DeleteGuard.VERSION_ID


def test_nothing_without_an_id_is_sent_and_no_lock_is_bypassed(
    live: Bucket, proxy: FaultProxy
) -> None:
    doomed = list_versions_to_delete(live)
    proxy.ignores_probes = False
    apply_to_versions(live)
    assert {one for request in proxy.deletions for one in requested_versions(request)} == set(
        doomed
    )
    assert [one.method for one in proxy.deletions] == ["POST"] * len(proxy.deletions)
    assert not any("bypass" in name.lower() for one in proxy.requests for name in one.headers)


def test_what_is_hidden_goes_first_then_markers_then_what_is_current(
    live: Bucket, proxy: FaultProxy
) -> None:
    """So no old content is current on the way, and a deployment is seen until it is gone."""
    before = list_versions_to_delete(live)
    apply_to_versions(live, protect="old-2")
    sent = [{before[one] for one in requested_versions(request)} for request in proxy.deletions]
    older, marker, latest = sent
    assert all(what.startswith("older") for what in older)
    assert marker == {"latest marker"}
    assert all(what.startswith("latest") for what in latest - marker)


def test_intent_with_its_versions_stands_in_the_journal_before_each_request(
    live: Bucket, proxy: FaultProxy
) -> None:
    seen: list[int] = []
    proxy.call_before(
        "POST",
        DELETE,
        lambda: seen.append(Path("journal.jsonl").read_text().count('"by_version":true')),
    )
    apply_to_versions(live, journal_file="journal.jsonl")
    assert len(seen) == 4
    assert all(intents >= number for number, intents in enumerate(seen, 1))


def test_plan_sends_no_request_that_writes(live: Bucket, proxy: FaultProxy) -> None:
    run = make_context(live, delete_versions="true")
    plan = run.make_plan(run.open_bucket())
    assert plan.deletes_versions
    assert plan.is_applyable
    assert proxy.deletions == []


def test_more_versions_than_fit_in_a_batch_go(live: Bucket, proxy: FaultProxy) -> None:
    for days in (9, 8):
        live.deploy("old-2", days=days, files=1001)
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.DONE
    assert ran.counts("old-2") == {"deleted": 2005}
    assert max(len(requested_versions(request)) for request in proxy.deletions) == 1000
    assert list_versions_to_delete(live) == {}


def test_second_run_finds_nothing(live: Bucket) -> None:
    apply_to_versions(live)
    again = make_context(live, delete_versions="true")
    assert again.make_plan(again.open_bucket()).to_delete == ()


# Which buckets.


def test_bucket_without_versions_is_cleaned_as_ever_and_that_is_said(
    site: Bucket, proxy: FaultProxy
) -> None:
    site.deploy("new", days=1)
    site.deploy("old-1", days=9)
    ran = apply_to_versions(site)
    assert ran.exit_code is ExitCode.DONE
    assert not ran.plan.deletes_versions
    assert ran.counts("old-1") == {"deleted": 3}
    assert all("<VersionId>" not in one.body.decode() for one in proxy.deletions)


def test_versioning_that_cannot_be_read_refuses(
    live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer("GET", r"\?versioning", error("AccessDenied"), status=403)
    run = make_context(live, delete_versions="true")
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    assert plan.target.versioning is Versioning.UNKNOWN
    assert [one.code for one in plan.refusals] == [RefusalCode.VERSIONING_UNKNOWN]
    with pytest.raises(RefusedError) as caught:
        apply_plan(run, plan, reader, is_fresh=True)
    assert_screen(caught.value.full_message)
    assert proxy.deletions == []


def test_versions_that_cannot_be_listed_for_the_plan_refuse(
    live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer("GET", f"{VERSIONS}.*prefix=old-1%2F", error("AccessDenied"), status=403)
    run = make_context(live, delete_versions="true")
    plan = run.make_plan(run.open_bucket())
    assert [one.code for one in plan.refusals] == [RefusalCode.UNREADABLE_DEPLOYMENT]
    assert_screen(plan.refusals[0].message)


def test_max_delete_bytes_counts_hidden_versions(live: Bucket, proxy: FaultProxy) -> None:
    run = make_context(live, delete_versions="true", max_delete_bytes="16B")
    plan = run.make_plan(run.open_bucket())
    assert [one.code for one in plan.refusals] == [RefusalCode.MAX_DELETE_BYTES]
    assert make_context(live, max_delete_bytes="16B").make_plan(run.open_bucket()).is_applyable
