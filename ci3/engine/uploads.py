"""Multipart uploads begun under doomed deployments and never finished: they are aborted."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.aws.writer import BucketWriter
from ci3.core.model import ObjectOutcome
from ci3.errors import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted:
    """How many uploads were aborted; `problem` says why not all, or is empty."""

    count: int = 0
    problem: str = ""


def abort_uploads(
    reader: BucketReader,
    writer: BucketWriter,
    *,
    prefix: str,
    doomed: Collection[str],
    started_before: datetime,
) -> Aborted:
    """Abort the uploads under doomed prefixes that began before the plan was made.

    What can't be listed or aborted costs as before, and is told; it fails nothing, and nothing is
    raised: the account of the deletion before it must come back.
    """
    count, problem = 0, ""
    try:
        for page in reader.list_uploads(prefix):
            for upload in page:
                if upload.started_at >= started_before or not upload.key.startswith(tuple(doomed)):
                    continue
                said = writer.abort_upload(upload.key, upload.upload_id)
                if said.outcome is ObjectOutcome.DELETED:
                    count += 1
                elif said.outcome is not ObjectOutcome.ABSENT:
                    problem = problem or said.message
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - as above
        problem = told(exc)
    return Aborted(count=count, problem=problem)
