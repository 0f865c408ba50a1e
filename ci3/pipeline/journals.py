"""A run's journal by the name that the run told: a file's path, or an address in the bucket."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ci3.aws.bucket import BucketReader
from ci3.config.resolve import Given, resolve
from ci3.config.settings import Settings
from ci3.core.journal.location import JournalPlace, is_address
from ci3.core.model.policy import Origin
from ci3.engine.journal.reader import JournalFile, OpenJournal, open_journal, reopen_journal
from ci3.engine.journal.s3_sink import read_stored_journal, reopen_stored_journal
from ci3.pipeline.context import Cleanup

ACCESS_SETTINGS = ("region", "endpoint-url", "role-to-assume")
"""What an address does not say of how its bucket is reached."""

Surround = Callable[[Settings], Cleanup]


@contextmanager
def open_named_journal(
    name: str, surround: Surround, given: Mapping[str, Given]
) -> Iterator[JournalFile]:
    """Open a journal to read it; raises as `open_journal` and `read_stored_journal` do."""
    if is_address(name):
        place = JournalPlace.parse(name)
        yield read_stored_journal(_open_bucket(place, surround, given), place)
    else:
        with open_journal(name) as journal:
            yield journal


@contextmanager
def reopen_named_journal(
    name: str, surround: Surround, given: Mapping[str, Given]
) -> Iterator[OpenJournal]:
    """Open a journal to go on with it; raises as `reopen_journal` and its like do."""
    if is_address(name):
        place = JournalPlace.parse(name)
        yield reopen_stored_journal(_open_bucket(place, surround, given), place)
    else:
        with reopen_journal(name) as opened:
            yield opened


def _open_bucket(
    place: JournalPlace, surround: Surround, given: Mapping[str, Given]
) -> BucketReader:
    texts = {"bucket": place.bucket, "prefix": place.prefix}
    found = {
        name: Given(texts=(text,), origin=Origin.OPTION, where=place.url)
        for name, text in texts.items()
    }
    access = {name: one for name, one in given.items() if name in ACCESS_SETTINGS}
    return surround(resolve(found, access)).open_bucket()
