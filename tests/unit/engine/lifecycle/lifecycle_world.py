"""A bucket whose lifecycle runs every night, and ci3's own planner and reconciler over it.

The S3 is one in memory, asked without a wire: thousands of histories are to be lived through.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from urllib.parse import unquote

from ci3.aws.lifecycle.document import LifecycleDocument, WriteResult
from ci3.aws.listing.pages import Page
from ci3.constants import MINIMUM_KEEP_COUNT, RULE_LIFETIME_DAYS
from ci3.core.inventory.columns import ObjectColumns
from ci3.core.inventory.summary import summarize_folder
from ci3.core.lifecycle.configuration import parse_configuration
from ci3.core.lifecycle.planning import LifecycleSnapshot, plan_lifecycle
from ci3.core.lifecycle.rule_status import RuleContext, find_expiring_rules, mark_rules_to_remove
from ci3.core.live.pins import Pin, pin_protected
from ci3.core.model.decision import Engine
from ci3.core.model.deployment import Inventory, Versioning
from ci3.core.model.objects import StoredObject
from ci3.core.plan.plan import Plan
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.engine.gate import Gate
from ci3.engine.lifecycle.apply import ExpiryRuleWriter
from ci3.engine.lifecycle.reconcile import reconcile
from ci3.engine.workers.progress import NoProgress
from tests.support import builders
from tests.support.s3.memory_lifecycle import (
    due_keys,
    expiration_header,
    midnights,
    read_rules,
    remove_noncurrent_versions,
)
from tests.support.s3.memory_listings import MemoryBucket
from tests.support.s3.memory_s3 import MemoryS3

BEGINNING = datetime(2026, 11, 1, 9, tzinfo=UTC)
FILES = ("app.js", "index.html")
LONGEST_GAP_DAYS = RULE_LIFETIME_DAYS + 1
"""How long no run comes at most: what the guards are made for."""


class NullJournal:
    """Takes what is written, and keeps it nowhere."""

    def record_rules_intent(self, *_: object) -> None:
        """Forget it."""

    def record_rules_outcome(self, *_: object) -> None:
        """Forget it."""


@dataclass
class Reader:
    """What the engine asks of a bucket, answered from memory."""

    bucket: MemoryBucket

    def read_lifecycle(self) -> LifecycleDocument:
        return LifecycleDocument(text=parse_configuration(self.bucket.lifecycle))

    def open_lifecycle_writer(self) -> SimpleNamespace:
        return SimpleNamespace(write=self._write)

    def _write(self, raw: bytes, _minimum: str) -> WriteResult:
        self.bucket.lifecycle = raw
        return WriteResult()

    def list_pages(
        self, prefix: str, *, delimiter: str = "", start_after: str = ""
    ) -> Iterator[Page]:
        objects = [one for one in self.objects(prefix) if one.key > start_after]
        folders: tuple[str, ...] = ()
        if delimiter:
            folders = tuple(dict.fromkeys(f"{one.key.partition('/')[0]}/" for one in objects))
            objects = []
        yield Page(columns=ObjectColumns.from_objects(objects), folders=folders, is_last=True)

    def objects(self, prefix: str) -> list[StoredObject]:
        return [
            StoredObject(
                key=key, etag=one.etag, size_bytes=len(one.body), modified_at=one.modified_at
            )
            for key, one in self.bucket.current().items()
            if key.startswith(prefix)
        ]

    def find_expiration_rule(self, key: str) -> str:
        header = expiration_header(self.bucket, key, self.bucket.current()[key])
        return unquote(header.get("x-amz-expiration", "").rpartition('rule-id="')[2].strip('"'))


@dataclass
class LifecycleWorld:
    """One site: what is deployed, what S3 does at night, and when ci3 runs.

    Without `has_age_gate` S3 takes each rule as if it said one day; without `reconciles` no run
    takes a rule away; without `has_last_gate` what goes live during a run is not looked for.
    """

    random: Random
    is_versioned: bool = False
    has_age_gate: bool = True
    reconciles: bool = True
    has_last_gate: bool = True
    now: datetime = BEGINNING
    live: str = ""
    pointed: str = ""
    """What a pointer was turned back to while a run was on; it is live besides."""
    pinned: set[str] = field(default_factory=set)
    safe: set[str] = field(default_factory=set)
    """The keys of what was pinned when a run last came: from then on they must stay."""
    lost: list[str] = field(default_factory=list)
    rules_written: int = 0
    expired: int = 0
    rolled_back: int = 0
    pointed_back: int = 0

    def __post_init__(self) -> None:
        self.s3 = MemoryS3(clock=lambda: self.now)
        self.bucket = MemoryBucket(versioning="Enabled" if self.is_versioned else "")
        self.reader = Reader(self.bucket)
        self._numbers = itertools.count(1)
        self.names: list[str] = []

    def deploy(self, name: str = "") -> None:
        """Upload a deployment whole, new or as a roll-back to an old name; it is live then."""
        name = name or f"d{next(self._numbers)}"
        if name in self.names:
            self.rolled_back += 1
            self.names.remove(name)
        self.names.append(name)
        for file in FILES:
            self.s3.put(self.bucket, f"{name}/{file}", f"{name} {self.now}".encode())
        self.live, self.pointed = name, ""

    def pass_time(self, days: float) -> None:
        """Let time pass: each midnight S3 deletes what is due, or some of it, or none."""
        end = self.now + timedelta(days=days)
        for midnight in midnights(self.now, end):
            self.now = midnight
            if self.random.random() < 0.8:
                self._expire()
        self.now = end

    def _expire(self) -> None:
        days = None if self.has_age_gate else 1
        for key in list(due_keys(self.bucket, self.now, days)):
            if key not in self.bucket.current() or self.random.random() < 0.1:
                continue
            self.s3.delete(self.bucket, key)
            self.expired += 1
            if key.startswith((f"{self.live}/", f"{self.pointed}/")) or key in self.safe:
                self.lost.append(f"{key} on {self.now:%Y-%m-%d}")
        remove_noncurrent_versions(self.bucket, self.now)

    def run(self, keep_count: int = 1) -> Plan:
        """Do what an apply does: plan, reconcile, write the rules, delete the rest directly."""
        plan = self.plan(keep_count)
        if self.random.random() < 0.3:
            self.point()  # while it is listed
        if self.reconciles:
            self._reconcile(plan)
        self.safe = {
            key
            for key in self.bucket.current()
            for name in self.pinned
            if key.startswith(f"{name}/")
        }
        doomed = [one for one in plan.to_delete if one.deployment.name != self.pointed]
        due = [one for one in doomed if one.expire_days is not None]
        if due:
            self._write(plan, due)
        for one in doomed:
            if one.expire_days is None:
                for stored in self.reader.objects(one.deployment.prefix):
                    self.s3.delete(self.bucket, stored.key)
        if self.random.random() < 0.3:
            self.point()  # while it deletes
        if self.reconciles and self.has_last_gate:
            rules = LifecycleSnapshot(configuration=self.reader.read_lifecycle().text).managed_rules
            self._reconcile(replace(plan, rules=find_expiring_rules(rules, "")))
        return plan

    def point(self) -> None:
        """Roll back to something that is there whole, by a pointer: nothing is uploaded."""
        there = self.bucket.current()
        whole = [one for one in self.names if all(f"{one}/{file}" in there for file in FILES)]
        self.pointed = self.random.choice(whole) if whole else ""
        self.pointed_back += 1

    def _reconcile(self, plan: Plan) -> None:
        rules = plan.rules
        if self.has_last_gate:
            rules = mark_rules_to_remove(rules, pins=self._pins(), live_problem="")
        told = reconcile(self.reader, replace(plan, rules=rules), lambda _: None)
        assert not told.problem

    def _write(self, plan: Plan, due: Sequence) -> None:
        expired = ExpiryRuleWriter(
            reader=self.reader,
            gate=Gate(plan.to_delete, self._pins(), None, len(plan.decisions)),
            journal=NullJournal(),
            progress=NoProgress(),
            sleep=lambda _: None,
            clock=lambda: self.now,
            prefix="",
            keeps_versions=self.is_versioned,
            concurrency=1,
            kept=plan.kept,
        ).write_rules(due)
        if self.reconciles:
            assert not expired.problem, expired.problem
        self.rules_written += len(expired.expiring_names)

    def plan(self, keep_count: int) -> Plan:
        """Judge what is there by ci3's own rules, and say what deletes each."""
        names = sorted({key.partition("/")[0] for key in self.bucket.current()})
        there = Inventory(
            deployments=tuple(
                summarize_folder(name, f"{name}/", self.reader.objects(f"{name}/"))
                for name in names
            )
        )
        policy = RetentionPolicy(keep_count=keep_count)
        judged = evaluate(there, policy, self._pins(), self.now, MINIMUM_KEEP_COUNT)
        ruling = plan_lifecycle(
            LifecycleSnapshot(configuration=self.reader.read_lifecycle().text),
            RuleContext(
                prefix="",
                engine=Engine.LIFECYCLE,
                now=self.now,
                decisions=[one.decision for one in judged],
                non_deployments={},
                live_problems=(),
                is_versioned=self.is_versioned,
            ),
            versioning=Versioning.ENABLED if self.is_versioned else Versioning.DISABLED,
        )
        return builders.plan(
            *ruling.decisions, created_at=self.now, rules=ruling.rules, warnings=ruling.warnings
        )

    def _pins(self) -> tuple[Pin, ...]:
        return pin_protected(sorted((self.pinned | {self.pointed}) - {""}))

    def doomed_names(self) -> list[str]:
        """Name what rules stand for."""
        return [one.prefix.rstrip("/") for one in read_rules(self.bucket.lifecycle)]


def live_through(world: LifecycleWorld, events: int = 24) -> LifecycleWorld:
    """Live through one random history, with a run at the latest after the longest gap."""
    random, since_run = world.random, 0.0
    for _ in range(random.randint(2, 6)):
        world.deploy()
        world.pass_time(random.uniform(1, 12))
    for _ in range(events):
        match random.choice(("deploy", "back", "back", "pin", "unpin", "run", "wait", "wait")):
            case "deploy":
                world.deploy()
            case "back":
                world.deploy(random.choice(world.doomed_names() or world.names))
            case "pin":
                world.pinned = {random.choice(world.names)}
            case "unpin":
                world.pinned, world.safe = set(), set()
            case "run":
                world.run(random.choice((1, 1, 2)))
                since_run = 0.0
            case _:
                days = min(random.uniform(0.1, 6), LONGEST_GAP_DAYS - since_run)
                world.pass_time(days)
                since_run += days
        if since_run >= LONGEST_GAP_DAYS - 0.2:
            world.run(random.choice((1, 1, 2)))
            since_run = 0.0
        if world.lost:
            break
    return world
