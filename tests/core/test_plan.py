"""What a plan is known by, what speaks against it, and what of it is still due."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ci3.core.model import Action, Hole, Ignored, Reason, ReasonCode, Versioning
from ci3.core.pins import pin_commits, protect
from ci3.core.plan import (
    DeleteLimit,
    Origin,
    PlanWarning,
    PolicyEntry,
    Refusal,
    RefusalCode,
    WarningCode,
    compare,
    find_refusals,
    find_warnings,
)
from tests.builders import NOW, days_ago, deployment, doomed, empty, inventory, kept, plan, target

NEW, OLD = deployment("new", 1), deployment("old", 9)
ENTRY = PolicyEntry(value=3, origin=Origin.INPUT)
REFUSAL = Refusal(code=RefusalCode.MAX_DELETE, message="too many")


def usual(**changes):
    decisions = changes.pop("decisions", (kept(NEW), doomed(OLD)))
    return plan(*decisions, **({"policy": {"keep-count": ENTRY}} | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": days_ago(1)},
        {"ci3_version": "9.9.9"},
        {"decisions": (doomed(OLD, "4 newer ones, told otherwise"), kept(NEW, message="first"))},
        {"policy": {"keep-count": PolicyEntry(value=3, origin=Origin.OPTION)}},
        {"ignored": (Ignored(name="x", reason="y"),)},
        {"warnings": (PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message="m"),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_plan_id_is_independent_of_times_wording_and_order(changes):
    assert usual(**changes).plan_id == usual().plan_id


def test_plan_id_is_independent_of_the_order_of_settings():
    one, other = {"keep-count": ENTRY}, {"match": ENTRY}

    assert usual(policy=one | other).plan_id == usual(policy=other | one).plan_id


def decided_otherwise(**changes):
    return {"decisions": (kept(NEW), doomed(replace(OLD, **changes)))}


@pytest.mark.parametrize(
    "changes",
    [
        {"target": replace(target(), bucket="other")},
        {"target": replace(target(), region="us-east-1")},
        {"target": replace(target(), prefix="site/")},
        {"target": replace(target(), endpoint_url="https://minio.example.org")},
        {"target": replace(target(), versioning=Versioning.ENABLED)},
        {"policy": {}},
        {"policy": {"keep-count": PolicyEntry(value=4, origin=Origin.INPUT)}},
        {"policy": {"keep-count": PolicyEntry(value="3", origin=Origin.INPUT)}},
        {"policy": {"keep-within": ENTRY}},
        {"refusals": (REFUSAL,)},
        {"decisions": (doomed(OLD),)},
        {"decisions": (kept(NEW),)},
        {"decisions": (kept(NEW), kept(OLD))},
        {"decisions": (kept(NEW), replace(doomed(OLD), action=Action.KEEP))},
        {"decisions": (kept(NEW, ReasonCode.PROTECTED), doomed(OLD))},
        {"decisions": (replace(kept(NEW), group="g"), doomed(OLD))},
        decided_otherwise(name="older"),
        decided_otherwise(prefix="site/old/"),
        decided_otherwise(fingerprint="0" * 64),
        decided_otherwise(object_count=3),
        decided_otherwise(size_bytes=3),
        decided_otherwise(oldest_at=days_ago(10)),
        decided_otherwise(newest_at=days_ago(8)),
        decided_otherwise(complete=False),
    ],
    ids=str,
)
def test_plan_id_depends_on_target_policy_refusals_decisions_and_fingerprints(changes):
    assert usual(**changes).plan_id != usual().plan_id


def test_plan_id_depends_on_each_reason():
    more = Reason(code=ReasonCode.PROTECTED, message="protected by new")
    first = kept(NEW)

    both = replace(first, reasons=(*first.reasons, more))

    assert usual(decisions=(both, doomed(OLD))).plan_id != usual().plan_id


def test_totals_count_what_stays_and_what_goes():
    two = plan(
        kept(NEW), doomed(OLD), doomed(deployment("older", 10, size_bytes=5)), kept(empty("e"))
    )

    totals = two.totals
    assert (totals.found, totals.keep, totals.delete) == (4, 2, 2)
    assert (totals.objects_to_delete, totals.bytes_to_delete, totals.bytes_to_keep) == (
        4,
        2010,
        2000,
    )


def test_refusal_makes_a_plan_not_applyable_and_a_warning_does_not():
    warning = PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message="m")

    assert usual(warnings=(warning,)).applyable
    assert not usual(refusals=(REFUSAL,)).applyable


# What speaks against applying.


def refusals(found, *, pins=(), decisions=(), limit=None):
    return [(one.code, one.message) for one in find_refusals(found, decisions, pins, limit)]


def test_nothing_speaks_against_a_whole_inventory():
    assert refusals(inventory(NEW, OLD), pins=protect(["new"]), decisions=(doomed(OLD),)) == []


def test_each_hole_refuses():
    found = replace(
        inventory(NEW), holes=(Hole(name="a", reason="denied"), Hole(name="b", reason="cut off"))
    )

    assert refusals(found) == [
        (RefusalCode.UNREADABLE_DEPLOYMENT, "a could not be listed: denied"),
        (RefusalCode.UNREADABLE_DEPLOYMENT, "b could not be listed: cut off"),
    ]


def test_protected_name_that_is_nowhere_refuses_and_tells_the_nearest():
    [(code, message)] = refusals(inventory(deployment("release-1", 1)), pins=protect(["relaese-1"]))

    assert code is RefusalCode.PROTECTED_NOT_FOUND
    assert message.startswith("protect names relaese-1, and there is no such folder")
    assert message.endswith(" Did you mean release-1?")


def test_protected_name_that_is_ignored_or_unreadable_is_no_typing_error():
    found = replace(
        inventory(NEW, ignored=(Ignored(name="assets/", reason="does not match"),)),
        holes=(Hole(name="locked", reason="denied"),),
    )

    codes = [code for code, _ in refusals(found, pins=protect(["assets", "locked", "new"]))]

    assert codes == [RefusalCode.UNREADABLE_DEPLOYMENT]


def test_glob_and_commit_that_match_nothing_do_not_refuse():
    assert refusals(inventory(NEW), pins=(*protect(["v*"]), *pin_commits(["abcdef1"]))) == []


def test_glob_that_matches_nothing_warns_and_a_name_or_commit_does_not():
    pins = (*protect(["v*", "n*", "nowhere"]), *pin_commits(["abcdef1"]))

    [warning] = find_warnings(inventory(NEW), pins, Versioning.ENABLED)

    assert warning.code is WarningCode.PROTECTED_GLOB_UNMATCHED
    assert warning.message == "protect has v*, which matches no folder"


@pytest.mark.parametrize("versioning", list(Versioning))
def test_versioning_that_could_not_be_read_warns(versioning):
    codes = [one.code for one in find_warnings(inventory(NEW), (), versioning)]

    assert codes == [WarningCode.VERSIONING_UNKNOWN] * (versioning is Versioning.UNKNOWN)


@pytest.mark.parametrize(
    ("amount", "is_percent", "delete_count", "found_count", "is_allowed"),
    [
        (2, False, 2, 2, True),
        (2, False, 3, 900, False),
        (0, False, 0, 9, True),
        (0, False, 1, 9, False),
        (50, True, 5, 10, True),
        (50, True, 6, 10, False),
        (50, True, 5, 9, False),
        (33, True, 1, 3, False),
        (34, True, 1, 3, True),
        (100, True, 9, 9, True),
        (0, True, 0, 9, True),
        (0, True, 1, 999, False),
        (10, True, 0, 0, True),
    ],
)
def test_limit_allows_up_to_its_border(amount, is_percent, delete_count, found_count, is_allowed):
    limit = DeleteLimit(amount=amount, is_percent=is_percent)

    assert limit.allows(delete_count, found_count) is is_allowed


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (DeleteLimit(amount=1, is_percent=False), "max-delete allows 1"),
        (DeleteLimit(amount=60, is_percent=True), "max-delete allows 60%"),
    ],
)
def test_more_than_max_delete_refuses(limit, told):
    decisions = (kept(NEW), doomed(OLD), doomed(deployment("older", 10)))

    [(code, message)] = refusals(inventory(), decisions=decisions, limit=limit)

    assert code is RefusalCode.MAX_DELETE
    assert message == f"2 deployments of 3 would be deleted, and {told}"


def test_as_many_as_max_delete_is_not_refused():
    limit = DeleteLimit(amount=50, is_percent=True)

    assert refusals(inventory(), decisions=(kept(NEW), doomed(OLD)), limit=limit) == []


# What of an approved plan is still due.

APPROVED = (kept(NEW), doomed(OLD))


def still_due(*fresh, approved=None):
    later = NOW + timedelta(days=1)
    return compare(plan(*(approved or APPROVED)), plan(*fresh, created_at=later))


def test_unchanged_and_still_doomed_is_due():
    found = still_due(kept(NEW), doomed(OLD, "told anew"))

    assert found.due == (doomed(OLD, "told anew"),)
    assert found.withdrawn == {}


def test_doomed_since_the_approval_is_not_due():
    assert still_due(doomed(NEW), doomed(OLD)).due == (doomed(OLD),)
    assert still_due(doomed(deployment("other", 20)), doomed(OLD)).due == (doomed(OLD),)


def test_kept_by_now_is_withdrawn_with_every_reason():
    keep = kept(OLD, ReasonCode.PROTECTED, "protected by old")
    more = Reason(code=ReasonCode.KEEP_COUNT, message="the newest")

    found = still_due(replace(keep, reasons=(*keep.reasons, more)))

    assert found.due == ()
    assert found.withdrawn == {"old": "protected by old; the newest"}


def test_changed_since_the_plan_is_withdrawn():
    found = still_due(kept(NEW), doomed(replace(OLD, fingerprint="0" * 64)))

    assert found.due == ()
    assert found.withdrawn == {"old": "its objects changed since the plan"}


def test_gone_since_the_plan_is_withdrawn():
    found = still_due(kept(NEW))

    assert found.due == ()
    assert found.withdrawn == {"old": "it is gone"}


def test_each_approved_deletion_is_due_or_withdrawn():
    gone, changed, spared, due = (deployment(name, 9) for name in ("a", "b", "c", "d"))

    found = still_due(
        doomed(replace(changed, fingerprint="0" * 64)),
        kept(spared),
        doomed(due),
        approved=tuple(map(doomed, (gone, changed, spared, due))),
    )

    assert [one.deployment.name for one in found.due] == ["d"]
    assert sorted(found.withdrawn) == ["a", "b", "c"]
