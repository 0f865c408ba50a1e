"""The rule `keep-count`: how many complete deployments are known to be newer than one."""

from dataclasses import dataclass

from ci3.core.formatting import pluralize
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.age_order import AgeOrder, DatedDeployment
from ci3.core.retention.evaluation import RuleCheck
from ci3.core.retention.name_order import NameOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLimit:
    """The setting `keep-count`, and how many deployments must be newer: `required`.

    `required` is at least `keep_count`, and at least the minimum that always stays.
    """

    keep_count: int
    required: int


def check_upload_count(
    dated: DatedDeployment, complete: AgeOrder, limit: CountLimit, *, is_second_count: bool = False
) -> RuleCheck:
    """Return whether too few complete deployments are known to be uploaded later.

    With `is_second_count`, names are counted too: the message says that this count is by uploads.
    """
    noun = "most recently uploaded" if is_second_count else "newest"
    required = limit.required
    position = complete.positions.get(dated.deployment.name)
    if position is not None and position < required:
        is_by_minimum = position >= limit.keep_count
        code = ReasonCode.MINIMUM_KEEP_COUNT if is_by_minimum else ReasonCode.KEEP_COUNT
        count = required if is_by_minimum else limit.keep_count
        return RuleCheck(
            code=code, is_matched=True, format_message=lambda: _rank(position, count, noun)
        )
    newer_count = complete.count_newer(dated)
    if newer_count >= required:
        predicate = "uploaded later" if is_second_count else ""
        return _not_matched(newer_count, required, predicate)
    overlapping = complete.find_overlapping(dated)
    return RuleCheck(
        code=ReasonCode.KEEP_COUNT if overlapping is None else ReasonCode.AMBIGUOUS_AGE,
        is_matched=True,
        format_message=lambda: _too_few_newer(dated, overlapping, newer_count, required),
    )


def check_name_count(name: str, complete: NameOrder, limit: CountLimit) -> RuleCheck:
    """Return whether too few complete deployments have a name that is known to be higher.

    The reason is that the name can't be compared if that alone keeps the deployment: names with
    the same text are too few to supersede any of them, and with the others there are enough.
    """
    newer_count = complete.count_newer(name)
    if newer_count >= limit.required:
        return _not_matched(newer_count, limit.required, "with a higher name")
    known = _describe_known(newer_count, limit.required, "higher by name")
    incomparable_count = complete.count_incomparable(name)
    is_ranked = complete.count_comparable(name) > limit.required
    if is_ranked or newer_count + incomparable_count < limit.required:
        return RuleCheck(code=ReasonCode.KEEP_COUNT, is_matched=True, format_message=lambda: known)
    deployments = pluralize(incomparable_count, "complete deployment")
    message = f"name cannot be compared with {deployments}; {known}"
    return RuleCheck(
        code=ReasonCode.INCOMPARABLE_NAME, is_matched=True, format_message=lambda: message
    )


def _not_matched(newer_count: int, required: int, predicate: str) -> RuleCheck:
    return RuleCheck(
        code=ReasonCode.KEEP_COUNT,
        is_matched=False,
        format_message=lambda: _enough_newer(newer_count, required, predicate),
    )


def _rank(position: int, count: int, noun: str) -> str:
    return f"the {noun}" if position == 0 else f"number {position + 1} of the {count} {noun}"


def _describe_known(newer_count: int, required: int, predicate: str) -> str:
    deployments = pluralize(newer_count, "complete deployment")
    return f"only {deployments} known to be {predicate} (limit {required:,})"


def _enough_newer(newer_count: int, required: int, predicate: str) -> str:
    deployments = pluralize(newer_count, "deployment" if predicate else "newer deployment")
    return f"{' '.join(filter(None, (deployments, predicate)))} (limit {required:,})"


def _too_few_newer(
    dated: DatedDeployment, overlapping: DatedDeployment | None, newer_count: int, required: int
) -> str:
    known = _describe_known(newer_count, required, "newer")
    if overlapping is None:
        return known
    is_same_time = overlapping.start == overlapping.end == dated.start == dated.end
    how = "same time as" if is_same_time else "upload overlaps with"
    return f"{how} {overlapping.deployment.name}; {known}"
