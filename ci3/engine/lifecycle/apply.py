"""Leaves deployments to S3: a lifecycle rule for each, written once it is known to be safe.

Each is listed again first. Whatever goes wrong after the write, the configuration that stood there
before is put back.
"""

import re
from collections.abc import Callable, Collection, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from ci3.aws.bucket import BucketReader
from ci3.aws.lifecycle.document import LifecycleReading
from ci3.core.journal.entry import RulesOutcome
from ci3.core.lifecycle.rule import RULE_ID_BEGIN, ExpiryRule
from ci3.core.lifecycle.rule_assignment import make_rules
from ci3.core.model.decision import Decision
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.engine.gate import Gate
from ci3.engine.inventory.listing import Scope, take_inventory
from ci3.engine.journal.writer import Journal
from ci3.engine.lifecycle.update import LifecycleChanger
from ci3.engine.workers.progress import Progress
from ci3.errors import AccessError, JournalError, told

SAMPLES = 3
"""Deployments of each kind of which S3 is asked by which rule an object expires."""
CONFIRMING_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Pauses before S3 is asked again: a new rule takes a while to be known everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """What became of the deployments that S3 was to delete; `problem` says why not all of them."""

    results: tuple[DeploymentResult, ...]
    problem: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Those that a rule stands for now."""
        return frozenset(one.name for one in self.results if one.is_expiring)


@dataclass(slots=True, kw_only=True)
class Expiry:
    """One writing of rules; every deployment that it is about ends in exactly one result."""

    reader: BucketReader
    gate: Gate
    journal: Journal
    progress: Progress
    sleep: Callable[[float], None]
    clock: Callable[[], datetime]
    prefix: str
    keeps_versions: bool
    concurrency: int
    kept: Sequence[Decision] = ()
    """What stays: no rule may stand for it, and samples are looked at."""
    gone: Collection[str] = ()
    """IDs of rules that were taken away before."""
    _changer: LifecycleChanger = field(init=False)
    _rules: tuple[ExpiryRule, ...] = field(init=False, default=())
    _begun: LifecycleReading | None = field(init=False, default=None)
    """What stood there before the write, from when that may have been done."""
    _is_journaled: bool = field(init=False, default=False)
    _journal_problem: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._changer = LifecycleChanger(reader=self.reader, sleep=self.sleep)

    def run(self, due: Sequence[Decision]) -> Expired:
        """Write a rule for each deployment that is as the plan knew it, and account for all."""
        results: dict[str, DeploymentResult] = {}
        problem = ""
        try:
            unchanged = self._list_again(due, results)
            problem = self._write(unchanged) if unchanged else ""
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the account comes back
            problem = self._take_back(told(exc))
        for one in due:
            if one.deployment.name not in results:
                results[one.deployment.name] = _failed(one, problem) if problem else _expiring(one)
        return Expired(
            results=tuple(results[one.deployment.name] for one in due),
            problem=problem or self._journal_problem,
        )

    def _list_again(
        self, due: Sequence[Decision], results: dict[str, DeploymentResult]
    ) -> list[Decision]:
        """List each deployment again; give those that are as they were, and account for others."""
        names = "|".join(re.escape(one.deployment.name) for one in due)
        scope = Scope(prefix=self.prefix, match=re.compile(names), concurrency=self.concurrency)
        there = take_inventory(self.reader, scope, self.progress)
        found = {one.name: one for one in there.deployments}
        holes = {one.name: one.reason for one in there.holes}
        unchanged = []
        for one in due:
            name = one.deployment.name
            if name in holes:
                results[name] = _failed(one, holes[name])
            elif name not in found or not found[name].object_count:
                results[name] = _ended(one, ObjectOutcome.ABSENT, "")
            elif found[name].fingerprint != one.deployment.fingerprint:
                why = "kept: its objects changed since the plan"
                results[name] = _ended(one, ObjectOutcome.CHANGED, why)
            else:
                unchanged.append(one)
        return unchanged

    def _write(self, due: Sequence[Decision]) -> str:
        """Write the rules, and have S3 confirm them; say what went wrong, if anything did."""
        for one in due:
            self.gate.check_rule(one.deployment.prefix)
        made = make_rules(due, now=self.clock(), keeps_versions=self.keeps_versions)
        self._rules = tuple(rule for _, rule in made)
        change = self._changer.change(
            remove=self.gone,
            spare={one.deployment.prefix for one in (*self.kept, *due)},
            add=self._rules,
            begin=self._intend,
        )
        if change.is_refused:
            self._begun = None
        problem = change.problem or self._confirm(self._rules)
        if problem:
            return self._take_back(problem)
        self._conclude(RulesOutcome.WRITTEN, "")
        return ""

    def _intend(self, before: LifecycleReading) -> None:
        self.journal.intend_rules(before.text.raw, before.transition_minimum, self._rules)
        self._is_journaled, self._begun = True, before

    def _take_back(self, problem: str) -> str:
        """Put back what stood there before the write, if one was begun; tell of that too."""
        outcome = RulesOutcome.NOT_WRITTEN
        if self._begun is not None:
            left = self._changer.put_back(self._begun, self._rules)
            outcome = RulesOutcome.UNKNOWN if left else RulesOutcome.PUT_BACK
            problem += (
                f". The rules may stand all the same: {left}"
                if left
                else ". None of the new rules stands now"
            )
        if self._is_journaled:
            self._conclude(outcome, problem)
        return problem

    def _conclude(self, outcome: RulesOutcome, message: str) -> None:
        try:
            self.journal.conclude_rules(outcome, message)
        except JournalError as exc:
            self._journal_problem = exc.told

    def _confirm(self, rules: Sequence[ExpiryRule]) -> str:
        """Ask S3 by which rule samples expire: those that go by theirs, those that stay by none.

        Where a rule that is not ours deletes an object earlier, S3 names that one.
        """
        ids = {one.rule_id for one in rules}
        try:
            for prefix in _samples([one.deployment.prefix for one in self.kept]):
                key = self._first_key(prefix)
                if key and self._would_expire(key, ids):
                    return f"S3 would delete {key} by a rule, and it is to be kept"
            wanted = [(one.rule_id, self._first_key(one.prefix)) for one in _samples(rules)]
            asked = [(rule_id, key) for rule_id, key in wanted if key]
            return self._confirm_wanted(asked) or self._changer.check(ids)
        except AccessError as exc:
            return f"S3 could not be asked what the rules do: {exc.message}"

    def _would_expire(self, key: str, ids: Set[str]) -> bool:
        """Ask whether an object that is kept would go by a rule of ours.

        One that was just taken away may show for a while.
        """
        for pause in (*CONFIRMING_PAUSES_SECONDS, None):
            said = self.reader.expiring_rule(key)
            if not said.startswith(RULE_ID_BEGIN):
                return False
            if said in ids or pause is None:
                break
            self.sleep(pause)
        return True

    def _confirm_wanted(self, wanted: Sequence[tuple[str, str]]) -> str:
        said = ""
        others = 0
        for rule_id, key in wanted:
            for pause in (*CONFIRMING_PAUSES_SECONDS, None):
                said = self.reader.expiring_rule(key)
                if said or pause is None:
                    break
                self.sleep(pause)
            if not said:
                return f"S3 does not say that it will delete {key}: it may not know such rules"
            others += said != rule_id
        if wanted and others == len(wanted):
            return f"S3 says that another rule ({said}) deletes what is to be deleted"
        return ""

    def _first_key(self, prefix: str) -> str:
        with closing(self.reader.list_pages(prefix)) as pages:
            return next((one.key for page in pages for one in page.objects), "")


_T = TypeVar("_T")


def _samples(some: Sequence[_T]) -> list[_T]:
    """Choose a few: the first, the last, and some between."""
    if len(some) <= SAMPLES:
        return list(some)
    return [some[number * (len(some) - 1) // (SAMPLES - 1)] for number in range(SAMPLES)]


def _expiring(one: Decision) -> DeploymentResult:
    name = one.deployment.name
    return DeploymentResult(name=name, counts={}, bytes_deleted=0, is_expiring=True)


def _failed(one: Decision, why: str) -> DeploymentResult:
    return _ended(one, ObjectOutcome.FAILED, f"kept: {why}")


def _ended(one: Decision, outcome: ObjectOutcome, problem: str) -> DeploymentResult:
    counts = {outcome: one.deployment.object_count}
    name = one.deployment.name
    return DeploymentResult(name=name, counts=counts, bytes_deleted=0, problem=problem)
