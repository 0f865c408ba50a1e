"""The in-memory S3's lifecycle, with its own XML parser: expiry times and deletions.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from urllib.parse import quote
from xml.etree import ElementTree as ET

from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.memory_listings import MemoryBucket, Version, error, local_name, parse, texts

MAX_RULES = 1000
MINIMUM = "x-amz-transition-default-minimum-object-size"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The relevant values of an enabled rule."""

    rule_id: str
    prefix: str
    days: int | None
    noncurrent_days: int | None
    clears_markers: bool


def answer(bucket: MemoryBucket, request: Request) -> Answer:
    """Return S3's answer to a request for the configuration."""
    match request.method:
        case "GET" if bucket.lifecycle:
            return Answer(
                status=200,
                body=bucket.lifecycle,
                headers={MINIMUM: bucket.transition_minimum},
            )
        case "GET":
            return error(404, "NoSuchLifecycleConfiguration")
        case "DELETE":
            bucket.lifecycle = b""
            return Answer(status=204, body=b"")
    try:
        rules = [element for element in parse(request.body) if local_name(element) == "Rule"]
    except ET.ParseError:
        rules = []
    if not 0 < len(rules) <= MAX_RULES:
        return error(400, "MalformedXML")
    ids = [rule_id for rule in rules if (rule_id := texts(rule).get("ID"))]
    if len(set(ids)) < len(ids):
        return error(400, "InvalidArgument")
    headers = {name.lower(): value for name, value in request.headers.items()}
    bucket.lifecycle = request.body
    bucket.transition_minimum = headers.get(MINIMUM, "all_storage_classes_128K")
    return Answer(status=200, body=b"", headers={MINIMUM: bucket.transition_minimum})


@cache
def read_rules(raw: bytes) -> tuple[Rule, ...]:
    """Return the relevant values of each rule; a disabled rule has none."""
    return tuple(
        _parse_rule(element)
        for element in (parse(raw) if raw else ())
        if local_name(element) == "Rule"
    )


def _parse_rule(element: ET.Element) -> Rule:
    parts = {local_name(child): child for child in element}
    expiration = texts(parts.get("Expiration", ()))
    noncurrent = texts(parts.get("NoncurrentVersionExpiration", ()))
    is_enabled = texts(element).get("Status") == "Enabled"
    filter_texts = texts(parts["Filter"]) if "Filter" in parts else texts(element)
    return Rule(
        rule_id=texts(element).get("ID", ""),
        prefix=filter_texts.get("Prefix", ""),
        days=int(expiration["Days"]) if is_enabled and "Days" in expiration else None,
        noncurrent_days=int(noncurrent["NoncurrentDays"]) if is_enabled and noncurrent else None,
        clears_markers=is_enabled and expiration.get("ExpiredObjectDeleteMarker") == "true",
    )


def expires_at(modified_at: datetime, days: int) -> datetime:
    """Add days and round up to midnight UTC, as S3 does."""
    expiry = modified_at + timedelta(days=days)
    midnight = datetime.combine(expiry.date(), time(), UTC)
    return midnight if midnight == expiry else midnight + timedelta(days=1)


def expiration_header(bucket: MemoryBucket, key: str, version: Version) -> dict[str, str]:
    """Return HeadObject's expiration header: the rule that expires an object first."""
    expirations = [
        (expires_at(version.modified_at, rule.days), rule.rule_id)
        for rule in read_rules(bucket.lifecycle)
        if rule.days is not None and key.startswith(rule.prefix)
    ]
    if not expirations:
        return {}
    expiry, rule_id = min(expirations)
    date = f"{expiry:%a, %d %b %Y %H:%M:%S} GMT"
    return {"x-amz-expiration": f'expiry-date="{date}", rule-id="{quote(rule_id, safe="")}"'}


def due_keys(bucket: MemoryBucket, now: datetime, days: int | None = None) -> Iterator[str]:
    """Yield the keys of current objects that S3 deletes now; `days` replaces the rules' days."""
    for rule in read_rules(bucket.lifecycle):
        for key, stored in bucket.versions.items():
            version = stored[0]
            if rule.days is None or version.is_marker or not key.startswith(rule.prefix):
                continue
            if expires_at(version.modified_at, days or rule.days) <= now:
                yield key


def remove_noncurrent_versions(bucket: MemoryBucket, now: datetime) -> None:
    """Remove expired noncurrent versions, and delete markers without noncurrent versions."""
    for rule in read_rules(bucket.lifecycle):
        for key in [key for key in bucket.versions if key.startswith(rule.prefix)]:
            stored = bucket.versions[key]
            if rule.noncurrent_days is not None:
                hidden_times = [version.modified_at for version in stored[:-1]]
                stored[1:] = [
                    version
                    for version, hidden_since in zip(stored[1:], hidden_times, strict=True)
                    if expires_at(hidden_since, rule.noncurrent_days) > now
                ]
            if rule.clears_markers and len(stored) == 1 and stored[0].is_marker:
                del bucket.versions[key]


def midnights(begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yield each midnight after `begin`, up to and including `end`."""
    midnight = datetime.combine(begin.date(), time(), UTC) + timedelta(days=1)
    while midnight <= end:
        yield midnight
        midnight += timedelta(days=1)


def rule_ids(raw: bytes) -> list[str]:
    """Return the IDs of the rules in the order of the XML."""
    return re.findall("<ID>(.*?)</ID>", raw.decode())
