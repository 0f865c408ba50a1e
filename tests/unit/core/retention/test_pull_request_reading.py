"""Pull requests: which are read, and what the plan, the recheck and warnings take from them."""

import pytest

from ci3.core.live.pins import pin_run
from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveReading, LiveReference, LiveSource
from ci3.core.model.decision import Action, Decision, ReasonCode
from ci3.core.retention.closed_previews import (
    ClosedPreviews,
    PullRequest,
    PullRequestReading,
    check_preview,
    find_expiry_warnings,
    find_open_warnings,
    pin_unexpired,
    select_numbers,
    select_open_numbers,
)
from ci3.core.units import Duration
from tests.support.builders import NOW, days_ago, deployment, empty_deployment, live_pin

PERIOD = Duration.parse("3d")


def pull_request(closed_days: float | None) -> PullRequest:
    return PullRequest(
        created_at=days_ago(100),
        closed_at=None if closed_days is None else days_ago(closed_days),
        is_merged=False,
    )


def read(*closed: int, still_open: tuple[int, ...] = ()) -> PullRequestReading:
    """Return a reading of pull requests that were closed 10 days ago, and of open ones."""
    states = dict.fromkeys(closed, pull_request(10)) | dict.fromkeys(still_open, pull_request(None))
    return PullRequestReading(repository="acme/storefront", pull_requests=states)


@pytest.mark.parametrize(("number", "is_open"), [(12, True), (13, True), (14, False), (15, False)])
def test_pull_request_is_open_by_its_state_or_by_a_live_source(number: int, *, is_open: bool):
    reading = PullRequestReading(
        open_numbers=frozenset({12}),
        pull_requests={13: pull_request(None), 14: pull_request(5)},
    )
    assert reading.is_open(number) is is_open


def test_without_a_reading_a_preview_is_kept_and_nothing_is_reported():
    reading = PullRequestReading()
    check = check_preview(deployment("pr-12", 20), reading, PERIOD, NOW)
    assert check is not None
    assert (check.is_expired, check.is_known, check.depends_on_oldest) == (False, False, False)
    assert check.message == "#12 was not read"
    assert reading.problem == ""
    assert find_expiry_warnings(reading) == ()


def test_numbers_to_read_are_those_of_old_previews_without_a_pin():
    previews = [
        deployment("pr-12", 20), deployment("pr-12-a1b2c3d", 1), deployment("pr-13", 2.99),
        deployment("pr-14", 3), deployment("pr-15", 20), deployment("16", 20),
        empty_deployment("pr-17"),
    ]  # fmt: skip
    pins = [live_pin("main"), live_pin("pr-15")]
    assert select_numbers(previews, pins, PERIOD, NOW) == {12, 14}


def test_numbers_to_read_are_those_of_older_builds_of_a_pinned_pull_request():
    previews = [deployment("pr-12-a1b2c3d", 20), deployment("pr-13", 20)]
    pins = pin_run([Reference(pull_request=number) for number in (12, 13)])
    assert select_numbers(previews, pins, PERIOD, NOW) == {12}


def test_open_numbers_are_those_of_the_live_source():
    def make_reading(source: str, *references: Reference) -> LiveReading:
        return LiveReading(
            source=LiveSource.parse(source),
            references=tuple(
                LiveReference(name="x", evidence="", reference=reference)
                for reference in references
            ),
        )

    readings = [
        make_reading("open-pull-requests", Reference(pull_request=12), Reference(folder="main")),
        make_reading("github-deployments", Reference(pull_request=13)),
    ]
    assert select_open_numbers(readings) == {12}


def test_closed_previews_are_read_from_github_and_not_too_often():
    previews = ClosedPreviews(deployments=[deployment("pr-12", 20), deployment("main", 20)])
    assert (previews.is_on_github, previews.has_rate_limit) == (True, True)
    assert previews.numbers == {12}


def test_recheck_pins_previews_that_are_no_longer_known_to_be_closed():
    previews = ClosedPreviews(deployments=[deployment(f"pr-{n}", 20) for n in (12, 13, 14)])
    reading = read(12, still_open=(13,))

    pins = pin_unexpired(previews, reading, PERIOD, NOW)

    assert [pin.reference.folder for pin in pins] == ["pr-13", "pr-14"]
    assert [pin.allows_completion for pin in pins] == [False, True]
    assert [pin.matches("pr-12") for pin in pins] == [False, False]
    assert {pin.code for pin in pins} == {ReasonCode.EXPIRE_CLOSED}
    subjects = [pin.evidence.split()[0] for pin in pins]
    assert subjects == ["acme/storefront#13", "acme/storefront#14"]


def test_recheck_without_a_period_pins_every_preview():
    previews = ClosedPreviews(deployments=[deployment("pr-12", 20), deployment("pr-13", 20)])
    pins = pin_unexpired(previews, read(12, 13), None, NOW)
    assert [pin.reference.folder for pin in pins] == ["pr-12", "pr-13"]
    assert {pin.evidence for pin in pins} == {"expire-closed does not apply to it"}


KEEP, DELETE = Action.KEEP, Action.DELETE


@pytest.mark.parametrize(
    ("actions", "has_warning"),
    [
        ({"pr-12-a1b2c3d": DELETE, "pr-12-b2c3d4e": DELETE}, True),
        ({"pr-12-a1b2c3d": KEEP, "pr-12-b2c3d4e": DELETE}, False),
        ({"pr-12-a1b2c3d": DELETE, "pr-12-b2c3d4e": KEEP}, False),
        ({"pr-12-a1b2c3d": KEEP, "pr-12-b2c3d4e": KEEP}, False),
        ({"pr-13": DELETE, "main": DELETE}, False),
    ],
)
def test_warning_only_if_all_previews_of_an_open_pull_request_are_deleted(actions, has_warning):
    decisions = [
        Decision(deployment=deployment(name, 20), action=action, reasons=(), group="")
        for name, action in actions.items()
    ]
    assert len(find_open_warnings(read(13, still_open=(12,)), decisions)) == has_warning
