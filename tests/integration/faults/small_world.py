"""A small world to interleave things in: an S3 in memory, a clock that is set, runs that crash."""

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


class DeadError(BaseException):
    """The process is killed: nothing of it goes on."""


@dataclass(kw_only=True)
class Crash:
    """When a run dies: at so many requests from now, before or after what was asked is done."""

    at_request: int
    is_after_deed: bool


@dataclass(kw_only=True)
class Event:
    """What happens once, right after the answer to a request, while nothing else is in flight."""

    at_request: int
    act: Callable[[], None]
    is_over: bool = False


@dataclass(kw_only=True)
class Apply:
    """One apply as it is watched: what it may delete, what it asked for, what it has written."""

    plan: Plan
    journal: str
    """The journal's path, or its address once a stored one is open."""
    planned: Stored
    """What stood under the doomed prefixes when it was planned."""
    must_stay: Callable[[str], bool] = lambda _key: False
    """Returns True for a key that no request may delete that begins now."""
    asked: list[str] = field(default_factory=list)
    result: ApplyResult | None = None
    """None of one that crashed or was refused."""


class World:
    """One bucket and those who do things to it."""

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
        self.applies: list[Apply] = []
        self._running: Apply | None = None
        self._crash: Crash | None = None
        self._frozen_journal: bytes | None = None
        self._is_dead = False
        self._event: Event | None = None
        self._is_follow_up = False
        self.failures: list[AssertionError] = []
        self.control: RunControl | None = None
        self._meanwhile: Callable[[], None] | None = None
        self._lock = RLock()
        self._contents = iter(range(10**6))

    # What people and their deploys do.

    def upload(self, key: str, *, as_before: bool = False) -> None:
        """Upload an object of bytes that no other has, or once more what is there."""
        there = self.current().get(key)
        body = there.body if there and as_before else f"{next(self._contents)}".encode()
        self.s3.put(self.bucket, key, body)

    def deploy(self, name: str, *, files: tuple[str, ...], is_finished: bool = True) -> None:
        for file in (*files, *([INDEX] if is_finished else [])):
            self.upload(f"{name}/{file}")

    def point_to(self, name: str) -> None:
        self.s3.put(self.bucket, POINTER, name.encode())

    def pass_time(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    # What is there.

    def current(self) -> Stored:
        """The current objects, without stored journals."""
        current = self.bucket.current().items()
        return {key: version for key, version in current if not key.startswith(JOURNALS)}

    def contents(self) -> set[tuple[str, str]]:
        """Every version that has content, as key and id."""
        return {
            (key, one.version_id)
            for key, versions in self.bucket.versions.items()
            for one in versions
            if not one.is_marker and not key.startswith(JOURNALS)
        }

    def markers(self) -> set[tuple[str, str]]:
        return {
            (key, one.version_id)
            for key, versions in self.bucket.versions.items()
            for one in versions
            if one.is_marker
        }

    def names(self) -> list[str]:
        return sorted({key.partition("/")[0] for key in self.current() if "/" in key})

    def pointed(self) -> str:
        there = self.current().get(POINTER)
        return there.body.decode() if there and self.has_pointer else ""

    # What ci3 does.

    def run(self, journal_file: str = "", **more: str) -> TargetContext:
        more |= {"live_from": f"object:{POINTER}"} if self.has_pointer else {}
        more |= self.settings
        made = make_context(
            SimpleNamespace(name=BUCKET, endpoint_url=memory_site.URL),
            keep_count=str(self.keep_count),
            age_from="span",  # names are deployed in any order
            group_by=r"(\w)-.*",
            required_file=INDEX,
            journal_file=journal_file or "none.jsonl",
            **more,
        )
        return replace(made, clock=lambda: self.now, monotonic=self.monotonic)

    def plan(self) -> Plan:
        """Plan, save and load; nothing may be written by that."""
        writes = self.writes
        with self._reached():
            made = self.run().make_plan(reader())
        assert self.writes == writes, "a plan has written"
        (loaded,) = load_plans(dump_plans([made], has_targets=False), "plan.json")
        return loaded

    def apply(
        self,
        plan: Plan,
        *,
        is_fresh: bool,
        crash: Crash | None = None,
        meanwhile: Callable[[], None] | None = None,
        is_stored: bool = False,
        event: Callable[[Apply], Event] | None = None,
        timeout: timedelta | None = None,
    ) -> Apply:
        """Apply a plan; whatever it does is watched, and in each of its deletions checked.

        With an `event`, one request is in flight at a time, and batches have two keys.
        """
        path = f"journal-{len(self.applies)}.jsonl"
        doomed = tuple(one.deployment.prefix for one in plan.to_delete)
        planned = {key: one for key, one in self.current().items() if key.startswith(doomed)}
        one = Apply(plan=plan, journal=path, planned=planned)
        self.applies.append(one)
        self._crash, self._meanwhile = crash, meanwhile
        self._event = event(one) if event else None
        more = {"concurrency": "1"} if event else {}
        ends_at = self.now + timeout if timeout else None
        run = replace(
            self.run("s3://" if is_stored else path, **more),
            on_journal_open=lambda journal: setattr(one, "journal", journal),
            ends_at=ends_at,
        )
        try:
            with self._reached(), _batch_size(2 if event else DELETE_BATCH_SIZE):
                approved = approve_plan(run, plan, reader(), is_fresh=is_fresh)
                self._running = one
                one.result = delete_approved(run, approved, reader())
        except DeadError:
            pass
        finally:
            self._running = self._crash = self._meanwhile = self._event = self.control = None
        if self.failures:
            raise self.failures[0]
        if self._is_dead:
            one.result = None
            self._bury(Path(path))
        return one

    def restore(self, name: str) -> tuple[RestorePlan, RestoreResult | None] | None:
        """Undo what a journal tells of, as far as that can be; None where it has not begun."""
        try:
            with self._reached(), _open_journal(name) as journal:
                undo = Restoration(
                    reader=reader(),
                    source=source_from_journal(journal),
                    progress=NoProgress(),
                    sleep=lambda _: None,
                )
                plan = undo.make_plan()
                return plan, undo.restore(plan) if plan.object_count else None
        except SettingsError:  # only of a journal without a header
            assert b"\n" not in self._read_journal(name)
            return None

    def resume(self, name: str, event: Event | None = None) -> int:
        """Go on with the run of a journal, as the command does; gives the exit code."""
        access = ["--endpoint-url", memory_site.URL] if is_s3_url(name) else []
        command = ["cleanup", "--resume", name, *access, "--auto-approve", "--output", "json"]
        self._event = event
        try:
            with self._reached(), _batch_size(2 if event else DELETE_BATCH_SIZE):
                return main([*command, *(["--concurrency", "1"] if event else [])])
        finally:
            self._event = None

    def resume_twice(self, name: str, at_request: int) -> tuple[int, int | None]:
        """Resume a run, and once more while it works; gives both exit codes."""
        exit_codes: list[int] = []
        event = Event(at_request=at_request, act=lambda: exit_codes.append(self.resume(name)))
        return self.resume(name, event), (exit_codes or [None])[0]

    def has_journal(self, name: str) -> bool:
        return bool(self._stored_parts(name)) if is_s3_url(name) else Path(name).exists()

    def _stored_parts(self, name: str) -> list[bytes]:
        folder = name.removeprefix(f"s3://{BUCKET}/")
        current = self.bucket.current().items()
        return [version.body for key, version in current if key.startswith(folder)]

    def _read_journal(self, name: str) -> bytes:
        return b"".join(self._stored_parts(name)) if is_s3_url(name) else Path(name).read_bytes()

    def journaled(self, name: str) -> dict[str, tuple[str, ObjectOutcome | None]]:
        """What a journal has of each key: version id and outcome; it may be without its end."""
        try:
            journal = JournalFile(BytesIO(self._read_journal(name)), name)
        except FileNotFoundError:
            return {}
        except SettingsError:  # only of a journal without a header
            assert b"\n" not in self._read_journal(name)
            return {}
        return {
            entry.key: (entry.version_id, entry.outcome)
            for prefix in journal.prefixes
            for entry in journal.read_entries(prefix)
        }

    @contextmanager
    def _reached(self) -> Iterator[None]:
        global _asked  # noqa: PLW0603 - botocore's clients are made once, and ask whoever is here
        outer, _asked = _asked, self
        try:
            yield
        finally:
            _asked = outer

    def answer(self, request: Request) -> Answer | None:
        answer = self._answer(request)
        event = self._event
        if event is not None and not event.is_over:
            event.at_request -= 1
            if event.at_request == 0:
                event.is_over = True
                event.act()
        return answer

    def _answer(self, request: Request) -> Answer | None:
        with self._lock:
            if self._is_dead:
                raise DeadError
            is_last = self._counts_down_to_crash()
            if is_last and self._crash and not self._crash.is_after_deed:
                self._die()
            self._is_follow_up &= request.is_write
            if request.is_write:
                self.writes += 1
                try:
                    self._check_deletion(request)
                except AssertionError as exc:  # ci3 takes it for a lost answer
                    self.failures.append(exc)
                    raise
            answer = self.s3.answer(request)
            if is_last:
                self._die()
            return answer

    def _counts_down_to_crash(self) -> bool:
        if self._crash is None:
            return False
        self._crash.at_request -= 1
        return self._crash.at_request == 0

    def _die(self) -> None:
        """Keep the journal as it is on the disk now: whatever is written later never was."""
        self._is_dead = True
        path = Path(self.applies[-1].journal)
        self._frozen_journal = path.read_bytes() if path.exists() else None
        raise DeadError

    def _bury(self, path: Path) -> None:
        self._is_dead = False
        if self._frozen_journal is not None:
            path.write_bytes(self._frozen_journal)
        elif path.exists():
            path.unlink()

    def _check_deletion(self, request: Request) -> None:
        """At the moment of a deletion: planned, unchanged, not live, and intended on the disk."""
        if request.is_probe or self._running is None:
            return
        if self._meanwhile is not None and deleted_keys(request):
            act, self._meanwhile = self._meanwhile, None
            act()
        there, pointed = self.current(), self.pointed()
        intended = self.journaled(self._running.journal)
        event = self._event
        is_begun = self._is_follow_up and request.method == "DELETE"
        self._is_follow_up = is_begun or event is None or not event.is_over
        for key in deleted_keys(request):
            self._running.asked.append(key)
            assert key in self._running.planned, f"{key!r} is not in the plan"
            assert key in intended, f"{key!r} is not intended in the journal"
            if self.is_versioned and there.get(key) == self._running.planned[key]:
                assert intended[key][0] == there[key].version_id
            if event is None:
                assert not pointed or key.partition("/")[0] != pointed, f"{key!r} is live"
            elif not is_begun:
                assert not self._running.must_stay(key), f"{key!r} had to stay"

    def monotonic(self) -> float:
        return self.now.timestamp()


_asked: World | None = None


def _ask(request: Request) -> Answer | None:
    assert _asked is not None, "asked by nobody"
    return _asked.answer(request)


def _make_control(**fields: object) -> RunControl:
    """A run's control with the clock of the world."""
    assert _asked is not None
    _asked.control = RunControl(**{"monotonic": _asked.monotonic} | fields)
    return _asked.control


@contextmanager
def _batch_size(count: int) -> Iterator[None]:
    before, sender.DELETE_BATCH_SIZE = sender.DELETE_BATCH_SIZE, count
    try:
        yield
    finally:
        sender.DELETE_BATCH_SIZE = before


@contextmanager
def _open_journal(name: str) -> Iterator[JournalFile]:
    if is_s3_url(name):
        yield read_stored_journal(reader(), JournalLocation.parse(name))
        return
    with open_journal(name) as journal:
        yield journal


@contextmanager
def reached() -> Iterator[None]:
    """Let what is done in any world be asked of it; around all of them."""
    set_handler = signal.signal
    with memory_site.intercept_requests(_ask), pytest.MonkeyPatch.context() as patch:
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
    """As ever, but for clients that are made once: to make one takes longer than a run."""

    def open_writer(self) -> BucketWriter:
        return BucketWriter(bucket=self.bucket, client=_client(WRITE_OPERATIONS))

    def open_version_remover(self) -> VersionRemover:
        return VersionRemover(bucket=self.bucket, client=_client(VERSION_OPERATIONS))


@cache
def reader() -> BucketReader:
    """The bucket's reader, of whichever world is asked."""
    return _Reader(bucket=BUCKET, region="us-east-1", endpoint_url=memory_site.URL)


@cache
def _client(operations: frozenset[str]) -> "S3Client":
    return make_service_client(
        "s3", region="us-east-1", endpoint_url=memory_site.URL, operations=operations, connections=1
    )


def deleted_keys(request: Request) -> list[str]:
    """The keys that a request is to delete; none of one that aborts an upload."""
    if "uploadId=" in request.target:
        return []
    if request.method == "DELETE":
        return [unquote(re.sub(r"\?.*", "", request.target)).removeprefix(f"/{BUCKET}/")]
    return [unescape(key, {"&quot;": '"'}) for key in request.batch_keys]
