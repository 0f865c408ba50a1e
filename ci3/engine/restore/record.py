"""Records of what was restored, stored next to the journals, so that later plans warn about it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.constants import JOURNAL_FOLDER
from ci3.core.formatting import format_timestamp
from ci3.errors import AccessError

RECORD_LIMIT_BYTES = 16 * 1024 * 1024
RECORDS_READ = 50
"""A plan reads the newest records; what was restored long before is protected or deleted again."""


def write_restore_record(
    bucket: BucketReader, prefix: str, names: Sequence[str], restored_at: datetime
) -> None:
    """Store the names of restored deployments under the prefix's `.ci3/`; raises AccessError."""
    folder = _record_folder(prefix)
    time = format_timestamp(restored_at)
    content = json.dumps({"restored_at": time, "names": list(names)}).encode()
    # Keys sort by time: all times are in UTC and have the same form.
    bucket.open_journal_store(folder).put_part(
        content, suffix=f"{restored_at:%Y%m%dT%H%M%S%f}.json"
    )


def read_restore_records(bucket: BucketReader, prefix: str) -> Mapping[str, datetime]:
    """Return when each deployment was last restored, by name.

    Raises AccessError if the records cannot be read, or one of them is not a record.
    """
    folder = _record_folder(prefix)
    restored: dict[str, datetime] = {}
    for key in sorted(bucket.list_keys(folder))[-RECORDS_READ:]:
        content = bucket.read_object(key, RECORD_LIMIT_BYTES)
        try:
            record = json.loads(content)
            restored_at = datetime.fromisoformat(record["restored_at"])
            restored |= dict.fromkeys(map(str, record["names"]), restored_at.astimezone())
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise AccessError(
                f"s3://{bucket.bucket}/{key} is not a record of a restore", "Remove this object."
            ) from exc
    return restored


def _record_folder(prefix: str) -> str:
    return f"{prefix}{JOURNAL_FOLDER}/restored/"
