"""Open a journal by its name: the path of a file, or an `s3://` address."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ci3.aws.bucket import BucketReader
from ci3.config.resolve import RawSetting, resolve_settings
from ci3.core.journal.location import JournalLocation, is_s3_url
from ci3.core.model.policy import Origin
from ci3.engine.journal.reader import JournalFile, OpenJournal, open_journal, reopen_journal
from ci3.engine.journal.s3_sink import read_stored_journal, reopen_stored_journal
from ci3.pipeline.context_factory import ContextFactory

ACCESS_SETTINGS = ("region", "endpoint-url", "addressing-style", "role-to-assume")
"""Settings for access to the bucket of a journal that its address does not contain."""


@contextmanager
def open_named_journal(
    name: str, factory: ContextFactory, overrides: Mapping[str, RawSetting]
) -> Iterator[JournalFile]:
    """Open a journal for reading; raises as `open_journal` and `read_stored_journal` do."""
    if is_s3_url(name):
        location = JournalLocation.parse(name)
        yield read_stored_journal(_open_bucket(location, factory, overrides), location)
    else:
        with open_journal(name) as journal:
            yield journal


@contextmanager
def reopen_named_journal(
    name: str, factory: ContextFactory, overrides: Mapping[str, RawSetting]
) -> Iterator[OpenJournal]:
    """Open a journal to resume its run.

    Raises as `reopen_journal` and `reopen_stored_journal` do.
    """
    if is_s3_url(name):
        location = JournalLocation.parse(name)
        yield reopen_stored_journal(_open_bucket(location, factory, overrides), location)
    else:
        with reopen_journal(name) as opened:
            yield opened


def _open_bucket(
    location: JournalLocation, factory: ContextFactory, overrides: Mapping[str, RawSetting]
) -> BucketReader:
    texts = {"bucket": location.bucket, "prefix": location.prefix}
    target_settings = {
        name: RawSetting(texts=(text,), origin=Origin.OPTION, where=location.url, is_recorded=True)
        for name, text in texts.items()
    }
    access_settings = {
        name: raw_setting for name, raw_setting in overrides.items() if name in ACCESS_SETTINGS
    }
    return factory.create(resolve_settings(target_settings, access_settings)).open_bucket()
