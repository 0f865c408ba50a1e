"""Object Lock protects versions, but does not prevent delete markers."""

import pytest
from botocore.exceptions import ClientError

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply
from tests.support.s3.bucket import Bucket


def list_current_versions(bucket: Bucket) -> dict[str, str]:
    response = bucket.client.list_object_versions(Bucket=bucket.name)
    return {
        version["Key"]: version["VersionId"]
        for version in response["Versions"]
        if version["IsLatest"]
    }


def test_locked_objects_get_delete_markers_and_can_be_restored(site: Bucket) -> None:
    site.enable_versioning()
    site.deploy("new", days=1)
    site.deploy("old", days=9)
    key, before = "old/file-00001", list_current_versions(site)
    site.lock(key)
    with pytest.raises(ClientError, match="AccessDenied"):
        site.client.delete_object(Bucket=site.name, Key=key, VersionId=before[key])

    run = apply(site)

    assert run.exit_code is ExitCode.DONE
    assert site.folders() == {"new"}
    assert main(["restore", run.result.journal_file, "--auto-approve"]) == 0
    assert list_current_versions(site) == before
