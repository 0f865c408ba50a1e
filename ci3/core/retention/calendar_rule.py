"""The rules `keep-daily`, `keep-weekly`, `keep-monthly`: the newest deployment of each period."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from ci3.core.model.decision import ReasonCode
from ci3.core.retention.age_order import DatedDeployment
from ci3.core.retention.evaluation import RuleCheck

_LABEL_FORMATS: Final[Mapping[ReasonCode, str]] = MappingProxyType(
    {
        ReasonCode.KEEP_DAILY: "%Y-%m-%d",
        ReasonCode.KEEP_WEEKLY: "%G-W%V",
        ReasonCode.KEEP_MONTHLY: "%Y-%m",
    }
)
"""The strftime format of a period's label, for a time in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """The last `count` days, weeks or months that have a complete deployment.

    `newest` maps the label of each to the time when its newest deployment was completed.
    """

    code: ReasonCode
    count: int
    newest: Mapping[str, datetime]

    def check(self, dated: DatedDeployment, uncounted: str) -> RuleCheck:
        """Return whether a deployment is the newest of its period.

        `uncounted` is why a complete deployment does not count; empty if the deployment counts.
        """
        label = _format_label(self.code, dated.completed_at)
        newest_at = self.newest.get(label)
        is_matched = not uncounted and newest_at == dated.completed_at

        def format_message() -> str:
            if is_matched:
                return f"the newest of {label}"
            if not dated.deployment.is_complete:
                return "incomplete"
            if uncounted:
                return uncounted
            if newest_at is None:
                return f"{label} is older than the last {self.count:,} with a deployment"
            return f"not the newest of {label}"

        return RuleCheck(code=self.code, is_matched=is_matched, format_message=format_message)


def find_last_periods(code: ReasonCode, count: int, complete: Iterable[DatedDeployment]) -> Periods:
    """Return the last `count` periods of a rule that have a complete deployment."""
    newest = {
        _format_label(code, completed_at): completed_at
        for completed_at in sorted(dated.completed_at for dated in complete)
    }
    return Periods(code=code, count=count, newest=dict(list(newest.items())[-count:]))


def _format_label(code: ReasonCode, at: datetime) -> str:
    return at.astimezone(UTC).strftime(_LABEL_FORMATS[code])
