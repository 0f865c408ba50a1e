"""No command has more requests in flight than `concurrency` allows."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from ci3.core.journal.location import JournalLocation
from ci3.core.model.result import ApplyResult, ObjectOutcome
from ci3.engine.deletion import objects
from ci3.engine.deletion.refresh import start_refresher
from ci3.engine.inventory.key_ranges import ListingThresholds
from ci3.engine.inventory.listing import ListingScope
from ci3.engine.journal.s3_sink import read_stored_journal
from ci3.engine.restore.restore import Restoration
from ci3.engine.restore.sources import source_from_journal
from ci3.pipeline import context as pipeline_context
from ci3.pipeline.doctor import run_doctor
from ci3.pipeline.expansion import OpenTarget
from ci3.pipeline.run import open_run
from tests.support.apps import MATCH, PATTERN, commit, deploy_app, list_deployments
from tests.support.cleanup_run import apply_plan, make_context
from tests.support.concurrency_meter import ConcurrencyMeter
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import running_proxy

CONCURRENCIES = [1, 2, 5]
DELAY_SECONDS = 0.002
"""The delay of each request: concurrent requests overlap even on a busy machine."""
POINTERS = "\n".join(f"object:live-{number}.json" for number in range(8))


@pytest.fixture
def meter(bucket: Bucket, s3_url: str) -> Iterator[ConcurrencyMeter]:
    """Count the requests to the bucket that are in flight."""
    with running_proxy(s3_url) as proxy:
        meter, handle = ConcurrencyMeter(), proxy.handle

        def handle_counted(request):
            with meter.counted():
                time.sleep(DELAY_SECONDS)
                return handle(request)

        proxy.handle = handle_counted
        bucket.endpoint_url = proxy.url
        yield meter


@contextmanager
def check_concurrency(meter: ConcurrencyMeter, concurrency: int) -> Iterator[None]:
    """Check that the requests inside are concurrent, and at most `concurrency` of them."""
    meter.maximum = 0
    yield
    assert 1 <= meter.maximum <= concurrency
    assert concurrency == 1 or meter.maximum > 1


def deploy_many(bucket: Bucket, *, files: int = 3) -> None:
    bucket.deploy("new", days=1)
    for number in range(12):
        bucket.deploy(f"old-{number:02}", days=10 + number, files=files)


def clean_up(bucket: Bucket, **settings: str) -> ApplyResult:
    """Plan and apply, with a journal in the bucket."""
    context = make_context(bucket, journal_file="s3://", **settings)
    reader = context.open_bucket()
    result = apply_plan(context, context.make_plan(reader), reader, is_fresh=True)
    assert result.count_objects(ObjectOutcome.DELETED)
    assert not result.stop_reason
    return result


def put_pointers(bucket: Bucket) -> None:
    for number in range(8):
        bucket.put(f"live-{number}.json", days=10, body=b"new")


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("has_worker", [True, False])
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_cleanup_keeps_to_the_concurrency(  # noqa: PLR0917 - fixtures
    bucket: Bucket,
    meter: ConcurrencyMeter,
    monkeypatch: pytest.MonkeyPatch,
    forks: None,
    concurrency: int,
    has_worker: bool,
) -> None:
    """Requests of the worker process count too; here it takes part in all it can."""
    count = 1 if has_worker else 10**9
    thresholds = ListingThresholds(min_objects_to_start=count, min_objects_to_share=count)
    make_scope = partial(ListingScope, thresholds=thresholds)
    monkeypatch.setattr(pipeline_context, "ListingScope", make_scope)
    start_for_count = partial(start_refresher, min_total_objects=count)
    monkeypatch.setattr(objects, "start_refresher", start_for_count)
    deploy_many(bucket, files=120)
    put_pointers(bucket)
    bucket.put("old-00/\x01", days=10)
    with check_concurrency(meter, concurrency):
        clean_up(bucket, concurrency=str(concurrency), live_from=POINTERS)


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_live_sources_are_read_within_the_concurrency(
    bucket: Bucket, meter: ConcurrencyMeter, concurrency: int
) -> None:
    put_pointers(bucket)
    context = make_context(bucket, concurrency=str(concurrency), live_from=POINTERS)
    with check_concurrency(meter, concurrency):
        sources = context.read_live_sources(context.open_bucket())
    assert not any(source.problem for source in sources)


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_versions_are_listed_and_deleted_within_the_concurrency(
    bucket: Bucket, meter: ConcurrencyMeter, concurrency: int
) -> None:
    """The limit also applies to the journal, which is written to and read from the bucket."""
    bucket.enable_versioning()
    for _ in range(2):
        deploy_many(bucket)
    with check_concurrency(meter, concurrency):
        result = clean_up(bucket, concurrency=str(concurrency), delete_versions="true")
    reader = make_context(bucket, concurrency=str(concurrency)).open_bucket()
    with check_concurrency(meter, concurrency):
        read_stored_journal(reader, JournalLocation.parse(result.journal_file))


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_deployments_are_restored_within_the_concurrency(
    bucket: Bucket, meter: ConcurrencyMeter, concurrency: int
) -> None:
    bucket.enable_versioning()
    deploy_many(bucket)
    before = bucket.keys()
    result = clean_up(bucket)
    context = make_context(bucket, concurrency=str(concurrency))
    with check_concurrency(meter, concurrency):
        reader = context.open_bucket()
        location = JournalLocation.parse(result.journal_file)
        restoration = Restoration(
            reader=reader,
            source=source_from_journal(read_stored_journal(reader, location)),
            progress=context.progress,
            sleep=context.sleep,
            concurrency=concurrency,
        )
        restoration.restore(restoration.make_plan())
    assert before <= bucket.keys()


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_doctor_keeps_to_the_concurrency(
    bucket: Bucket, meter: ConcurrencyMeter, concurrency: int
) -> None:
    deploy_many(bucket)
    put_pointers(bucket)
    context = make_context(
        bucket, concurrency=str(concurrency), live_from=POINTERS, probe_deletes="true"
    )
    with check_concurrency(meter, concurrency):
        run_doctor(OpenTarget(context=context, bucket=context.open_bucket()))


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_targets_of_a_pattern_keep_to_the_concurrency_together(
    bucket: Bucket, meter: ConcurrencyMeter, concurrency: int
) -> None:
    for number in range(12):
        deploy_app(bucket, f"app-{number}", files=3)
    context = make_context(
        bucket, prefix=PATTERN, match=MATCH, concurrency=str(concurrency), live_from="object:live"
    )
    bucket.put("live", body=commit("app-1", 1).encode())
    with check_concurrency(meter, concurrency):
        run = open_run([context])
    with check_concurrency(meter, concurrency):
        plans = run.make_plans()
    with check_concurrency(meter, concurrency):
        run.apply_plans(run.reconcile_rules(plans), is_fresh=False)
    assert list_deployments(bucket, "app-1") == {0, 1}
    assert list_deployments(bucket, "app-2") == {0}
