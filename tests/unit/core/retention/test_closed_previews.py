"""The rule `expire-closed`: which previews it deletes, and what keeps them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ci3.core.live.pins import Pin, pin_protected, pin_run
from ci3.core.live.preview_names import parse_pull_request
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from ci3.core.model.issues import WarningCode
from ci3.core.model.user_pattern import UserPattern
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.closed_previews import (
    PullRequest,
    PullRequestReading,
    check_preview,
    find_expiry_warnings,
    find_open_warnings,
    select_closed_previews,
)
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.unfinished import PartialDeletion
from ci3.core.units import Duration
from tests.support.builders import (
    NOW,
    days_ago,
    deployment,
    empty_deployment,
    inventory,
    live_pin,
    marker_only_deployment,
)
from tests.support.golden import assert_messages

REPOSITORY = "acme/storefront"
PERIOD = Duration.parse("3d")
COMMIT = "a1b2c3d" + "0" * 33


def pull_request(closed_days: float | None = 10, *, created_days=100.0, is_merged=True):
    return PullRequest(
        created_at=days_ago(created_days),
        closed_at=None if closed_days is None else days_ago(closed_days),
        is_merged=is_merged,
    )


def reading(**pull_requests: PullRequest) -> PullRequestReading:
    """Return a reading of pull requests that are named like `_12`."""
    return PullRequestReading(
        repository=REPOSITORY,
        pull_requests={int(name[1:]): pull_request for name, pull_request in pull_requests.items()},
    )


def evaluate_all(*deployments, pull_requests=None, pins=(), keep_count=5, **policy):
    rules = RetentionPolicy(keep_count=keep_count, **({"expire_closed": PERIOD} | policy))
    return evaluate(
        inventory(*deployments),
        rules,
        pins,
        NOW,
        1,
        pull_requests=pull_requests or reading(_12=pull_request()),
    )


def find_deleted(*deployments, **options) -> set[str]:
    """Return the names of the deployments to delete."""
    evaluations = evaluate_all(*deployments, **options)
    return {
        evaluation.deployment.name for evaluation in evaluations if evaluation.decision.is_delete
    }


@pytest.mark.parametrize(
    "name",
    ["pr-12", "pr12", "PR_12", "Pull-12", "pull12", "preview-12", "preview_12", "pr-12-a1b2c3d",
     "pr12-A1B2C3D", f"pr-12-{COMMIT}", f"preview_12_{COMMIT}"],
)  # fmt: skip
def test_name_of_a_preview_has_one_number_and_may_have_a_commit(name):
    assert parse_pull_request(name) == 12


@pytest.mark.parametrize(
    "name",
    ["12", "0012", COMMIT, "a1b2c3d", f"12-{COMMIT}", f"main-{COMMIT}", "v12", "build-12", "mr-12",
     "pr", "pr-", "pr-0", "pr-012", "pr-1234567", "pr-20261130", "pr-12-3", "pr-12-1234567",
     "pr-12-20261130", "pr-12-20261130a", f"pr-12-{COMMIT}a", "pr-12-abcdefa", "pr-12-a1b2c3",
     "pr-12-docs", "preview-2-columns",
     "pr-12-", "pr--12", "pr-12-13-a1b2c3d", "pr-12-a1b2c3d-3", "pr-12-a1b2c3d-docs", "a-pr-12",
     "my-preview-12", "pr-\u0661\u0662", "pr-12\n", "pr.12", "\u212aull-12", "spr12", ""],
)  # fmt: skip
def test_name_in_another_form_is_no_preview(name):
    assert parse_pull_request(name) is None


@pytest.mark.parametrize(
    ("folder", "state", "is_expired"),
    [
        pytest.param((20, 20), pull_request(3), True, id="closed exactly the period ago"),
        pytest.param((20, 20), pull_request(2.99), False, id="closed within the period"),
        pytest.param((20, 3), pull_request(10), True, id="uploaded exactly the period ago"),
        pytest.param((20, 2.99), pull_request(10), False, id="uploaded within the period"),
        pytest.param((20, 5), pull_request(10), True, id="updated after closing"),
        pytest.param((20, 20), pull_request(None), False, id="open"),
        pytest.param(
            (20, 20), pull_request(10, created_days=20), False, id="as old as the pull request"
        ),
        pytest.param((21, 19), pull_request(10, created_days=20), False, id="one object is older"),
        pytest.param(
            (19.9, 19), pull_request(10, created_days=20), True, id="newer than the pull request"
        ),
        pytest.param((5, 5), pull_request(35), True, id="uploaded 30 days after closing"),
        pytest.param(
            (4.9, 4.9), pull_request(35), False, id="uploaded more than 30 days after closing"
        ),
        pytest.param((36, 4), pull_request(35), True, id="updated more than 30 days after closing"),
        pytest.param((20, 20), pull_request(-1), False, id="closed in the future"),
        pytest.param((20, -1), pull_request(10), False, id="uploaded in the future"),
    ],
)
def test_expiry_depends_on_the_times_of_the_preview_and_its_pull_request(folder, state, is_expired):
    preview = deployment("pr-12", *folder)

    check = check_preview(preview, reading(_12=state), PERIOD, NOW)

    assert check.is_expired is is_expired
    assert check.is_known
    assert (find_deleted(preview, pull_requests=reading(_12=state)) == {"pr-12"}) is is_expired


def test_preview_expires_immediately_after_closing_with_a_period_of_zero():
    preview, zero = deployment("pr-12", 0), Duration.parse("0d")
    state = reading(_12=pull_request(0))
    assert check_preview(preview, state, zero, NOW).is_expired
    assert not check_preview(preview, state, zero, NOW - timedelta(seconds=1)).is_expired


@pytest.mark.parametrize(
    ("unknown", "is_known"),
    [
        pytest.param(reading(_13=pull_request()), False, id="not read"),
        pytest.param(PullRequestReading(problem="GitHub is down"), False, id="failed"),
        pytest.param(PullRequestReading(missing=frozenset({12})), False, id="an issue"),
        pytest.param(
            replace(reading(_12=pull_request()), open_numbers=frozenset({12})), True, id="listed"
        ),
    ],
)
def test_pull_request_that_is_unknown_or_contradictory_keeps_its_preview(unknown, is_known):
    preview = deployment("pr-12", 20)
    assert find_deleted(preview, pull_requests=unknown) == set()
    assert check_preview(preview, unknown, PERIOD, NOW).is_known is is_known


def test_without_the_setting_no_preview_expires():
    assert find_deleted(deployment("pr-12", 20), expire_closed=None) == set()


@pytest.mark.parametrize("rules", [{"keep_count": 9}, {"keep_within": Duration.parse("900d")},
                                   {"keep_daily": 9, "keep_weekly": 9, "keep_monthly": 9},
                                   {"age_from": AgeFrom.NAME}])  # fmt: skip
def test_keep_rules_and_the_minimum_do_not_keep_an_expired_preview(rules):
    assert find_deleted(deployment("pr-12", 20), **rules) == {"pr-12"}


def test_last_preview_of_a_group_is_deleted():
    grouping = UserPattern.compile(r"(pr-\d+)-.*")
    previews = [deployment(f"pr-{name}", 20) for name in ("12-a1b2c3d", "13-a1b2c3d")]
    assert find_deleted(*previews, group_by=grouping) == {"pr-12-a1b2c3d"}


@pytest.mark.parametrize(
    "pin",
    [
        *pin_protected(["pr-*"]),
        live_pin("pr-12"),
        *pin_run([Reference(pull_request=12)]),
        *pin_run([Reference(branches=("PR/12",))]),
        Pin(code=ReasonCode.LIVE, reference=Reference(pull_request=12)),
    ],
)
def test_pin_keeps_an_expired_preview(pin):
    [evaluation] = evaluate_all(deployment("pr-12", 20), pins=[pin])
    assert evaluation.expiry.is_expired
    assert not evaluation.is_expired
    assert pin.code in {reason.code for reason in evaluation.decision.reasons}


def test_empty_preview_is_kept():
    assert find_deleted(empty_deployment("pr-12")) == set()


@pytest.mark.parametrize(
    ("days", "state", "period", "expected"),
    [
        pytest.param(20, pull_request(), "3d", {"pr-12"}, id="failed build"),
        pytest.param(0.04, pull_request(0.04), "0d", set(), id="object of the last hour"),
        pytest.param(0.1, pull_request(0.04), "0d", {"pr-12"}, id="older than an hour"),
        pytest.param(20, pull_request(None), "3d", set(), id="open"),
        pytest.param(20, pull_request(1), "3d", set(), id="closed within the period"),
    ],
)
def test_incomplete_preview_is_deleted_if_it_cannot_be_uploading(days, state, period, expected):
    incomplete = marker_only_deployment("pr-12", days)
    complete, expire_closed = deployment("main", 40), Duration.parse(period)
    options = {"pull_requests": reading(_12=state), "expire_closed": expire_closed}
    assert find_deleted(incomplete, complete, **options) == expected


@pytest.mark.parametrize(("must_keep", "expected"), [(False, {"pr-12"}), (True, set())])
def test_remainder_of_a_deletion_is_deleted_unless_it_must_be_kept(must_keep, expected):
    partial = {"pr-12": PartialDeletion(message="partly deleted", must_keep=must_keep)}
    [evaluation] = evaluate(
        inventory(deployment("pr-12", 20)),
        RetentionPolicy(keep_count=1, expire_closed=PERIOD),
        (),
        NOW,
        1,
        partial_deletions=partial,
        pull_requests=reading(_12=pull_request()),
    )
    assert ({"pr-12"} if evaluation.is_delete else set()) == expected


def test_remainder_of_a_resumed_run_is_deleted():
    [evaluation] = evaluate(
        inventory(marker_only_deployment("pr-12", 20)),
        RetentionPolicy(keep_count=1, expire_closed=PERIOD),
        (),
        NOW,
        1,
        started_deletions=["pr-12"],
        pull_requests=reading(_12=pull_request()),
    )
    assert evaluation.is_delete


def test_expired_preview_is_not_counted_and_supersedes_nothing():
    production = deployment("main", 40)
    previews = [deployment("pr-12", 20), deployment("pr-13", 19)]
    closed = reading(_12=pull_request(), _13=pull_request())
    assert find_deleted(production, *previews, keep_count=1, expire_closed=None) == {
        "main",
        "pr-12",
    }
    assert find_deleted(production, *previews, keep_count=1, pull_requests=closed) == {
        "pr-12",
        "pr-13",
    }


@pytest.mark.parametrize(
    "unknown",
    [PullRequestReading(problem="GitHub is down"), PullRequestReading(missing=frozenset({12}))],
    ids=["failed", "missing"],
)
@pytest.mark.parametrize("keep_count", [1, 3])
def test_preview_that_may_be_expired_is_kept_and_supersedes_nothing(unknown, keep_count):
    releases = [deployment(f"rel-{number}", 40 - number) for number in (1, 2, 3)]
    preview = deployment("pr-12", 20)
    known = find_deleted(*releases, preview, keep_count=keep_count)
    assert known - find_deleted(
        *releases, preview, keep_count=keep_count, pull_requests=unknown
    ) == {"pr-12"}
    assert find_deleted(*releases, preview, keep_count=1, pull_requests=unknown) == {
        "rel-1",
        "rel-2",
    }
    superseded = find_deleted(preview, deployment("main", 10), keep_count=1, pull_requests=unknown)
    assert superseded == set()


@pytest.mark.parametrize("pin", [live_pin("pr-12"), *pin_protected(["pr-12"])])
def test_pin_on_an_expired_preview_causes_no_other_deletion(pin):
    deployments = deployment("rel-a", 40), deployment("pr-12", 20)
    assert find_deleted(*deployments, keep_count=1) == {"pr-12"}
    assert find_deleted(*deployments, keep_count=1, pins=[pin]) == set()


def test_superseded_preview_does_not_depend_on_its_pull_request():
    evaluations = evaluate_all(deployment("pr-12", 20), deployment("main", 10), keep_count=1)
    decisions = [evaluation.decision for evaluation in evaluations]
    [preview] = [decision for decision in decisions if decision.deployment.name == "pr-12"]
    assert [reason.code for reason in preview.reasons] == [ReasonCode.SUPERSEDED]
    assert select_closed_previews(decisions) == ()


def test_messages():
    times = {
        "expired": ((20, 20), pull_request(4)),
        "not merged": ((20, 20), pull_request(4, is_merged=False)),
        "recent": ((20, 20), pull_request(1)),
        "updated": ((20, 1), pull_request(4)),
        "open": ((20, 20), pull_request(None)),
        "older": ((20, 20), pull_request(4, created_days=10)),
        "build": ((20, 20), pull_request(90)),
    }
    checks = {
        name: check_preview(deployment("pr-12", *folder), reading(_12=state), PERIOD, NOW)
        for name, (folder, state) in times.items()
    }
    unknown = {
        "missing": PullRequestReading(repository=REPOSITORY, missing=frozenset({12})),
        "failed": PullRequestReading(repository=REPOSITORY, problem="GitHub returned 502"),
    }
    checks |= {
        name: check_preview(deployment("pr-12", 20), state, PERIOD, NOW)
        for name, state in unknown.items()
    }
    messages = {name: check.message for name, check in checks.items()}
    warnings = {
        "some failed": find_expiry_warnings(
            replace(unknown["failed"], wanted=frozenset({12, 13}), missing=frozenset({13}))
        ),
        "all missing": find_expiry_warnings(replace(unknown["missing"], wanted=frozenset({12}))),
    }
    open_number = reading(_12=pull_request(None))
    evaluations = evaluate_all(
        deployment("pr-12", 20), deployment("main", 9), pull_requests=open_number, keep_count=1
    )
    decisions = [evaluation.decision for evaluation in evaluations]
    warnings["all of an open one"] = find_open_warnings(open_number, decisions)
    assert_messages(__file__, [*messages.items(), *warnings.items()])


@pytest.mark.parametrize(
    ("wanted", "has_warning"),
    [([12, 13, 14], False), ([12], False), ([], False), ([13, 14], True), ([12, 99], True)],
)
def test_warning_requires_an_unavailable_pull_request_or_that_all_are_missing(wanted, has_warning):
    missing = frozenset({13, 14})
    known = replace(reading(_12=pull_request()), missing=missing, wanted=frozenset(wanted))
    codes = [warning.code for warning in find_expiry_warnings(known)]
    assert codes == ([WarningCode.EXPIRE_CLOSED] if has_warning else [])
