"""Aborts multipart uploads that were begun in deployments to delete and never completed."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.writer import BucketWriter
from ci3.core.model.objects import UnfinishedUpload
from ci3.core.model.result import ObjectOutcome
from ci3.errors import describe_error


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortResult:
    """Number of aborted uploads; `problem` is why some were not, or is empty."""

    count: int = 0
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class UnfinishedUploads:
    """The unfinished uploads under the prefixes to delete that were begun before the plan.

    They may be listed during the deletion: uploads that are begun later are never aborted.
    """

    reader: BucketReader
    prefix: str
    prefixes_to_delete: Collection[str]
    started_before: datetime
    _uploads: list[UnfinishedUpload] | None = field(init=False, default=None)
    _problem: str = field(init=False, default="")

    def find(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """List them, in any thread; an error is not raised, but reported by `abort`.

        If stopped, nothing is kept, and `abort` lists them again.
        """
        uploads, prefixes = [], tuple(self.prefixes_to_delete)
        try:
            for page in self.reader.list_uploads(self.prefix):
                if is_stopped():
                    return
                uploads += [
                    upload
                    for upload in page
                    if upload.started_at < self.started_before and upload.key.startswith(prefixes)
                ]
        except Exception as exc:  # noqa: BLE001 - the deletion's result must be returned
            self._problem = describe_error(exc)
        self._uploads = uploads

    def abort(self, writer: BucketWriter, deleted_prefixes: Collection[str]) -> AbortResult:
        """Abort the uploads under the deleted prefixes; list them first if that was not done.

        Never raises. An upload that cannot be aborted is a problem, but does not fail the run: it
        costs storage as before.
        """
        count, problem = 0, ""
        try:
            if self._uploads is None:
                self.find()
            problem = self._problem
            for upload in self._uploads or ():
                if not upload.key.startswith(tuple(deleted_prefixes)):
                    continue
                outcome = writer.abort_upload(upload.key, upload.upload_id)
                if outcome.outcome is ObjectOutcome.DELETED:
                    count += 1
                elif outcome.outcome is not ObjectOutcome.ABSENT:
                    problem = problem or outcome.message
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - see find
            problem = describe_error(exc)
        return AbortResult(count=count, problem=problem)
