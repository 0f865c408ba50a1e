"""Rules that ci3 follows on each store, also on a store that ignores a condition."""

import json
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from ci3.aws.bucket import BucketReader
from ci3.cli.main import main
from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.model.result import DeleteGuard
from ci3.engine.lifecycle.update import ConfigurationUpdater
from ci3.errors import AccessError
from tests.support import crash
from tests.support.cleanup_run import CleanupRun, apply_plan, make_context
from tests.support.journals import read_outcomes, read_records
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import Answer
from tests.system.stores.conftest import LARGE_COUNT, RELEASES, SPACED, UNUSUAL

ABSENT = {"Key": "absent/x", "ETag": f'"{"0" * 32}"'}
DELETE = r"\?delete"
JOURNALS = ".ci3/journals/"
AUTO = "--auto-approve"


def merge(rounds):
    return {key: body for content in rounds for key, body in content.items()}


def select_folders(content, *names):
    """Return the objects in these deployments; a key without a slash is in none."""
    return {
        key: body for key, body in content.items() if "/" in key and key.partition("/")[0] in names
    }


def require_versions(store):
    if not store.has_versions:
        pytest.skip(f"{store.server.name} keeps no versions")


def sum_sizes(content):
    return sum(map(len, content.values()))


@pytest.mark.parametrize("rounds", [UNUSUAL, SPACED], ids=["unusual", "spaced"])
def test_plan_lists_every_object_under_its_own_key(store, ci3, rounds):
    bucket = "unusual-kept" if rounds is UNUSUAL else "spaced"
    before = store.server.content(bucket)
    assert before == merge(rounds)

    exit_code, out, err = ci3(
        *("plan-cleanup", "--bucket", bucket, "--match", ".*", "--keep-count", "2"),
        *("--output", "json"),
    )

    assert exit_code == 0, err
    plan = json.loads(out)
    listed = {
        row["name"]: (row["decision"], row["object_count"], row["size_bytes"])
        for row in plan["deployments"]
    }
    to_delete = ("a", "ab") if rounds is UNUSUAL else (" v1", "old")
    assert listed == {
        name: ("delete" if name in to_delete else "keep", len(content), sum_sizes(content))
        for name in {key.partition("/")[0] for key in before if "/" in key}
        for content in [select_folders(before, name)]
    }
    assert store.server.content(bucket) == before
    store.findings["plan"] = "yes"


def test_apply_deletes_the_planned_objects_and_no_others(store, ci3):
    before = store.server.content("unusual")

    exit_code, out, err = ci3("cleanup", "--bucket", "unusual", "--keep-count", "2", AUTO)

    assert exit_code == 0, out + err
    deleted = select_folders(before, "a", "ab")
    assert len(deleted) == len(UNUSUAL[0]) - 2  # two objects are in no folder
    assert store.server.content("unusual") == {
        key: body for key, body in before.items() if key not in deleted
    }
    (journal,) = Path().glob("ci3-journal-*.jsonl")
    journaled = {row["key"]: row["outcome"] for row in read_outcomes(read_records(journal))}
    assert journaled.keys() == deleted.keys()
    # s3rver removes empty folders while it deletes: it may answer 500 although all is deleted.
    accepted = {"deleted", "absent"} if store.server.name == "s3rver" else {"deleted"}
    assert set(journaled.values()) <= accepted


def test_keys_that_differ_only_in_outer_white_space_are_distinguished(store, ci3, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # pauses before retries
    before = store.server.content("spaced")

    exit_code, out, err = ci3(
        *("cleanup", "--bucket", "spaced", "--match", ".*", "--keep-count", "1"),
        *("--protect", "v1", AUTO),
    )

    after = store.server.content("spaced")
    assert select_folders(after, "v1", "v2") == select_folders(before, "v1", "v2")
    assert after.keys() == select_folders(before, "v1", "v2").keys()
    assert exit_code == 0, out + err


def test_deployment_larger_than_a_page_is_deleted_completely(store, ci3):
    exit_code, out, err = ci3(
        *("cleanup", "--bucket", "large", "--keep-count", "1", AUTO, "--journal-file", "j.jsonl")
    )

    assert exit_code == 0, out + err
    assert store.server.content("large") == {"new/x": b"n"}
    assert len(read_outcomes(read_records("j.jsonl"))) == LARGE_COUNT
    batches = [row for row in read_records("j.jsonl") if row["record"] == "intent"]
    assert len(batches) < LARGE_COUNT / 100
    store.findings["delete in batches"] = "yes"


def test_conditional_deletes_are_honored_or_reported_as_ignored(store, proxy):
    server = store.server
    response = server.client.delete_objects(Bucket="conditional", Delete={"Objects": [ABSENT]})
    is_honored_in_batches = bool(response.get("Errors"))
    is_honored_singly = not server.accepts(
        "delete_object", Bucket="conditional", Key=ABSENT["Key"], IfMatch=ABSENT["ETag"]
    )
    guard, finding = {
        (True, True): (DeleteGuard.ETAG, "honored"),
        (True, False): (DeleteGuard.ETAG_SINGLE, "honored for single objects, ignored in batches"),
        (False, False): (DeleteGuard.NONE, "ignored"),
    }[is_honored_singly, is_honored_in_batches]
    proxy.call_before(
        "POST",
        DELETE,
        lambda: server.client.put_object(Bucket="conditional", Key="v1/b", Body=b"new"),
        nth=1 if guard is DeleteGuard.ETAG else 2,  # the first request is a probe
    )

    context = make_context(SimpleNamespace(name="conditional", endpoint_url=proxy.url))
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    run = CleanupRun(plan=plan, result=apply_plan(context, plan, reader, is_fresh=True))

    assert run.result.guard.guard is guard
    remaining = server.content("conditional")
    assert select_folders(remaining, "v3") == RELEASES[2]
    if guard is DeleteGuard.ETAG:
        assert (run.exit_code, run.counts("v1")) == (3, {"deleted": 2, "changed": 1})
        assert remaining == RELEASES[2] | {"v1/b": b"new"}
    store.findings["conditional delete"] = finding


@pytest.fixture
def kill_run(store, proxy, monkeypatch):
    """Return a function that kills a run in its second batch of two objects."""
    crash.small_batches(monkeypatch)

    def kill(bucket, *, is_done):
        site = SimpleNamespace(
            options=lambda: ["--bucket", bucket, "--endpoint-url", proxy.url],
            remove=lambda key: store.server.client.delete_object(Bucket=bucket, Key=key),
        )
        crash.crash(site, proxy, 2, is_done=is_done)

    return kill


def test_killed_run_is_resumed_from_its_journal(store, kill_run):
    kill_run("killed", is_done=True)
    assert len(store.server.content("killed")) == 3 + 2

    assert crash.resume() == 0

    assert store.server.content("killed") == RELEASES[2]
    assert read_records("j.jsonl")[-1] == {"record": "end", "stopped": ""}
    store.findings["resume"] = "yes"


def ignores_if_none_match(server, bucket):
    """Return whether a store overwrites an object despite `If-None-Match: *`."""
    key = "if-none-match"
    server.client.put_object(Bucket=bucket, Key=key, Body=b"1")
    return server.accepts("put_object", Bucket=bucket, Key=key, Body=b"2", IfNoneMatch="*")


def kill_with_stored_journal(store, proxy, bucket):
    """Kill a cleanup during its second batch; return the journal's address."""
    refused = Answer(status=403, body=error("AccessDenied").encode(), headers={})

    def stop():
        proxy.answer("PUT", ".", error("AccessDenied"), status=403)

    for nth in range(2, 20):
        proxy._add_rule("POST", DELETE, nth, before=stop, canned=refused)
    options = ("--bucket", bucket, "--endpoint-url", proxy.url, "--keep-count", "1")
    assert main(["cleanup", *options, "--journal-file", "s3://", AUTO]) == 3
    proxy._rules.clear()
    keys = [key for key in store.server.content(bucket) if key.startswith(JOURNALS)]
    (folder,) = {key.rpartition("/")[0] for key in keys}
    return f"s3://{bucket}/{folder}/"


def remove_journals(content):
    return {
        key: body for key, body in content.items() if key != "if-none-match" and key[:5] != ".ci3/"
    }


def test_killed_run_is_resumed_from_a_stored_journal(store, proxy, ci3, monkeypatch):
    crash.small_batches(monkeypatch)
    address = kill_with_stored_journal(store, proxy, "journal")
    assert 3 < len(remove_journals(store.server.content("journal"))) < 9

    exit_code, out, err = ci3("cleanup", "--resume", address, AUTO, url=proxy.url)

    # A store that ignores If-None-Match may be a reason to refuse: then nothing more is deleted.
    is_ignored = ignores_if_none_match(store.server, "journal")
    assert exit_code == 0 or (is_ignored and exit_code == 4), out + err
    remaining = remove_journals(store.server.content("journal"))
    assert remaining == RELEASES[2] if exit_code == 0 else remaining.items() > RELEASES[2].items()
    finding = "yes" if exit_code == 0 else "written, not resumed"
    if is_ignored:
        finding += "; `If-None-Match` ignored"
    elif store.has_versions and ignores_if_none_match(store.server, "versions-supported"):
        finding += "; `If-None-Match` ignored in versioned buckets"
    store.findings["stored journal"] = finding


@pytest.mark.parametrize("bucket", ["journal-shared", "journal-versioned"])
def test_second_resume_of_a_stored_journal_is_prevented_or_causes_a_warning(
    store, proxy, ci3, monkeypatch, bucket
):
    if bucket == "journal-versioned":
        require_versions(store)
    crash.small_batches(monkeypatch)
    address = kill_with_stored_journal(store, proxy, bucket)
    second = []

    def resume_second():
        arguments = ("cleanup", "--resume", address, "--endpoint-url", proxy.url, AUTO)
        completed = subprocess.run(
            [sys.executable, "-m", "ci3", *arguments], capture_output=True, text=True, check=False
        )
        second.append((completed.returncode, completed.stdout + completed.stderr))

    proxy.call_before("PUT", JOURNALS, resume_second, nth=1)

    exit_code, out, err = ci3("cleanup", "--resume", address, AUTO, url=proxy.url)

    remaining = store.server.content(bucket)
    assert select_folders(remaining, "v3") == RELEASES[2]
    ((second_code, second_text),) = second
    assert (exit_code, second_code) != (0, 0) or all(
        "If-None-Match" in text for text in (out + err, second_text)
    )


def test_restore_without_versions_restores_nothing_and_reports_it(store, ci3):
    exit_code, out, err = ci3(
        *("cleanup", "--bucket", "permanent", "--keep-count", "1", AUTO),
        *("--journal-file", "j.jsonl"),
    )
    assert exit_code == 0, out + err
    assert store.server.content("permanent") == RELEASES[2]

    exit_code, out, err = ci3("restore", "j.jsonl", AUTO, url="")

    assert exit_code not in (0, 1), out + err
    assert store.server.content("permanent") == RELEASES[2]
    if not store.has_versions:
        store.findings.update(versions="no", restore="no: deletion is permanent")


def list_current_versions(server, bucket):
    versions = server.client.list_object_versions(Bucket=bucket).get("Versions", ())
    return {version["Key"]: version["VersionId"] for version in versions if version["IsLatest"]}


def test_restore_makes_exactly_the_deleted_versions_current_again(store, ci3):
    require_versions(store)
    before = list_current_versions(store.server, "restored")
    content = store.server.content("restored")
    arguments = ("--bucket", "restored", "--keep-count", "1", "--journal-file", "j.jsonl")
    exit_code, out, err = ci3("cleanup", *arguments, AUTO)
    assert exit_code == 0, out + err
    assert list_current_versions(store.server, "restored").items() < before.items()
    store.findings["versions"] = "yes"

    exit_code, out, err = ci3("restore", "j.jsonl", AUTO, url="")

    assert exit_code == 0, out + err
    assert list_current_versions(store.server, "restored") == before
    assert store.server.content("restored") == content
    store.findings["restore"] = "yes"


def test_restore_on_a_suspended_bucket_reports_objects_that_are_not_current(store, ci3):
    require_versions(store)
    store.server.set_versioning("suspended", "Suspended")
    before = store.server.content("suspended")
    arguments = ("--bucket", "suspended", "--keep-count", "1", "--journal-file", "j.jsonl")
    exit_code, out, err = ci3("cleanup", *arguments, AUTO)
    assert exit_code == 0, out + err
    assert store.server.content("suspended") == RELEASES[2]

    exit_code, out, err = ci3("restore", "j.jsonl", AUTO, url="")

    after = store.server.content("suspended")
    assert select_folders(after, "v3") == RELEASES[2]
    assert (exit_code == 0) == (after == before), out + err


def list_rule_ids(server, bucket):
    """Return the sorted IDs of a store's lifecycle rules; none if it does not support rules."""
    if not server.accepts("get_bucket_lifecycle_configuration", Bucket=bucket):
        return []
    response = server.client.get_bucket_lifecycle_configuration(Bucket=bucket)
    return sorted(rule["ID"] for rule in response.get("Rules", ()))


def test_lifecycle_rules_are_confirmed_or_removed_again(store, ci3, proxy):
    server, bucket = store.server, "lifecycle"
    foreign = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}}
    server.accepts(
        "put_bucket_lifecycle_configuration",
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [foreign | {"Expiration": {"Days": 30}}]},
    )
    before = list_rule_ids(server, bucket)
    reader = BucketReader(bucket=bucket, region="us-east-1", endpoint_url=server.url)
    updater = ConfigurationUpdater(reader=reader, sleep=lambda _: None)
    expires_at = datetime.now(UTC).replace(microsecond=0)
    rule = ManagedRule(prefix="v1/", days=20, noncurrent_days=None, expires_at=expires_at)
    finding = "no"
    # A store without lifecycle rules cannot be read; one that only stores them confirms nothing.
    with suppress(AccessError):
        change = updater.update(add=[rule])
        assert (change.problem == "") == (
            list_rule_ids(server, bucket) == sorted([*before, rule.rule_id])
        )
        if not change.problem:
            expiration = server.client.head_object(Bucket=bucket, Key="v1/a").get("Expiration", "")
            is_confirmed = rule.rule_id in expiration
            assert reader.find_expiration_rule("v1/a") == (rule.rule_id if is_confirmed else "")
            assert updater.roll_back(change.before, [rule]) == ""
            finding = "yes" if is_confirmed else "rules are stored, not confirmed"
    assert list_rule_ids(server, bucket) == before
    assert bool(before) == (finding != "no")

    exit_code, out, err = ci3(
        *("cleanup", "--bucket", bucket, "--keep-count", "1", "--engine", "lifecycle", AUTO)
    )

    # Objects of today are too new for a rule: they are deleted directly, or the run is refused.
    assert exit_code in (0, 3, 4), out + err
    remaining = server.content(bucket)
    assert remaining == RELEASES[2] if exit_code == 0 else remaining == merge(RELEASES), out + err
    assert list_rule_ids(server, bucket) == before
    store.findings["lifecycle"] = finding
