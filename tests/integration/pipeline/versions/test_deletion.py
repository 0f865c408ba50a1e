"""Runs and plans with delete-versions."""

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

# Deleted versions.


def test_all_versions_and_markers_of_the_deployments_to_delete_are_deleted(
    seeded_site: Bucket,
) -> None:
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert list_versions_to_delete(seeded_site) == {}
    assert (run.counts("old-1"), run.counts("old-2")) == ({"deleted": 7}, {"deleted": 3})
    assert run.plan.totals.versions_to_delete == 10
    assert run.plan.totals.objects_to_delete == 6
    assert run.result.bytes_deleted == run.plan.totals.bytes_to_delete == 6 + 2 * 5 + 1
    assert run.result.guard.guard is DeleteGuard.VERSION_ID


def test_deletions_have_version_ids_and_do_not_bypass_locks(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    planned = set(list_versions_to_delete(seeded_site))
    proxy.ignores_probes = False
    apply_to_versions(seeded_site)
    versions = {version for request in proxy.deletions for version in requested_versions(request)}
    assert versions == planned
    assert [request.method for request in proxy.deletions] == ["POST"] * len(proxy.deletions)
    assert not any(
        "bypass" in name.lower() for request in proxy.requests for name in request.headers
    )


def test_noncurrent_versions_are_deleted_first_then_markers_then_current_versions(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    """So no old content becomes current, and each deployment is listed until it is deleted."""
    before = list_versions_to_delete(seeded_site)
    apply_to_versions(seeded_site, protect="old-2")
    noncurrent, markers, current = [
        {before[version] for version in requested_versions(request)} for request in proxy.deletions
    ]
    assert all(content.startswith("older") for content in noncurrent)
    assert markers == {"latest marker"}
    assert all(content.startswith("latest") for content in current - markers)


def test_intent_with_its_versions_is_in_the_journal_before_each_request(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    intent_counts: list[int] = []
    proxy.call_before(
        "POST",
        DELETE,
        lambda: intent_counts.append(Path("journal.jsonl").read_text().count('"by_version":true')),
    )
    apply_to_versions(seeded_site, journal_file="journal.jsonl")
    assert len(intent_counts) == 4
    assert all(count >= number for number, count in enumerate(intent_counts, 1))


def test_plan_sends_no_request_that_writes(seeded_site: Bucket, proxy: FaultProxy) -> None:
    context = make_context(seeded_site, delete_versions="true")
    plan = context.make_plan(context.open_bucket())
    assert plan.deletes_versions
    assert plan.is_applyable
    assert proxy.deletions == []


def test_more_versions_than_fit_in_a_batch_are_deleted(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    for days in (9, 8):
        seeded_site.deploy("old-2", days=days, files=1001)
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert run.counts("old-2") == {"deleted": 2005}
    assert max(len(requested_versions(request)) for request in proxy.deletions) == 1000
    assert list_versions_to_delete(seeded_site) == {}


def test_second_run_finds_nothing(seeded_site: Bucket) -> None:
    apply_to_versions(seeded_site)
    context = make_context(seeded_site, delete_versions="true")
    assert context.make_plan(context.open_bucket()).to_delete == ()


# Buckets without versions, and refusals.


def test_bucket_without_versions_is_cleaned_without_version_ids(
    site: Bucket, proxy: FaultProxy
) -> None:
    site.deploy("new", days=1)
    site.deploy("old-1", days=9)
    run = apply_to_versions(site)
    assert run.exit_code is ExitCode.DONE
    assert not run.plan.deletes_versions
    assert run.counts("old-1") == {"deleted": 3}
    assert all("<VersionId>" not in request.body.decode() for request in proxy.deletions)


def test_plan_is_refused_if_versioning_cannot_be_read(
    seeded_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer("GET", r"\?versioning", error("AccessDenied"), status=403)
    context = make_context(seeded_site, delete_versions="true")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    assert plan.target.versioning is Versioning.UNKNOWN
    assert [refusal.code for refusal in plan.refusals] == [RefusalCode.VERSIONING_UNKNOWN]
    with pytest.raises(RefusedError) as caught:
        apply_plan(context, plan, reader, is_fresh=True)
    assert_screen(caught.value.full_message)
    assert proxy.deletions == []


def test_plan_is_refused_if_versions_cannot_be_listed(
    seeded_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer("GET", f"{VERSIONS}.*prefix=old-1%2F", error("AccessDenied"), status=403)
    context = make_context(seeded_site, delete_versions="true")
    plan = context.make_plan(context.open_bucket())
    assert [refusal.code for refusal in plan.refusals] == [RefusalCode.UNREADABLE_DEPLOYMENT]
    assert_screen(plan.refusals[0].message)


def test_max_delete_bytes_counts_noncurrent_versions(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    context = make_context(seeded_site, delete_versions="true", max_delete_bytes="16B")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    assert [refusal.code for refusal in plan.refusals] == [RefusalCode.MAX_DELETE_BYTES]
    assert make_context(seeded_site, max_delete_bytes="16B").make_plan(reader).is_applyable
