"""What an undo would bring back, and what can't come back: said before anything is done."""

from datetime import timedelta
from pathlib import Path

import pytest

from ci3.core.restore.decide import SkipReason
from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.restore import refuse_unless_restorable, restore_exit_code
from ci3.engine.restore.sources import source_from_journal, source_since
from ci3.errors import AccessError, ExitCode, RefusedError, SettingsError
from tests.support.cleanup_run import make_context
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.engine.restore.undo import VERSIONS, Undo, current, deleted


def test_version_that_expired_is_told_before_anything_is_done(live: Bucket, undo) -> None:
    gone = current(live)["old-2/file-00000"]
    path = deleted(live)
    live.client.delete_object(Bucket=live.name, Key="old-2/file-00000", VersionId=gone)
    one = undo(path)
    assert one.plan.skipped_counts == {SkipReason.VERSION_GONE: 1}
    assert one.plan.lost_count == 1
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert restore_exit_code(one.plan, restored) is ExitCode.PARTIAL


def test_bucket_without_versions_is_refused_and_nothing_is_sent(site: Bucket, proxy: FaultProxy):
    site.deploy("new", days=1)
    site.deploy("old-1", days=9)
    path = deleted(site)
    sent = len(proxy.deletions)
    with open_journal(path) as journal:
        one = Undo(site, source_from_journal(journal))
    assert one.plan.skipped_counts == {SkipReason.NO_VERSIONS: 3}
    with pytest.raises(RefusedError):
        refuse_unless_restorable(one.plan)
    assert len(proxy.deletions) == sent


def test_nothing_to_restore_is_no_refusal(live: Bucket, undo) -> None:
    path = deleted(live)
    undo(path).run()
    refuse_unless_restorable(undo(path).plan)


def test_configuration_that_leads_to_another_s3_is_refused(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    path = Path(deleted(live))
    path.write_text(path.read_text().replace(proxy.url, "http://127.0.0.1:1"))
    with pytest.raises(SettingsError, match=r"http://127\.0\.0\.1:1\b"):
        undo(str(path))


def test_versions_that_cannot_be_listed_end_the_plan(live: Bucket, proxy: FaultProxy, undo) -> None:
    path = deleted(live)
    proxy.answer("GET", VERSIONS, error("AccessDenied"), status=403)
    with pytest.raises(AccessError, match="AccessDenied"):
        undo(path)


def test_deletions_since_a_time_come_back_in_the_one_deployment(live: Bucket) -> None:
    before = current(live)
    run = make_context(live)
    target = run.open_bucket().describe_target("")
    since = run.clock() - timedelta(minutes=1)
    deleted(live)
    one = Undo(live, source_since(target=target, name="old-1", since=since))
    assert one.plan.object_count == 3
    assert one.outcomes(one.run()) == {"restored": 3}
    assert current(live) == {k: v for k, v in before.items() if not k.startswith("old-2/")}


def test_deletions_before_the_time_stay(live: Bucket) -> None:
    run = make_context(live)
    target = run.open_bucket().describe_target("")
    deleted(live)
    since = run.clock() + timedelta(minutes=1)
    one = Undo(live, source_since(target=target, name="old-1", since=since))
    assert one.plan.object_count == 0
    assert one.plan.skipped_counts == {}
