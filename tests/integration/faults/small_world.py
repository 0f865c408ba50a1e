"""A simulated world: an in-memory S3, a clock that tests set, and runs that can crash."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import RLock, current_thread, main_thread
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.sax.saxutils import unescape

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.client import VERSION_OPERATIONS, WRITE_OPERATIONS, make_service_client
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.aws.deletion.writer import BucketWriter
from ci3.cli.main import main
from ci3.constants import DELETE_BATCH_SIZE
from ci3.core.journal.location import JournalLocation, is_s3_url
from ci3.core.model.result import ApplyResult, ObjectOutcome
from ci3.core.plan.json_reader import load_plans
from ci3.core.plan.json_writer import dump_plans
from ci3.core.plan.plan import Plan
from ci3.core.restore.plan import RestorePlan, RestoreResult
from ci3.engine.deletion import sender
from ci3.engine.journal.reader import JournalFile, open_journal
from ci3.engine.journal.s3_sink import read_stored_journal
from ci3.engine.restore.restore import Restoration
from ci3.engine.restore.sources import source_from_journal
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from ci3.errors import SettingsError
from ci3.pipeline import apply as apply_module
from ci3.pipeline.approval import approve_plan
from ci3.pipeline.context import TargetContext
from tests.support.cleanup_run import delete_approved, make_context
from tests.support.s3 import memory_site
from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.memory_listings import MemoryBucket, Version
from tests.support.s3.memory_s3 import MemoryS3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "site"
INDEX = "index.html"
POINTER = "current"
JOURNALS = ".ci3/"
Stored = dict[str, Version]


class KilledError(BaseException):
    """The simulated process was killed; raised by each of its requests from then on."""


@dataclass(kw_only=True)
class Crash:
    """The request at which a run is killed: the n-th from now, before or after S3 handles it."""

    at_request: int
    is_request_handled: bool


@dataclass(kw_only=True)
class Event:
    """An action right after the response to the n-th request, while no other is in flight."""

    at_request: int
    act: Callable[[], None]
    has_happened: bool = False


@dataclass(kw_only=True)
class ApplyRun:
    """One apply: what it may delete, what it requested, and its journal and result."""

    plan: Plan
    journal: str
    """The journal's path, or its URL once a stored journal is open."""
    planned: Stored
    """The objects under the prefixes to delete when the apply started."""
    must_keep: Callable[[str], bool] = lambda _key: False
    """Returns True for a key that no request sent from now on may delete."""
    requested_keys: list[str] = field(default_factory=list)
    result: ApplyResult | None = None
    """None if the run was killed or refused."""


class World:
    """One bucket with its clients: people, deploys and ci3."""

    def __init__(
        self,
        *,
        is_versioned: bool,
        keep_count: int,
        has_pointer: bool,
        honours_if_none_match: bool = True,
    ) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)
        self.s3 = MemoryS3(clock=lambda: self.now)
        self.s3.honours_if_none_match = honours_if_none_match
        self.bucket = MemoryBucket(versioning="Enabled" if is_versioned else "")
        self.s3.buckets[BUCKET] = self.bucket
        self.is_versioned = is_versioned
        self.keep_count = keep_count
        self.has_pointer = has_pointer
        self.settings: dict[str, str] = {}
        """Further settings of each run."""
        self.writes = 0
        self.applies: list[ApplyRun] = []
        self._running: ApplyRun | None = None
        self._crash: Crash | None = None
        self._frozen_journal: bytes | None = None
        self._is_killed = False
        self._event: Event | None = None
        self._is_follow_up = False
        self.failures: list[AssertionError] = []
        self.control: RunControl | None = None
        self._before_deletion: Callable[[], None] | None = None
        self._lock = RLock()
        self._contents = iter(range(10**6))

    # Actions of people and deploys.

    def upload(self, key: str, *, has_same_bytes: bool = False) -> None:
        """Upload unique bytes, or with `has_same_bytes` the bytes of the current object."""
        current = self.list_objects().get(key)
        is_repeated = current is not None and has_same_bytes
        body = current.body if is_repeated else f"{next(self._contents)}".encode()
        self.s3.put(self.bucket, key, body)

    def deploy(self, name: str, *, files: tuple[str, ...], is_finished: bool = True) -> None:
        for file in (*files, *([INDEX] if is_finished else [])):
            self.upload(f"{name}/{file}")

    def point_to(self, name: str) -> None:
        self.s3.put(self.bucket, POINTER, name.encode())

    def pass_time(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    # The content of the bucket.

    def list_objects(self) -> Stored:
        """Return the current objects, without stored journals."""
        current = self.bucket.current().items()
        return {key: version for key, version in current if not key.startswith(JOURNALS)}

    def list_versions(self) -> set[tuple[str, str]]:
        """Return the key and version ID of each version, except delete markers."""
        return {
            (key, version.version_id)
            for key, versions in self.bucket.versions.items()
            for version in versions
            if not version.is_marker and not key.startswith(JOURNALS)
        }

    def list_markers(self) -> set[tuple[str, str]]:
        return {
            (key, version.version_id)
            for key, versions in self.bucket.versions.items()
            for version in versions
            if version.is_marker
        }

    def list_names(self) -> list[str]:
        return sorted({key.partition("/")[0] for key in self.list_objects() if "/" in key})

    def read_pointer(self) -> str:
        pointer = self.list_objects().get(POINTER)
        return pointer.body.decode() if pointer and self.has_pointer else ""

    # Commands of ci3.

    def make_context(self, journal_file: str = "", **settings: str) -> TargetContext:
        settings |= {"live_from": f"object:{POINTER}"} if self.has_pointer else {}
        settings |= self.settings
        context = make_context(
            SimpleNamespace(name=BUCKET, endpoint_url=memory_site.URL),
            keep_count=str(self.keep_count),
            age_from="span",  # names are not in order of deployment
            group_by=r"(\w)-.*",
            required_file=INDEX,
            journal_file=journal_file or "none.jsonl",
            **settings,
        )
        return replace(context, clock=lambda: self.now, monotonic=self.monotonic)

    def plan(self) -> Plan:
        """Make a plan, save and load it; check that nothing is written to the bucket."""
        writes = self.writes
        with self._activate():
            plan = self.make_context().make_plan(reader())
        assert self.writes == writes, "planning has sent a write"
        (loaded,) = load_plans(dump_plans([plan], has_targets=False), "plan.json")
        return loaded

    def apply(
        self,
        plan: Plan,
        *,
        is_fresh: bool,
        crash: Crash | None = None,
        before_deletion: Callable[[], None] | None = None,
        is_stored: bool = False,
        event: Callable[[ApplyRun], Event] | None = None,
        timeout: timedelta | None = None,
    ) -> ApplyRun:
        """Apply a plan, record its requests, and check each deletion.

        `before_deletion` is called right before the first deletion. With an `event`, one request is
        in flight at a time, and batches have two keys.
        """
        path = f"journal-{len(self.applies)}.jsonl"
        prefixes = tuple(decision.deployment.prefix for decision in plan.to_delete)
        objects = self.list_objects().items()
        planned = {key: version for key, version in objects if key.startswith(prefixes)}
        run = ApplyRun(plan=plan, journal=path, planned=planned)
        self.applies.append(run)
        self._crash, self._before_deletion = crash, before_deletion
        self._event = event(run) if event else None
        settings = {"concurrency": "1"} if event else {}
        ends_at = self.now + timeout if timeout else None
        context = replace(
            self.make_context("s3://" if is_stored else path, **settings),
            on_journal_open=lambda journal: setattr(run, "journal", journal),
            ends_at=ends_at,
        )
        try:
            with self._activate(), _batch_size(2 if event else DELETE_BATCH_SIZE):
                approved = approve_plan(context, plan, reader(), is_fresh=is_fresh)
                self._running = run
                run.result = delete_approved(context, approved, reader())
        except KilledError:
            pass
        finally:
            self._running = self._crash = self._before_deletion = None
            self._event = self.control = None
        if self.failures:
            raise self.failures[0]
        if self._is_killed:
            run.result = None
            self._discard_later_journal(Path(path))
        return run

    def restore(self, name: str) -> tuple[RestorePlan, RestoreResult | None] | None:
        """Restore what the run of a journal deleted; return None if the journal has no header."""
        try:
            with self._activate(), _open_journal(name) as journal:
                restoration = Restoration(
                    reader=reader(),
                    source=source_from_journal(journal),
                    progress=NoProgress(),
                    sleep=lambda _: None,
                )
                plan = restoration.make_plan()
                return plan, restoration.restore(plan) if plan.object_count else None
        except SettingsError:  # the journal has no header
            assert b"\n" not in self._read_journal_bytes(name)
            return None

    def resume(self, name: str, event: Event | None = None) -> int:
        """Resume the run of a journal with the command; return the exit code."""
        access = ["--endpoint-url", memory_site.URL] if is_s3_url(name) else []
        command = ["cleanup", "--resume", name, *access, "--auto-approve", "--output", "json"]
        self._event = event
        try:
            with self._activate(), _batch_size(2 if event else DELETE_BATCH_SIZE):
                return main([*command, *(["--concurrency", "1"] if event else [])])
        finally:
            self._event = None

    def resume_twice(self, name: str, at_request: int) -> tuple[int, int | None]:
        """Resume a run, and again while the first resume works; return both exit codes.

        The second is None if the first resume ended before that request.
        """
        exit_codes: list[int] = []
        event = Event(at_request=at_request, act=lambda: exit_codes.append(self.resume(name)))
        return self.resume(name, event), (exit_codes or [None])[0]

    def has_journal(self, name: str) -> bool:
        return bool(self._stored_parts(name)) if is_s3_url(name) else Path(name).exists()

    def _stored_parts(self, name: str) -> list[bytes]:
        folder = name.removeprefix(f"s3://{BUCKET}/")
        current = self.bucket.current().items()
        return [version.body for key, version in current if key.startswith(folder)]

    def _read_journal_bytes(self, name: str) -> bytes:
        return b"".join(self._stored_parts(name)) if is_s3_url(name) else Path(name).read_bytes()

    def read_entries(self, name: str) -> dict[str, tuple[str, ObjectOutcome | None]]:
        """Return the version ID and outcome of each key in a journal, which may be unfinished."""
        try:
            journal = JournalFile(BytesIO(self._read_journal_bytes(name)), name)
        except FileNotFoundError:
            return {}
        except SettingsError:  # the journal has no header
            assert b"\n" not in self._read_journal_bytes(name)
            return {}
        return {
            entry.key: (entry.version_id, entry.outcome)
            for prefix in journal.prefixes
            for entry in journal.read_entries(prefix)
        }

    @contextmanager
    def _activate(self) -> Iterator[None]:
        global _active_world  # noqa: PLW0603 - clients are created once, for all worlds
        outer, _active_world = _active_world, self
        try:
            yield
        finally:
            _active_world = outer

    def answer(self, request: Request) -> Answer | None:
        answer = self._answer(request)
        event = self._event
        if event is not None and not event.has_happened:
            event.at_request -= 1
            if event.at_request == 0:
                event.has_happened = True
                event.act()
        return answer

    def _answer(self, request: Request) -> Answer | None:
        with self._lock:
            if self._is_killed:
                raise KilledError
            is_crash = self._count_down_to_crash()
            if is_crash and self._crash and not self._crash.is_request_handled:
                self._kill()
            self._is_follow_up &= request.is_write
            if request.is_write:
                self.writes += 1
                try:
                    self._check_deletion(request)
                except AssertionError as exc:  # ci3 treats it as a lost response
                    self.failures.append(exc)
                    raise
            answer = self.s3.answer(request)
            if is_crash:
                self._kill()
            return answer

    def _count_down_to_crash(self) -> bool:
        if self._crash is None:
            return False
        self._crash.at_request -= 1
        return self._crash.at_request == 0

    def _kill(self) -> None:
        """Save the journal as it is now; what the run writes after the crash is discarded."""
        self._is_killed = True
        path = Path(self.applies[-1].journal)
        self._frozen_journal = path.read_bytes() if path.exists() else None
        raise KilledError

    def _discard_later_journal(self, path: Path) -> None:
        self._is_killed = False
        if self._frozen_journal is not None:
            path.write_bytes(self._frozen_journal)
        elif path.exists():
            path.unlink()

    def _check_deletion(self, request: Request) -> None:
        """Check that a deletion's keys are planned, unchanged, not live, and in the journal."""
        if request.is_probe or self._running is None:
            return
        if self._before_deletion is not None and deleted_keys(request):
            act, self._before_deletion = self._before_deletion, None
            act()
        objects, live_name = self.list_objects(), self.read_pointer()
        entries = self.read_entries(self._running.journal)
        event = self._event
        is_begun = self._is_follow_up and request.method == "DELETE"
        self._is_follow_up = is_begun or event is None or not event.has_happened
        for key in deleted_keys(request):
            self._running.requested_keys.append(key)
            assert key in self._running.planned, f"{key!r} is not in the plan"
            assert key in entries, f"{key!r} has no intent in the journal"
            if self.is_versioned and objects.get(key) == self._running.planned[key]:
                assert entries[key][0] == objects[key].version_id
            if event is None:
                assert not live_name or key.partition("/")[0] != live_name, f"{key!r} is live"
            elif not is_begun:
                assert not self._running.must_keep(key), f"{key!r} must be kept"

    def monotonic(self) -> float:
        return self.now.timestamp()


_active_world: World | None = None


def _answer_request(request: Request) -> Answer | None:
    assert _active_world is not None, "no world is active"
    return _active_world.answer(request)


def _make_control(**fields: object) -> RunControl:
    """Make a RunControl with the clock of the active world."""
    assert _active_world is not None
    _active_world.control = RunControl(**{"monotonic": _active_world.monotonic} | fields)
    return _active_world.control


@contextmanager
def _batch_size(count: int) -> Iterator[None]:
    previous, sender.DELETE_BATCH_SIZE = sender.DELETE_BATCH_SIZE, count
    try:
        yield
    finally:
        sender.DELETE_BATCH_SIZE = previous


@contextmanager
def _open_journal(name: str) -> Iterator[JournalFile]:
    if is_s3_url(name):
        yield read_stored_journal(reader(), JournalLocation.parse(name))
        return
    with open_journal(name) as journal:
        yield journal


@contextmanager
def intercept_requests() -> Iterator[None]:
    """Send the requests of all clients to the active world."""
    set_handler = signal.signal
    with memory_site.intercept_requests(_answer_request), pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply_module, "RunControl", _make_control)
        # A second resume runs in a thread of the first, and only the main thread may set handlers.
        patch.setattr(
            signal,
            "signal",
            lambda *handler: set_handler(*handler) if current_thread() is main_thread() else None,
        )
        yield
    reader.cache_clear()
    _client.cache_clear()


class _Reader(BucketReader):
    """A reader whose clients are created once, because creating one takes longer than a run."""

    def open_writer(self) -> BucketWriter:
        return BucketWriter(bucket=self.bucket, client=_client(WRITE_OPERATIONS))

    def open_version_remover(self) -> VersionRemover:
        return VersionRemover(bucket=self.bucket, client=_client(VERSION_OPERATIONS))


@cache
def reader() -> BucketReader:
    """Return the reader of the bucket in the active world."""
    return _Reader(bucket=BUCKET, region="us-east-1", endpoint_url=memory_site.URL)


@cache
def _client(operations: frozenset[str]) -> "S3Client":
    return make_service_client(
        "s3", region="us-east-1", endpoint_url=memory_site.URL, operations=operations, connections=1
    )


def deleted_keys(request: Request) -> list[str]:
    """Return the keys that a request deletes; none if it aborts an upload."""
    if "uploadId=" in request.target:
        return []
    if request.method == "DELETE":
        return [unquote(re.sub(r"\?.*", "", request.target)).removeprefix(f"/{BUCKET}/")]
    return [unescape(key, {"&quot;": '"'}) for key in request.batch_keys]
