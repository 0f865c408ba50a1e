"""Multipart uploads begun under doomed deployments and never finished: they are aborted."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.writer import BucketWriter
from ci3.core.model.objects import StoredUpload
from ci3.core.model.result import ObjectOutcome
from ci3.errors import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted:
    """How many uploads were aborted; `problem` says why not all, or is empty."""

    count: int = 0
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class Uploads:
    """The unfinished uploads under the prefixes that are to go, begun before the plan was made.

    They can be looked for while the deletion goes on: one begun since stays anyway.
    """

    reader: BucketReader
    prefix: str
    doomed: Collection[str]
    started_before: datetime
    _found: list[StoredUpload] | None = field(init=False, default=None)
    _problem: str = field(init=False, default="")

    def look(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Find them, in any thread; what can't be listed is told in the end, and never raised.

        Where that is stopped, they are still to be looked for.
        """
        found, doomed = [], tuple(self.doomed)
        try:
            for page in self.reader.list_uploads(self.prefix):
                if is_stopped():
                    return
                found += [
                    one
                    for one in page
                    if one.started_at < self.started_before and one.key.startswith(doomed)
                ]
        except Exception as exc:  # noqa: BLE001 - the account of the deletion must come back
            self._problem = told(exc)
        self._found = found

    def abort(self, writer: BucketWriter, gone: Collection[str]) -> Aborted:
        """Abort those under the prefixes that are gone; they are looked for, if nobody has.

        What can't be aborted costs as before, and is told; it fails nothing, and nothing is
        raised: the account of the deletion before it must come back.
        """
        count, problem = 0, ""
        try:
            if self._found is None:
                self.look()
            problem = self._problem
            for upload in self._found or ():
                if not upload.key.startswith(tuple(gone)):
                    continue
                said = writer.abort_upload(upload.key, upload.upload_id)
                if said.outcome is ObjectOutcome.DELETED:
                    count += 1
                elif said.outcome is not ObjectOutcome.ABSENT:
                    problem = problem or said.message
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - as above
            problem = told(exc)
        return Aborted(count=count, problem=problem)
