"""Object lock: it holds versions, not what hides them; ci3 never asks to go round one."""

import pytest
from botocore.exceptions import ClientError

from ci3.cli.main import main
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply
from tests.support.s3.bucket import Bucket


def current(bucket: Bucket) -> dict[str, str]:
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    return {one["Key"]: one["VersionId"] for one in answer["Versions"] if one["IsLatest"]}


def test_locked_objects_get_markers_and_come_back(site: Bucket) -> None:
    site.enable_versioning()
    site.deploy("new", days=1)
    site.deploy("old", days=9)
    key, before = "old/file-00001", current(site)
    site.lock(key)
    with pytest.raises(ClientError, match="AccessDenied"):
        site.client.delete_object(Bucket=site.name, Key=key, VersionId=before[key])

    ran = apply(site)

    assert ran.exit_code is ExitCode.DONE
    assert site.folders() == {"new"}
    assert main(["restore", ran.result.journal_file, "--auto-approve"]) == 0
    assert current(site) == before
