"""Lifecycle part of a plan: existing managed rules, new ones, refusals and warnings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ci3.core.formatting import counted, listed
from ci3.core.lifecycle.configuration import MAXIMUM_RULES, ConfigurationText
from ci3.core.lifecycle.noncurrent import noncurrent_term
from ci3.core.lifecycle.rule import ExpiryRule, only_looks_ours, read_rule
from ci3.core.lifecycle.rule_assignment import allot
from ci3.core.lifecycle.rule_status import UNSAFE_STATUSES, Fate, Sight, StandingRule, judge_rules
from ci3.core.model.decision import Decision, Engine
from ci3.core.model.deployment import NoncurrentTerm, Versioning
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.policy import DELETE_VERSIONS

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSeen:
    """The bucket's lifecycle configuration, or with a `problem` why it could not be read.

    With `is_unsupported`, the S3 server has no lifecycle configuration at all.
    """

    configuration: ConfigurationText = field(default_factory=ConfigurationText)
    problem: str = ""
    is_lacking: bool = False

    @property
    def own(self) -> tuple[ExpiryRule, ...]:
        """The managed rules of the configuration."""
        rules = (read_rule(rule.rule) for rule in self.configuration.rules)
        return tuple(rule for rule in rules if rule is not None)

    def noncurrent_term(self, prefix: str) -> NoncurrentTerm:
        """Return when noncurrent versions under a prefix may be deleted, or why it is unknown."""
        if self.problem:
            return NoncurrentTerm(problem=self.problem)
        return noncurrent_term(self.configuration, prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The decisions with their rules, existing managed rules, and refusals and warnings."""

    decisions: tuple[Decision, ...]
    rules: tuple[StandingRule, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[PlanWarning, ...] = ()


def rule(
    snapshot: RulesSeen,
    context: Sight,
    *,
    versioning: Versioning,
    needs_mfa: bool = False,
    delete_versions: bool = False,
) -> Ruling:
    """Return the lifecycle part of a plan.

    With another engine or with a refusal, the decisions are returned unchanged.
    """
    rules = judge_rules(snapshot.own, context)
    warnings = [*_warn_of_unrecognized_rules(snapshot), *_warn_of_removals(rules)]
    if context.engine is not Engine.LIFECYCLE:
        if snapshot.problem and not snapshot.is_lacking:
            warnings.append(_warn_of_unread_rules(snapshot))
        return Ruling(decisions=tuple(context.decisions), rules=rules, warnings=tuple(warnings))
    problems = _find_problems(
        snapshot, context, versioning, needs_mfa=needs_mfa, delete_versions=delete_versions
    )
    refusals = tuple(Refusal(code=RefusalCode.LIFECYCLE, message=problem) for problem in problems)
    if refusals:
        return Ruling(
            decisions=tuple(context.decisions),
            rules=rules,
            refusals=refusals,
            warnings=tuple(warnings),
        )
    others_count = len(snapshot.configuration.rules) - len(rules)
    assignment = allot(context.decisions, rules, now=context.now, others_count=others_count)
    if assignment.deferred_count:
        message = (
            f"{counted(assignment.deferred_count, 'deployment')} more would go, and will in later "
            f"runs: a bucket has room for {MAXIMUM_RULES:,} lifecycle rules. The oldest go first"
        )
        warnings.append(PlanWarning(code=WarningCode.LIFECYCLE, message=message))
    return Ruling(decisions=assignment.decisions, rules=rules, warnings=tuple(warnings))


def _find_problems(
    snapshot: RulesSeen,
    context: Sight,
    versioning: Versioning,
    *,
    needs_mfa: bool,
    delete_versions: bool,
) -> Iterator[str]:
    """Yield the reasons why lifecycle rules must not be used."""
    if snapshot.problem:
        yield (
            "engine: lifecycle must read the bucket's lifecycle rules, and can't: "
            f"{snapshot.problem}"
        )
    if versioning is Versioning.UNKNOWN:
        yield (
            "engine: lifecycle must know whether the bucket keeps versions, and that could not be "
            "read (s3:GetBucketVersioning)"
        )
    if needs_mfa:
        yield "S3 takes no lifecycle rules on a bucket with MFA delete: use engine: direct"
    if delete_versions and versioning.may_hold_versions:
        yield (
            f"{DELETE_VERSIONS} names each version by its id, which a lifecycle rule can't: leave "
            "it out, or use engine: direct"
        )
    has_uncounted = any(
        decision.is_keep and not decision.deployment.is_counted for decision in context.decisions
    )
    if has_uncounted and any(decision.is_delete for decision in context.decisions):
        yield (
            "engine: lifecycle must know the oldest object of all that is kept, and age-from: "
            "first-object lists no more of it than one: take another age-from"
        )


def _warn_of_unread_rules(snapshot: RulesSeen) -> PlanWarning:
    message = (
        "whether lifecycle rules of ci3's own stand could not be read (s3:GetLifecycleConfiguration"
        f"): one left behind deletes what is uploaded to its folder again. {snapshot.problem}"
    )
    return PlanWarning(code=WarningCode.LIFECYCLE, message=message)


def _warn_of_unrecognized_rules(snapshot: RulesSeen) -> Iterator[PlanWarning]:
    rule_ids = [rule.rule_id for rule in snapshot.configuration.rules if only_looks_ours(rule.rule)]
    if rule_ids:
        message = (
            f"{counted(len(rule_ids), 'lifecycle rule')} called as if it were ci3's, and not as "
            f"ci3 writes it, is left alone: {listed(rule_ids, NAMES_SHOWN)}"
        )
        yield PlanWarning(code=WarningCode.LIFECYCLE, message=message)


def _warn_of_removals(rules: Sequence[StandingRule]) -> Iterator[PlanWarning]:
    """Yield a warning per reason for which an apply first removes rules."""
    rules_by_reason: dict[tuple[Fate, str], list[StandingRule]] = {}
    for existing in rules:
        if existing.goes:
            rules_by_reason.setdefault((existing.fate, existing.message), []).append(existing)
    for (status, reason), removed in rules_by_reason.items():
        until = ". Until then S3 may delete what is there" if status in UNSAFE_STATUSES else ""
        message = f"{_describe_removal(removed)}: {reason}{until}"
        yield PlanWarning(code=WarningCode.RULE_GOES, message=message)


def _describe_removal(rules: Sequence[StandingRule]) -> str:
    names = listed([rule.name for rule in rules], NAMES_SHOWN)
    noun = "the lifecycle rule" if len(rules) == 1 else f"the {len(rules):,} lifecycle rules"
    return f"an apply first takes away {noun} for {names}"
