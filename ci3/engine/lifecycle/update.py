"""Update a bucket's lifecycle configuration: read, write, read again and compare.

S3 replaces the whole configuration and supports no conditional write: what another writer writes
between the read and the write is lost. That interval is kept short, and the configuration after
the write decides about success.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from ci3.aws.bucket import BucketReader
from ci3.aws.lifecycle.document import LifecycleDocument, LifecycleWriter, WriteResult
from ci3.core.formatting import pluralize
from ci3.core.lifecycle.configuration import (
    MAXIMUM_RULES,
    ConfigurationText,
    RuleText,
    parse_configuration,
)
from ci3.core.lifecycle.rule import ManagedRule, parse_managed_rule
from ci3.errors import AccessError
from ci3.retrying import retry_until

READING_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between reads of a configuration that does not show the write yet."""

BeforeWrite = Callable[[LifecycleDocument], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateResult:
    """The result of an update; `before` is the configuration right before it.

    With a `problem` the configuration is not as intended. With `is_rejected` it is certainly still
    the one before.
    """

    before: LifecycleDocument
    problem: str = ""
    is_rejected: bool = False


@dataclass(slots=True, kw_only=True)
class ConfigurationUpdater:
    """Updates the lifecycle configuration of a bucket."""

    reader: BucketReader
    sleep: Callable[[float], None]
    _writer: LifecycleWriter | None = field(init=False, default=None)

    def update(
        self,
        *,
        remove: Collection[str] = (),
        cleared_prefixes: Collection[str] = (),
        add: Sequence[ManagedRule] = (),
        before_write: BeforeWrite = lambda _before: None,
    ) -> UpdateResult:
        """Remove managed rules by ID and add others; everything else stays byte for byte.

        No managed rule is left for `cleared_prefixes`, even if one that was removed appears again:
        S3 may return an older configuration for a while. `before_write` is called with the current
        configuration right before the write. Raises AccessError if it cannot be read; problems of
        the write are in the result.
        """
        writer = self._open_writer()
        before = self.reader.read_lifecycle()
        replaced = [
            rule
            for rule in before.text.rules
            if (managed := parse_managed_rule(rule.rule))
            and (managed.rule_id in remove or managed.prefix in cleared_prefixes)
        ]
        replaced_ids = [rule.rule_id for rule in replaced]
        remaining_ids = before.text.rule_ids.difference(replaced_ids)
        if conflicts := [rule.rule_id for rule in add if rule.rule_id in remaining_ids]:
            problem = f"the lifecycle rule {conflicts[0]} already exists"
            return UpdateResult(before=before, problem=problem, is_rejected=True)
        raw = replace_rules(before.text, replaced, add)
        expected = parse_configuration(raw)
        if len(expected.rules) > MAXIMUM_RULES:
            problem = f"a bucket can have at most {MAXIMUM_RULES:,} lifecycle rules"
            return UpdateResult(before=before, problem=problem, is_rejected=True)
        if raw == before.text.raw:
            return UpdateResult(before=before)
        before_write(before)
        written = writer.write(raw, before.transition_minimum)
        problem = self._verify(before, expected, written, replaced_ids)
        return UpdateResult(before=before, problem=problem, is_rejected=written.is_rejected)

    def roll_back(self, before: LifecycleDocument, added: Sequence[ManagedRule]) -> str:
        """Restore a saved configuration byte for byte; return a problem, or "".

        Added rules are recognized by their ID, even if they were edited. "Rest" is the current
        configuration without them:

        | added rules found | rest equals saved | written                                         |
        |-------------------|-------------------|-------------------------------------------------|
        | no                | yes               | saved configuration: added rules may show later |
        | no                | no                | nothing: another writer has written since       |
        | yes               | yes               | saved configuration                             |
        | yes               | no                | rest, with the changes of another writer        |

        In rows two and four, new rules for the same folders under other IDs are a problem.
        """
        ids = {rule.rule_id for rule in added}
        try:
            current = self.reader.read_lifecycle()
            still_added = [rule for rule in current.text.rules if rule.rule_id in ids]
            rest = parse_configuration(replace_rules(current.text, still_added, ()))
            if rest.normalized_rules == before.text.normalized_rules:
                goal = before.text
            elif still_added:
                goal = rest
            else:
                return _find_similar_rules(added, rest, before.text)
            written = self._open_writer().write(goal.raw, before.transition_minimum)
            if not still_added:
                return written.problem
            problem = self._verify(current, goal, written, [rule.rule_id for rule in still_added])
            return problem or _find_similar_rules(added, rest, before.text)
        except AccessError as exc:
            return exc.message

    def verify_rules(self, rules: Collection[str]) -> str:
        """Return a problem if rules that were written no longer exist, or ""."""
        missing_count = len(set(rules) - self.reader.read_lifecycle().text.rule_ids)
        return _overwritten_problem(missing_count, 0) if missing_count else ""

    def _verify(
        self,
        before: LifecycleDocument,
        expected: ConfigurationText,
        written: WriteResult,
        removed: Sequence[str],
    ) -> str:
        """Read the configuration after a write; return a problem, or ""."""
        if written.is_rejected:
            return written.problem
        try:
            after = retry_until(
                self.reader.read_lifecycle,
                lambda after: after.text.normalized_rules != before.text.normalized_rules,
                READING_PAUSES_SECONDS,
                self.sleep,
            )
        except AccessError as exc:
            return f"the new lifecycle configuration could not be verified: {exc.message}"
        if after.text.normalized_rules == expected.normalized_rules:
            old, new = before.transition_minimum, after.transition_minimum
            if old and new != old and expected.rules:
                return f"TransitionDefaultMinimumObjectSize changed from {old} to {new or 'none'}"
            return ""
        if after.text.normalized_rules == before.text.normalized_rules:
            return (
                written.problem
                or "S3 accepted the new lifecycle configuration, but does not return it"
            )
        return self._describe_lost_changes(after, expected, removed)

    def _describe_lost_changes(
        self, after: LifecycleDocument, expected: ConfigurationText, removed: Sequence[str]
    ) -> str:
        """Return which changes another writer reverted, or ""; their other changes are allowed."""
        missing = _managed_meanings(expected) - _managed_meanings(after.text)
        reappeared_count = sum(rule.rule_id in removed for rule in after.text.rules)
        if not missing and not reappeared_count:
            return ""
        return _overwritten_problem(missing.total(), reappeared_count)

    def _open_writer(self) -> LifecycleWriter:
        self._writer = self._writer or self.reader.open_lifecycle_writer()
        return self._writer


def _overwritten_problem(missing_count: int, reappeared_count: int) -> str:
    losses = []
    if missing_count:
        losses.append(f"{pluralize(missing_count, 'managed rule')} missing")
    if reappeared_count:
        losses.append(f"{pluralize(reappeared_count, 'removed rule')} present again")
    loss = ", ".join(losses)
    return (
        f"someone else changed the bucket's lifecycle rules at the same time: {loss}. Check the "
        "rules, and run again"
    )


def _find_similar_rules(
    added: Iterable[ManagedRule], now: ConfigurationText, before: ConfigurationText
) -> str:
    """Return a problem if there are new rules, under other IDs, for the folders of added rules."""
    folders = {rule.prefix.removesuffix("/") for rule in added}
    likely = [
        rule.rule_id
        for rule in now.rules
        if rule.rule.normalized not in before.normalized_rules
        and rule.prefix.removesuffix("/") in folders
    ]
    return f"there are new rules for the same folders: {', '.join(likely)}" if likely else ""


def replace_rules(
    text: ConfigurationText, removed: Iterable[RuleText], added: Sequence[ManagedRule]
) -> bytes:
    """Return the configuration without some rules and with others."""
    remaining = parse_configuration(text.without_rules(removed) if text.raw else b"")
    return remaining.with_rules(rule.elements for rule in added) if added else remaining.raw


def _managed_meanings(text: ConfigurationText) -> Counter[tuple[object, ...]]:
    managed_rules = (rule.rule for rule in text.rules if parse_managed_rule(rule.rule))
    return Counter(rule.normalized for rule in managed_rules)
