"""A managed rule: its XML, its ID (by which a later run recognizes it) and its lifetime."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from ci3.constants import RULE_LIFETIME_DAYS
from ci3.core.formatting import join_names, pluralize
from ci3.core.inventory.key_text import is_xml_stable
from ci3.core.lifecycle.configuration import Element, RuleText

RULE_TERM: Final = timedelta(days=RULE_LIFETIME_DAYS)
"""Lifetime of a rule. It lasts longer if no run comes by to remove the rule."""

_ID_LIMIT: Final = 255
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html"""
_KEY_LIMIT_BYTES: Final = 1_024
RULE_ID_PREFIX: Final = "ci3/"
_TIMESTAMP_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_LONGEST_EXPIRY: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedRule:
    """A lifecycle rule that ci3 created for the keys under `prefix`, which ends with a slash.

    `days` is None for a rule that only deletes noncurrent versions, after the deployment itself
    was deleted. `noncurrent_days` is None if the bucket keeps no versions. `expires_at` is when
    the rule's lifetime ends.
    """

    prefix: str
    days: int | None
    noncurrent_days: int | None
    expires_at: datetime

    @property
    def rule_id(self) -> str:
        """The ID in ASCII: `ci3/<prefix><expires_at>`, such as `ci3/a/b/20261202T100000Z`."""
        return (
            f"{RULE_ID_PREFIX}{quote(self.prefix, safe='/~')}{self.expires_at:{_TIMESTAMP_FORMAT}}"
        )

    @property
    def created_at(self) -> datetime:
        """When the rule was created; only for a rule with `days`."""
        return self.expires_at - RULE_TERM

    @property
    def elements(self) -> tuple[Element, ...]:
        """The child elements of the `Rule` element."""
        children = [
            Element("ID", self.rule_id),
            Element("Filter", "", (Element("Prefix", self.prefix),)),
            Element("Status", "Enabled"),
        ]
        days = Element("Days", str(self.days)) if self.days else None
        remove_markers = Element("ExpiredObjectDeleteMarker", "true")
        children.append(Element("Expiration", "", (days or remove_markers,)))
        if self.noncurrent_days:
            noncurrent = Element("NoncurrentDays", str(self.noncurrent_days))
            children.append(Element("NoncurrentVersionExpiration", "", (noncurrent,)))
        return tuple(children)


def can_express_prefix(prefix: str) -> bool:
    """Return True if a rule can name a folder: XML carries it unchanged and the ID is short."""
    longest_rule = ManagedRule(
        prefix=prefix, days=1, noncurrent_days=None, expires_at=_LONGEST_EXPIRY
    )
    is_short = len(longest_rule.rule_id) <= _ID_LIMIT and len(prefix.encode()) <= _KEY_LIMIT_BYTES
    return is_short and is_xml_stable(prefix)


def parse_managed_rule(rule: Element) -> ManagedRule | None:
    """Parse a managed rule; return None if it is not exactly as ci3 writes it."""
    prefix = rule.find_text("Filter", "Prefix")
    expires_at = parse_expiry(rule.find_text("ID"), prefix)
    if expires_at is None:
        return None
    try:
        parsed = ManagedRule(
            prefix=prefix,
            days=_read_days(rule, "Expiration", "Days"),
            noncurrent_days=_read_days(rule, "NoncurrentVersionExpiration", "NoncurrentDays"),
            expires_at=expires_at,
        )
    except ValueError:
        return None
    is_unchanged = Element("Rule", "", parsed.elements).normalized == rule.normalized
    return parsed if prefix.endswith("/") and is_unchanged else None


def parse_managed_rules(rules: Iterable[RuleText]) -> tuple[ManagedRule, ...]:
    """Return the managed rules among the rules of a configuration."""
    parsed = (parse_managed_rule(rule.rule) for rule in rules)
    return tuple(rule for rule in parsed if rule is not None)


def parse_expiry(rule_id: str, prefix: str) -> datetime | None:
    """Return when a rule's lifetime ends, or None if the ID is not a managed one of this prefix."""
    timestamp = rule_id.removeprefix(f"{RULE_ID_PREFIX}{quote(prefix, safe='/~')}")
    try:
        return datetime.strptime(timestamp, _TIMESTAMP_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def describe_edited_rules(rules: Iterable[RuleText], limit: int, consequence: str = "") -> str:
    """Describe the rules that have a managed rule's ID and are not as ci3 writes them, or "".

    At most `limit` of their IDs are named. `consequence` follows `left unchanged`.
    """
    edited = [
        rule.rule_id
        for rule in rules
        if rule.rule_id.startswith(RULE_ID_PREFIX) and parse_managed_rule(rule.rule) is None
    ]
    if not edited:
        return ""
    differ, are = ("differs", "is") if len(edited) == 1 else ("differ", "are")
    return (
        f"{pluralize(len(edited), 'lifecycle rule')} with an ID of ci3 {differ} from what ci3 "
        f"writes and {are} left unchanged{consequence}: {join_names(edited, limit)}"
    )


def _read_days(rule: Element, *names: str) -> int | None:
    text = rule.find_text(*names)
    return int(text) if text else None
