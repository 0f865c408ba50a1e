"""What a plan says of lifecycle rules: those of ours that stand, those to make, what forbids it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ci3.core.formatting import counted, listed
from ci3.core.lifecycle.configuration import MAXIMUM_RULES, ConfigurationText
from ci3.core.lifecycle.noncurrent import noncurrent_term
from ci3.core.lifecycle.rule import ExpiryRule, only_looks_ours, read_rule
from ci3.core.lifecycle.rule_assignment import allot
from ci3.core.lifecycle.rule_status import AT_STAKE, Fate, Sight, StandingRule, judge_rules
from ci3.core.model.decision import Decision, Engine
from ci3.core.model.deployment import NoncurrentTerm, Versioning
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.policy import DELETE_VERSIONS

NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSeen:
    """The bucket's lifecycle configuration, or with a `problem` why it could not be read."""

    configuration: ConfigurationText = field(default_factory=ConfigurationText)
    problem: str = ""
    is_lacking: bool = False

    @property
    def own(self) -> tuple[ExpiryRule, ...]:
        """The rules of ours in it."""
        read = (read_rule(one.rule) for one in self.configuration.rules)
        return tuple(one for one in read if one is not None)

    def noncurrent_term(self, prefix: str) -> NoncurrentTerm:
        """Say when old versions under a prefix may be gone; what was not read is not known."""
        if self.problem:
            return NoncurrentTerm(problem=self.problem)
        return noncurrent_term(self.configuration, prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The decisions with what deletes each, the rules that stand, and what to tell of it."""

    decisions: tuple[Decision, ...]
    rules: tuple[StandingRule, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[PlanWarning, ...] = ()


def rule(
    seen: RulesSeen,
    sight: Sight,
    *,
    versioning: Versioning,
    needs_mfa: bool = False,
    delete_versions: bool = False,
) -> Ruling:
    """Say what of lifecycle rules goes into a plan; where nothing is about them, nothing does."""
    rules = judge_rules(seen.own, sight)
    warnings = [*_about_odd(seen), *_about_rules(rules)]
    if sight.engine is not Engine.LIFECYCLE:
        if seen.problem and not seen.is_lacking:
            warnings.append(_unread(seen))
        return Ruling(decisions=tuple(sight.decisions), rules=rules, warnings=tuple(warnings))
    against = _against(
        seen, sight, versioning, needs_mfa=needs_mfa, delete_versions=delete_versions
    )
    refusals = tuple(Refusal(code=RefusalCode.LIFECYCLE, message=one) for one in against)
    if refusals:
        return Ruling(
            decisions=tuple(sight.decisions),
            rules=rules,
            refusals=refusals,
            warnings=tuple(warnings),
        )
    others_count = len(seen.configuration.rules) - len(rules)
    allotted = allot(sight.decisions, rules, now=sight.now, others_count=others_count)
    if allotted.waiting_count:
        message = (
            f"{counted(allotted.waiting_count, 'deployment')} more would go, and will in later "
            f"runs: a bucket has room for {MAXIMUM_RULES:,} lifecycle rules. The oldest go first"
        )
        warnings.append(PlanWarning(code=WarningCode.LIFECYCLE, message=message))
    return Ruling(decisions=allotted.decisions, rules=rules, warnings=tuple(warnings))


def _against(
    seen: RulesSeen,
    sight: Sight,
    versioning: Versioning,
    *,
    needs_mfa: bool,
    delete_versions: bool,
) -> Iterator[str]:
    """Collect what forbids leaving anything to lifecycle rules."""
    if seen.problem:
        yield f"engine: lifecycle must read the bucket's lifecycle rules, and can't: {seen.problem}"
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
    partly = [one for one in sight.decisions if one.is_keep and not one.deployment.is_counted]
    if partly and any(one.is_delete for one in sight.decisions):
        yield (
            "engine: lifecycle must know the oldest object of all that is kept, and age-from: "
            "first-object lists no more of it than one: take another age-from"
        )


def _unread(seen: RulesSeen) -> PlanWarning:
    message = (
        "whether lifecycle rules of ci3's own stand could not be read (s3:GetLifecycleConfiguration"
        f"): one left behind deletes what is uploaded to its folder again. {seen.problem}"
    )
    return PlanWarning(code=WarningCode.LIFECYCLE, message=message)


def _about_odd(seen: RulesSeen) -> Iterator[PlanWarning]:
    odd = [one.rule_id for one in seen.configuration.rules if only_looks_ours(one.rule)]
    if odd:
        message = (
            f"{counted(len(odd), 'lifecycle rule')} called as if it were ci3's, and not as ci3 "
            f"writes it, is left alone: {listed(odd, NAMES_SHOWN)}"
        )
        yield PlanWarning(code=WarningCode.LIFECYCLE, message=message)


def _about_rules(rules: Sequence[StandingRule]) -> Iterator[PlanWarning]:
    """Tell, reason by reason, which rules go before anything else is done."""
    by_reason: dict[tuple[Fate, str], list[StandingRule]] = {}
    for one in rules:
        if one.goes:
            by_reason.setdefault((one.fate, one.message), []).append(one)
    for (fate, message), some in by_reason.items():
        until = ". Until then S3 may delete what is there" if fate in AT_STAKE else ""
        told = f"{_named(some)}: {message}{until}"
        yield PlanWarning(code=WarningCode.RULE_GOES, message=told)


def _named(some: Sequence[StandingRule]) -> str:
    names = listed([one.name for one in some], NAMES_SHOWN)
    what = "the lifecycle rule" if len(some) == 1 else f"the {len(some):,} lifecycle rules"
    return f"an apply first takes away {what} for {names}"
