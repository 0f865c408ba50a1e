"""Unfinished uploads: whatever befalls their end, the account of the deletion comes back."""

from datetime import UTC, datetime, timedelta

import pytest

from ci3.aws.bucket import BucketReader
from ci3.engine.deletion.uploads import AbortResult, UnfinishedUploads
from ci3.errors import DeniedError, ExitCode, describe_error
from tests.support.cleanup_run import apply, seed_site
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


class Listing:
    """A bucket whose listing of uploads fails."""

    def __init__(self, error):
        self.error = error

    def list_uploads(self, _prefix):
        raise self.error


@pytest.mark.parametrize(
    "error", [DeniedError("no", "Ask."), KeyboardInterrupt(), ZeroDivisionError("x")]
)
@pytest.mark.parametrize("is_ahead", [True, False])
def test_uploads_that_can_not_be_looked_at_are_told_and_raise_nothing(error, is_ahead):
    is_ahead = is_ahead and isinstance(error, Exception)  # interrupts reach the main thread alone
    uploads = UnfinishedUploads(
        reader=Listing(error),
        prefix="",
        prefixes_to_delete=["old/"],
        started_before=datetime.now(UTC),
    )
    if is_ahead:
        uploads.find()

    assert uploads.abort(None, ["old/"]) == AbortResult(count=0, problem=describe_error(error))


@pytest.mark.parametrize("is_ahead", [True, False])
def test_upload_begun_since_the_plan_stays(site: Bucket, is_ahead: bool) -> None:
    site.client.create_multipart_upload(Bucket=site.name, Key="old/a")
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    ((upload,),) = reader.list_uploads("")
    for count, since in enumerate((timedelta(), timedelta(seconds=1))):
        uploads = UnfinishedUploads(
            reader=reader,
            prefix="",
            prefixes_to_delete=["old/"],
            started_before=upload.started_at + since,
        )
        if is_ahead:
            uploads.find()
        assert uploads.abort(reader.open_writer(), ["old/"]) == AbortResult(count=count)


def test_interrupt_of_the_look_for_uploads_aborts_none(site: Bucket, monkeypatch) -> None:
    site.client.create_multipart_upload(Bucket=site.name, Key="old/a")
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    listed = list(reader.list_uploads(""))

    def interrupted(_prefix: str):
        yield from listed
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "list_uploads", interrupted)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    uploads = UnfinishedUploads(
        reader=reader, prefix="", prefixes_to_delete=["old/"], started_before=soon
    )

    found = uploads.abort(reader.open_writer(), ["old/"])
    assert found == AbortResult(count=0, problem=describe_error(KeyboardInterrupt()))


def test_look_for_uploads_that_is_stopped_is_made_in_the_end(site: Bucket) -> None:
    site.client.create_multipart_upload(Bucket=site.name, Key="old/a")
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    uploads = UnfinishedUploads(
        reader=reader, prefix="", prefixes_to_delete=["old/"], started_before=soon
    )
    uploads.find(lambda: True)

    assert uploads.abort(reader.open_writer(), ["old/"]) == AbortResult(count=1)


def test_uploads_are_looked_for_once_and_those_of_what_stays_stay(
    site: Bucket, proxy: FaultProxy
) -> None:
    seed_site(site)
    for key in ("old-1/a", "old-2/a", "new/a"):
        site.begin_upload(key, days=2)
    proxy.call_before(
        "GET", "prefix=old-2", act=lambda: site.put("old-2/file-00001", body=b"another")
    )
    ran = apply(site)

    assert len(proxy.find_requests("GET", r"[?]uploads")) == 1
    left = site.client.list_multipart_uploads(Bucket=site.name)["Uploads"]
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.uploads_aborted == 1
    assert {one["Key"] for one in left} == {"old-2/a", "new/a"}
