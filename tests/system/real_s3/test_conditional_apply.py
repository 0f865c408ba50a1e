"""What is uploaded after the last listing survives on an S3 that honours conditions."""

from datetime import UTC, datetime, timedelta

import pytest

from ci3.config.resolve import RawSetting, resolve_settings
from ci3.core.model.policy import Origin
from ci3.core.model.result import DeleteGuard, ObjectOutcome
from ci3.engine.workers.progress import NoProgress
from ci3.pipeline.context import TargetContext
from tests.support.cleanup_run import CleanupRun, apply_plan
from tests.support.journals import read_intents, read_records
from tests.support.s3.fault_proxy import running_proxy

DELETE = r"\?delete"


@pytest.fixture
def proxied(seaweedfs, monkeypatch):
    """The server behind a proxy that can be told what happens between two requests."""
    for name, value in seaweedfs.environ().items():
        monkeypatch.setenv(name, value)
    with running_proxy(seaweedfs.url) as proxy:
        yield proxy


def ran_on(proxy, bucket: str, *, days_later: int = 0) -> CleanupRun:
    given = {
        "bucket": bucket,
        "endpoint-url": proxy.url,
        "keep-count": "1",
        "journal-file": "journal.jsonl",
    }
    layer = {
        name: RawSetting(texts=(text,), origin=Origin.OPTION, where="a test")
        for name, text in given.items()
    }
    run = TargetContext(
        settings=resolve_settings(layer),
        references=(),
        progress=NoProgress(),
        clock=lambda: datetime.now(UTC) + timedelta(days=days_later),
        sleep=lambda _: None,
    )
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    return CleanupRun(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))


def test_object_of_other_bytes_uploaded_after_the_last_listing_survives(seaweedfs, proxied):
    again = b"deployed again"
    proxied.call_before(
        "POST",
        DELETE,
        lambda: seaweedfs.client.put_object(Bucket="conditional", Key="v1/b", Body=again),
        nth=1,
    )

    ran = ran_on(proxied, "conditional")

    assert ran.exit_code == 3
    assert ran.result.guard.guard is DeleteGuard.ETAG
    assert ran.counts("v1") == {"deleted": 2, "changed": 1}
    assert ran.counts("v2") == {"deleted": 3}
    left = seaweedfs.content("conditional")
    assert left["v1/b"] == again
    assert {key.partition("/")[0] for key in left} == {"v1", "v3"}


def test_answer_that_is_lost_after_a_conditional_deletion_is_gone_not_failed(seaweedfs, proxied):
    proxied.drop("POST", DELETE, nth=1)

    ran = ran_on(proxied, "conditional-lost")

    assert ran.exit_code == 0
    outcomes = {ObjectOutcome.DELETED, ObjectOutcome.ABSENT}
    assert {outcome for one in ran.result.deployments for outcome in one.counts} <= outcomes
    assert {key.partition("/")[0] for key in seaweedfs.content("conditional-lost")} == {"v3"}


def test_upload_that_was_never_finished_is_aborted_and_counted(seaweedfs, proxied):
    begin = seaweedfs.client.create_multipart_upload
    for key in ("v1/big", "v2/big", "v3/big", "elsewhere/big"):
        begin(Bucket="uploads", Key=key)

    ran = ran_on(proxied, "uploads", days_later=2)  # those of the last day are not aborted

    assert ran.exit_code == 0
    assert (ran.result.uploads_aborted, ran.result.uploads_problem) == (2, "")
    left = seaweedfs.client.list_multipart_uploads(Bucket="uploads")["Uploads"]
    assert {one["Key"] for one in left} == {"v3/big", "elsewhere/big"}


def test_journal_of_a_versioned_bucket_names_the_versions_that_it_hides(seaweedfs, proxied):
    before = seaweedfs.client.list_object_versions(Bucket="versioned-journal")["Versions"]

    ran = ran_on(proxied, "versioned-journal")

    assert ran.exit_code == 0
    named = {(one["key"], one["version_id"]) for one in read_intents(read_records("journal.jsonl"))}
    assert named == {
        (one["Key"], one["VersionId"]) for one in before if not one["Key"].startswith("v3/")
    }
