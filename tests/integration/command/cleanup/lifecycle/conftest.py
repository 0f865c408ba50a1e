"""The bucket and the commands for the tests of `engine: lifecycle`."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ci3.cli.main import main
from ci3.core.lifecycle.configuration import parse_configuration
from ci3.core.lifecycle.rule import ManagedRule
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite, intercept_requests

FOREIGN = config(foreign_rule())
KEEP_1 = ("--keep-count", "1", "--match", ".*")
BY_S3 = (*KEEP_1, "--engine", "lifecycle")


@pytest.fixture
def site() -> Iterator[MemorySite]:
    site = MemorySite()
    site.deploy("new", days=1)
    for days, name in enumerate(("old-1", "old-2"), start=20):
        site.deploy(name, days=days)
    site.lifecycle = FOREIGN
    with intercept_requests(site.proxy.handle):
        yield site


def cleanup(site: MemorySite, *options: str, journal: str = "j.jsonl") -> int:
    return main(["cleanup", *site.options(), *options, "--auto-approve", "--journal-file", journal])


def expire(site: MemorySite, name: str) -> None:
    """Delete a deployment, as S3 does because of its lifecycle rule."""
    for key in [key for key in site.content() if key.startswith(f"{name}/")]:
        site.remove(key)


def add_rule(site: MemorySite, name: str, *, made_days_ago: float, days: int = 20) -> None:
    """Add a rule that an earlier run wrote."""
    now = datetime.now(UTC).replace(microsecond=0)
    expires_at = now + timedelta(days=7 - made_days_ago)
    rule = ManagedRule(prefix=f"{name}/", days=days, noncurrent_days=None, expires_at=expires_at)
    site.lifecycle = parse_configuration(site.lifecycle).with_rules([rule.elements])


def list_rule_names(site: MemorySite) -> list[str]:
    return [re.sub("ci3/(.*)/[0-9TZ]+", r"\1", rule_id) for rule_id in rule_ids(site.lifecycle)]
