"""Whatever happens in whatever order, the five promises hold: deploys, plans, applies, crashes.

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
from tests.integration.faults.small_world import INDEX, POINTER, Apply, Crash, Event, Stored, World

NAMES = ("a-1", "a-10", "a-2", "a-3", "a-4", "b-1", "b-2", "b-3")
"""Deployments of two groups; one's name is the beginning of another's."""
FILES = ("app.js", "é +&.css", "\x01")
"""The last goes in a request of its own, so that a run may crash between two deletions."""
STEPS = 50
SOAK_STEPS = int(os.environ.get("SOAK_STEPS", "0"))
EXAMPLES = SOAK_STEPS // STEPS or 6

LIVE_READING_SECONDS = 10.0
"""Maximum age of the reading of a pointer object before a deployment's first deletion."""

names = st.sampled_from(NAMES)
files = st.lists(st.sampled_from(FILES), min_size=1, max_size=3, unique=True).map(tuple)
series = st.lists(names, min_size=3, max_size=6, unique=True)
_Item = TypeVar("_Item")
picks = st.integers(0, 9999)
requests = st.sampled_from(range(1, 24))
early_requests = st.sampled_from(range(1, 12))
"""Those of a small apply, before its last deletion."""
crashes = st.builds(Crash, at_request=st.sampled_from(range(4, 12)), is_after_deed=st.booleans())


def choose(items: Sequence[_Item], pick: int) -> _Item:
    return items[pick % len(items)]


def group_of(name: str) -> str:
    return name[0]


def complete_by_group(there: Stored) -> dict[str, set[str]]:
    """The finished deployments of each group."""
    found: dict[str, set[str]] = {}
    for key in there:
        name, _, file = key.partition("/")
        if file == INDEX:
            found.setdefault(group_of(name), set()).add(name)
    return found


class Interleavings(RuleBasedStateMachine):
    """The model is `expected`: every current object, of which only a run may take some away.

    A run has threads, so that what is left of it may differ when the same steps are taken again.
    Hence nothing that is drawn, and no rule's precondition, depends on what was done before.
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
        self.left_open: Apply | None = None
        self.undoable: tuple[Stored, str] | None = None
        self.contents: set[tuple[str, str]] = set()
        self.world.upload("robots.txt")
        self.deploy("a-1", ("app.js",))
        if has_pointer:
            self.world.point_to("a-1")
        self.note()

    def note(self) -> None:
        """Take what is there now for what is to stay."""
        self.expected = self.world.current()
        self.contents |= self.world.contents()
        self.undoable = None

    # What people do.

    @rule(name=names, files=files)
    def deploy(self, name: str, files: tuple[str, ...]) -> None:
        self.world.pass_time(1)
        self.world.deploy(name, files=files)
        self.note()

    @rule(names=series, files=files)
    def deploy_one_after_another(self, names: list[str], files: tuple[str, ...]) -> None:
        self.deploy_each(names, files)

    def deploy_each(self, names: Sequence[str], files: tuple[str, ...]) -> None:
        for name in names:
            self.world.pass_time(1)
            self.world.deploy(name, files=files)
        self.note()

    @rule(name=names, file=st.sampled_from(FILES))
    def upload_in_part(self, name: str, file: str) -> None:
        self.world.deploy(name, files=(file,), is_finished=False)
        self.note()

    @rule(pick=picks)
    def upload_the_same_bytes_again(self, pick: int) -> None:
        self.world.pass_time(1)
        self.world.upload(choose(sorted(self.expected), pick), as_before=True)
        self.note()

    @precondition(lambda self: self.world.has_pointer)
    @rule(pick=picks)
    def make_another_one_live(self, pick: int) -> None:
        if self.world.names():
            self.world.point_to(choose(self.world.names(), pick))
            self.note()

    @rule(hours=st.sampled_from([0.5, 1, 24, 24 * 7]))
    def wait(self, hours: float) -> None:
        self.world.pass_time(hours)

    @rule(name=names)
    def begin_an_upload_in_parts(self, name: str) -> None:
        self.world.bucket.uploads[f"{name}/big", f"u{len(self.world.bucket.uploads)}"] = (
            self.world.now
        )

    # What ci3 does.

    def make_plan(self) -> Plan:
        """Plan, after deploys if no group has more than what is kept."""
        counts = map(len, complete_by_group(self.expected).values())
        if not any(count > self.world.keep_count for count in counts):
            self.deploy_each(NAMES[2:5], FILES)
        return self.world.plan()

    @rule()
    def save_a_plan(self) -> None:
        plan = self.make_plan()
        self.check_plan(plan)
        if plan.to_delete:
            self.saved.append(plan)

    @rule()
    def clean_up(self) -> None:
        self.apply(self.make_plan(), is_fresh=True)

    @rule(crash=crashes, is_stored=st.booleans())
    def clean_up_and_die(self, crash: Crash, is_stored: bool) -> None:
        self.apply(self.make_plan(), is_fresh=True, crash=crash, is_stored=is_stored)

    @rule(at_request=requests, is_stored=st.booleans())
    def clean_up_until_the_time_is_over(self, at_request: int, is_stored: bool) -> None:
        """The timeout passes at any request, also between two of one deployment."""

        def let_time_pass() -> None:
            self.world.pass_time(2)
            if self.world.control is not None:
                self.world.control._check_time_limit()

        self.apply(
            self.make_plan(),
            is_fresh=True,
            is_stored=is_stored,
            event=lambda _: Event(at_request=at_request, act=let_time_pass),
            timeout=timedelta(hours=1),
        )

    @rule(pick=picks, at_request=early_requests)
    def clean_up_while_the_same_bytes_are_uploaded_again(self, pick: int, at_request: int) -> None:
        """No ETag shows them. A listing of more than FRESH_SECONDS ago permits no deletion."""
        plan = self.make_plan()
        again: dict[str, object] = {}

        def upload_again(watched: Apply) -> None:
            current = self.world.current()
            keys = [key for key in sorted(watched.planned) if current.get(key)]
            if keys:
                self.world.pass_time(1 / 3600)
                key = choose(keys, pick)
                self.world.upload(key, as_before=True)
                again[key] = self.world.current()[key]
                self.world.pass_time((FRESH_SECONDS + 1) / 3600)

        def watch(watched: Apply) -> Event:
            watched.must_stay = again.__contains__
            return Event(at_request=at_request, act=lambda: upload_again(watched))

        if plan.to_delete:
            self.apply(plan, is_fresh=True, event=watch, again=again)

    @precondition(lambda self: self.world.has_pointer)
    @rule(pick=picks, at_request=early_requests)
    def clean_up_while_another_one_becomes_live(self, pick: int, at_request: int) -> None:
        """What is live LIVE_READING_SECONDS before its first deletion stays."""
        plan = self.make_plan()
        again: dict[str, object] = {}
        live: set[str] = set()

        def move_pointer(watched: Apply) -> None:
            name = choose([decision.deployment.name for decision in plan.to_delete], pick)
            self.world.point_to(name)
            again[POINTER] = self.world.current()[POINTER]
            if not any(key.startswith(f"{name}/") for key in watched.asked):
                live.add(name)
            self.world.pass_time((LIVE_READING_SECONDS + 1) / 3600)

        def watch(watched: Apply) -> Event:
            watched.must_stay = lambda key: key.partition("/")[0] in live
            return Event(at_request=at_request, act=lambda: move_pointer(watched))

        if plan.to_delete:
            self.apply(plan, is_fresh=True, event=watch, again=again)

    @rule(pick=picks, crash=st.none() | crashes)
    def apply_a_saved_plan(self, pick: int, crash: Crash | None) -> None:
        if self.saved:
            self.apply(choose(self.saved[-3:], pick), is_fresh=False, crash=crash)

    @rule(pick=picks, file=st.sampled_from(FILES))
    def clean_up_while_one_is_deployed_again(self, pick: int, file: str) -> None:
        """Bytes that are new to it survive, whenever they come: S3 itself insists on the ETag."""
        plan = self.make_plan()
        if plan.to_delete:
            name = choose(plan.to_delete, pick).deployment.name
            self.apply(plan, is_fresh=True, uploaded=f"{name}/{file}")

    @rule(crash=st.none() | crashes)
    def clean_up_and_restore(self, crash: Crash | None) -> None:
        self.apply(self.make_plan(), is_fresh=True, crash=crash)
        if self.undoable is not None:
            self.restore_from(self.undoable[1])

    @rule(pick=picks)
    def restore(self, pick: int) -> None:
        if self.journals:
            self.restore_from(choose(self.journals, pick))

    def take_left_open(self, crash: Crash, *, is_stored: bool) -> Apply | None:
        """Return the last run that died; if none has, let one die."""
        if self.left_open is None:
            self.apply(self.make_plan(), is_fresh=True, crash=crash, is_stored=is_stored)
        died, self.left_open = self.left_open, None
        return died

    @rule(crash=crashes, is_stored=st.booleans())
    def go_on_with_what_has_died(self, crash: Crash, is_stored: bool) -> None:
        """Within what that run was to delete, and no more."""
        died = self.take_left_open(crash, is_stored=is_stored)
        if died is None:
            return
        before = self.world.current()
        code = self.world.resume(died.journal)
        after = self.world.current()
        gone = before.keys() - after.keys()
        assert gone <= died.planned.keys(), "what that run was not to delete is gone"
        assert all(before[key] == died.planned[key] for key in gone)
        assert after == {key: one for key, one in before.items() if key not in gone}
        assert gone <= self.world.journaled(died.journal).keys()
        assert self.world.pointed() not in {key.partition("/")[0] for key in gone} - {""}
        if code == 0:
            changed = {
                key.partition("/")[0]
                for key, version in before.items()
                if died.planned.get(key) != version
            }
            left = {key for key, version in died.planned.items() if after.get(key) == version}
            assert {key.partition("/")[0] for key in left} <= changed
        self.note()

    @rule(at_request=requests, crash=crashes, is_stored=st.booleans())
    def resume_twice_what_has_died(self, at_request: int, crash: Crash, is_stored: bool) -> None:
        """At most one of two resumes works; neither where nothing would stop the other."""
        died = self.take_left_open(crash, is_stored=is_stored)
        if died is None:
            return
        before = self.world.current()
        first, second = self.world.resume_twice(died.journal, at_request)
        after = self.world.current()
        gone = before.keys() - after.keys()
        assert all(before[key] == died.planned.get(key) for key in gone)
        assert after == {key: version for key, version in before.items() if key not in gone}
        assert gone <= self.world.journaled(died.journal).keys()
        is_stored = died.journal.startswith("s3://")
        if is_stored and not self.world.s3.honours_if_none_match:
            assert not gone
            assert {first, second} <= {0, 4, None}
        if not is_stored and second is not None:
            assert second == ExitCode.USAGE, "the file is locked while the first works"
        self.note()

    def restore_from(self, path: str) -> None:
        before, markers = self.world.current(), self.world.markers()
        undone = self.world.restore(path)
        after = self.world.current()
        assert before.items() <= after.items(), "a restore has taken something away"
        assert self.world.markers() <= markers
        back = after.keys() - before.keys()
        journaled = self.world.journaled(path)
        assert back <= journaled.keys()
        for name in {key.partition("/")[0] for key in back if key.endswith(f"/{INDEX}")}:
            keys = {key for key in journaled if key.startswith(f"{name}/")}
            assert keys <= after.keys(), f"{name} looks complete, and is not"
        if undone is not None and self.world.is_versioned:
            restored = undone[1].count_objects(ObjectRestoreOutcome.RESTORED) if undone[1] else 0
            assert len(back) == restored
        if self.undoable is not None and self.undoable[1] == path and self.world.is_versioned:
            assert after == self.undoable[0], "a restore is not the identity"
        if not self.world.is_versioned:
            assert not back
        self.note()

    def apply(
        self,
        plan: Plan,
        *,
        is_fresh: bool,
        crash: Crash | None = None,
        uploaded: str = "",
        is_stored: bool = False,
        event: Callable[[Apply], Event] | None = None,
        timeout: timedelta | None = None,
        again: dict[str, object] | None = None,
    ) -> None:
        """Apply a plan; `again` are the objects that the event puts, as they then are."""
        again = {} if again is None else again
        self.check_plan(plan, is_fresh=is_fresh)
        before = self.world.current()
        try:
            one = self.world.apply(
                plan,
                is_fresh=is_fresh,
                crash=crash,
                meanwhile=(lambda: self.world.upload(uploaded)) if uploaded else None,
                is_stored=is_stored,
                event=event,
                timeout=timeout,
            )
        except RefusedError:
            assert self.world.current() == before | again, "refused, and yet something went"
            self.note()
            return
        self.check_apply(one, before | again, uploaded, again)
        is_begun = self.world.has_journal(one.journal)
        is_stopped = one.result is None or one.result.stop_reason
        if is_stopped and self.world.journaled(one.journal):
            self.left_open = one
        if self.expected.keys() - self.world.current().keys():
            self.journals.append(one.journal)
        self.note()
        if not uploaded and not again and is_begun:
            self.undoable = before, one.journal

    # What must hold.

    def check_plan(self, plan: Plan, *, is_fresh: bool = True) -> None:
        """What is doomed is known to be older than enough that stay; by another way to count."""
        if not is_fresh:
            return
        there, doomed = self.world.current(), {one.deployment.name for one in plan.to_delete}
        times: dict[str, list] = {}
        for key, stored in there.items():
            if "/" in key:
                times.setdefault(key.partition("/")[0], []).append(stored.modified_at)
        complete = complete_by_group(there)
        for name in doomed:
            newer = [
                other
                for other in complete.get(group_of(name), ()) - doomed
                if min(times[other]) > max(times[name])
            ]
            assert len(newer) >= self.world.keep_count, f"{name} is doomed for {newer}"
        if plan.is_applyable and self.world.pointed():
            assert self.world.pointed() not in doomed

    def check_apply(
        self, one: Apply, before: Stored, uploaded: str, again: dict[str, object]
    ) -> None:
        after = self.world.current()
        gone = before.keys() - after.keys()
        assert gone <= one.planned.keys(), "what no plan names is gone"
        assert all(before[key] == one.planned[key] for key in gone - again.keys())
        assert gone <= set(one.asked)
        assert gone <= self.world.journaled(one.journal).keys()
        left = {key: stored for key, stored in before.items() if key not in gone}
        if uploaded and uploaded in after:
            left[uploaded] = after[uploaded]
        assert after == left
        if uploaded and one.asked:
            assert uploaded in after, "a new upload is gone"
        for key in one.planned.keys() & after.keys():
            name, _, file = key.partition("/")
            if file == INDEX and after[key] == one.planned[key]:
                assert not any(lost.startswith(f"{name}/") for lost in gone), f"{name} is partial"
        for group, was in complete_by_group(before).items():
            assert not was or complete_by_group(after).get(group), f"nothing is left of {group}"
        if one.result is not None:
            self.check_result(one, gone, is_quiet=not uploaded and not again)

    def check_result(self, one: Apply, gone: set[str], *, is_quiet: bool) -> None:
        """Each planned object in one outcome, the journal's too; what is not gone is told."""
        result, plan = one.result, one.plan
        sums = {each.name: sum(each.counts.values()) for each in result.deployments}
        assert sums == {
            each.deployment.name: each.deployment.object_count for each in plan.to_delete
        }
        journaled = self.world.journaled(one.journal)
        if is_quiet and not result.stop_reason:
            assert journaled.keys() == set(one.asked)
        assert journaled.keys() >= set(one.asked)
        outcomes = [outcome for _, outcome in journaled.values()]
        assert None not in outcomes
        assert outcomes.count(ObjectOutcome.DELETED) == result.count_objects(ObjectOutcome.DELETED)
        if is_quiet:
            assert result.count_objects(ObjectOutcome.DELETED) == len(gone)
        told = {ObjectOutcome.CHANGED, ObjectOutcome.FAILED, ObjectOutcome.UNKNOWN}
        if any(result.count_objects(outcome) for outcome in told):
            assert result.outcome == "partial"

    @invariant()
    def nothing_else_has_changed(self) -> None:
        if hasattr(self, "world"):
            assert self.world.current() == self.expected

    @invariant()
    def no_version_is_ever_lost(self) -> None:
        if hasattr(self, "world") and self.world.is_versioned:
            assert self.contents <= self.world.contents()

    def teardown(self) -> None:
        """However it was left, a run that nothing disturbs leaves nothing due."""
        if not hasattr(self, "world"):
            return
        plan = self.world.plan()
        if plan.is_applyable and plan.to_delete:
            self.apply(plan, is_fresh=True)
            assert self.world.plan().to_delete == ()
            assert POINTER not in {one.deployment.name for one in plan.to_delete}


@pytest.fixture
def _worlds() -> Iterator[None]:
    with small_world.reached():
        yield


@pytest.mark.usefixtures("_worlds")
def test_promises_hold_in_every_order_of_events() -> None:
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not SOAK_STEPS,
            print_blob=True,
            # To shrink a failure takes minutes, as each attempt is a series of runs.
            phases=[*Phase] if SOAK_STEPS else [Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
