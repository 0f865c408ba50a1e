"""Whatever happens in the midst of a deletion, the account of it comes back, and is checked."""

from collections import Counter
from collections.abc import Sequence

import pytest

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.objects import ObjectDeletion
from ci3.engine.gate import Gate
from ci3.engine.journal.writer import Journal
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from ci3.errors import ExitCode, GateError, RefusedError
from tests.support.cleanup_run import apply, apply_plan, make_context
from tests.support.crash import small_batches
from tests.support.s3.answers import delete_result, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

DELETE = r"\?delete"


@pytest.fixture
def crowded(site: Bucket) -> Bucket:
    """A bucket in which three batches' worth of objects is due."""
    site.deploy("new", days=1)
    site.deploy("old", days=9, files=1500)
    site.deploy("older", days=10, files=1500)
    return site


@pytest.fixture
def live(site: Bucket) -> Bucket:
    site.deploy("new", days=1)
    site.deploy("old", days=9)
    return site


def test_redirect_in_the_midst_stops_the_run_and_all_that_is_gone_is_told(
    crowded: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, error("PermanentRedirect"), status=301, nth=2)
    ran = apply(crowded)
    gone = 3003 - len(crowded.keys())
    told = sum(
        ran.counts(name).get(outcome, 0)
        for name in ("old", "older")
        for outcome in ("deleted", "absent")
    )
    assert ran.exit_code is ExitCode.PARTIAL
    assert gone == told
    assert "redirect" in ran.result.stop_reason.lower()
    assert ran.journal[-1]["record"] == "end"


def test_batch_that_waits_is_not_sent_after_lost_access(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    live.deploy("older", days=10, files=9)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    ran = apply(live)
    assert "ExpiredToken" in ran.result.stop_reason
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 12
    assert len(proxy.deletions) == 1


def test_bug_in_the_midst_loses_no_account_of_the_other_batches(crowded: Bucket) -> None:
    run = make_context(crowded)
    reader = run.open_bucket()
    plan = run.make_plan(reader)

    class Unruly(Journal):
        """A journal that fails in a way nobody thought of, after the first request."""

        def record_outcome(self, batch: int, outcomes: Sequence[KeyOutcome]) -> None:
            if batch == 1:
                raise RuntimeError("unforeseen")
            super().record_outcome(batch, outcomes)

    writer = reader.open_writer()
    with Unruly("unruly.jsonl") as journal:
        deleted = ObjectDeletion(
            reader=reader,
            writer=writer,
            probe=lambda slots: writer.probe_conditional_deletes("", Versioning.DISABLED, slots),
            gate=Gate(plan.to_delete, ()),
            journal=journal,
            control=RunControl(progress=NoProgress(), sleep=lambda _seconds: None),
        ).delete_deployments(plan.to_delete)
    counts = sum((Counter(one.counts) for one in deleted.results), Counter())
    assert counts["unknown"] == 1000
    assert counts["deleted"] == 3000 - len(crowded.keys()) + 3 - 1000
    assert counts.total() == 3000
    assert "unforeseen" in deleted.stop_reason


class _GivesUp:
    """Progress whose watcher goes away when the deletion begins: all calls fail from then on."""

    _is_deleting = False

    def begin(self, task: str, _total: int) -> None:
        self._is_deleting = task.startswith("Deleting")
        self.beat()

    def advance(self, _steps: int) -> None:
        self.beat()

    def beat(self) -> None:
        if self._is_deleting:
            raise BrokenPipeError

    def end(self) -> None:
        """The end may be told; only the way there fails."""


def test_watcher_that_went_away_stops_no_deletion(crowded: Bucket) -> None:
    ran = apply(crowded, progress=_GivesUp())
    assert ran.exit_code is ExitCode.DONE
    assert crowded.folders() == {"new"}


def test_object_that_came_while_its_deployment_went_is_told(
    crowded: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.call_before("POST", DELETE, lambda: crowded.put("old/late.js"))
    ran = apply(crowded)
    assert ran.exit_code is ExitCode.PARTIAL
    assert_screen(ran.result_of("old").problem)
    assert crowded.keys() & {"old/late.js"}


def test_s3_that_says_deleted_and_does_not_is_found_out(live: Bucket, proxy: FaultProxy) -> None:
    proxy.answer_with("POST", DELETE, lambda request: delete_result(request.batch_keys))
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.deployments_deleted == 0


def test_result_that_cannot_be_looked_at_is_no_success(
    live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer("GET", "delimiter=", error("AccessDenied"), status=403, nth=2)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert "AccessDenied" in ran.result.stop_reason
    assert_screen(ran.result.stop_reason)


def test_deletion_goes_where_the_plan_was_made(
    live: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", live.endpoint_url)
    asked = "https://s3.eu-west-1.amazonaws.com"
    reader = make_context(live, endpoint_url=asked, region="eu-west-1").open_bucket()
    assert reader.endpoint_url == asked
    assert reader.open_writer().endpoint_url == asked


def test_writer_of_another_s3_than_the_plans_is_a_bug_not_a_deletion(
    live: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = make_context(live, endpoint_url="").open_bucket()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(GateError):
        reader.open_writer()


def test_versioning_that_was_switched_off_during_approval_refuses(live: Bucket) -> None:
    status = {"Status": "Enabled"}
    live.client.put_bucket_versioning(Bucket=live.name, VersioningConfiguration=status)
    run = make_context(live)
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    assert plan.target.versioning is Versioning.ENABLED
    status = {"Status": "Suspended"}
    live.client.put_bucket_versioning(Bucket=live.name, VersioningConfiguration=status)
    with pytest.raises(RefusedError, match=r"enabled.*suspended"):
        apply_plan(run, plan, reader, is_fresh=False)
