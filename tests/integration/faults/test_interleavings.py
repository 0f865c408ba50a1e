"""Whatever happens in whatever order, the five promises hold: deploys, plans, applies, crashes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
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
from ci3.errors import RefusedError
from tests.integration.faults import small_world
from tests.integration.faults.small_world import INDEX, POINTER, Apply, Crash, Stored, World

NAMES = ("a-1", "a-10", "a-2", "a-3", "a-4", "b-1", "b-2", "b-3")
"""Deployments of two groups; one's name is the beginning of another's."""
FILES = ("app.js", "é +&.css", "\x01")
"""The last goes in a request of its own, so that a run may crash between two deletions."""
EXAMPLES = int(os.environ.get("INTERLEAVINGS", "40"))
STEPS = 50

names = st.sampled_from(NAMES)
files = st.lists(st.sampled_from(FILES), min_size=1, max_size=3, unique=True).map(tuple)
series = st.lists(names, min_size=3, max_size=6, unique=True)
crashes = st.builds(Crash, at_request=st.sampled_from(range(4, 12)), is_after_deed=st.booleans())


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
    """The model is `expected`: every current object, of which only a run may take some away."""

    @initialize(is_versioned=st.booleans(), keep_count=st.integers(1, 2), has_pointer=st.booleans())
    def begin(self, is_versioned: bool, keep_count: int, has_pointer: bool) -> None:
        for path in Path().glob("journal-*.jsonl"):
            path.unlink()
        self.world = World(
            is_versioned=is_versioned, keep_count=keep_count, has_pointer=has_pointer
        )
        self.saved: list[Plan] = []
        self.journals: list[Path] = []
        self.left_open: Apply | None = None
        self.undoable: tuple[Stored, Path] | None = None
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
        for name in names:
            self.world.pass_time(1)
            self.world.deploy(name, files=files)
        self.note()

    @rule(name=names, file=st.sampled_from(FILES))
    def upload_in_part(self, name: str, file: str) -> None:
        self.world.deploy(name, files=(file,), is_finished=False)
        self.note()

    @precondition(lambda self: self.expected)
    @rule(pick=st.randoms(use_true_random=False))
    def upload_the_same_bytes_again(self, pick) -> None:
        self.world.pass_time(1)
        self.world.upload(pick.choice(sorted(self.expected)), as_before=True)
        self.note()

    @precondition(lambda self: self.world.has_pointer and self.world.names())
    @rule(pick=st.randoms(use_true_random=False))
    def make_another_one_live(self, pick) -> None:
        self.world.point_to(pick.choice(self.world.names()))
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

    def may_have_something_due(self) -> bool:
        counts = map(len, complete_by_group(self.expected).values())
        return any(count > self.world.keep_count for count in counts)

    @precondition(may_have_something_due)
    @rule()
    def save_a_plan(self) -> None:
        plan = self.world.plan()
        self.check_plan(plan)
        if plan.to_delete:
            self.saved.append(plan)

    @precondition(may_have_something_due)
    @rule()
    def clean_up(self) -> None:
        self.apply(self.world.plan(), is_fresh=True)

    @precondition(may_have_something_due)
    @rule(crash=crashes)
    def clean_up_and_die(self, crash: Crash) -> None:
        self.apply(self.world.plan(), is_fresh=True, crash=crash)

    @precondition(lambda self: self.saved)
    @rule(pick=st.randoms(use_true_random=False), crash=st.none() | crashes)
    def apply_a_saved_plan(self, pick, crash: Crash | None) -> None:
        self.apply(pick.choice(self.saved[-3:]), is_fresh=False, crash=crash)

    @precondition(may_have_something_due)
    @rule(pick=st.randoms(use_true_random=False), file=st.sampled_from(FILES))
    def clean_up_while_one_is_deployed_again(self, pick, file: str) -> None:
        """Bytes that are new to it survive, whenever they come: S3 itself insists on the ETag."""
        plan = self.world.plan()
        if plan.to_delete:
            name = pick.choice(plan.to_delete).deployment.name
            self.apply(plan, is_fresh=True, uploaded=f"{name}/{file}")

    @precondition(may_have_something_due)
    @rule(crash=st.none() | crashes)
    def clean_up_and_restore(self, crash: Crash | None) -> None:
        self.apply(self.world.plan(), is_fresh=True, crash=crash)
        if self.undoable is not None:
            self.restore_from(self.undoable[1])

    @precondition(lambda self: self.journals)
    @rule(pick=st.randoms(use_true_random=False))
    def restore(self, pick) -> None:
        self.restore_from(pick.choice(self.journals))

    @precondition(lambda self: self.left_open is not None)
    @rule()
    def go_on_with_what_has_died(self) -> None:
        """Within what that run was to delete, and no more."""
        died, before, self.left_open = self.left_open, self.world.current(), None
        code = self.world.resume(died.journal_path)
        after = self.world.current()
        gone = before.keys() - after.keys()
        assert gone <= died.planned.keys(), "what that run was not to delete is gone"
        assert all(before[key] == died.planned[key] for key in gone)
        assert after == {key: one for key, one in before.items() if key not in gone}
        assert gone <= self.world.journaled(died.journal_path).keys()
        assert self.world.pointed() not in {key.partition("/")[0] for key in gone} - {""}
        if code == 0:
            assert not any(after.get(key) == one for key, one in died.planned.items())
        self.note()

    def restore_from(self, path: Path) -> None:
        before, markers = self.world.current(), self.world.markers()
        undone = self.world.restore(path)
        after = self.world.current()
        assert before.items() <= after.items(), "a restore has taken something away"
        assert self.world.markers() <= markers
        back = after.keys() - before.keys()
        assert back <= self.world.journaled(path).keys()
        if undone is not None and self.world.is_versioned:
            assert len(back) == undone[0].object_count
        if self.undoable is not None and self.undoable[1] == path and self.world.is_versioned:
            assert after == self.undoable[0], "a restore is not the identity"
        if not self.world.is_versioned:
            assert not back
        self.note()

    def apply(
        self, plan: Plan, *, is_fresh: bool, crash: Crash | None = None, uploaded: str = ""
    ) -> None:
        self.check_plan(plan, is_fresh=is_fresh)
        before = self.world.current()
        try:
            one = self.world.apply(
                plan,
                is_fresh=is_fresh,
                crash=crash,
                meanwhile=(lambda: self.world.upload(uploaded)) if uploaded else None,
            )
        except RefusedError:
            assert self.world.current() == before, "refused, and yet something went"
            return
        self.check_apply(one, before, uploaded)
        is_begun = one.journal_path.exists()
        if one.result is None and self.world.journaled(one.journal_path):
            self.left_open = one
        if self.expected.keys() - self.world.current().keys():
            self.journals.append(one.journal_path)
        self.note()
        if not uploaded and is_begun:
            self.undoable = before, one.journal_path

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

    def check_apply(self, one: Apply, before: Stored, uploaded: str) -> None:
        after = self.world.current()
        gone = before.keys() - after.keys()
        assert gone <= one.planned.keys(), "what no plan names is gone"
        assert all(before[key] == one.planned[key] for key in gone)
        assert gone <= set(one.asked)
        assert gone <= self.world.journaled(one.journal_path).keys()
        left = {key: stored for key, stored in before.items() if key not in gone}
        if uploaded and uploaded in after:
            left[uploaded] = after[uploaded]
        assert after == left
        if uploaded and one.asked:
            assert uploaded in after, "a new upload is gone"
        for group, was in complete_by_group(before).items():
            assert not was or complete_by_group(after).get(group), f"nothing is left of {group}"
        if one.result is not None:
            self.check_result(one, gone, is_quiet=not uploaded)

    def check_result(self, one: Apply, gone: set[str], *, is_quiet: bool) -> None:
        """Each planned object in one outcome, the journal's too; what is not gone is told."""
        result, plan = one.result, one.plan
        sums = {each.name: sum(each.counts.values()) for each in result.deployments}
        assert sums == {
            each.deployment.name: each.deployment.object_count for each in plan.to_delete
        }
        journaled = self.world.journaled(one.journal_path)
        assert journaled.keys() == set(one.asked)
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
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
