"""Lifecycle rules on moto and on the real server: put, read again, taken away, put back."""

from datetime import UTC, datetime, timedelta

import pytest

from ci3.aws.bucket import BucketReader
from ci3.cli.main import main
from ci3.core.lifecycle.configuration import parse_configuration
from ci3.core.lifecycle.rule import ManagedRule, parse_managed_rule
from ci3.engine.lifecycle.update import ConfigurationUpdater
from tests.support.s3.moto_s3 import MotoBucket

FOREIGN = {
    "ID": "logs",
    "Status": "Enabled",
    "Filter": {"Prefix": "logs/"},
    "Expiration": {"Days": 30},
}
AT = datetime(2026, 12, 2, 10, tzinfo=UTC)


@pytest.fixture(params=["moto", "seaweedfs"])
def place(request, monkeypatch) -> tuple[object, str, str]:
    """An empty bucket on each server: its client, name and address."""
    if request.param == "moto":
        bucket: MotoBucket = request.getfixturevalue("moto_bucket")
        return bucket.client, bucket.name, bucket.endpoint_url
    server = request.getfixturevalue("seaweedfs")
    for name, value in server.environ().items():
        monkeypatch.setenv(name, value)
    name = f"rules-{abs(hash(request.node.name)) % 10**8}"
    server.client.create_bucket(Bucket=name)
    return server.client, name, server.url


def changer(place) -> ConfigurationUpdater:
    _, name, url = place
    reader = BucketReader(bucket=name, region="us-east-1", endpoint_url=url)
    return ConfigurationUpdater(reader=reader, sleep=lambda _: None)


def rule(name: str, **changes) -> ManagedRule:
    fields = {"prefix": f"{name}/", "days": 20, "noncurrent_days": 30, "expires_at": AT}
    return ManagedRule(**(fields | changes))


def put_foreign(place) -> None:
    client, name, _ = place
    client.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration={"Rules": [FOREIGN]}
    )


@pytest.mark.parametrize("has_others", [True, False])
def test_rules_are_put_read_again_and_taken_away(place, has_others: bool) -> None:
    if has_others:
        put_foreign(place)
    one = changer(place)
    before = one.reader.read_lifecycle()
    rules = [rule("a b"), rule("é&<x>"), rule("plain", noncurrent_days=None)]

    assert one.update(add=rules).problem == ""
    now = one.reader.read_lifecycle().text
    managed = [each.rule_id for each in now.rules if parse_managed_rule(each.rule)]
    assert managed == [each.rule_id for each in rules]

    follower = rule("other", days=None)
    assert one.update(remove=[rules[1].rule_id], add=[follower]).problem == ""
    now = one.reader.read_lifecycle().text
    left = [each.rule_id for each in now.rules if parse_managed_rule(each.rule)]
    assert one.update(remove=left).problem == ""
    assert one.reader.read_lifecycle().text.normalized_rules == before.text.normalized_rules


@pytest.mark.parametrize("has_others", [True, False])
def test_saved_configuration_is_put_back(place, has_others: bool) -> None:
    if has_others:
        put_foreign(place)
    one = changer(place)
    before = one.reader.read_lifecycle()
    change = one.update(add=[rule("old")])
    assert change.problem == ""
    assert one.roll_back(change.before, [rule("old")]) == ""
    assert one.reader.read_lifecycle().text.normalized_rules == before.text.normalized_rules


def test_leftover_rule_is_taken_away_by_a_run_with_any_engine(ci3, seaweedfs, monkeypatch) -> None:
    client, bucket = seaweedfs.client, "rules-left"
    for name, value in seaweedfs.environ().items():
        monkeypatch.setenv(name, value)
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="new/index.html", Body=b"new")
    made = changer((client, bucket, seaweedfs.url))
    put_foreign((client, bucket, seaweedfs.url))
    now = datetime.now(UTC).replace(microsecond=0)
    gone = rule("gone", noncurrent_days=None, expires_at=now + timedelta(days=5))
    left = [gone, rule("new", expires_at=now)]
    assert made.update(add=left).problem == ""

    code, _, _ = ci3("cleanup", "--bucket", bucket, "--auto-approve")

    assert code == 0
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [one["ID"] for one in rules] == ["logs"]


def test_s3_that_confirms_no_rule_gets_back_what_stood_there(
    moto_bucket: MotoBucket, capsys, monkeypatch
) -> None:
    """As moto: it takes rules, and does not tell by HeadObject what it would do by them."""
    bucket = moto_bucket
    monkeypatch.setattr("time.sleep", lambda _: None)
    bucket.deploy("new", days=1)
    bucket.deploy("old", days=20)
    put_foreign((bucket.client, bucket.name, bucket.endpoint_url))
    code = main(
        ["cleanup", *bucket.options(), "--keep-count", "1", "--engine", "lifecycle",
         "--auto-approve"]
    )  # fmt: skip
    assert code == 3
    assert "old/file-00000" in capsys.readouterr().out
    raw = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert [one["ID"] for one in raw] == ["logs"]
    assert len(bucket.keys()) == 6


def test_readers_text_is_what_the_server_sent(place) -> None:
    put_foreign(place)
    text = changer(place).reader.read_lifecycle().text
    assert text.raw.startswith(b"<")
    assert parse_configuration(text.raw) == text
