"""The site that the faults befall, and what must hold of it after each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.restore import Restoration
from ci3.engine.restore.sources import source_from_journal
from ci3.engine.workers.progress import Silent
from ci3.errors import ExitCode, SettingsError
from tests.support.cleanup_run import DOOMED, apply, cleanup, furnish
from tests.support.s3.memory_site import MemorySite, running_site

__all__ = ["DOOMED", "again"]


def again(name: str, nth: int | None = 1) -> dict:
    """The listing of a deployment right before it is deleted, and if need be after it."""
    return {"method": "GET", "pattern": f"prefix={name}%2F", "nth": nth, "late": True}


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """An empty bucket of an S3 in memory, reached through a proxy that is told what goes wrong."""
    with running_site() as site:
        yield site


@pytest.fixture
def proxy(site: MemorySite):
    return site.proxy


@pytest.fixture(params=["unversioned", "versioned"])
def live(request: pytest.FixtureRequest, site: MemorySite) -> Iterator[MemorySite]:
    """A site with one deployment to keep, three to delete and files beside them.

    When a test is over the fault is over too: on a versioned bucket a restore brings everything
    back, and a second run leaves nothing due; what was to stay has stayed, byte for byte.
    """
    if request.param == "versioned":
        site.enable_versioning()
    furnish(site)
    stays, versions = kept(site), site.all_versions()
    yield site
    site.proxy.forget_rules()
    site.proxy.watch = None
    assert stays.items() <= kept(site).items()
    if request.param == "versioned":
        assert versions <= site.all_versions()
        for path in sorted(Path().glob("*.jsonl")):
            check_restore(site, path)
    check_second_run(site)
    assert stays.items() <= kept(site).items()


def kept(site: MemorySite) -> dict:
    doomed = tuple(f"{name}/" for name in DOOMED)
    return {key: one for key, one in site.content().items() if not key.startswith(doomed)}


def check_restore(site: MemorySite, path: Path) -> None:
    """Whatever the run has deleted comes back as it was; what is there now stays."""
    before = site.current_versions()
    try:
        with open_journal(str(path)) as journal:
            deleted = {
                entry.key: entry.version_id
                for prefix in journal.prefixes
                for entry in journal.entries(prefix)
                if entry.outcome is not ObjectOutcome.DENIED
            }
            undo = Restoration(
                reader=cleanup(site).open_bucket(),
                deletions=source_from_journal(journal),
                progress=Silent(),
                sleep=lambda _: None,
            )
            plan = undo.plan()
            assert not plan.object_count or undo.run(plan).is_whole
    except SettingsError as exc:
        assert "that run deleted nothing" in exc.hint  # noqa: PT017 - nothing but that
        return
    after = site.current_versions()
    known = {key: version_id for key, version_id in deleted.items() if version_id}
    assert after.keys() == deleted.keys() | before.keys()
    assert after == after | known | before


def check_second_run(site: MemorySite) -> None:
    """A run that nothing disturbs finishes what the other has left, and a third finds nothing."""
    assert apply(site).code is ExitCode.DONE
    reader = cleanup(site)
    assert reader.make_plan(reader.open_bucket()).doomed == ()
