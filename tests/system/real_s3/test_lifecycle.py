"""Lifecycle rules on moto and on the real server: put, read, removed, rolled back."""

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
def server_bucket(request, monkeypatch) -> tuple[object, str, str]:
    """Return an empty bucket on each server: its client, name and URL."""
    if request.param == "moto":
        bucket: MotoBucket = request.getfixturevalue("moto_bucket")
        return bucket.client, bucket.name, bucket.endpoint_url
    server = request.getfixturevalue("seaweedfs")
    for name, value in server.environ().items():
        monkeypatch.setenv(name, value)
    name = f"rules-{abs(hash(request.node.name)) % 10**8}"
    server.client.create_bucket(Bucket=name)
    return server.client, name, server.url


def make_updater(server_bucket) -> ConfigurationUpdater:
    _, name, url = server_bucket
    reader = BucketReader(bucket=name, region="us-east-1", endpoint_url=url)
    return ConfigurationUpdater(reader=reader, sleep=lambda _: None)


def make_rule(name: str, **changes) -> ManagedRule:
    fields = {"prefix": f"{name}/", "days": 20, "noncurrent_days": 30, "expires_at": AT}
    return ManagedRule(**(fields | changes))


def put_foreign(server_bucket) -> None:
    client, name, _ = server_bucket
    client.put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration={"Rules": [FOREIGN]}
    )


@pytest.mark.parametrize("has_others", [True, False])
def test_rules_are_put_read_and_removed(server_bucket, has_others: bool) -> None:
    if has_others:
        put_foreign(server_bucket)
    updater = make_updater(server_bucket)
    before = updater.reader.read_lifecycle()
    rules = [make_rule("a b"), make_rule("é&<x>"), make_rule("plain", noncurrent_days=None)]

    assert updater.update(add=rules).problem == ""
    configuration = updater.reader.read_lifecycle().text
    managed = [entry.rule_id for entry in configuration.rules if parse_managed_rule(entry.rule)]
    assert managed == [rule.rule_id for rule in rules]

    new_rule = make_rule("other", days=None)
    assert updater.update(remove=[rules[1].rule_id], add=[new_rule]).problem == ""
    configuration = updater.reader.read_lifecycle().text
    remaining_ids = [
        entry.rule_id for entry in configuration.rules if parse_managed_rule(entry.rule)
    ]
    assert updater.update(remove=remaining_ids).problem == ""
    assert updater.reader.read_lifecycle().text.normalized_rules == before.text.normalized_rules


@pytest.mark.parametrize("has_others", [True, False])
def test_saved_configuration_is_rolled_back(server_bucket, has_others: bool) -> None:
    if has_others:
        put_foreign(server_bucket)
    updater = make_updater(server_bucket)
    before = updater.reader.read_lifecycle()
    change = updater.update(add=[make_rule("old")])
    assert change.problem == ""
    assert updater.roll_back(change.before, [make_rule("old")]) == ""
    assert updater.reader.read_lifecycle().text.normalized_rules == before.text.normalized_rules


def test_leftover_rule_is_removed_by_a_run_with_any_engine(ci3, seaweedfs, monkeypatch) -> None:
    client, bucket = seaweedfs.client, "rules-left"
    for name, value in seaweedfs.environ().items():
        monkeypatch.setenv(name, value)
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="new/index.html", Body=b"new")
    updater = make_updater((client, bucket, seaweedfs.url))
    put_foreign((client, bucket, seaweedfs.url))
    now = datetime.now(UTC).replace(microsecond=0)
    orphaned = make_rule("gone", noncurrent_days=None, expires_at=now + timedelta(days=5))
    leftover_rules = [orphaned, make_rule("new", expires_at=now)]
    assert updater.update(add=leftover_rules).problem == ""

    code, _, _ = ci3("cleanup", "--bucket", bucket, "--auto-approve")

    assert code == 0
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["ID"] for rule in rules] == ["logs"]


def test_rules_are_rolled_back_if_s3_confirms_no_rule(
    moto_bucket: MotoBucket, capsys, monkeypatch
) -> None:
    """Use moto: it accepts rules, but its HeadObject does not return their expiration."""
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
    rules = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert [rule["ID"] for rule in rules] == ["logs"]
    assert len(bucket.keys()) == 6


def test_configuration_text_is_the_servers_response(server_bucket) -> None:
    put_foreign(server_bucket)
    text = make_updater(server_bucket).reader.read_lifecycle().text
    assert text.raw.startswith(b"<")
    assert parse_configuration(text.raw) == text
