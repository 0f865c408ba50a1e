"""A restore first removes the managed rules on the deployment, whichever run created them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ci3.core.lifecycle.configuration import parse_configuration
from ci3.core.lifecycle.rule import ManagedRule
from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.restore import restore_exit_code
from ci3.engine.restore.sources import source_from_journal, source_since
from ci3.errors import AccessError, ExitCode
from ci3.pipeline.approval import approve_plan
from tests.support.cleanup_run import apply, delete_approved, make_context
from tests.support.s3.answers import error
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import due_keys, rule_ids
from tests.support.s3.memory_site import MemorySite, intercept_requests
from tests.unit.engine.restore.restore_run import RestoreRun, list_markers

FOREIGN = config(foreign_rule())
PUT, GET = ("PUT", r"\?lifecycle"), ("GET", r"\?lifecycle")
DENIED = (403, error("AccessDenied"))


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """A versioned site with one deployment to keep, two to delete, and a foreign rule."""
    site = MemorySite()
    site.enable_versioning()
    site.deploy("new", days=1)
    for days, name in enumerate(("old-1", "old-2"), start=20):
        site.deploy(name, days=days)
    site.lifecycle = FOREIGN
    with intercept_requests(site.proxy.handle):
        yield site


def add_rule(site: MemorySite, prefix: str) -> None:
    expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=6)
    rule = ManagedRule(prefix=prefix, days=15, noncurrent_days=30, expires_at=expires_at)
    site.lifecycle = parse_configuration(site.lifecycle).with_rules([rule.elements])


def delete_objects(site: MemorySite, *keys: str) -> None:
    for key in keys:
        site.remove(key)


def plan_restore_of_last_hour(site: MemorySite, name: str = "old-1") -> RestoreRun:
    context = make_context(site)
    target = context.open_bucket().describe_target("")
    start = context.clock() - timedelta(hours=1)
    return RestoreRun(site, source_since(target=target, name=name, since=start))


def expire_two_objects(site: MemorySite) -> None:
    """Delete two of three objects as S3 does for the rule of an earlier run."""
    add_rule(site, "old-1/")
    delete_objects(site, "old-1/file-00000", "old-1/file-00001")


def apply_with_lifecycle_engine(site: MemorySite) -> str:
    """Apply with `engine: lifecycle` and return the journal's path."""
    context = make_context(site, engine="lifecycle")
    plan = context.make_plan(reader := context.open_bucket())
    result = delete_approved(context, approve_plan(context, plan, reader, is_fresh=True), reader)
    assert result.expiring_names == site.folders() - {"new"}
    return result.journal_file


def list_due_keys(site: MemorySite, name: str = "old-1") -> list[str]:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return [key for key in due_keys(site._bucket, tomorrow) if key.startswith(f"{name}/")]


def test_rule_on_a_restored_deployment_is_removed_first(site: MemorySite) -> None:
    expire_two_objects(site)
    add_rule(site, "old-2/")
    assert list_due_keys(site)
    restore_run = plan_restore_of_last_hour(site)
    assert (
        restore_run.plan.object_count,
        len(restore_run.plan.rule_ids),
        restore_run.plan.notes,
    ) == (2, 1, ())
    result = restore_run.run()
    assert (restore_run.count_outcomes(result), result.rules_removed) == ({"restored": 2}, 1)
    assert restore_exit_code(restore_run.plan, result) is ExitCode.DONE
    assert (list_due_keys(site), len(list_due_keys(site, "old-2"))) == ([], 3)
    writes = [request.method for request in site.proxy.requests if request.is_write]
    assert writes[0] == "PUT"


def test_rule_of_a_later_run_is_removed_when_an_earlier_journal_is_restored(
    site: MemorySite,
) -> None:
    journal_file = apply(site).result.journal_file
    for key, version_id in list_markers(site):
        if key in ("old-1/file-00000", "old-1/file-00001"):
            site.client.delete_object(Bucket=site.name, Key=key, VersionId=version_id)
    apply_with_lifecycle_engine(site)
    assert len(list_due_keys(site)) == 2
    with open_journal(journal_file) as journal:
        restore_run = RestoreRun(site, source_from_journal(journal))
        assert (restore_run.plan.object_count, len(restore_run.plan.rule_ids)) == (4, 1)
        result = restore_run.run()
    assert (result.rules_removed, result.is_complete) == (1, True)
    assert site.lifecycle == FOREIGN
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.parametrize(
    ("prefix", "is_removed"),
    [("a/", True), ("a/old-1/", True), ("a/old-1/b/", True), ("a/old-10/", False), ("b/", False)],
)
def test_rule_on_a_folder_above_or_below_is_removed(
    site: MemorySite, prefix: str, is_removed: bool
) -> None:
    site.deploy("a/old-1", days=20)
    add_rule(site, prefix)
    context = make_context(site)
    start = context.clock() - timedelta(hours=1)
    target = context.open_bucket().describe_target("a/")
    restore_run = RestoreRun(site, source_since(target=target, name="old-1", since=start))
    assert bool(restore_run.plan.rule_ids) is is_removed
    assert restore_run.plan.has_work is is_removed
    if is_removed:
        assert restore_run.run().rules_removed == 1
        assert site.lifecycle == FOREIGN


def test_rule_added_after_the_plan_is_removed(site: MemorySite) -> None:
    delete_objects(site, "old-1/file-00000")
    restore_run = plan_restore_of_last_hour(site)
    assert restore_run.plan.rule_ids == ()
    add_rule(site, "old-1/")
    assert restore_run.run().rules_removed == 1
    assert site.lifecycle == FOREIGN


def test_rule_that_another_client_removed_is_not_counted(site: MemorySite) -> None:
    expire_two_objects(site)
    restore_run = plan_restore_of_last_hour(site)
    site.lifecycle = FOREIGN
    result = restore_run.run()
    assert (restore_run.count_outcomes(result), result.rules_removed) == ({"restored": 2}, 0)
    assert not site.proxy.find_requests(*PUT)


def test_nothing_is_restored_if_its_rule_cannot_be_removed(site: MemorySite) -> None:
    expire_two_objects(site)
    restore_run = plan_restore_of_last_hour(site)
    site.proxy.answer(*PUT, DENIED[1], status=DENIED[0])
    result = restore_run.run()
    assert (restore_run.count_outcomes(result), result.rules_removed) == ({"failed": 2}, 0)
    assert "s3:PutLifecycleConfiguration" in result.stop_reason
    assert restore_exit_code(restore_run.plan, result) is ExitCode.PARTIAL


def test_nothing_is_restored_if_rules_cannot_be_read_after_the_plan(
    site: MemorySite,
) -> None:
    delete_objects(site, "old-1/file-00000")
    restore_run = plan_restore_of_last_hour(site)
    site.proxy.answer(*GET, DENIED[1], status=DENIED[0])
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"failed": 1}
    assert "AccessDenied" in result.stop_reason


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("status", "body"),
    [DENIED, (500, error("InternalError")), (200, "<html/>"), (200, ""), (404, "")],
)
def test_unreadable_rules_are_noted_and_objects_are_restored(
    site: MemorySite, status: int, body: str
) -> None:
    expire_two_objects(site)
    site.proxy.answer(*GET, body, status=status)
    restore_run = plan_restore_of_last_hour(site)
    (note,) = restore_run.plan.notes
    assert "s3:GetLifecycleConfiguration" in note
    result = restore_run.run()
    assert (restore_run.count_outcomes(result), result.is_complete) == ({"restored": 2}, True)
    assert not site.proxy.find_requests(*PUT)


@pytest.mark.parametrize(
    ("status", "body"),
    [(501, ""), (501, error("NotImplemented")), (405, error("MethodNotAllowed"))],
)
def test_s3_without_lifecycle_support_is_restored(site: MemorySite, status: int, body: str) -> None:
    delete_objects(site, "old-1/file-00000")
    site.proxy.answer(*GET, body, status=status)
    restore_run = plan_restore_of_last_hour(site)
    assert restore_run.plan.notes == ()
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 1}


def test_bucket_without_rules_is_restored(site: MemorySite) -> None:
    site.lifecycle = b""
    delete_objects(site, "old-1/file-00000")
    restore_run = plan_restore_of_last_hour(site)
    assert (restore_run.plan.rule_ids, restore_run.plan.notes) == ((), ())
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 1}
    assert not site.proxy.find_requests(*PUT)


def test_journal_with_rules_is_not_restored_if_rules_cannot_be_read(
    site: MemorySite,
) -> None:
    journal_file = apply_with_lifecycle_engine(site)
    site.proxy.answer(*GET, DENIED[1], status=DENIED[0])
    with open_journal(journal_file) as journal, pytest.raises(AccessError, match="AccessDenied"):
        RestoreRun(site, source_from_journal(journal))
    assert len(rule_ids(site.lifecycle)) == 3


def test_foreign_rules_stay_byte_for_byte(site: MemorySite) -> None:
    site.lifecycle = config(foreign_rule("theirs", "old-1/"))
    before = site.lifecycle
    expire_two_objects(site)
    plan_restore_of_last_hour(site).run()
    assert site.lifecycle == before


def test_rule_that_resembles_a_managed_rule_is_kept_and_reported(site: MemorySite) -> None:
    expire_two_objects(site)
    site.lifecycle = before = site.lifecycle.replace(b"<Prefix>old-1/<", b"<Prefix>old-1<")
    restore_run = plan_restore_of_last_hour(site)
    assert restore_run.plan.rule_ids == ()
    (note,) = restore_run.plan.notes
    assert "ci3/old-1/" in note
    restore_run.run()
    assert site.lifecycle == before
