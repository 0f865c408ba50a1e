"""One lifecycle rule of ours: what it says to S3, how it is known again, and how long it stands."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from ci3.constants import TERM_DAYS
from ci3.core.lifecycle.configuration import Element

TERM: Final = timedelta(days=TERM_DAYS)

_ID_LIMIT: Final = 255
"""Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html"""
_KEY_LIMIT_BYTES: Final = 1_024
RULE_ID_BEGIN: Final = "ci3/"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_NOT_IN_A_RULE: Final = "[^ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""What XML has no place for, or changes on the way."""
_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryRule:
    """One lifecycle rule of ours, for what is under `prefix`, which ends with a slash.

    `days` is None of a rule that only removes what S3 has hidden: after the deployment itself is
    gone, its old versions. `noncurrent_days` is None where the bucket keeps none.
    """

    prefix: str
    days: int | None
    noncurrent_days: int | None
    expires_at: datetime

    @property
    def rule_id(self) -> str:
        """The ID: `ci3/<folder>/<expires>`, in ASCII."""
        return f"{RULE_ID_BEGIN}{quote(self.prefix, safe='/~')}{self.expires_at:{_STAMP}}"

    @property
    def made_at(self) -> datetime:
        """When it was made, of a rule that deletes."""
        return self.expires_at - TERM

    @property
    def elements(self) -> tuple[Element, ...]:
        """What stands in the rule."""
        parts = [
            Element("ID", self.rule_id),
            Element("Filter", "", (Element("Prefix", self.prefix),)),
            Element("Status", "Enabled"),
        ]
        days = Element("Days", str(self.days)) if self.days else None
        leftover = Element("ExpiredObjectDeleteMarker", "true")
        parts.append(Element("Expiration", "", (days or leftover,)))
        if self.noncurrent_days:
            noncurrent = Element("NoncurrentDays", str(self.noncurrent_days))
            parts.append(Element("NoncurrentVersionExpiration", "", (noncurrent,)))
        return tuple(parts)


def can_be_named(prefix: str) -> bool:
    """Say whether a rule can name a folder: XML must carry it, and the ID must not be too long."""
    longest = ExpiryRule(prefix=prefix, days=1, noncurrent_days=None, expires_at=_LATEST)
    is_short = len(longest.rule_id) <= _ID_LIMIT and len(prefix.encode()) <= _KEY_LIMIT_BYTES
    return is_short and not re.search(_NOT_IN_A_RULE, prefix)


def read_rule(rule: Element) -> ExpiryRule | None:
    """Read a rule as ours, or give None where it is not exactly one that ci3 writes."""
    where = rule.find("Filter")
    prefix = _text(where, "Prefix") if where else ""
    expires_at = term_of(_text(rule, "ID"), prefix)
    if expires_at is None:
        return None
    try:
        made = ExpiryRule(
            prefix=prefix,
            days=_days(rule, "Expiration", "Days"),
            noncurrent_days=_days(rule, "NoncurrentVersionExpiration", "NoncurrentDays"),
            expires_at=expires_at,
        )
    except ValueError:
        return None
    is_one = prefix.endswith("/") and Element("Rule", "", made.elements).meaning == rule.meaning
    return made if is_one else None


def term_of(rule_id: str, prefix: str) -> datetime | None:
    """Give when the term of a rule ends that has an ID of ours for this prefix, or None."""
    stamp = rule_id.removeprefix(f"{RULE_ID_BEGIN}{quote(prefix, safe='/~')}")
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def is_named_as_ours(rule: Element) -> bool:
    """Say whether a rule has an ID as if it were ours."""
    return _text(rule, "ID").startswith(RULE_ID_BEGIN)


def only_looks_ours(rule: Element) -> bool:
    """Say whether a rule has an ID as if it were ours, and is not as ci3 writes it."""
    return is_named_as_ours(rule) and read_rule(rule) is None


def _text(element: Element, name: str) -> str:
    found = element.find(name)
    return found.text if found else ""


def _days(rule: Element, name: str, of: str) -> int | None:
    found = rule.find(name)
    days = found.find(of) if found else None
    return int(days.text) if days else None
