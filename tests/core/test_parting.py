"""What a shard overlooks of the others' work, and what it does not."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci3.core.measures import ByteSize
from ci3.core.model import AllVersions, Deployment, Ignored, ReasonCode
from ci3.core.objections import Limits
from ci3.core.parting import cut, overlook_others
from ci3.core.plan import DeleteLimit, Plan, Refusal, RefusalCode, compare
from ci3.core.shards import Shard
from ci3.core.succession import AgeFrom
from tests.builders import NOW, deployment, doomed, empty, kept, plan
from tests.core.strategies import Situation, situations

NEW, OWN, THEIRS = deployment("new", 1), deployment("own", 30, 20), deployment("theirs", 60, 50)


def part_of(whole: Plan) -> Plan:
    """The shard that has `own` and not `theirs`."""
    (part,) = cut([whole], Shard(number=1, count=2))
    assert part.part.others == {"theirs"}
    return part


PART = part_of(plan(kept(NEW), doomed(OWN), doomed(THEIRS)))


def less(of: Deployment, **changes) -> Deployment:
    """A deployment of which an object is gone."""
    fields = {"object_count": of.object_count - 1, "size_bytes": 1000, "fingerprint": "1" * 64}
    return replace(of, **(fields | {"newest_at": of.oldest_at} | changes))


def judged(*decisions, part=PART, limits=None, **changes):
    fresh = plan(*decisions, created_at=NOW + timedelta(hours=1), **changes)
    return overlook_others(fresh, part, limits or Limits())


@pytest.mark.parametrize(
    "theirs",
    [
        [],
        [doomed(THEIRS)],
        [doomed(less(THEIRS))],
        [doomed(less(THEIRS, size_bytes=2000))],
        [kept(less(THEIRS), ReasonCode.KEEP_DAILY, "the newest of its day by now")],
        [kept(less(THEIRS, complete=False), ReasonCode.IN_PROGRESS, "no index.html any more")],
        [kept(empty("theirs"), ReasonCode.NO_OBJECTS, "nothing in it")],
    ],
    ids=[
        "gone",
        "untouched",
        "less",
        "same size",
        "kept by a rule",
        "incomplete",
        "empty",
    ],
)
def test_what_others_delete_makes_no_shard_stale(theirs):
    found = compare(PART, judged(kept(NEW), doomed(OWN), *theirs))

    assert [one.deployment.name for one in found.due] == ["own"]
    assert found.withdrawn == {}


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (doomed(replace(THEIRS, fingerprint="1" * 64)), "changed"),
        (doomed(less(THEIRS, object_count=THEIRS.object_count + 1)), "changed"),
        (doomed(less(THEIRS, size_bytes=THEIRS.size_bytes + 1)), "changed"),
        (doomed(less(THEIRS, newest_at=NOW)), "changed"),
        (doomed(less(THEIRS, oldest_at=THEIRS.oldest_at - timedelta(1))), "changed"),
        (kept(replace(less(THEIRS), is_whole=False, object_count=0, fingerprint="")), "newest"),
        (kept(THEIRS, ReasonCode.KEEP_COUNT, "number 3"), "number 3"),
        (kept(THEIRS, ReasonCode.LIVE, "it is live"), "it is live"),
        (kept(less(THEIRS), ReasonCode.LIVE, "it is live"), "changed"),
        (kept(less(THEIRS), ReasonCode.PROTECTED, "protected"), "changed"),
        (kept(less(THEIRS), ReasonCode.CURRENT_COMMIT, "this run's"), "changed"),
    ],
)
def test_what_no_deletion_explains_makes_every_shard_stale(theirs, told):
    found = compare(PART, judged(kept(NEW), doomed(OWN), theirs))

    assert list(found.withdrawn) == ["theirs"]
    assert told in found.withdrawn["theirs"]


def test_nothing_of_its_own_is_overlooked():
    found = compare(PART, judged(kept(NEW), doomed(less(OWN)), doomed(THEIRS)))

    assert found.due == ()
    assert found.withdrawn == {"own": "its objects changed since the plan"}


def test_what_is_no_deployment_by_the_settings_given_now_is_not_put_back():
    fresh = judged(kept(NEW), doomed(OWN), ignored=(Ignored(name="theirs/", reason="match"),))
    assert [one.deployment.name for one in fresh.decisions] == ["new", "own"]


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_delete=DeleteLimit(amount=1, is_percent=False)),
        Limits(max_delete=DeleteLimit(amount=60, is_percent=True)),
        Limits(max_delete_bytes=ByteSize.parse("3999B")),
    ],
)
@pytest.mark.parametrize("theirs", [[], [doomed(less(THEIRS))], [doomed(THEIRS)]])
def test_limits_are_held_against_the_whole_plan_however_much_is_gone(limits, theirs):
    fresh = judged(kept(NEW), doomed(OWN), *theirs, limits=limits)
    assert not fresh.applyable


def test_limits_that_the_plan_is_within_allow_it_and_other_refusals_stay():
    limits = Limits(max_delete=DeleteLimit(amount=67, is_percent=True))
    over = Refusal(code=RefusalCode.MAX_DELETE, message="1 of 1, and 67%")
    other = Refusal(code=RefusalCode.LIVE_NOT_FOUND, message="nowhere")

    fresh = judged(kept(NEW), doomed(OWN), limits=limits, refusals=(over, other))

    assert fresh.refusals == (other,)


def test_versions_that_are_gone_before_the_objects_are_the_others_work():
    every = AllVersions(count=9, size_bytes=9, fingerprint="a" * 64)
    some = AllVersions(count=5, size_bytes=5, fingerprint="b" * 64)
    more = AllVersions(count=10, size_bytes=10, fingerprint="c" * 64)
    own, theirs = replace(OWN, versions=every), replace(THEIRS, versions=every)
    part = part_of(plan(kept(NEW), doomed(own), doomed(theirs)))

    def withdrawn(versions):
        now = doomed(replace(theirs, versions=versions))
        return compare(part, judged(kept(NEW), doomed(own), now, part=part)).withdrawn

    assert withdrawn(some) == withdrawn(every) == {}
    assert withdrawn(more) == {"theirs": "its old versions changed since the plan"}


def shrunk(choose: random.Random, one: Deployment) -> Deployment | None:
    """Delete all of a deployment or a part of it, as a run that is on its way does."""
    if choose.random() < 1 / 3 or one.oldest_at is None or one.newest_at is None:
        return None
    length = one.newest_at - one.oldest_at
    first, last = sorted(choose.choice((0, 0, 0.5, 1)) for _ in range(2))
    return replace(
        one,
        oldest_at=one.oldest_at + first * length,
        newest_at=one.oldest_at + last * length,
        first_at=one.first_at and one.oldest_at + first * length,
        object_count=1,
        complete=one.complete and choose.random() < 1 / 2,
        fingerprint="1" * 64,
    )


@settings(max_examples=400)
@given(situation=situations(), choose=st.randoms(use_true_random=False))
def test_what_others_have_deleted_spares_nothing_that_is_doomed(situation: Situation, choose):
    """So a shard that begins late finds all of its own still due.

    But for this: where not all of a deployment's times count, a doomed one may be the last that was
    uploaded to; once it is gone, an incomplete one may have been, which is kept then.
    """
    before = situation.doomed()
    theirs = {name for name in sorted(before) if choose.random() < 1 / 2}
    now = replace(
        situation,
        deployments=tuple(
            found
            for one in situation.deployments
            if (found := shrunk(choose, one) if one.name in theirs else one)
        ),
    )

    spared = before - theirs - now.doomed()
    if situation.policy.age_from in (AgeFrom.OLDEST, AgeFrom.FIRST_OBJECT):
        spared -= {
            one.deployment.name
            for one in now.decisions()
            if any(reason.code is ReasonCode.IN_PROGRESS for reason in one.reasons)
        }
    assert spared == set()
