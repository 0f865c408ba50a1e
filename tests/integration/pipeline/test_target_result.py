"""A deletion that fails in any way returns a result, and the result is checked."""

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
def large_site(site: Bucket) -> Bucket:
    """A bucket with three batches of objects to delete."""
    site.deploy("new", days=1)
    site.deploy("old", days=9, files=1500)
    site.deploy("older", days=10, files=1500)
    return site


@pytest.fixture
def small_site(site: Bucket) -> Bucket:
    site.deploy("new", days=1)
    site.deploy("old", days=9)
    return site


def test_redirect_during_a_deletion_stops_the_run_and_all_deletions_are_reported(
    large_site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, error("PermanentRedirect"), status=301, nth=2)
    run = apply(large_site)
    deleted_count = 3003 - len(large_site.keys())
    reported_count = sum(
        run.counts(name).get(outcome, 0)
        for name in ("old", "older")
        for outcome in ("deleted", "absent")
    )
    assert run.exit_code is ExitCode.PARTIAL
    assert deleted_count == reported_count
    assert "redirect" in run.result.stop_reason.lower()
    assert run.journal[-1]["record"] == "end"


def test_waiting_batch_is_not_sent_after_lost_access(
    small_site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    small_site.deploy("older", days=10, files=9)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    run = apply(small_site)
    assert "ExpiredToken" in run.result.stop_reason
    assert run.result.count_objects(ObjectOutcome.FAILED) == 12
    assert len(proxy.deletions) == 1


def test_unexpected_error_during_a_deletion_keeps_the_results_of_other_batches(
    large_site: Bucket,
) -> None:
    context = make_context(large_site)
    reader = context.open_bucket()
    plan = context.make_plan(reader)

    class FailingJournal(Journal):
        """A journal that raises an unexpected error after the first request."""

        def record_outcome(self, batch: int, outcomes: Sequence[KeyOutcome]) -> None:
            if batch == 1:
                raise RuntimeError("unexpected")
            super().record_outcome(batch, outcomes)

    writer = reader.open_writer()
    with FailingJournal("failing.jsonl") as journal:
        result = ObjectDeletion(
            reader=reader,
            writer=writer,
            probe=lambda slots: writer.probe_conditional_deletes("", Versioning.DISABLED, slots),
            gate=Gate(plan.to_delete, ()),
            journal=journal,
            control=RunControl(progress=NoProgress(), sleep=lambda _seconds: None),
        ).delete_deployments(plan.to_delete)
    counts = sum((Counter(deployment.counts) for deployment in result.results), Counter())
    assert counts["unknown"] == 1000
    assert counts["deleted"] == 3000 - len(large_site.keys()) + 3 - 1000
    assert counts.total() == 3000
    assert "unexpected" in result.stop_reason


class _BrokenProgress:
    """Progress whose calls raise BrokenPipeError from the beginning of the deletion on."""

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
        """Succeed: only the other calls fail."""


def test_broken_progress_does_not_stop_the_deletion(large_site: Bucket) -> None:
    run = apply(large_site, progress=_BrokenProgress())
    assert run.exit_code is ExitCode.DONE
    assert large_site.folders() == {"new"}


def test_object_uploaded_during_the_deletion_is_kept_and_reported(
    large_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.call_before("POST", DELETE, lambda: large_site.put("old/late.js"))
    run = apply(large_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert_screen(run.result_of("old").problem)
    assert large_site.keys() & {"old/late.js"}


def test_objects_that_s3_only_reports_as_deleted_make_the_run_partial(
    small_site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer_with("POST", DELETE, lambda request: delete_result(request.batch_keys))
    run = apply(small_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.result.deployments_deleted == 0


def test_run_is_partial_if_its_result_cannot_be_listed(
    small_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer("GET", "delimiter=", error("AccessDenied"), status=403, nth=2)
    run = apply(small_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert "AccessDenied" in run.result.stop_reason
    assert_screen(run.result.stop_reason)


def test_deletion_uses_the_endpoint_of_the_plan(
    small_site: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", small_site.endpoint_url)
    endpoint_url = "https://s3.eu-west-1.amazonaws.com"
    reader = make_context(small_site, endpoint_url=endpoint_url, region="eu-west-1").open_bucket()
    assert reader.endpoint_url == endpoint_url
    assert reader.open_writer().endpoint_url == endpoint_url


def test_writer_for_another_endpoint_than_the_plan_is_refused(
    small_site: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = make_context(small_site, endpoint_url="").open_bucket()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(GateError):
        reader.open_writer()


def test_apply_is_refused_if_versioning_was_suspended_during_approval(small_site: Bucket) -> None:
    status = {"Status": "Enabled"}
    small_site.client.put_bucket_versioning(Bucket=small_site.name, VersioningConfiguration=status)
    context = make_context(small_site)
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    assert plan.target.versioning is Versioning.ENABLED
    status = {"Status": "Suspended"}
    small_site.client.put_bucket_versioning(Bucket=small_site.name, VersioningConfiguration=status)
    with pytest.raises(RefusedError, match=r"enabled.*suspended"):
        apply_plan(context, plan, reader, is_fresh=False)
