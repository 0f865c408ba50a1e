"""Lifecycle part of a plan: existing managed rules, new ones, refusals and warnings."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from ci3.core.formatting import NAMES_SHOWN, escape_control_chars, join_names, pluralize
from ci3.core.lifecycle.configuration import MAXIMUM_RULES, ConfigurationText
from ci3.core.lifecycle.noncurrent import find_noncurrent_term
from ci3.core.lifecycle.rule import ManagedRule, describe_edited_rules, parse_managed_rules
from ci3.core.lifecycle.rule_assignment import assign_rules
from ci3.core.lifecycle.rule_status import (
    UNSAFE_STATUSES,
    ExistingRule,
    RuleContext,
    RuleStatus,
    evaluate_rules,
)
from ci3.core.model.decision import Decision, Engine
from ci3.core.model.deployment import NoncurrentExpiration, Versioning
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.policy import DELETE_VERSIONS_SETTING
from ci3.core.model.prefix_pattern import PrefixPattern
from ci3.errors import end_sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleSnapshot:
    """The bucket's lifecycle configuration, or with a `problem` why it could not be read.

    With `is_unsupported`, the S3 server has no lifecycle configuration at all.
    """

    configuration: ConfigurationText = field(default_factory=ConfigurationText)
    problem: str = ""
    is_unsupported: bool = False

    @property
    def managed_rules(self) -> tuple[ManagedRule, ...]:
        """The managed rules of the configuration."""
        return parse_managed_rules(self.configuration.rules)

    def find_noncurrent_term(self, prefixes: Collection[str]) -> NoncurrentExpiration:
        """Return when noncurrent versions under prefixes may be deleted, or why it is unknown."""
        if self.problem:
            return NoncurrentExpiration(problem=self.problem)
        return find_noncurrent_term(self.configuration, prefixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecyclePlan:
    """The decisions with their rules, existing managed rules, and refusals and warnings."""

    decisions: tuple[Decision, ...]
    rules: tuple[ExistingRule, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[PlanWarning, ...] = ()


def plan_lifecycle(
    snapshot: LifecycleSnapshot,
    context: RuleContext,
    *,
    versioning: Versioning,
    needs_mfa: bool = False,
    delete_versions: bool = False,
) -> LifecyclePlan:
    """Return the lifecycle part of a plan.

    With another engine or with a refusal, the decisions are returned unchanged.
    """
    rules = evaluate_rules(snapshot.managed_rules, context)
    decisions = tuple(context.decisions)
    refusals: tuple[Refusal, ...] = ()
    warnings = [*_warn_of_unrecognized_rules(snapshot), *_warn_of_removals(rules)]
    if context.engine is Engine.LIFECYCLE:
        problems = _find_problems(
            snapshot, context, versioning, needs_mfa=needs_mfa, delete_versions=delete_versions
        )
        refusals = tuple(
            Refusal(code=RefusalCode.LIFECYCLE, message=problem) for problem in problems
        )
        if not refusals:
            others_count = len(snapshot.configuration.rules) - len(rules)
            assignment = assign_rules(
                decisions, rules, now=context.now, other_rules_count=others_count
            )
            decisions = assignment.decisions
            warnings += _warn_of_deferred(assignment.deferred_count)
    elif snapshot.problem and not snapshot.is_unsupported:
        warnings.append(_warn_of_unavailable_rules(snapshot))
    return LifecyclePlan(
        decisions=decisions, rules=rules, refusals=refusals, warnings=tuple(warnings)
    )


def find_abandoned_rule_warnings(
    snapshot: LifecycleSnapshot, pattern: str, target_prefixes: Collection[str]
) -> tuple[PlanWarning, ...]:
    """Return a warning about managed rules in folders that a pattern matches and that no target is.

    No run with the pattern removes them: `match` finds nothing there, or the folder is empty.
    """
    parents = {_get_parent(rule.prefix) for rule in snapshot.managed_rules} - {*target_prefixes}
    folders = sorted(
        parent for parent in parents if PrefixPattern(pattern).find_folder(parent) is not None
    )
    if not folders:
        return ()
    names = join_names([escape_control_chars(folder) for folder in folders])
    message = (
        f"prefix {pattern} finds no deployments in {names}, and an earlier run left lifecycle "
        "rules there, by which S3 deletes what is uploaded again: run ci3 once with prefix set to "
        "that folder"
    )
    return (PlanWarning(code=WarningCode.LIFECYCLE, message=message),)


def _warn_of_deferred(count: int) -> Iterator[PlanWarning]:
    if count:
        message = (
            f"a bucket can have at most {MAXIMUM_RULES:,} lifecycle rules, which leaves "
            f"{pluralize(count, 'deployment')} for later runs. The oldest are deleted first"
        )
        yield PlanWarning(code=WarningCode.LIFECYCLE, message=message)


def _find_problems(
    snapshot: LifecycleSnapshot,
    context: RuleContext,
    versioning: Versioning,
    *,
    needs_mfa: bool,
    delete_versions: bool,
) -> Iterator[str]:
    """Yield the reasons why lifecycle rules must not be used."""
    if snapshot.problem:
        yield (
            "engine: lifecycle needs to read the bucket's lifecycle rules, and cannot: "
            f"{snapshot.problem}"
        )
    if versioning is Versioning.UNKNOWN:
        yield (
            "engine: lifecycle needs the versioning status of the bucket, which could not be read "
            "(s3:GetBucketVersioning)"
        )
    if needs_mfa:
        yield "S3 does not support lifecycle rules on a bucket with MFA delete: use engine: direct"
    if delete_versions and versioning.may_have_noncurrent_versions:
        yield (
            f"{DELETE_VERSIONS_SETTING} deletes each version by its ID, which a lifecycle rule "
            "cannot do: remove that setting, or use engine: direct"
        )
    has_uncounted = any(
        decision.is_keep and not decision.deployment.has_counts for decision in context.decisions
    )
    if has_uncounted and any(decision.is_delete for decision in context.decisions):
        yield (
            "engine: lifecycle needs the oldest object of every kept deployment, but age-from: "
            "first-object lists only one object: use another age-from"
        )


def _warn_of_unavailable_rules(snapshot: LifecycleSnapshot) -> PlanWarning:
    message = (
        "the bucket's lifecycle rules could not be read (s3:GetLifecycleConfiguration): a rule of "
        f"an earlier run may delete what is uploaded to its folder again. {snapshot.problem}"
    )
    return PlanWarning(code=WarningCode.LIFECYCLE, message=message)


def _warn_of_unrecognized_rules(snapshot: LifecycleSnapshot) -> Iterator[PlanWarning]:
    if message := describe_edited_rules(snapshot.configuration.rules, NAMES_SHOWN):
        yield PlanWarning(code=WarningCode.LIFECYCLE, message=message)


def _get_parent(prefix: str) -> str:
    """Return the folder that a folder is in: `a/b/c/` gives `a/b/`."""
    head, slash, _ = prefix.removesuffix("/").rpartition("/")
    return f"{head}{slash}"


def _warn_of_removals(rules: Sequence[ExistingRule]) -> Iterator[PlanWarning]:
    """Yield a warning per reason for which an apply first removes rules."""
    rules_by_reason: dict[tuple[RuleStatus, str], list[ExistingRule]] = {}
    for existing in rules:
        if existing.should_remove:
            rules_by_reason.setdefault((existing.status, existing.message), []).append(existing)
    for (status, reason), removed in rules_by_reason.items():
        message = f"{_describe_removal(removed)}: {reason}"
        if status in UNSAFE_STATUSES:
            message = f"{end_sentence(message)} Until then S3 may delete objects there"
        yield PlanWarning(code=WarningCode.RULE_REMOVAL, message=message)


def _describe_removal(rules: Sequence[ExistingRule]) -> str:
    names = join_names([rule.name for rule in rules])
    noun = "the lifecycle rule" if len(rules) == 1 else f"the {len(rules):,} lifecycle rules"
    return f"an apply first removes {noun} for {names}"
