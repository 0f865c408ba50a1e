"""The required file is restored last, and only to a deployment that has all its other objects."""

import pytest

from ci3.core.restore.plan import ObjectRestoreOutcome
from ci3.engine.restore.restore import restore_exit_code
from ci3.engine.restore.sources import source_since
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.version_deletion import answer_deletion
from tests.unit.engine.restore.undo import DELETE, Undo, current, deleted, markers

FILE = "file-00001"
"""Neither the first file of a deployment nor the last."""
REQUIRED = f"old-1/{FILE}"
OTHER = "old-1/file-00002"


@pytest.fixture
def journal(live: Bucket) -> str:
    """The journal of a run that has deleted `old-1` and `old-2`, with a required file."""
    ran = apply(live, required_file=FILE)
    assert ran.exit_code is ExitCode.DONE
    assert live.folders() == {"new"}
    return ran.result.journal_file


def lose(bucket: Bucket, key: str) -> None:
    """Remove every version of a key that has content."""
    versions = bucket.client.list_object_versions(Bucket=bucket.name, Prefix=key)["Versions"]
    for version in versions:
        bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=version["VersionId"])


def keys_sent(proxy: FaultProxy, since: int, name: str) -> list[set[str]]:
    """Return the keys of each request for one deployment."""
    requests = [set(request.batch_keys) for request in proxy.deletions[since:]]
    return [keys for keys in requests if any(key.startswith(f"{name}/") for key in keys)]


def test_required_file_follows_in_a_request_of_its_own(
    live: Bucket, proxy: FaultProxy, undo, journal: str
) -> None:
    one = undo(journal)
    sent = len(proxy.deletions)
    assert one.outcomes(one.run()) == {"restored": 6}
    for name in ("old-1", "old-2"):
        others, required = keys_sent(proxy, sent, name)
        assert others == {f"{name}/file-00000", f"{name}/file-00002"}
        assert required == {f"{name}/{FILE}"}


def test_without_the_setting_there_is_one_request(live: Bucket, proxy: FaultProxy, undo) -> None:
    one = undo(deleted(live))
    sent = len(proxy.deletions)
    assert one.outcomes(one.run()) == {"restored": 6}
    assert [len(keys) for keys in keys_sent(proxy, sent, "old-1")] == [3]


def test_restore_that_ends_before_its_last_request_leaves_an_incomplete_deployment(
    live: Bucket, proxy: FaultProxy, undo, journal: str
) -> None:
    before = {"old-1/file-00000", OTHER}
    one = undo(journal)
    one.restoration.concurrency = 1
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=2)
    restored = one.run()
    assert "ExpiredToken" in restored.stop_reason
    assert one.outcomes(restored) == {"restored": 2, "failed": 4}
    assert {key for key in current(live) if key.startswith("old-")} == before
    proxy.forget_rules()
    again = undo(journal)
    assert again.outcomes(again.run()) == {"restored": 4, "already-there": 2}
    assert REQUIRED in current(live)


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown"])
def test_required_file_stays_deleted_while_another_object_is_not_restored(
    live: Bucket, proxy: FaultProxy, undo, journal: str, code: str
) -> None:
    one = undo(journal)
    proxy.answer_with("POST", DELETE, lambda request: answer_deletion(live, request, {OTHER: code}))
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 4, "failed": 2}
    assert restore_exit_code(one.plan, restored) is ExitCode.PARTIAL
    assert code in restored.deployments[0].problem
    assert FILE in restored.deployments[0].problem
    assert REQUIRED not in current(live)
    assert f"old-2/{FILE}" in current(live)
    proxy.forget_rules()
    again = undo(journal)
    assert restore_exit_code(again.plan, again.run()) is ExitCode.DONE
    assert REQUIRED in current(live)


def test_removal_without_a_response_is_listed_before_the_required_file_follows(
    live: Bucket, proxy: FaultProxy, undo, journal: str
) -> None:
    """Nothing is removed, and S3 reports nothing: the other objects are not current."""
    one = undo(journal)
    sent = len(proxy.deletions)
    proxy.answer("POST", DELETE, "<DeleteResult/>")
    assert one.outcomes(one.run()) == {"failed": 6}
    assert not any(key.endswith(FILE) for keys in keys_sent(proxy, sent, "old-1") for key in keys)


def test_required_file_stays_deleted_if_another_object_is_lost(
    live: Bucket, undo, journal: str
) -> None:
    lose(live, OTHER)
    one = undo(journal)
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 4, "skipped": 1, "failed": 1}
    assert FILE in restored.deployments[0].problem
    assert REQUIRED not in current(live)
    assert REQUIRED in {key for key, _ in markers(live)}


def test_newer_version_of_another_object_counts_as_restored(
    live: Bucket, undo, journal: str
) -> None:
    live.client.put_object(Bucket=live.name, Key=OTHER, Body=b"newer")
    one = undo(journal)
    assert one.outcomes(one.run()) == {"restored": 5, "skipped": 1}
    assert REQUIRED in current(live)


@pytest.mark.parametrize("required_file", [FILE, ""])
def test_restore_since_a_time_has_the_required_file_last_if_it_is_given(
    live: Bucket, proxy: FaultProxy, journal: str, required_file: str
) -> None:
    lose(live, OTHER)
    context = make_context(live)
    target = context.open_bucket().describe_target("")
    start = context.clock().replace(year=2020)
    one = Undo(live, source_since(target, "old-1", start, required_file))
    restored = one.run()
    failed = restored.count_objects(ObjectRestoreOutcome.FAILED)
    assert (failed, REQUIRED in current(live)) == ((1, False) if required_file else (0, True))
