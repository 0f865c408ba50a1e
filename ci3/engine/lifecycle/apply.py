"""Delete deployments by S3 expiration: write a lifecycle rule for each, if that is safe.

Each deployment is listed again first. If anything fails after the write, the configuration from
before is restored.
"""

import re
from collections.abc import Callable, Collection, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from ci3.aws.bucket import BucketReader
from ci3.aws.lifecycle.document import LifecycleDocument
from ci3.core.journal.entry import RulesOutcome
from ci3.core.lifecycle.rule import RULE_ID_PREFIX, ManagedRule
from ci3.core.lifecycle.rule_assignment import build_rules
from ci3.core.model.decision import Decision
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.core.model.user_pattern import UserPattern
from ci3.engine.gate import Gate
from ci3.engine.inventory.listing import ListingScope, take_inventory
from ci3.engine.journal.writer import Journal
from ci3.engine.lifecycle.update import ConfigurationUpdater
from ci3.engine.live_watch import LiveWatch
from ci3.engine.workers.progress import Progress
from ci3.errors import AccessError, JournalError, describe_error, end_sentence
from ci3.retrying import retry_until

SAMPLE_SIZE = 3
"""Number of deployments to delete, and of those to keep, whose expiration is confirmed."""
CONFIRMATION_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Pauses between confirmations: a new rule takes a while to propagate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryResult:
    """Results of deployments that S3 was to delete; `problem` is why some of them failed."""

    results: tuple[DeploymentResult, ...]
    problem: str = ""

    @property
    def expiring_names(self) -> frozenset[str]:
        """Names of the deployments that now have a rule."""
        return frozenset(result.name for result in self.results if result.is_expiring)


@dataclass(slots=True, kw_only=True)
class ExpiryRuleWriter:
    """Writes lifecycle rules once; every given deployment ends in exactly one result."""

    reader: BucketReader
    gate: Gate
    journal: Journal
    progress: Progress
    sleep: Callable[[float], None]
    clock: Callable[[], datetime]
    prefix: str
    keeps_versions: bool
    concurrency: int
    live: LiveWatch = field(default_factory=LiveWatch)
    kept: Sequence[Decision] = ()
    """Deployments to keep: no rule may exist for them; S3 is asked about samples."""
    removed_ids: Collection[str] = ()
    """IDs of rules that were removed before."""
    _updater: ConfigurationUpdater = field(init=False)
    _rules: tuple[ManagedRule, ...] = field(init=False, default=())
    _before: LifecycleDocument | None = field(init=False, default=None)
    """The configuration before the write; set as soon as the write may have happened."""
    _is_journaled: bool = field(init=False, default=False)
    _journal_problem: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._updater = ConfigurationUpdater(reader=self.reader, sleep=self.sleep)

    def write_rules(self, decisions: Sequence[Decision]) -> ExpiryResult:
        """Write a rule for each deployment that has not changed; return a result for every one."""
        results: dict[str, DeploymentResult] = {}
        problem = ""
        try:
            unchanged = self._filter_unchanged(decisions, results)
            to_expire = self._filter_live(unchanged, results)
            problem = self._write(to_expire) if to_expire else self.live.problem
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - every deployment needs a result
            problem = self._roll_back(describe_error(exc))
        for decision in decisions:
            name = decision.deployment.name
            if name not in results:
                results[name] = (
                    _failed_result(decision, problem)
                    if problem
                    else DeploymentResult(name=name, counts={}, bytes_deleted=0, is_expiring=True)
                )
        return ExpiryResult(
            results=tuple(results[decision.deployment.name] for decision in decisions),
            problem=problem or self._journal_problem,
        )

    def _filter_unchanged(
        self, decisions: Sequence[Decision], results: dict[str, DeploymentResult]
    ) -> list[Decision]:
        """List the deployments again; return the unchanged ones and add results for the others."""
        names = "|".join(re.escape(decision.deployment.name) for decision in decisions)
        scope = ListingScope(
            prefix=self.prefix, match=UserPattern.compile(names), concurrency=self.concurrency
        )
        inventory = take_inventory(self.reader, scope, self.progress)
        deployments = {deployment.name: deployment for deployment in inventory.deployments}
        unlisted = {folder.name: folder.reason for folder in inventory.unlisted}
        unchanged = []
        for decision in decisions:
            planned = decision.deployment
            listed = deployments.get(planned.name)
            result = None
            if planned.name in unlisted:
                result = _failed_result(decision, unlisted[planned.name])
            elif listed is None or not listed.object_count:
                result = DeploymentResult.with_outcome(planned, ObjectOutcome.ABSENT, "")
            elif change := planned.find_change(listed.fingerprint, planned.versions):
                problem = f"kept: {change}"
                result = DeploymentResult.with_outcome(planned, ObjectOutcome.CHANGED, problem)
            if result is None:
                unchanged.append(decision)
            else:
                results[planned.name] = result
        return unchanged

    def _filter_live(
        self, decisions: Sequence[Decision], results: dict[str, DeploymentResult]
    ) -> list[Decision]:
        """Return what may be deleted by what is live now; add results for the others."""
        names = [decision.deployment.name for decision in decisions]
        self.live.check(names)
        withheld = self.live.begin(names)
        for decision in decisions:
            if outcome := withheld.get(name := decision.deployment.name):
                results[name] = DeploymentResult.with_outcome(
                    decision.deployment, outcome.outcome, outcome.message
                )
        return [decision for decision in decisions if decision.deployment.name not in withheld]

    def _write(self, decisions: Sequence[Decision]) -> str:
        """Write the rules and have S3 confirm them; return a problem, or ""."""
        for decision in decisions:
            self.gate.approve_rule(decision.deployment.prefix)
        rules_by_decision = build_rules(
            decisions, now=self.clock(), is_versioned=self.keeps_versions
        )
        self._rules = tuple(rule for _, rule in rules_by_decision)
        change = self._updater.update(
            remove=self.removed_ids,
            cleared_prefixes={decision.deployment.prefix for decision in (*self.kept, *decisions)},
            add=self._rules,
            before_write=self._record_intent,
        )
        if change.is_rejected:
            self._before = None
        problem = change.problem or self._confirm(self._rules)
        if problem:
            return self._roll_back(problem)
        self._record_outcome(RulesOutcome.WRITTEN, "")
        return ""

    def _record_intent(self, before: LifecycleDocument) -> None:
        self.journal.record_rules_intent(before.text.raw, before.transition_minimum, self._rules)
        self._is_journaled, self._before = True, before

    def _roll_back(self, problem: str) -> str:
        """Restore the configuration from before the write, if a write was begun.

        Returns the problem, with the result of the roll-back appended:

        | write begun | roll-back | journal outcome |
        |---|---|---|
        | no, or rejected by S3 | none | `not-written`, if the intent was recorded |
        | yes | succeeded | `rolled-back` |
        | yes | failed | `unknown` |
        """
        outcome = RulesOutcome.NOT_WRITTEN
        if self._before is not None:
            try:
                rollback_problem = self._updater.roll_back(self._before, self._rules)
            except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - every deployment needs a result
                rollback_problem = describe_error(exc)
            outcome = RulesOutcome.UNKNOWN if rollback_problem else RulesOutcome.ROLLED_BACK
            state = (
                f"The new rules may still be active: {rollback_problem}"
                if rollback_problem
                else "None of the new rules is active"
            )
            problem = f"{end_sentence(problem)} {state}"
        if self._is_journaled:
            self._record_outcome(outcome, problem)
        return problem

    def _record_outcome(self, outcome: RulesOutcome, message: str) -> None:
        try:
            self.journal.record_rules_outcome(outcome, message)
        except JournalError as exc:
            self._journal_problem = exc.full_message

    def _confirm(self, rules: Sequence[ManagedRule]) -> str:
        """Ask S3 by which rule samples expire; return a problem, or "".

        Samples to delete must expire by their rule, samples to keep by none. Where another rule
        deletes an object earlier, S3 returns that rule instead.
        """
        ids = {rule.rule_id for rule in rules}
        try:
            for prefix in _choose_samples([decision.deployment.prefix for decision in self.kept]):
                key = self._get_first_key(prefix)
                if key and self._is_expiring_by_managed_rule(key, ids):
                    return f"a lifecycle rule would delete {key}, which is to be kept"
            samples = [
                (rule.rule_id, self._get_first_key(rule.prefix)) for rule in _choose_samples(rules)
            ]
            expected = [(rule_id, key) for rule_id, key in samples if key]
            return self._confirm_expected(expected) or self._updater.verify_rules(ids)
        except AccessError as exc:
            return f"S3 did not report the effect of the rules: {exc.message}"

    def _is_expiring_by_managed_rule(self, key: str, ids: Set[str]) -> bool:
        """Return whether an object to keep would expire by a managed rule.

        A rule that was just removed may be returned for a while.
        """
        rule_id = self._find_expiration_rule(
            key, lambda rule_id: rule_id in ids or not rule_id.startswith(RULE_ID_PREFIX)
        )
        return rule_id.startswith(RULE_ID_PREFIX)

    def _confirm_expected(self, expected: Sequence[tuple[str, str]]) -> str:
        other_ids = []
        for rule_id, key in expected:
            actual_id = self._find_expiration_rule(key, bool)
            if not actual_id:
                return (
                    f"S3 does not report that it will delete {key}: it may not support such rules"
                )
            if actual_id != rule_id:
                other_ids.append(actual_id)
        if expected and len(other_ids) == len(expected):
            return f"S3 reports that another rule ({other_ids[-1]}) deletes the deployments"
        return ""

    def _find_expiration_rule(self, key: str, is_final: Callable[[str], bool]) -> str:
        return retry_until(
            lambda: self.reader.find_expiration_rule(key),
            is_final,
            CONFIRMATION_PAUSES_SECONDS,
            self.sleep,
        )

    def _get_first_key(self, prefix: str) -> str:
        with closing(self.reader.list_pages(prefix)) as pages:
            return next((stored.key for page in pages for stored in page.objects), "")


_T = TypeVar("_T")


def _choose_samples(items: Sequence[_T]) -> list[_T]:
    """Return up to SAMPLE_SIZE items: the first, the last, and some evenly between."""
    if len(items) <= SAMPLE_SIZE:
        return list(items)
    return [items[index * (len(items) - 1) // (SAMPLE_SIZE - 1)] for index in range(SAMPLE_SIZE)]


def _failed_result(decision: Decision, problem: str) -> DeploymentResult:
    problem = f"kept: {problem}"
    return DeploymentResult.with_outcome(decision.deployment, ObjectOutcome.FAILED, problem)
