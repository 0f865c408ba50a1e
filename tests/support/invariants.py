"""What must hold after every run, whatever went wrong in it: watched from outside, then checked."""

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
from tests.support.journals import intended, outcomes
from tests.support.s3.fault_proxy import Request
from tests.support.s3.memory_site import MemorySite
from tests.support.s3.moto_s3 import Bucket

if TYPE_CHECKING:
    from tests.support.cleanup_run import Ran

Content = Mapping[str, object]
_GONE = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)


class Watch:
    """Watches one run: its requests as they come in at the proxy, and the bucket around it."""

    def __init__(
        self, bucket: Bucket | MemorySite, journal_path: str, moves: Collection[str] = ()
    ) -> None:
        """Begin before the plan is made; what `moves` is another's to change meanwhile."""
        self._moves = moves
        self._content: Callable[[], Content] = bucket.content
        self._proxy = proxy = bucket.proxy
        self._journal_path = Path(journal_path)
        self._sent_at_start = len(proxy.deletions) if proxy else 0
        self._at_start = bucket.content()
        self._planned: Content = {}
        self._doomed: tuple[str, ...] = ()
        self._names_versions = False
        self.asked: list[str] = []

    def begin_apply(self, plan: Plan) -> None:
        """Take a plan that was made: nothing was written for it."""
        self._doomed = tuple(one.deployment.prefix for one in plan.doomed)
        self._names_versions = any(one.deployment.versions for one in plan.doomed)
        self._planned = self._at_start
        assert self._content() == self._at_start, "planning has changed the bucket"
        if self._proxy is not None:
            assert len(self._proxy.deletions) == self._sent_at_start, "planning has sent a write"
            self._proxy.watch, self._proxy.is_late = self._see, True

    def end(self) -> None:
        if self._proxy is not None:
            self._proxy.watch, self._proxy.is_late = None, False

    def check(self, ran: "Ran") -> None:
        """Check a run that came to its end and told its account."""
        self.check_bucket()
        self._check_accounts(ran)
        self._check_code(ran)
        kept = {one.deployment.name for one in ran.plan.kept if one.deployment.object_count}
        left = {key.partition("/")[0] for key in self._content()}
        assert kept <= left, "a deployment that the plan keeps is gone"

    def check_refused(self) -> None:
        """Check that a run that was refused has done nothing at all."""
        assert self.asked == []
        if self._proxy is not None:
            assert len(self._proxy.deletions) == self._sent_at_start

    def check_bucket(self) -> None:
        """Check what is left of the bucket; also of a run that was killed."""
        after = self._content()
        gone = self._planned.keys() - after.keys()
        assert all(key.startswith(self._doomed) for key in gone), "what no plan names is gone"
        for key, stored in self._planned.items():
            if not key.startswith(self._doomed) and key not in self._moves:
                assert after[key] == stored, f"{key!r} is not what it was"
        assert all(key.startswith(self._doomed) for key in self.asked)
        if not self._names_versions:
            assert set(self.asked) <= self._planned.keys()

    def _see(self, request: Request) -> None:
        """Look at a request as it comes in: a deletion stands in the journal already."""
        if not request.is_write or request.is_probe or "uploadId=" in request.target:
            return
        keys = keys_of(request)
        named = {one["key"] for one in intended(whole_records(self._journal_path))}
        assert set(keys) <= named, "a deletion that the journal does not name yet"
        self.asked += keys

    def _check_accounts(self, ran: "Ran") -> None:
        """Each planned object in one outcome, and the journal says the same."""
        planned = {one.deployment.name: one.deployment.deletion_count for one in ran.plan.doomed}
        found = {one.name: sum(one.counts.values()) for one in ran.result.deployments}
        assert found == planned
        if self._names_versions:
            said = [one["outcome"] for one in outcomes(ran.journal)]
            assert said.count("deleted") == ran.result.count(ObjectOutcome.DELETED)
            return
        entries = journaled(Path(ran.result.journal_file)) or {}
        assert all(key.startswith(self._doomed) for key in entries)
        said = list(entries.values())
        for outcome in (ObjectOutcome.DELETED, ObjectOutcome.DENIED, ObjectOutcome.UNKNOWN):
            assert said.count(outcome) == ran.result.count(outcome)
        if self._proxy is not None:
            assert set(self.asked) <= entries.keys()

    def _check_code(self, ran: "Ran") -> None:
        is_whole = all(
            one.is_skipped or (one.counts.keys() <= set(_GONE) and not one.problem)
            for one in ran.result.deployments
        )
        if not is_whole or ran.result.stopped:
            assert ran.code is ExitCode.PARTIAL
        for one in ran.result.deployments:
            if not one.counts.keys() <= {*_GONE}:
                assert one.problem, "something is not gone, and nothing says why"


def keys_of(request: Request) -> list[str]:
    """The keys that a deletion names."""
    if request.method == "DELETE":
        return [unquote(urlsplit(request.target).path).split("/", 2)[2]]
    return [unescape(key, {"&quot;": '"', "&apos;": "'"}) for key in request.batch_keys]


def whole_records(path: Path) -> list[dict]:
    """The lines of a journal that are on the disk whole, while others are being written."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def journaled(path: Path) -> dict[str, ObjectOutcome | None] | None:
    """What a journal says of each key that it names, or None where it has not begun."""
    try:
        journal = JournalFile(BytesIO(path.read_bytes()), str(path))
    except (FileNotFoundError, SettingsError):
        return None
    return {
        entry.key: entry.outcome for prefix in journal.prefixes for entry in journal.entries(prefix)
    }
