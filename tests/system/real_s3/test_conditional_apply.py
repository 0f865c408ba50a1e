"""Objects uploaded after the last listing survive on an S3 that honours conditions."""

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
def proxy(seaweedfs, monkeypatch):
    """Return a proxy for the server that can act between two requests."""
    for name, value in seaweedfs.environ().items():
        monkeypatch.setenv(name, value)
    with running_proxy(seaweedfs.url) as proxy:
        yield proxy


def run_cleanup(proxy, bucket: str, *, days_later: int = 0) -> CleanupRun:
    texts = {
        "bucket": bucket,
        "endpoint-url": proxy.url,
        "keep-count": "1",
        "journal-file": "journal.jsonl",
    }
    layer = {
        name: RawSetting(texts=(text,), origin=Origin.OPTION, where="a test")
        for name, text in texts.items()
    }
    context = TargetContext(
        settings=resolve_settings(layer),
        references=(),
        progress=NoProgress(),
        clock=lambda: datetime.now(UTC) + timedelta(days=days_later),
        sleep=lambda _: None,
    )
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    return CleanupRun(plan=plan, result=apply_plan(context, plan, reader, is_fresh=True))


def test_object_overwritten_after_the_last_listing_survives(seaweedfs, proxy):
    new_body = b"deployed again"
    proxy.call_before(
        "POST",
        DELETE,
        lambda: seaweedfs.client.put_object(Bucket="conditional", Key="v1/b", Body=new_body),
        nth=1,
    )

    run = run_cleanup(proxy, "conditional")

    assert run.exit_code == 3
    assert run.result.guard.guard is DeleteGuard.ETAG
    assert run.counts("v1") == {"deleted": 2, "changed": 1}
    assert run.counts("v2") == {"deleted": 3}
    remaining = seaweedfs.content("conditional")
    assert remaining["v1/b"] == new_body
    assert {key.partition("/")[0] for key in remaining} == {"v1", "v3"}


def test_lost_response_of_a_conditional_delete_is_not_a_failure(seaweedfs, proxy):
    proxy.drop("POST", DELETE, nth=1)

    run = run_cleanup(proxy, "conditional-lost")

    assert run.exit_code == 0
    outcomes = {outcome for deployment in run.result.deployments for outcome in deployment.counts}
    assert outcomes <= {ObjectOutcome.DELETED, ObjectOutcome.ABSENT}
    assert {key.partition("/")[0] for key in seaweedfs.content("conditional-lost")} == {"v3"}


def test_unfinished_upload_is_aborted_and_counted(seaweedfs, proxy):
    create_upload = seaweedfs.client.create_multipart_upload
    for key in ("v1/big", "v2/big", "v3/big", "elsewhere/big"):
        create_upload(Bucket="uploads", Key=key)

    run = run_cleanup(proxy, "uploads", days_later=2)  # uploads of the last day are not aborted

    assert run.exit_code == 0
    assert (run.result.uploads_aborted, run.result.uploads_problem) == (2, "")
    remaining = seaweedfs.client.list_multipart_uploads(Bucket="uploads")["Uploads"]
    assert {upload["Key"] for upload in remaining} == {"v3/big", "elsewhere/big"}


def test_journal_of_a_versioned_bucket_names_the_versions_that_it_hides(seaweedfs, proxy):
    before = seaweedfs.client.list_object_versions(Bucket="versioned-journal")["Versions"]

    run = run_cleanup(proxy, "versioned-journal")

    assert run.exit_code == 0
    intents = read_intents(read_records("journal.jsonl"))
    assert {(intent["key"], intent["version_id"]) for intent in intents} == {
        (version["Key"], version["VersionId"])
        for version in before
        if not version["Key"].startswith("v3/")
    }
