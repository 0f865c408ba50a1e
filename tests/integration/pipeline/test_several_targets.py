"""Several targets in one run: each is reported correctly, even if a later one fails."""

from collections.abc import Callable, Iterator

import pytest

from ci3.core.model.result import ApplyResult, ObjectOutcome
from ci3.engine.deletion.uploads import UnfinishedUploads
from ci3.engine.live_watch import LiveWatch
from ci3.pipeline.run import open_run
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_site import MemorySite, running_site


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """Three targets, each with a deployment to keep and one to delete."""
    with running_site() as site:
        for prefix in "abc":
            site.put(f"{prefix}/new/index.html", days=1)
            site.put(f"{prefix}/old/index.html", days=10)
            site.put(f"current-{prefix}", body=b"new")
        yield site


def apply_all(site: MemorySite) -> list[ApplyResult]:
    contexts = [
        make_context(site, prefix=f"{prefix}/", live_from=f"object:current-{prefix}")
        for prefix in "abc"
    ]
    run = open_run(contexts)
    results = run.apply_plans(run.reconcile_rules(run.make_plans()), is_fresh=True)
    return [target.result for target in results if target.result is not None]


def fail_at(monkeypatch: pytest.MonkeyPatch, prefix: str, error: type[BaseException]) -> None:
    """Let a target fail after its objects have been deleted."""
    abort: Callable[..., object] = UnfinishedUploads.abort

    def fail(uploads: UnfinishedUploads, *args: object) -> object:
        if uploads.prefix == f"{prefix}/":
            raise error
        return abort(uploads, *args)

    monkeypatch.setattr(UnfinishedUploads, "abort", fail)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("prefix", ["a", "b"])
def test_error_after_a_deletion_leaves_the_objects_of_that_target_unknown(
    site: MemorySite, monkeypatch: pytest.MonkeyPatch, prefix: str, error: type[BaseException]
) -> None:
    fail_at(monkeypatch, prefix, error)
    results = apply_all(site)
    failed = results["ab".index(prefix)]
    assert f"{prefix}/old/index.html" not in site.keys()  # noqa: SIM118 - a method of the site
    assert failed.deployments[0].counts == {ObjectOutcome.UNKNOWN: 1}
    assert failed.run_id
    assert failed.journal_file.endswith(".jsonl")
    assert failed.stop_reason
    for result in results["ab".index(prefix) + 1 :]:
        assert result.deployments[0].counts == {ObjectOutcome.FAILED: 1}
        assert not result.run_id
    assert "c/old/index.html" in site.keys()  # noqa: SIM118 - a method of the site


def test_last_live_reads_use_the_watch_of_each_deletion(
    site: MemorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later target is approved again, with a new watch, which its deletion must use."""
    begun_names: list[frozenset[str]] = []
    read_last = LiveWatch.read_last

    def record(watch: LiveWatch) -> None:
        begun_names.append(watch.begun_names)
        read_last(watch)

    monkeypatch.setattr(LiveWatch, "read_last", record)
    apply_all(site)
    assert begun_names == [{"old"}] * 3
