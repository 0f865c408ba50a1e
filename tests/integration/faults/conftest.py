"""The site for the fault tests, and the invariants that are checked after each fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.restore import Restoration
from ci3.engine.restore.sources import source_from_journal
from ci3.engine.workers.progress import NoProgress
from ci3.errors import ExitCode, SettingsError
from tests.support.cleanup_run import OLD_NAMES, apply, make_context, seed_site
from tests.support.s3.memory_site import MemorySite, running_site

__all__ = ["OLD_NAMES", "match_refresh"]


def match_refresh(name: str, nth: int | None = 1) -> dict:
    """Return a proxy rule that matches a deployment's listing right before deletion.

    With nth=2, it matches the listing right after deletion.
    """
    return {"method": "GET", "pattern": f"prefix={name}%2F", "nth": nth, "late": True}


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """An empty bucket of an in-memory S3 behind a scripted proxy."""
    with running_site() as site:
        yield site


@pytest.fixture
def proxy(site: MemorySite):
    return site.proxy


@pytest.fixture(params=["unversioned", "versioned"])
def seeded_site(request: pytest.FixtureRequest, site: MemorySite) -> Iterator[MemorySite]:
    """A site with one deployment to keep, three to delete, and files outside any deployment.

    After the test, the fault is removed and the invariants are checked: on a versioned bucket, a
    restore recreates everything; a second run leaves nothing to delete; and the content that is
    kept is unchanged.
    """
    if request.param == "versioned":
        site.enable_versioning()
    seed_site(site)
    kept_content, versions = read_kept_content(site), site.all_versions()
    yield site
    site.proxy.forget_rules()
    site.proxy.on_request = None
    assert kept_content.items() <= read_kept_content(site).items()
    if request.param == "versioned":
        assert versions <= site.all_versions()
        for path in sorted(Path().glob("*.jsonl")):
            check_restore(site, path)
    check_second_run(site)
    assert kept_content.items() <= read_kept_content(site).items()


def read_kept_content(site: MemorySite) -> dict:
    prefixes_to_delete = tuple(f"{name}/" for name in OLD_NAMES)
    return {
        key: content
        for key, content in site.content().items()
        if not key.startswith(prefixes_to_delete)
    }


def check_restore(site: MemorySite, path: Path) -> None:
    """Check that a restore recreates what the run deleted, and changes nothing else."""
    versions_before = site.current_versions()
    try:
        with open_journal(str(path)) as journal:
            deleted = {
                entry.key: entry.version_id
                for prefix in journal.prefixes
                for entry in journal.read_entries(prefix)
                if entry.outcome is not ObjectOutcome.DENIED
            }
            restoration = Restoration(
                reader=make_context(site).open_bucket(),
                source=source_from_journal(journal),
                progress=NoProgress(),
                sleep=lambda _: None,
            )
            plan = restoration.make_plan()
            assert not plan.object_count or restoration.restore(plan).is_complete
    except SettingsError:  # the journal has no header
        assert b"\n" not in path.read_bytes()
        return
    versions_after = site.current_versions()
    deleted_versions = {key: version_id for key, version_id in deleted.items() if version_id}
    assert versions_after.keys() == deleted.keys() | versions_before.keys()
    assert versions_after == versions_after | deleted_versions | versions_before


def check_second_run(site: MemorySite) -> None:
    """Check that a run without faults deletes the rest, and leaves nothing to delete."""
    assert apply(site).exit_code is ExitCode.DONE
    context = make_context(site)
    assert context.make_plan(context.open_bucket()).to_delete == ()
