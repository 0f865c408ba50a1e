"""Versions with the ID `null`, which an upload may replace, are listed again before deletion."""

from dataclasses import replace

import pytest

from ci3.aws.deletion.outcomes import DELETED, KeyOutcome
from ci3.core.model.deployment import Versioning
from ci3.core.model.objects import NULL_VERSION_ID, StoredVersion
from ci3.core.model.result import DeleteGuard, ObjectOutcome
from ci3.engine.deletion import version_sender
from ci3.engine.deletion.sender import FRESH_SECONDS, BatchPart
from ci3.engine.deletion.version_sender import VersionSender
from ci3.engine.deletion.versions import describe_version_guard
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from tests.support.builders import NOW


def make_version(key, version_id=NULL_VERSION_ID, etag='"e"'):
    return StoredVersion(
        key=key,
        version_id=version_id,
        is_latest=True,
        is_delete_marker=False,
        etag=etag,
        size_bytes=1,
        modified_at=NOW,
    )


A, B, NAMED = make_version("old/x/a"), make_version("old/x/b"), make_version("old/c", "1")
CHANGED_A = replace(A, etag='"other"')
THROTTLED = KeyOutcome(outcome=ObjectOutcome.FAILED, can_retry=True)


class FakeBucket:
    """The versions that exist, a clock that only the test moves, and a log of requests."""

    def __init__(self, *versions, answers=()):
        self.versions = versions
        self.answers = list(answers)
        self.seconds = 0.0
        self.log = []
        self.sender = VersionSender(
            reader=self,
            remover=self,
            control=RunControl(
                progress=NoProgress(), sleep=lambda _: None, monotonic=lambda: self.seconds
            ),
        )

    def list_all_versions(self, prefix):
        self.log.append(prefix)
        return [item for item in self.versions if item.key.startswith(prefix)]

    def remove_versions(self, identities, *, is_null_allowed, may_continue):
        assert is_null_allowed
        assert may_continue()
        self.log.append([key for key, _ in identities])
        outcome = self.answers.pop(0) if self.answers else DELETED
        return dict.fromkeys(identities, outcome)

    def send(self, *versions, listed_at=0.0):
        """Send versions; return the outcome of each by key."""
        part = BatchPart(name="old", prefix="old/", entries=versions, listed_at=listed_at)
        outcomes = self.sender.send([part])
        return {key: outcome.outcome for (key, _), outcome in outcomes.items()}


@pytest.fixture(autouse=True)
def _list_from_fake(monkeypatch):
    monkeypatch.setattr(
        version_sender, "list_all_versions", lambda reader, prefix: reader.list_all_versions(prefix)
    )


@pytest.mark.parametrize(
    ("versions", "age", "listed"),
    [
        ((A, B, NAMED), 0, []),
        ((A, B, NAMED), FRESH_SECONDS, ["old/x/"]),
        ((A, NAMED), FRESH_SECONDS, ["old/x/a"]),
        ((NAMED,), FRESH_SECONDS, []),
    ],
)
def test_only_null_versions_whose_listing_is_stale_are_listed_again(versions, age, listed):
    bucket = FakeBucket(*versions)
    bucket.seconds = age
    keys = [item.key for item in versions]

    assert bucket.send(*versions) == dict.fromkeys(keys, ObjectOutcome.DELETED)
    assert bucket.log == [*listed, keys]


def test_null_versions_are_listed_again_before_each_retry():
    bucket = FakeBucket(A, answers=[THROTTLED])

    assert bucket.send(A) == {"old/x/a": ObjectOutcome.DELETED}
    assert bucket.log == [["old/x/a"], "old/x/a", ["old/x/a"]]


def test_null_version_that_no_longer_exists_is_absent_and_the_others_are_sent():
    bucket = FakeBucket(B, NAMED)
    bucket.seconds = FRESH_SECONDS

    assert bucket.send(A, B, NAMED) == {
        "old/x/a": ObjectOutcome.ABSENT,
        "old/x/b": ObjectOutcome.DELETED,
        "old/c": ObjectOutcome.DELETED,
    }


def test_changed_null_version_keeps_its_deployment():
    bucket = FakeBucket(CHANGED_A, NAMED)
    bucket.seconds = FRESH_SECONDS

    assert bucket.send(A, B, NAMED) == {
        "old/x/a": ObjectOutcome.CHANGED,
        "old/x/b": ObjectOutcome.ABSENT,
        "old/c": ObjectOutcome.CHANGED,
    }
    assert bucket.log == ["old/x/"]


def test_after_a_change_even_a_fresh_null_version_of_the_deployment_is_kept():
    bucket = FakeBucket(CHANGED_A, B)
    bucket.seconds = FRESH_SECONDS
    bucket.send(A)

    assert bucket.send(B, listed_at=FRESH_SECONDS) == {"old/x/b": ObjectOutcome.CHANGED}
    assert bucket.log == ["old/x/a", "old/x/b"]


@pytest.mark.parametrize("versioning", Versioning)
def test_guard_of_versions_has_an_exception_only_while_versioning_is_suspended(versioning):
    guard = describe_version_guard(versioning)
    assert guard.guard is DeleteGuard.VERSION_ID
    assert bool(guard.reason) is (versioning is Versioning.SUSPENDED)


def test_null_version_that_cannot_be_listed_is_not_sent():
    bucket = FakeBucket(A)
    bucket.seconds = 100.0

    def fail(_prefix):
        raise OSError("no route")

    bucket.list_all_versions = fail
    assert bucket.send(A) == {"old/x/a": ObjectOutcome.FAILED}
    assert bucket.log == []


def test_requests_for_a_batch_end_when_the_run_is_stopped():
    bucket = FakeBucket(A, B)
    may_continue_states = []

    def stop_run(identities, *, is_null_allowed, may_continue):
        may_continue_states.append(may_continue())
        bucket.sender.control.stop("timeout")
        may_continue_states.append(may_continue())
        return {}

    bucket.remove_versions = stop_run
    bucket.send(A, B)
    assert may_continue_states == [True, False]
