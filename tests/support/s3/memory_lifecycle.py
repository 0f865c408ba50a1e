"""S3's lifecycle in memory, read from the XML on its own: what expires when, and what is deleted.

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

MOST_RULES = 1000
MINIMUM = "x-amz-transition-default-minimum-object-size"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What counts of an enabled rule."""

    rule_id: str
    prefix: str
    days: int | None
    noncurrent_days: int | None
    clears_markers: bool


def answer(bucket: MemoryBucket, request: Request) -> Answer:
    """Answer a request for the configuration, as S3 does."""
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
        rules = [one for one in parse(request.body) if local_name(one) == "Rule"]
    except ET.ParseError:
        rules = []
    if not 0 < len(rules) <= MOST_RULES:
        return error(400, "MalformedXML")
    ids = [found for one in rules if (found := texts(one).get("ID"))]
    if len(set(ids)) < len(ids):
        return error(400, "InvalidArgument")
    headers = {name.lower(): value for name, value in request.headers.items()}
    bucket.lifecycle = request.body
    bucket.transition_minimum = headers.get(MINIMUM, "all_storage_classes_128K")
    return Answer(status=200, body=b"", headers={MINIMUM: bucket.transition_minimum})


@cache
def read_rules(raw: bytes) -> tuple[Rule, ...]:
    """Read what counts of each enabled rule."""
    return tuple(_rule(one) for one in (parse(raw) if raw else ()) if local_name(one) == "Rule")


def _rule(element: ET.Element) -> Rule:
    parts = {local_name(one): one for one in element}
    expiration = texts(parts.get("Expiration", ()))
    noncurrent = texts(parts.get("NoncurrentVersionExpiration", ()))
    is_on = texts(element).get("Status") == "Enabled"
    where = texts(parts["Filter"]) if "Filter" in parts else texts(element)
    return Rule(
        rule_id=texts(element).get("ID", ""),
        prefix=where.get("Prefix", ""),
        days=int(expiration["Days"]) if is_on and "Days" in expiration else None,
        noncurrent_days=int(noncurrent["NoncurrentDays"]) if is_on and noncurrent else None,
        clears_markers=is_on and expiration.get("ExpiredObjectDeleteMarker") == "true",
    )


def expires_at(modified_at: datetime, days: int) -> datetime:
    """Add days, and round up to midnight UTC."""
    at = modified_at + timedelta(days=days)
    midnight = datetime.combine(at.date(), time(), UTC)
    return midnight if midnight == at else midnight + timedelta(days=1)


def expiration_header(bucket: MemoryBucket, key: str, one: Version) -> dict[str, str]:
    """Name the rule that expires an object first, as HeadObject does."""
    due = [
        (expires_at(one.modified_at, rule.days), rule.rule_id)
        for rule in read_rules(bucket.lifecycle)
        if rule.days is not None and key.startswith(rule.prefix)
    ]
    if not due:
        return {}
    at, rule_id = min(due)
    date = f"{at:%a, %d %b %Y %H:%M:%S} GMT"
    return {"x-amz-expiration": f'expiry-date="{date}", rule-id="{quote(rule_id, safe="")}"'}


def due_keys(bucket: MemoryBucket, now: datetime, days: int | None = None) -> Iterator[str]:
    """Name the current objects that S3 deletes now; `days` stands for what each rule says."""
    for rule in read_rules(bucket.lifecycle):
        for key, stored in bucket.versions.items():
            one = stored[0]
            if rule.days is None or one.is_marker or not key.startswith(rule.prefix):
                continue
            if expires_at(one.modified_at, days or rule.days) <= now:
                yield key


def clear_old_versions(bucket: MemoryBucket, now: datetime) -> None:
    """Remove versions that have been hidden for long enough, and markers that hide nothing."""
    for rule in read_rules(bucket.lifecycle):
        for key in [one for one in bucket.versions if one.startswith(rule.prefix)]:
            stored = bucket.versions[key]
            if rule.noncurrent_days is not None:
                hidden_at = [one.modified_at for one in stored[:-1]]
                stored[1:] = [
                    one
                    for one, at in zip(stored[1:], hidden_at, strict=True)
                    if expires_at(at, rule.noncurrent_days) > now
                ]
            if rule.clears_markers and len(stored) == 1 and stored[0].is_marker:
                del bucket.versions[key]


def midnights(begin: datetime, end: datetime) -> Iterator[datetime]:
    """Give each midnight after one time, up to another."""
    at = datetime.combine(begin.date(), time(), UTC) + timedelta(days=1)
    while at <= end:
        yield at
        at += timedelta(days=1)


def rule_ids(raw: bytes) -> list[str]:
    """Name the rules as they stand in the text."""
    return re.findall("<ID>(.*?)</ID>", raw.decode())
