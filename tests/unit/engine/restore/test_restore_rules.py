"""Lifecycle rules of ours on what an undo brings back: taken away first, whoever made them."""

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
from tests.unit.engine.restore.undo import Undo, markers

FOREIGN = config(foreign_rule())
PUT, GET = ("PUT", r"\?lifecycle"), ("GET", r"\?lifecycle")
TOMORROW = datetime.now(UTC) + timedelta(days=1)
DENIED = (403, error("AccessDenied"))


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """A versioned site with one deployment to keep and two to delete, beside a rule of others."""
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
    made = ManagedRule(prefix=prefix, days=15, noncurrent_days=30, expires_at=expires_at)
    site.lifecycle = parse_configuration(site.lifecycle).with_rules([made.elements])


def hide(site: MemorySite, *keys: str) -> None:
    for key in keys:
        site.remove(key)


def since(site: MemorySite, name: str = "old-1") -> Undo:
    run = make_context(site)
    target = run.open_bucket().describe_target("")
    start = run.clock() - timedelta(hours=1)
    return Undo(site, source_since(target=target, name=name, since=start))


def half_hidden(site: MemorySite) -> None:
    """S3 has hidden two of three objects by the rule of an earlier run."""
    add_rule(site, "old-1/")
    hide(site, "old-1/file-00000", "old-1/file-00001")


def leave_to_s3(site: MemorySite) -> str:
    """Apply with engine: lifecycle, and give the journal's path."""
    run = make_context(site, engine="lifecycle")
    plan = run.make_plan(reader := run.open_bucket())
    result = delete_approved(run, approve_plan(run, plan, reader, is_fresh=True), reader)
    assert result.expiring_names == site.folders() - {"new"}
    return result.journal_file


def due(site: MemorySite, name: str = "old-1") -> list[str]:
    return [one for one in due_keys(site._bucket, TOMORROW) if one.startswith(f"{name}/")]


def test_rule_on_what_comes_back_since_a_time_goes_first(site: MemorySite) -> None:
    half_hidden(site)
    add_rule(site, "old-2/")
    assert due(site)
    one = since(site)
    assert (one.plan.object_count, len(one.plan.rule_ids), one.plan.notes) == (2, 1, ())
    restored = one.run()
    assert (one.outcomes(restored), restored.rules_removed) == ({"restored": 2}, 1)
    assert restore_exit_code(one.plan, restored) is ExitCode.DONE
    assert (due(site), len(due(site, "old-2"))) == ([], 3)
    writes = [each.method for each in site.proxy.requests if each.is_write]
    assert writes[0] == "PUT"


def test_rule_of_a_later_run_goes_where_an_earlier_journal_is_restored(site: MemorySite) -> None:
    journal_file = apply(site).result.journal_file
    for key, version_id in markers(site):
        if key in ("old-1/file-00000", "old-1/file-00001"):
            site.client.delete_object(Bucket=site.name, Key=key, VersionId=version_id)
    leave_to_s3(site)
    assert len(due(site)) == 2
    with open_journal(journal_file) as journal:
        one = Undo(site, source_from_journal(journal))
        assert (one.plan.object_count, len(one.plan.rule_ids)) == (4, 1)
        restored = one.run()
    assert (restored.rules_removed, restored.is_complete) == (1, True)
    assert site.lifecycle == FOREIGN
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.parametrize(
    ("prefix", "goes"),
    [("a/", True), ("a/old-1/", True), ("a/old-1/b/", True), ("a/old-10/", False), ("b/", False)],
)
def test_rule_on_a_folder_above_or_below_goes_too(
    site: MemorySite, prefix: str, goes: bool
) -> None:
    site.deploy("a/old-1", days=20)
    add_rule(site, prefix)
    run = make_context(site)
    start = run.clock() - timedelta(hours=1)
    target = run.open_bucket().describe_target("a/")
    one = Undo(site, source_since(target=target, name="old-1", since=start))
    assert bool(one.plan.rule_ids) is goes
    assert one.plan.has_work is goes
    if goes:
        assert one.run().rules_removed == 1
        assert site.lifecycle == FOREIGN


def test_rule_that_came_after_the_plan_goes_too(site: MemorySite) -> None:
    hide(site, "old-1/file-00000")
    one = since(site)
    assert one.plan.rule_ids == ()
    add_rule(site, "old-1/")
    assert one.run().rules_removed == 1
    assert site.lifecycle == FOREIGN


def test_rule_that_somebody_took_away_meanwhile_is_not_counted(site: MemorySite) -> None:
    half_hidden(site)
    one = since(site)
    site.lifecycle = FOREIGN
    restored = one.run()
    assert (one.outcomes(restored), restored.rules_removed) == ({"restored": 2}, 0)
    assert not site.proxy.find_requests(*PUT)


def test_nothing_comes_back_where_its_rule_can_not_be_taken_away(site: MemorySite) -> None:
    half_hidden(site)
    one = since(site)
    site.proxy.answer(*PUT, DENIED[1], status=DENIED[0])
    restored = one.run()
    assert (one.outcomes(restored), restored.rules_removed) == ({"failed": 2}, 0)
    assert "s3:PutLifecycleConfiguration" in restored.stop_reason
    assert restore_exit_code(one.plan, restored) is ExitCode.PARTIAL


def test_nothing_comes_back_where_rules_could_be_read_and_can_not_any_more(
    site: MemorySite,
) -> None:
    hide(site, "old-1/file-00000")
    one = since(site)
    site.proxy.answer(*GET, DENIED[1], status=DENIED[0])
    restored = one.run()
    assert one.outcomes(restored) == {"failed": 1}
    assert "AccessDenied" in restored.stop_reason


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("status", "body"),
    [DENIED, (500, error("InternalError")), (200, "<html/>"), (200, ""), (404, "")],
)
def test_unread_rules_are_noted_and_do_not_hinder(site: MemorySite, status: int, body: str) -> None:
    half_hidden(site)
    site.proxy.answer(*GET, body, status=status)
    one = since(site)
    (note,) = one.plan.notes
    assert "s3:GetLifecycleConfiguration" in note
    restored = one.run()
    assert (one.outcomes(restored), restored.is_complete) == ({"restored": 2}, True)
    assert not site.proxy.find_requests(*PUT)


@pytest.mark.parametrize(
    ("status", "body"),
    [(501, ""), (501, error("NotImplemented")), (405, error("MethodNotAllowed"))],
)
def test_s3_without_lifecycle_rules_is_restored_as_ever(
    site: MemorySite, status: int, body: str
) -> None:
    hide(site, "old-1/file-00000")
    site.proxy.answer(*GET, body, status=status)
    one = since(site)
    assert one.plan.notes == ()
    assert one.outcomes(one.run()) == {"restored": 1}


def test_bucket_without_any_rule_is_restored_as_ever(site: MemorySite) -> None:
    site.lifecycle = b""
    hide(site, "old-1/file-00000")
    one = since(site)
    assert (one.plan.rule_ids, one.plan.notes) == ((), ())
    assert one.outcomes(one.run()) == {"restored": 1}
    assert not site.proxy.find_requests(*PUT)


def test_journal_that_tells_of_rules_is_not_restored_while_they_can_not_be_read(
    site: MemorySite,
) -> None:
    journal_file = leave_to_s3(site)
    site.proxy.answer(*GET, DENIED[1], status=DENIED[0])
    with open_journal(journal_file) as journal, pytest.raises(AccessError, match="AccessDenied"):
        Undo(site, source_from_journal(journal))
    assert len(rule_ids(site.lifecycle)) == 3


def test_rules_of_others_stay_byte_for_byte(site: MemorySite) -> None:
    site.lifecycle = config(foreign_rule("theirs", "old-1/"))
    before = site.lifecycle
    half_hidden(site)
    since(site).run()
    assert site.lifecycle == before


def test_rule_that_only_looks_like_ours_is_left_alone_and_told(site: MemorySite) -> None:
    half_hidden(site)
    site.lifecycle = before = site.lifecycle.replace(b"<Prefix>old-1/<", b"<Prefix>old-1<")
    one = since(site)
    assert one.plan.rule_ids == ()
    (note,) = one.plan.notes
    assert "ci3/old-1/" in note
    one.run()
    assert site.lifecycle == before
