"""The five guarantees hold in any order of events: deploys, plans, applies, crashes.

`make test` runs a few hundred steps, the same each time; `make soak` runs SOAK_STEPS random ones.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ci3.core.model.result import ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.restore.plan import ObjectRestoreOutcome
from ci3.engine.deletion.sender import FRESH_SECONDS
from ci3.errors import ExitCode, RefusedError
from tests.integration.faults import small_world
from tests.integration.faults.small_world import (
    INDEX,
    POINTER,
    ApplyRun,
    Crash,
    Event,
    Stored,
    World,
)

NAMES = ("a-1", "a-10", "a-2", "a-3", "a-4", "b-1", "b-2", "b-3")
"""Deployments of two groups; one name is a prefix of another one."""
FILES = ("app.js", "é +&.css", "\x01")
"""The last is deleted in a separate request, so that a run can crash between two requests."""
STEPS = 50
SOAK_STEPS = int(os.environ.get("SOAK_STEPS", "0"))
EXAMPLES = SOAK_STEPS // STEPS or 6

LIVE_READ_SECONDS = 10.0
"""A pointer object is read again before a deployment's first deletion after this time."""

names = st.sampled_from(NAMES)
files = st.lists(st.sampled_from(FILES), min_size=1, max_size=3, unique=True).map(tuple)
series = st.lists(names, min_size=3, max_size=6, unique=True)
_Item = TypeVar("_Item")
picks = st.integers(0, 9999)
requests = st.sampled_from(range(1, 24))
early_requests = st.sampled_from(range(1, 12))
"""Requests of a small apply before its last deletion."""
crashes = st.builds(
    Crash, at_request=st.sampled_from(range(4, 12)), is_request_handled=st.booleans()
)


def choose(items: Sequence[_Item], pick: int) -> _Item:
    return items[pick % len(items)]


def parse_group(name: str) -> str:
    return name[0]


def find_complete_by_group(objects: Stored) -> dict[str, set[str]]:
    """Return the complete deployments of each group."""
    names: dict[str, set[str]] = {}
    for key in objects:
        name, _, file = key.partition("/")
        if file == INDEX:
            names.setdefault(parse_group(name), set()).add(name)
    return names


class Interleavings(RuleBasedStateMachine):
    """The model is `expected`: all current objects. Only a run may delete some of them.

    A run has threads, so the same steps can have different results when Hypothesis repeats them.
    Therefore no drawn value and no precondition depends on earlier steps.
    """

    @initialize(
        is_versioned=st.booleans(),
        keep_count=st.integers(1, 2),
        has_pointer=st.booleans(),
        honours_if_none_match=st.booleans(),
    )
    def begin(
        self, is_versioned: bool, keep_count: int, has_pointer: bool, honours_if_none_match: bool
    ) -> None:
        for path in Path().glob("journal-*.jsonl"):
            path.unlink()
        self.world = World(
            is_versioned=is_versioned,
            keep_count=keep_count,
            has_pointer=has_pointer,
            honours_if_none_match=honours_if_none_match,
        )
        self.saved: list[Plan] = []
        self.journals: list[str] = []
        self.unfinished_run: ApplyRun | None = None
        self.restorable: tuple[Stored, str] | None = None
        self.versions: set[tuple[str, str]] = set()
        self.world.upload("robots.txt")
        self.deploy("a-1", ("app.js",))
        if has_pointer:
            self.world.point_to("a-1")
        self.update_model()

    def update_model(self) -> None:
        """Expect the current objects from now on."""
        self.expected = self.world.list_objects()
        self.versions |= self.world.list_versions()
        self.restorable = None

    # Actions of people and deploys.

    @rule(name=names, files=files)
    def deploy(self, name: str, files: tuple[str, ...]) -> None:
        self.world.pass_time(1)
        self.world.deploy(name, files=files)
        self.update_model()

    @rule(names=series, files=files)
    def deploy_series(self, names: list[str], files: tuple[str, ...]) -> None:
        self.deploy_all(names, files)

    def deploy_all(self, names: Sequence[str], files: tuple[str, ...]) -> None:
        for name in names:
            self.world.pass_time(1)
            self.world.deploy(name, files=files)
        self.update_model()

    @rule(name=names, file=st.sampled_from(FILES))
    def upload_partly(self, name: str, file: str) -> None:
        self.world.deploy(name, files=(file,), is_finished=False)
        self.update_model()

    @rule(pick=picks)
    def upload_the_same_bytes_again(self, pick: int) -> None:
        self.world.pass_time(1)
        self.world.upload(choose(sorted(self.expected), pick), has_same_bytes=True)
        self.update_model()

    @precondition(lambda self: self.world.has_pointer)
    @rule(pick=picks)
    def move_pointer(self, pick: int) -> None:
        if self.world.list_names():
            self.world.point_to(choose(self.world.list_names(), pick))
            self.update_model()

    @rule(hours=st.sampled_from([0.5, 1, 24, 24 * 7]))
    def wait(self, hours: float) -> None:
        self.world.pass_time(hours)

    @rule(name=names)
    def begin_multipart_upload(self, name: str) -> None:
        self.world.bucket.uploads[f"{name}/big", f"u{len(self.world.bucket.uploads)}"] = (
            self.world.now
        )

    # Commands of ci3.

    def make_plan(self) -> Plan:
        """Make a plan; if no group has a deployment to delete, deploy some first."""
        counts = map(len, find_complete_by_group(self.expected).values())
        if not any(count > self.world.keep_count for count in counts):
            self.deploy_all(NAMES[2:5], FILES)
        return self.world.plan()

    @rule()
    def save_plan(self) -> None:
        plan = self.make_plan()
        self.check_plan(plan)
        if plan.to_delete:
            self.saved.append(plan)

    @rule()
    def clean_up(self) -> None:
        self.apply(self.make_plan(), is_fresh=True)

    @rule(crash=crashes, is_stored=st.booleans())
    def clean_up_and_crash(self, crash: Crash, is_stored: bool) -> None:
        self.apply(self.make_plan(), is_fresh=True, crash=crash, is_stored=is_stored)

    @rule(at_request=requests, is_stored=st.booleans())
    def clean_up_until_timeout(self, at_request: int, is_stored: bool) -> None:
        """The timeout passes at any request, also between two requests of a deployment."""

        def pass_timeout() -> None:
            self.world.pass_time(2)
            if self.world.control is not None:
                self.world.control._check_time_limit()

        self.apply(
            self.make_plan(),
            is_fresh=True,
            is_stored=is_stored,
            event=lambda _: Event(at_request=at_request, act=pass_timeout),
            timeout=timedelta(hours=1),
        )

    @rule(pick=picks, at_request=early_requests)
    def clean_up_during_upload_of_same_bytes(self, pick: int, at_request: int) -> None:
        """The ETag stays the same, but no deletion uses a listing older than FRESH_SECONDS."""
        plan = self.make_plan()
        changed_objects: dict[str, object] = {}

        def upload_again(run: ApplyRun) -> None:
            current = self.world.list_objects()
            keys = [key for key in sorted(run.planned) if current.get(key)]
            if keys:
                self.world.pass_time(1 / 3600)
                key = choose(keys, pick)
                self.world.upload(key, has_same_bytes=True)
                changed_objects[key] = self.world.list_objects()[key]
                self.world.pass_time((FRESH_SECONDS + 1) / 3600)

        def make_event(run: ApplyRun) -> Event:
            run.must_keep = changed_objects.__contains__
            return Event(at_request=at_request, act=lambda: upload_again(run))

        if plan.to_delete:
            self.apply(plan, is_fresh=True, event=make_event, changed_objects=changed_objects)

    @precondition(lambda self: self.world.has_pointer)
    @rule(pick=picks, at_request=early_requests)
    def clean_up_while_the_pointer_moves(self, pick: int, at_request: int) -> None:
        """A deployment that is live LIVE_READ_SECONDS before its first deletion is kept."""
        plan = self.make_plan()
        changed_objects: dict[str, object] = {}
        live_names: set[str] = set()

        def move_pointer(run: ApplyRun) -> None:
            name = choose([decision.deployment.name for decision in plan.to_delete], pick)
            self.world.point_to(name)
            changed_objects[POINTER] = self.world.list_objects()[POINTER]
            if not any(key.startswith(f"{name}/") for key in run.requested_keys):
                live_names.add(name)
            self.world.pass_time((LIVE_READ_SECONDS + 1) / 3600)

        def make_event(run: ApplyRun) -> Event:
            run.must_keep = lambda key: key.partition("/")[0] in live_names
            return Event(at_request=at_request, act=lambda: move_pointer(run))

        if plan.to_delete:
            self.apply(plan, is_fresh=True, event=make_event, changed_objects=changed_objects)

    @rule(pick=picks, crash=st.none() | crashes)
    def apply_saved_plan(self, pick: int, crash: Crash | None) -> None:
        if self.saved:
            self.apply(choose(self.saved[-3:], pick), is_fresh=False, crash=crash)

    @rule(pick=picks, file=st.sampled_from(FILES))
    def clean_up_during_upload_of_other_bytes(self, pick: int, file: str) -> None:
        """Other bytes are kept whenever they are uploaded, because deletions have conditions."""
        plan = self.make_plan()
        if plan.to_delete:
            name = choose(plan.to_delete, pick).deployment.name
            self.apply(plan, is_fresh=True, uploaded=f"{name}/{file}")

    @rule(crash=st.none() | crashes)
    def clean_up_and_restore(self, crash: Crash | None) -> None:
        self.apply(self.make_plan(), is_fresh=True, crash=crash)
        if self.restorable is not None:
            self.restore_from(self.restorable[1])

    @rule(pick=picks)
    def restore(self, pick: int) -> None:
        if self.journals:
            self.restore_from(choose(self.journals, pick))

    def take_unfinished_run(self, crash: Crash, *, is_stored: bool) -> ApplyRun | None:
        """Return the last unfinished run; if there is none, start a run that crashes."""
        if self.unfinished_run is None:
            self.apply(self.make_plan(), is_fresh=True, crash=crash, is_stored=is_stored)
        run, self.unfinished_run = self.unfinished_run, None
        return run

    @rule(crash=crashes, is_stored=st.booleans())
    def resume(self, crash: Crash, is_stored: bool) -> None:
        """A resume deletes only what the run was to delete."""
        run = self.take_unfinished_run(crash, is_stored=is_stored)
        if run is None:
            return
        before = self.world.list_objects()
        exit_code = self.world.resume(run.journal)
        after = self.world.list_objects()
        deleted_keys = before.keys() - after.keys()
        assert deleted_keys <= run.planned.keys(), "the run was not to delete these keys"
        assert all(before[key] == run.planned[key] for key in deleted_keys)
        assert after == {key: before[key] for key in before.keys() - deleted_keys}
        assert deleted_keys <= self.world.read_entries(run.journal).keys()
        deleted_names = {key.partition("/")[0] for key in deleted_keys}
        assert self.world.read_pointer() not in deleted_names - {""}
        if exit_code == 0:
            changed = {
                key.partition("/")[0]
                for key, version in before.items()
                if run.planned.get(key) != version
            }
            remaining = {key for key, version in run.planned.items() if after.get(key) == version}
            assert {key.partition("/")[0] for key in remaining} <= changed
        self.update_model()

    @rule(at_request=requests, crash=crashes, is_stored=st.booleans())
    def resume_twice(self, at_request: int, crash: Crash, is_stored: bool) -> None:
        """At most one of two concurrent resumes deletes; neither does if S3 offers no lock."""
        run = self.take_unfinished_run(crash, is_stored=is_stored)
        if run is None:
            return
        before = self.world.list_objects()
        first, second = self.world.resume_twice(run.journal, at_request)
        after = self.world.list_objects()
        deleted_keys = before.keys() - after.keys()
        assert all(before[key] == run.planned.get(key) for key in deleted_keys)
        assert after == {key: before[key] for key in before.keys() - deleted_keys}
        assert deleted_keys <= self.world.read_entries(run.journal).keys()
        is_stored = run.journal.startswith("s3://")
        if is_stored and not self.world.s3.honours_if_none_match:
            assert not deleted_keys
            assert {first, second} <= {0, 4, None}
        if not is_stored and second is not None:
            assert second == ExitCode.USAGE, "the file is locked while the first works"
        self.update_model()

    def restore_from(self, path: str) -> None:
        before, markers = self.world.list_objects(), self.world.list_markers()
        restoration = self.world.restore(path)
        after = self.world.list_objects()
        assert before.items() <= after.items(), "a restore has deleted objects"
        assert self.world.list_markers() <= markers
        restored_keys = after.keys() - before.keys()
        journaled_keys = self.world.read_entries(path).keys()
        assert restored_keys <= journaled_keys
        for name in {key.partition("/")[0] for key in restored_keys if key.endswith(f"/{INDEX}")}:
            keys = {key for key in journaled_keys if key.startswith(f"{name}/")}
            assert keys <= after.keys(), f"{name} looks complete, but is not"
        if restoration is not None and self.world.is_versioned:
            _, result = restoration
            count = result.count_objects(ObjectRestoreOutcome.RESTORED) if result else 0
            assert len(restored_keys) == count
        if self.restorable is not None and self.restorable[1] == path and self.world.is_versioned:
            assert after == self.restorable[0], "a restore has not recreated everything"
        if not self.world.is_versioned:
            assert not restored_keys
        self.update_model()

    def apply(
        self,
        plan: Plan,
        *,
        is_fresh: bool,
        crash: Crash | None = None,
        uploaded: str = "",
        is_stored: bool = False,
        event: Callable[[ApplyRun], Event] | None = None,
        timeout: timedelta | None = None,
        changed_objects: dict[str, object] | None = None,
    ) -> None:
        """Apply a plan; `changed_objects` are the objects that the event uploads."""
        changed_objects = {} if changed_objects is None else changed_objects
        self.check_plan(plan, is_fresh=is_fresh)
        before = self.world.list_objects()
        try:
            run = self.world.apply(
                plan,
                is_fresh=is_fresh,
                crash=crash,
                before_deletion=(lambda: self.world.upload(uploaded)) if uploaded else None,
                is_stored=is_stored,
                event=event,
                timeout=timeout,
            )
        except RefusedError:
            assert self.world.list_objects() == before | changed_objects, "refused, but deleted"
            self.update_model()
            return
        self.check_apply(run, before | changed_objects, uploaded, changed_objects)
        is_begun = self.world.has_journal(run.journal)
        is_stopped = run.result is None or run.result.stop_reason
        if is_stopped and self.world.read_entries(run.journal):
            self.unfinished_run = run
        if self.expected.keys() - self.world.list_objects().keys():
            self.journals.append(run.journal)
        self.update_model()
        if not uploaded and not changed_objects and is_begun:
            self.restorable = before, run.journal

    # Invariants.

    def check_plan(self, plan: Plan, *, is_fresh: bool = True) -> None:
        """Check that enough newer complete deployments are kept, counted independently of ci3."""
        if not is_fresh:
            return
        objects = self.world.list_objects()
        names_to_delete = {decision.deployment.name for decision in plan.to_delete}
        times: dict[str, list] = {}
        for key, version in objects.items():
            if "/" in key:
                times.setdefault(key.partition("/")[0], []).append(version.modified_at)
        complete = find_complete_by_group(objects)
        for name in names_to_delete:
            newer_names = [
                kept_name
                for kept_name in complete.get(parse_group(name), ()) - names_to_delete
                if min(times[kept_name]) > max(times[name])
            ]
            assert len(newer_names) >= self.world.keep_count, (
                f"{name} is superseded by {newer_names}"
            )
        if plan.is_applyable and self.world.read_pointer():
            assert self.world.read_pointer() not in names_to_delete

    def check_apply(
        self, run: ApplyRun, before: Stored, uploaded: str, changed_objects: dict[str, object]
    ) -> None:
        after = self.world.list_objects()
        deleted_keys = before.keys() - after.keys()
        assert deleted_keys <= run.planned.keys(), "deleted, but not in the plan"
        unchanged_keys = deleted_keys - changed_objects.keys()
        assert all(before[key] == run.planned[key] for key in unchanged_keys)
        assert deleted_keys <= set(run.requested_keys)
        assert deleted_keys <= self.world.read_entries(run.journal).keys()
        expected = {key: before[key] for key in before.keys() - deleted_keys}
        if uploaded and uploaded in after:
            expected[uploaded] = after[uploaded]
        assert after == expected
        if uploaded and run.requested_keys:
            assert uploaded in after, "a new upload was deleted"
        for key in run.planned.keys() & after.keys():
            name, _, file = key.partition("/")
            if file == INDEX and after[key] == run.planned[key]:
                is_partly_deleted = any(key.startswith(f"{name}/") for key in deleted_keys)
                assert not is_partly_deleted, name
        remaining_names = find_complete_by_group(after)
        for group, names in find_complete_by_group(before).items():
            assert not names or remaining_names.get(group), f"{group} has no complete deployment"
        if run.result is not None:
            is_quiet = not uploaded and not changed_objects
            self.check_result(run, deleted_keys, is_quiet=is_quiet)

    def check_result(self, run: ApplyRun, deleted_keys: set[str], *, is_quiet: bool) -> None:
        """Check that each planned object has one outcome, also in the journal.

        `is_quiet` is True if nothing else was written during the run.
        """
        result = run.result
        counts = {
            deployment.name: sum(deployment.counts.values()) for deployment in result.deployments
        }
        assert counts == {
            decision.deployment.name: decision.deployment.object_count
            for decision in run.plan.to_delete
        }
        entries = self.world.read_entries(run.journal)
        if is_quiet and not result.stop_reason:
            assert entries.keys() == set(run.requested_keys)
        assert entries.keys() >= set(run.requested_keys)
        outcomes = [outcome for _, outcome in entries.values()]
        assert None not in outcomes
        assert outcomes.count(ObjectOutcome.DELETED) == result.count_objects(ObjectOutcome.DELETED)
        if is_quiet:
            assert result.count_objects(ObjectOutcome.DELETED) == len(deleted_keys)
        not_deleted = {ObjectOutcome.CHANGED, ObjectOutcome.FAILED, ObjectOutcome.UNKNOWN}
        if any(result.count_objects(outcome) for outcome in not_deleted):
            assert result.outcome == "partial"

    @invariant()
    def current_objects_are_expected(self) -> None:
        if hasattr(self, "world"):
            assert self.world.list_objects() == self.expected

    @invariant()
    def no_version_is_lost(self) -> None:
        if hasattr(self, "world") and self.world.is_versioned:
            assert self.versions <= self.world.list_versions()

    def teardown(self) -> None:
        """After any steps, an undisturbed run leaves nothing to delete."""
        if not hasattr(self, "world"):
            return
        plan = self.world.plan()
        if plan.is_applyable and plan.to_delete:
            self.apply(plan, is_fresh=True)
            assert self.world.plan().to_delete == ()
            assert POINTER not in {decision.deployment.name for decision in plan.to_delete}


@pytest.fixture
def _worlds() -> Iterator[None]:
    with small_world.intercept_requests():
        yield


@pytest.mark.usefixtures("_worlds")
def test_guarantees_hold_in_every_order_of_events() -> None:
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not SOAK_STEPS,
            print_blob=True,
            # Shrinking a failure takes minutes, because each attempt is a series of runs.
            phases=[*Phase] if SOAK_STEPS else [Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
