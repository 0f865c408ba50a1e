import pytest

from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.sources import source_from_journal
from tests.support.s3.bucket import Bucket
from tests.unit.engine.restore.undo import DOOMED, Undo


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """A versioned site: one deployment to keep, two to delete, files, a noncurrent version."""
    site.enable_versioning()
    site.put("index.html", days=90)
    site.put("old-1/file-00000", days=50, body=b"older")
    site.deploy("new", days=1)
    for days, name in enumerate(DOOMED, start=10):
        site.deploy(name, days=days)
    return site


@pytest.fixture
def undo(live: Bucket):
    """Return a function that plans the restore of a journal, which stays open until the end."""
    opened = []

    def make(path: str, progress=None) -> Undo:
        context = open_journal(path)
        opened.append(context)
        return Undo(live, source_from_journal(context.__enter__()), progress)

    yield make
    for context in opened:
        context.__exit__(None, None, None)
