"""What an undo brings back, exactly."""

from pathlib import Path

import pytest

from ci3.core.restore.decide import SkipReason
from ci3.engine.restore.restore import restore_exit_code
from ci3.errors import ExitCode
from tests.support.golden import assert_messages
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.engine.restore.undo import current, deleted, markers


def test_restore_after_apply_is_the_identity_on_current_versions(live: Bucket, undo) -> None:
    before = current(live)
    made = undo(deleted(live))
    assert (made.plan.object_count, made.plan.size_bytes) == (6, 6)
    restored = made.run()
    assert current(live) == before
    assert markers(live) == set()
    assert made.outcomes(restored) == {"restored": 6}
    assert restored.bytes_restored == 6
    assert restore_exit_code(made.plan, restored) is ExitCode.DONE


def test_second_undo_finds_everything_there(live: Bucket, undo) -> None:
    path = deleted(live)
    undo(path).run()
    again = undo(path)
    assert again.plan.skipped_counts == {SkipReason.ALREADY_THERE: 6}
    assert again.outcomes(again.run()) == {"already-there": 6}


def test_markers_stacked_by_a_retry_are_all_removed(live: Bucket, proxy: FaultProxy, undo) -> None:
    """The answer is lost after the deed; boto3 asks again, and each key gets a second marker."""
    before = current(live)
    path = deleted(live)
    for key in before.keys() - current(live).keys():
        live.client.delete_object(Bucket=live.name, Key=key)
    made = undo(path)
    assert len(markers(live)) == 12
    assert made.outcomes(made.run()) == {"restored": 6}
    assert current(live) == before
    assert markers(live) == set()


def test_newer_version_is_left_alone_and_the_rest_comes_back(live: Bucket, undo) -> None:
    path = deleted(live)
    live.client.put_object(Bucket=live.name, Key="old-1/file-00001", Body=b"newer")
    newer = current(live)["old-1/file-00001"]
    made = undo(path)
    assert made.plan.skipped_counts == {SkipReason.NEWER_VERSION: 1}
    restored = made.run()
    assert made.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert current(live)["old-1/file-00001"] == newer
    assert restore_exit_code(made.plan, restored) is ExitCode.DONE


def test_what_somebody_else_had_deleted_before_stays_deleted(live: Bucket, undo) -> None:
    live.client.delete_object(Bucket=live.name, Key="old-1/file-00002")
    theirs = markers(live)
    path = deleted(live)
    undo(path).run()
    assert markers(live) == theirs
    assert "old-1/file-00002" not in current(live)
    assert len(current(live)) == 4 + 5


@pytest.mark.parametrize(
    "name", ["a+b", "a%2Fb", "é 😀", "a&b<c>", "...", "' \"", "[bold]x[/bold]"]
)
def test_hostile_keys_come_back(live: Bucket, undo, name: str) -> None:
    live.put(f"{name}/x  y#?", days=20)
    live.deploy(name, days=20)
    before = current(live)
    undo(deleted(live)).run()
    assert current(live) == before


def test_more_objects_than_fit_in_a_batch_come_back(live: Bucket, proxy: FaultProxy, undo) -> None:
    live.deploy("old-2", days=11, files=1001)
    before = live.keys()
    path = deleted(live)
    sent = len(proxy.deletions)
    made = undo(path)
    assert made.outcomes(made.run()) == {"restored": 1004}
    assert live.keys() == before
    sizes = [len(request.batch_keys) for request in proxy.deletions[sent:]]
    assert sorted(sizes) == [1, 3, 1000]


def test_torn_journal_restores_what_it_no_longer_tells_the_outcome_of(live: Bucket, undo) -> None:
    before = current(live)
    path = Path(deleted(live))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][: len(lines[2]) // 2])
    made = undo(str(path))
    assert_messages(__file__, [("a journal that is cut off", made.plan.notes)])
    assert made.outcomes(made.run()) == {"restored": 6}
    assert current(live) == before
