"""Checks of `ci3 doctor` on the lifecycle rules of the bucket: ci3's own, and the others."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from ci3.core.doctor.facts import BucketFacts, LifecycleRule, Unavailable
from ci3.core.doctor.finding import Finding, note, ok, warning
from ci3.core.formatting import join_names, pluralize
from ci3.core.lifecycle.rule import parse_expiry


def check_rules(rules: Sequence[LifecycleRule], facts: BucketFacts) -> Iterator[Finding]:
    """Yield the findings about lifecycle rules; only enabled rules are given."""
    end_times = {
        rule.name: time for rule in rules if (time := parse_expiry(rule.name, rule.prefix))
    }
    yield from _check_managed_rules(facts, end_times)
    expiring = [
        rule
        for rule in rules
        if rule.name not in end_times and rule.expires and _can_expire_deployments(rule, facts)
    ]
    for rule in expiring:
        objects = "each object of its tags or sizes" if rule.is_narrowed else "every object"
        location = f"that begins with {rule.prefix}" if rule.prefix else "of the bucket"
        yield warning(
            "lifecycle",
            f"rule {rule.name} deletes {objects} {location} {_format_expiry(rule)}, live or not",
            "S3 knows ages only. Take the rule away and let ci3 decide, or narrow its prefix to "
            "what is no deployment.",
        )
    if not expiring:
        yield ok("lifecycle", "no rule of the bucket deletes deployments by their age")


def _check_managed_rules(
    facts: BucketFacts, end_times: Mapping[str, datetime]
) -> Iterator[Finding]:
    """Check the rules that ci3 created; they are expected to exist for a few days.

    `end_times` maps the name of each managed rule to the time when it must be removed.
    """
    overdue = sorted(name for name, time in end_times.items() if time <= facts.read_at)
    if overdue:
        yield warning(
            "own rules",
            f"{pluralize(len(overdue), 'lifecycle rule')} of ci3's own should be gone by now: "
            f"{join_names(overdue)}",
            "What is uploaded to such a folder again is deleted too, once it is old enough. Run "
            "`ci3 cleanup`, with any engine: it takes them away first.",
        )
    if active_count := len(end_times) - len(overdue):
        yield note(
            "own rules",
            f"{pluralize(active_count, 'lifecycle rule')} of ci3's own: S3 deletes by them what a "
            "run left to it",
            "The next run takes away those that are done.",
        )


def _can_expire_deployments(rule: LifecycleRule, facts: BucketFacts) -> bool:
    """Return True if a rule can delete objects of deployments.

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
        return f"{pluralize(rule.expires_after_days, 'day')} after its upload"
    return f"from {rule.expires_on} on"
