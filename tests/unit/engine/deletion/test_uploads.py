"""Unfinished uploads: an error while they are aborted does not lose the result of the run."""

from datetime import UTC, datetime, timedelta

import pytest

from ci3.aws.bucket import BucketReader
from ci3.engine.deletion.uploads import AbortResult, UnfinishedUploads
from ci3.errors import DeniedError, ExitCode, describe_error
from tests.support.cleanup_run import apply, seed_site
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


class FailingBucket:
    """A bucket whose listing of uploads fails."""

    def __init__(self, error):
        self.error = error

    def list_uploads(self, _prefix):
        raise self.error


def create_upload(site: Bucket) -> BucketReader:
    """Create an upload in `old/` and return a reader of the bucket."""
    site.client.create_multipart_upload(Bucket=site.name, Key="old/a")
    return BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)


def make_uploads(reader, started_before: datetime) -> UnfinishedUploads:
    return UnfinishedUploads(
        reader=reader, prefix="", prefixes_to_delete=["old/"], started_before=started_before
    )


@pytest.mark.parametrize(
    "error", [DeniedError("no", "Ask."), KeyboardInterrupt(), ZeroDivisionError("x")]
)
@pytest.mark.parametrize("is_ahead", [True, False])
def test_uploads_that_cannot_be_listed_are_reported_without_an_exception(error, is_ahead):
    # Interrupts are raised in the main thread only.
    is_ahead = is_ahead and isinstance(error, Exception)
    uploads = make_uploads(FailingBucket(error), datetime.now(UTC))
    if is_ahead:
        uploads.find()

    assert uploads.abort(None, ["old/"]) == AbortResult(count=0, problem=describe_error(error))


@pytest.mark.parametrize("is_ahead", [True, False])
def test_upload_started_after_the_plan_is_not_aborted(site: Bucket, is_ahead: bool) -> None:
    reader = create_upload(site)
    ((upload,),) = reader.list_uploads("")
    for count, delay in enumerate((timedelta(), timedelta(seconds=1))):
        uploads = make_uploads(reader, upload.started_at + delay)
        if is_ahead:
            uploads.find()
        assert uploads.abort(reader.open_writer(), ["old/"]) == AbortResult(count=count)


def test_interrupted_search_for_uploads_aborts_none(site: Bucket, monkeypatch) -> None:
    reader = create_upload(site)
    pages = list(reader.list_uploads(""))

    def list_and_interrupt(_prefix: str):
        yield from pages
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "list_uploads", list_and_interrupt)
    uploads = make_uploads(reader, datetime.now(UTC) + timedelta(minutes=1))

    result = uploads.abort(reader.open_writer(), ["old/"])
    assert result == AbortResult(count=0, problem=describe_error(KeyboardInterrupt()))


def test_stopped_search_for_uploads_is_repeated_by_abort(site: Bucket) -> None:
    reader = create_upload(site)
    uploads = make_uploads(reader, datetime.now(UTC) + timedelta(minutes=1))
    uploads.find(lambda: True)

    assert uploads.abort(reader.open_writer(), ["old/"]) == AbortResult(count=1)


def test_uploads_are_listed_once_and_those_of_kept_deployments_are_not_aborted(
    site: Bucket, proxy: FaultProxy
) -> None:
    seed_site(site)
    for key in ("old-1/a", "old-2/a", "new/a"):
        site.begin_upload(key, days=2)
    proxy.call_before(
        "GET", "prefix=old-2", act=lambda: site.put("old-2/file-00001", body=b"another")
    )
    cleanup_run = apply(site)

    assert len(proxy.find_requests("GET", r"[?]uploads")) == 1
    remaining_uploads = site.client.list_multipart_uploads(Bucket=site.name)["Uploads"]
    assert cleanup_run.exit_code is ExitCode.PARTIAL
    assert cleanup_run.result.uploads_aborted == 1
    assert {upload["Key"] for upload in remaining_uploads} == {"old-2/a", "new/a"}
