"""Read what unfinished runs were approved to delete, and what they began, from stored journals."""

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from ci3.aws.bucket import BucketReader
from ci3.core.journal.header import JournalHeader
from ci3.core.journal.location import JournalLocation, format_part_name
from ci3.engine.journal.reader import LINE_LIMIT_BYTES, JournalFile
from ci3.engine.journal.s3_sink import read_stored_journal
from ci3.errors import AccessError, SettingsError

MAX_JOURNAL_BYTES = 64 * 1024 * 1024
"""A larger journal, of about half a million objects, is not read in full for a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenParts:
    """When the parts of a stored journal were written, and their total size."""

    first_at: datetime
    last_at: datetime
    size_bytes: int


def read_stored_header(bucket: BucketReader, location: JournalLocation) -> JournalHeader:
    """Return the header of a stored journal.

    Raises AccessError if it cannot be read, SettingsError if it is damaged or of another location.
    """
    line = bucket.read_object(location.key_prefix + format_part_name(1), LINE_LIMIT_BYTES)
    header = JournalFile(BytesIO(line), location.url).header
    header_location = header.target.bucket, header.target.prefix, header.run_id
    if header_location != (location.bucket, location.prefix, location.run_id):
        raise SettingsError(f"{location.url} contains the journal of another run or target", "")
    return header


def list_written_parts(bucket: BucketReader, location: JournalLocation) -> WrittenParts | None:
    """Return when a stored journal was written; None if it does not exist any more."""
    parts = [stored for page in bucket.list_pages(location.key_prefix) for stored in page.objects]
    if not parts:
        return None
    return WrittenParts(
        first_at=min(stored.modified_at for stored in parts),
        last_at=max(stored.modified_at for stored in parts),
        size_bytes=sum(stored.size_bytes for stored in parts),
    )


def read_started_names(
    bucket: BucketReader, location: JournalLocation, header: JournalHeader, size_bytes: int
) -> frozenset[str] | None:
    """Return the names of the deployments that a run began to delete.

    None if the journal is damaged, unreadable or too large, so that they are not known.
    """
    if size_bytes > MAX_JOURNAL_BYTES:
        return None
    try:
        journal_file = read_stored_journal(bucket, location)
    except (AccessError, SettingsError):
        return None
    return frozenset(header.deployments[prefix].name for prefix in journal_file.prefixes)
