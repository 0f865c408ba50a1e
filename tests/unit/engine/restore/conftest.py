from contextlib import ExitStack

import pytest

from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.sources import source_from_journal
from tests.support.s3.bucket import Bucket
from tests.unit.engine.restore.restore_run import OLD_NAMES, RestoreRun


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """A versioned site with one deployment to keep, two to delete and a noncurrent version."""
    site.enable_versioning()
    site.put("index.html", days=90)
    site.put("old-1/file-00000", days=50, body=b"older")
    site.deploy("new", days=1)
    for days, name in enumerate(OLD_NAMES, start=10):
        site.deploy(name, days=days)
    return site


@pytest.fixture
def plan_restore(live: Bucket):
    """Return a function that plans the restore of a journal and keeps the journal open."""

    def plan(path: str, progress=None) -> RestoreRun:
        journal = journals.enter_context(open_journal(path))
        return RestoreRun(live, source_from_journal(journal), progress)

    with ExitStack() as journals:
        yield plan
