"""Random histories of a bucket with nightly S3 expiration and runs of ci3's lifecycle engine.

The S3 is in memory and is called directly, so that thousands of histories are fast.
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

START = datetime(2026, 11, 1, 9, tzinfo=UTC)
FILES = ("app.js", "index.html")
LONGEST_GAP_DAYS = RULE_LIFETIME_DAYS + 1
"""The longest time between two runs for which the guards must hold."""


class NullJournal:
    """A journal that records nothing."""

    def record_rules_intent(self, *_: object) -> None:
        """Record nothing."""

    def record_rules_outcome(self, *_: object) -> None:
        """Record nothing."""


@dataclass
class MemoryReader:
    """Reads and writes a bucket in memory for the engine."""

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
        objects = [item for item in self.list_objects(prefix) if item.key > start_after]
        folders: tuple[str, ...] = ()
        if delimiter:
            folders = tuple(dict.fromkeys(f"{item.key.partition('/')[0]}/" for item in objects))
            objects = []
        yield Page(columns=ObjectColumns.from_objects(objects), folders=folders, is_last=True)

    def list_objects(self, prefix: str) -> list[StoredObject]:
        return [
            StoredObject(
                key=key,
                etag=version.etag,
                size_bytes=len(version.body),
                modified_at=version.modified_at,
            )
            for key, version in self.bucket.current().items()
            if key.startswith(prefix)
        ]

    def find_expiration_rule(self, key: str) -> str:
        header = expiration_header(self.bucket, key, self.bucket.current()[key])
        return unquote(header.get("x-amz-expiration", "").rpartition('rule-id="')[2].strip('"'))


@dataclass
class SiteHistory:
    """A site with its deployments, the nightly expiration of S3 and the runs of ci3.

    Three guards can be switched off: without `has_age_gate` S3 expires objects after one day,
    whatever the rule says; without `reconciles` no run removes a rule; without `has_last_gate`
    a run does not check what became live after its plan.
    """

    random: Random
    is_versioned: bool = False
    has_age_gate: bool = True
    reconciles: bool = True
    has_last_gate: bool = True
    now: datetime = START
    live_name: str = ""
    pointed_name: str = ""
    """The deployment that a pointer was set back to during a run; it is live, too."""
    pinned: set[str] = field(default_factory=set)
    pinned_keys: set[str] = field(default_factory=set)
    """The keys that were pinned at the last run: from then on S3 must not expire them."""
    lost_objects: list[str] = field(default_factory=list)
    rule_count: int = 0
    expired_count: int = 0
    rollback_count: int = 0
    pointer_count: int = 0

    def __post_init__(self) -> None:
        self.s3 = MemoryS3(clock=lambda: self.now)
        self.bucket = MemoryBucket(versioning="Enabled" if self.is_versioned else "")
        self.reader = MemoryReader(self.bucket)
        self._numbers = itertools.count(1)
        self.names: list[str] = []

    def deploy(self, name: str = "") -> None:
        """Upload all files of a new or, as a rollback, an old deployment, and make it live."""
        name = name or f"d{next(self._numbers)}"
        if name in self.names:
            self.rollback_count += 1
            self.names.remove(name)
        self.names.append(name)
        for file in FILES:
            self.s3.put(self.bucket, f"{name}/{file}", f"{name} {self.now}".encode())
        self.live_name, self.pointed_name = name, ""

    def pass_time(self, days: float) -> None:
        """Advance the clock; each midnight S3 expires all, some or none of the due objects."""
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
            self.expired_count += 1
            if (
                key.startswith((f"{self.live_name}/", f"{self.pointed_name}/"))
                or key in self.pinned_keys
            ):
                self.lost_objects.append(f"{key} on {self.now:%Y-%m-%d}")
        remove_noncurrent_versions(self.bucket, self.now)

    def apply(self, keep_count: int = 1) -> Plan:
        """Apply a plan: reconcile, write the rules, and delete the other deployments directly."""
        plan = self.make_plan(keep_count)
        if self.random.random() < 0.3:
            self.move_pointer()  # during the listing
        if self.reconciles:
            self._reconcile(plan)
        self.pinned_keys = {
            key
            for key in self.bucket.current()
            for name in self.pinned
            if key.startswith(f"{name}/")
        }
        to_delete = [
            decision for decision in plan.to_delete if decision.deployment.name != self.pointed_name
        ]
        to_expire = [decision for decision in to_delete if decision.expire_days is not None]
        if to_expire:
            self._write_rules(plan, to_expire)
        for decision in to_delete:
            if decision.expire_days is None:
                for stored in self.reader.list_objects(decision.deployment.prefix):
                    self.s3.delete(self.bucket, stored.key)
        if self.random.random() < 0.3:
            self.move_pointer()  # during the deletion
        if self.reconciles and self.has_last_gate:
            rules = LifecycleSnapshot(configuration=self.reader.read_lifecycle().text).managed_rules
            self._reconcile(replace(plan, rules=find_expiring_rules(rules, "")))
        return plan

    def move_pointer(self) -> None:
        """Roll back to a complete deployment with a pointer, without an upload."""
        keys = self.bucket.current()
        complete_names = [
            name for name in self.names if all(f"{name}/{file}" in keys for file in FILES)
        ]
        self.pointed_name = self.random.choice(complete_names) if complete_names else ""
        self.pointer_count += 1

    def _reconcile(self, plan: Plan) -> None:
        rules = plan.rules
        if self.has_last_gate:
            rules = mark_rules_to_remove(rules, pins=self._pins(), live_problem="")
        result = reconcile(self.reader, replace(plan, rules=rules), lambda _: None)
        assert not result.problem

    def _write_rules(self, plan: Plan, to_expire: Sequence) -> None:
        result = ExpiryRuleWriter(
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
        ).write_rules(to_expire)
        if self.reconciles:
            assert not result.problem, result.problem
        self.rule_count += len(result.expiring_names)

    def make_plan(self, keep_count: int) -> Plan:
        """Return ci3's plan for the current state of the bucket."""
        names = sorted({key.partition("/")[0] for key in self.bucket.current()})
        inventory = Inventory(
            deployments=tuple(
                summarize_folder(name, f"{name}/", self.reader.list_objects(f"{name}/"))
                for name in names
            )
        )
        policy = RetentionPolicy(keep_count=keep_count)
        evaluated = evaluate(inventory, policy, self._pins(), self.now, MINIMUM_KEEP_COUNT)
        lifecycle_plan = plan_lifecycle(
            LifecycleSnapshot(configuration=self.reader.read_lifecycle().text),
            RuleContext(
                prefix="",
                engine=Engine.LIFECYCLE,
                now=self.now,
                decisions=[item.decision for item in evaluated],
                non_deployments={},
                live_problems=(),
                is_versioned=self.is_versioned,
            ),
            versioning=Versioning.ENABLED if self.is_versioned else Versioning.DISABLED,
        )
        return builders.plan(
            *lifecycle_plan.decisions,
            created_at=self.now,
            rules=lifecycle_plan.rules,
            warnings=lifecycle_plan.warnings,
        )

    def _pins(self) -> tuple[Pin, ...]:
        return pin_protected(sorted((self.pinned | {self.pointed_name}) - {""}))

    def list_names_with_rules(self) -> list[str]:
        """Return the names of the deployments that have a rule."""
        return [rule.prefix.rstrip("/") for rule in read_rules(self.bucket.lifecycle)]


def play_events(history: SiteHistory, events: int = 24) -> SiteHistory:
    """Play random events on a site; no two runs are further apart than the longest gap."""
    random, since_run = history.random, 0.0
    for _ in range(random.randint(2, 6)):
        history.deploy()
        history.pass_time(random.uniform(1, 12))
    for _ in range(events):
        match random.choice(("deploy", "back", "back", "pin", "unpin", "run", "wait", "wait")):
            case "deploy":
                history.deploy()
            case "back":
                history.deploy(random.choice(history.list_names_with_rules() or history.names))
            case "pin":
                history.pinned = {random.choice(history.names)}
            case "unpin":
                history.pinned, history.pinned_keys = set(), set()
            case "run":
                history.apply(random.choice((1, 1, 2)))
                since_run = 0.0
            case _:
                days = min(random.uniform(0.1, 6), LONGEST_GAP_DAYS - since_run)
                history.pass_time(days)
                since_run += days
        if since_run >= LONGEST_GAP_DAYS - 0.2:
            history.apply(random.choice((1, 1, 2)))
            since_run = 0.0
        if history.lost_objects:
            break
    return history
