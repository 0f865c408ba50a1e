"""Checks of `ci3 doctor` on the lifecycle rules of the bucket: ci3's own, and the others."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from ci3.constants import RULE_LIFETIME_DAYS
from ci3.core.doctor.facts import BucketFacts, LifecycleRule, Unavailable
from ci3.core.doctor.finding import Finding, note, ok, warning
from ci3.core.formatting import format_minute, join_names, pluralize
from ci3.core.lifecycle.rule import parse_expiry
from ci3.core.model.decision import Engine

_MANAGED_RULES_TOPIC: Final = "managed rules"


def check_rules(rules: Sequence[LifecycleRule], facts: BucketFacts) -> Iterator[Finding]:
    """Yield the findings about lifecycle rules; only enabled rules are given."""
    end_times = {
        rule.name: time for rule in rules if (time := parse_expiry(rule.name, rule.prefix))
    }
    yield from _check_managed_rules(facts, end_times)
    yield from _check_later_runs(facts)
    expiring = [
        rule
        for rule in rules
        if rule.name not in end_times and rule.expires and can_apply_to_deployments(rule, facts)
    ]
    for rule in expiring:
        objects = "objects of certain tags or sizes" if rule.is_narrowed else "all objects"
        location = f"with the prefix {rule.prefix}" if rule.prefix else "in the bucket"
        yield warning(
            "lifecycle",
            f"Rule {rule.name} deletes {objects} {location} {_format_expiry(rule)}, even live ones",
            "Lifecycle rules consider only age. Remove the rule and let ci3 decide, or limit its "
            "prefix to folders that are not deployments.",
        )
    if not expiring:
        subject = "No other rule" if end_times else "No rule"
        yield ok("lifecycle", f"{subject} deletes deployments by age")


def _check_managed_rules(
    facts: BucketFacts, end_times: Mapping[str, datetime]
) -> Iterator[Finding]:
    """Check the rules that ci3 created; they are expected to exist for a few days.

    `end_times` maps the name of each managed rule to the time when it must be removed.
    """
    overdue = sorted(name for name, time in end_times.items() if time <= facts.read_at)
    if overdue:
        yield warning(
            _MANAGED_RULES_TOPIC,
            f"{pluralize(len(overdue), 'expired rule')} created by ci3, not removed yet: "
            f"{join_names(overdue)}",
            "S3 also deletes what is uploaded to these folders again, once it is old enough. Run "
            "`ci3 cleanup` with any engine: it removes expired rules first.",
        )
    if active_ends := [time for time in end_times.values() if time > facts.read_at]:
        yield note(
            _MANAGED_RULES_TOPIC,
            f"{pluralize(len(active_ends), 'active rule')} created by ci3: S3 deletes the "
            "deployments that an earlier run left to it",
            f"Run an apply by {format_minute(min(active_ends))}: it removes the rules that are no "
            "longer needed.",
        )


def _check_later_runs(facts: BucketFacts) -> Iterator[Finding]:
    """Note that rules need further runs; a schedule of GitHub may end without notice."""
    if facts.doctor_target.engine is Engine.LIFECYCLE:
        yield note(
            "schedule",
            f"engine: lifecycle needs an apply at least every {RULE_LIFETIME_DAYS} days, to remove "
            "rules",
            "Run it on a schedule and after each deploy. In a public repository, GitHub disables "
            "schedules after 60 days without activity: check in Actions that it still runs.",
        )


def can_apply_to_deployments(rule: LifecycleRule, facts: BucketFacts) -> bool:
    """Return True if a rule can apply to objects of deployments.

    A rule for a folder under the prefix that is not a deployment cannot.
    """
    prefix = facts.doctor_target.target.prefix
    if not rule.can_match_under(prefix):
        return False
    folder, slash, _ = rule.prefix.removeprefix(prefix).partition("/")
    is_inside = rule.prefix.startswith(prefix) and slash
    if not is_inside or isinstance(facts.folders, Unavailable):
        return True
    return folder in facts.folders.names


def _format_expiry(rule: LifecycleRule) -> str:
    if rule.expires_after_days is not None:
        return f"{pluralize(rule.expires_after_days, 'day')} after their upload"
    return f"from {rule.expires_on}"
