"""Invariants of every run, also of runs with faults: observed from outside, then checked."""

import json
from collections.abc import Callable, Collection, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import unescape

from ci3.core.model.result import ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.engine.journal.reader import JournalFile
from ci3.errors import ExitCode, SettingsError
from tests.support.journals import read_intents, read_outcomes
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Request
from tests.support.s3.memory_site import MemorySite

if TYPE_CHECKING:
    from tests.support.cleanup_run import CleanupRun

Content = Mapping[str, object]
_FULLY_DELETED = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)


class RunChecker:
    """Observes one run: its requests at the proxy, and the bucket before and after it."""

    def __init__(
        self, bucket: Bucket | MemorySite, journal_path: str, changeable_keys: Collection[str] = ()
    ) -> None:
        """Start before the plan is made; another client may change `changeable_keys`."""
        self._changeable_keys = changeable_keys
        self._content: Callable[[], Content] = bucket.content
        self._proxy = proxy = bucket.proxy
        self._journal_path = Path(journal_path)
        self._initial_deletion_count = len(proxy.deletions) if proxy else 0
        self._initial_content = bucket.content()
        self._planned: Content = {}
        self._prefixes_to_delete: tuple[str, ...] = ()
        self._names_versions = False
        self.requested_keys: list[str] = []

    def begin_apply(self, plan: Plan) -> None:
        """Record the plan, and check that planning has written nothing."""
        self._prefixes_to_delete = tuple(decision.deployment.prefix for decision in plan.to_delete)
        self._names_versions = any(decision.deployment.versions for decision in plan.to_delete)
        self._planned = self._initial_content
        assert self._content() == self._initial_content, "planning has changed the bucket"
        if self._proxy is not None:
            assert len(self._proxy.deletions) == self._initial_deletion_count, (
                "planning has sent a write"
            )
            self._proxy.on_request, self._proxy.is_applying = self._check_request, True

    def detach(self) -> None:
        if self._proxy is not None:
            self._proxy.on_request, self._proxy.is_applying = None, False

    def check_run(self, run: "CleanupRun") -> None:
        """Check a run that ended with a result."""
        self.check_bucket()
        self._check_outcomes(run)
        self._check_exit_code(run)
        kept = {
            decision.deployment.name
            for decision in run.plan.kept
            if decision.deployment.object_count
        }
        remaining = {key.partition("/")[0] for key in self._content()}
        assert kept <= remaining, "a deployment that the plan keeps was deleted"

    def check_refused(self) -> None:
        """Check that a refused run has sent no write."""
        assert self.requested_keys == []
        if self._proxy is not None:
            assert len(self._proxy.deletions) == self._initial_deletion_count

    def check_bucket(self) -> None:
        """Check the bucket after a run, which may have been killed."""
        after = self._content()
        deleted_keys = self._planned.keys() - after.keys()
        assert all(key.startswith(self._prefixes_to_delete) for key in deleted_keys), (
            "an object that the plan does not name was deleted"
        )
        for key, stored in self._planned.items():
            if not key.startswith(self._prefixes_to_delete) and key not in self._changeable_keys:
                assert after[key] == stored, f"{key!r} has changed"
        assert all(key.startswith(self._prefixes_to_delete) for key in self.requested_keys)
        if not self._names_versions:
            assert set(self.requested_keys) <= self._planned.keys()

    def _check_request(self, request: Request) -> None:
        """Check a request on arrival: the journal already names the keys of a deletion."""
        if not request.is_write or request.is_probe or "uploadId=" in request.target:
            return
        keys = deleted_keys(request)
        journaled_keys = {row["key"] for row in read_intents(complete_records(self._journal_path))}
        assert set(keys) <= journaled_keys, "a deletion that the journal does not name yet"
        self.requested_keys += keys

    def _check_outcomes(self, run: "CleanupRun") -> None:
        """Check that each planned object has one outcome, the same as in the journal."""
        planned = {
            decision.deployment.name: decision.deployment.deletion_count
            for decision in run.plan.to_delete
        }
        counts = {result.name: sum(result.counts.values()) for result in run.result.deployments}
        assert counts == planned
        if self._names_versions:
            journal_outcomes = [row["outcome"] for row in read_outcomes(run.journal)]
            assert journal_outcomes.count("deleted") == run.result.count_objects(
                ObjectOutcome.DELETED
            )
            return
        entries = read_journal_outcomes(Path(run.result.journal_file)) or {}
        assert all(key.startswith(self._prefixes_to_delete) for key in entries)
        journal_outcomes = list(entries.values())
        for outcome in (ObjectOutcome.DELETED, ObjectOutcome.DENIED, ObjectOutcome.UNKNOWN):
            assert journal_outcomes.count(outcome) == run.result.count_objects(outcome)
        if self._proxy is not None:
            assert set(self.requested_keys) <= entries.keys()

    def _check_exit_code(self, run: "CleanupRun") -> None:
        is_fully_deleted = all(
            result.is_skipped
            or (result.counts.keys() <= set(_FULLY_DELETED) and not result.problem)
            for result in run.result.deployments
        )
        if not is_fully_deleted or run.result.stop_reason:
            assert run.exit_code is ExitCode.PARTIAL
        for result in run.result.deployments:
            if not result.counts.keys() <= {*_FULLY_DELETED}:
                assert result.problem, "an object was not deleted, and the result has no reason"


def deleted_keys(request: Request) -> list[str]:
    """Return the keys that a deletion names."""
    if request.method == "DELETE":
        return [unquote(urlsplit(request.target).path).split("/", 2)[2]]
    return [unescape(key, {"&quot;": '"', "&apos;": "'"}) for key in request.batch_keys]


def complete_records(path: Path) -> list[dict]:
    """Return the complete lines of a journal that may still be written to."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def read_journal_outcomes(path: Path) -> dict[str, ObjectOutcome | None] | None:
    """Return the outcome of each key in a journal, or None if the journal has not been started."""
    try:
        journal = JournalFile(BytesIO(path.read_bytes()), str(path))
    except (FileNotFoundError, SettingsError):
        return None
    return {
        entry.key: entry.outcome
        for prefix in journal.prefixes
        for entry in journal.read_entries(prefix)
    }
