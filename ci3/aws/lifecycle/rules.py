"""Read the enabled lifecycle rules of a bucket, as `ci3 doctor` checks them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import botocore.exceptions

from ci3.aws.client_errors import get_error_code, translate_errors
from ci3.core.doctor.facts import LifecycleRule
from ci3.errors import AccessError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def read_lifecycle_rules(client: "S3Client", bucket: str) -> tuple[LifecycleRule, ...]:
    """Return the enabled rules; raises AccessError where they can't be read."""
    with translate_errors(f"reading the lifecycle rules of s3://{bucket}"):
        rules = _read_rules(client, bucket)
        return tuple(
            _make_rule(rule, number)
            for number, rule in enumerate(rules, 1)
            if rule.get("Status") != "Disabled"
        )


def _make_rule(rule: Mapping[str, Any], number: int) -> LifecycleRule:
    expiration, rule_filter = rule.get("Expiration", {}), rule.get("Filter", {})
    date = expiration.get("Date")
    return LifecycleRule(
        name=rule.get("ID") or f"no. {number}",
        prefix=_get_prefix(rule),
        is_narrowed=bool({*rule_filter, *rule_filter.get("And", {})} - {"Prefix", "And"}),
        expires_after_days=expiration.get("Days"),
        expires_on=date.date() if date else None,
        noncurrent_days=_get_noncurrent_days(rule),
        keeps_newer_versions=bool(
            rule.get("NoncurrentVersionExpiration", {}).get("NewerNoncurrentVersions")
        ),
    )


def _read_rules(client: "S3Client", bucket: str) -> list[Mapping[str, Any]]:
    try:
        response = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except botocore.exceptions.ClientError as exc:
        if get_error_code(exc) == "NoSuchLifecycleConfiguration":
            return []
        raise
    rules: list[Mapping[str, Any]] = [*response.get("Rules", ())]
    if not rules:
        raise AccessError("the response contains no rules", "")
    return rules


def _get_prefix(rule: Mapping[str, Any]) -> str:
    rule_filter = rule.get("Filter", {})
    candidates = (
        rule.get("Prefix"),
        rule_filter.get("Prefix"),
        rule_filter.get("And", {}).get("Prefix"),
    )
    return next((candidate for candidate in candidates if candidate), "")


def _get_noncurrent_days(rule: Mapping[str, Any]) -> int | None:
    if (expiration := rule.get("NoncurrentVersionExpiration")) is None:
        return None
    days = expiration.get("NoncurrentDays")
    if not isinstance(days, int):
        raise AccessError("a rule that expires noncurrent versions has no NoncurrentDays", "")
    return days
