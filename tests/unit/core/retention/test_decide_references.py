"""What a reference with a pull request, branch or tag keeps, as tables."""

import re
from dataclasses import replace

import pytest

from ci3.core.live.pins import Pin, pin_protected, pin_run
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.newest_pins import resolve_pins
from tests.support.builders import deployment, empty_deployment, marker_only_deployment
from tests.unit.core.retention.tables import Case, decide_case, list_expected

HEAD = "a1b2c3d" + "0" * 33


def live(*, commit=HEAD, **fields):
    reference = Reference(commits=(commit,), **fields)
    return Pin(code=ReasonCode.LIVE, reference=reference, evidence=f"it is {reference}")


PULL_REQUEST = live(pull_request=12, branches=("feature/login",))
MAIN = live(branches=("main",))

CASES = {
    "folders that are named after pull requests": Case(
        pins=(live(pull_request=2), live(pull_request=3), live(pull_request=12)),
        rows=(
            (deployment("pr-5", 1), "keep: keep-count"),
            (deployment("pr-1", 2), "delete: superseded"),
            (deployment("pr-2", 3), "keep: live"),
            (deployment("PR_3", 4), "keep: live"),
            (deployment("pr-4", 5), "delete: superseded"),
            (deployment("12", 6), "keep: live"),
            (deployment("pr-120", 7), "delete: superseded"),
        ),
    ),
    "folders that are named after branches": Case(
        pins=(MAIN, live(branches=("develop",)), live(branches=("feature/a",))),
        rows=(
            (deployment("feature-b", 1), "keep: keep-count"),
            (deployment("feature-a", 2), "keep: live"),
            (deployment("feature-a-2", 3), "delete: superseded"),
            (deployment("develop", 4), "keep: live"),
            (deployment("main", 5), "keep: live"),
            (deployment("master", 6), "delete: superseded"),
        ),
    ),
    "folders that are named after tags": Case(
        pins=(live(tags=("v1.2.0",)),),
        rows=(
            (deployment("v1.4.0", 1), "keep: keep-count"),
            (deployment("v1.3.0", 2), "delete: superseded"),
            (deployment("v1.2.0-1111111", 3), "delete: superseded"),
            (deployment("v1.2.0", 4), "keep: live"),
            (deployment("v1-2-0", 5), "keep: live"),
        ),
    ),
    "older builds of a pull request whose head is deployed can be deleted": Case(
        pins=(PULL_REQUEST,),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("pr-12-2222222", 2), "delete: superseded"),
            (deployment("pr-12-a1b2c3d", 3), "keep: live"),
            (deployment("pr-12-1111111", 4), "delete: superseded"),
            (deployment("feature-login-1111111", 5), "delete: superseded"),
            (deployment("pr-12", 6), "keep: live"),
        ),
    ),
    "a build of the branch is not the preview of its pull request": Case(
        pins=(PULL_REQUEST,),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("feature-login-a1b2c3d", 2), "keep: live"),
            (deployment("pr-12-2222222", 3), "keep: live"),
            (deployment("pr-12-1111111", 4), "delete: superseded"),
            (deployment("feature-login-1111111", 5), "delete: superseded"),
        ),
    ),
    "builds of another branch or notation do not supersede builds of this branch": Case(
        pins=(live(pull_request=12, branches=("feature/checkout-redesign-v2",)),),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("feature-checkout-redesign-3333333", 2), "keep: live"),
            (deployment("feature-checkout-redesign-2222222", 3), "keep: live"),
            (deployment("feature-checkout-redesign-v2-2222222", 4), "keep: live"),
            (deployment("feature-checkout-redesign-v2-1111111", 5), "delete: superseded"),
            (deployment("12-2222222", 6), "keep: live"),
            (deployment("pr-12-2222222", 7), "keep: live"),
            (deployment("pr-12-1111111", 8), "delete: superseded"),
        ),
    ),
    "a protected folder with the commit supersedes no build": Case(
        pins=(live(commit="c0ffee1", branches=("feat",)), *pin_protected(["shared-*"])),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("shared-c0ffee1", 2), "keep: live protected"),
            (deployment("feat-3333333", 3), "keep: live"),
        ),
    ),
    "the newest build of each number and branch is kept if the head is not deployed": Case(
        pins=(PULL_REQUEST,),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("pr-12-2222222", 2), "keep: live"),
            (deployment("pr-12-1111111", 3), "delete: superseded"),
            (deployment("feature-login-3333333", 4), "keep: live"),
            (deployment("pr-13-2222222", 5), "delete: superseded"),
        ),
    ),
    "a build of a fork's branch does not supersede the preview of its pull request": Case(
        pins=(live(pull_request=12, branches=("main",)),),
        rows=(
            (deployment("main-3333333", 1), "keep: live keep-count"),
            (deployment("pr-12-2222222", 2), "keep: live"),
            (deployment("main-2222222", 3), "delete: superseded"),
            (deployment("pr-12-1111111", 4), "delete: superseded"),
        ),
    ),
    "every build of a branch but the newest can be deleted": Case(
        pins=(MAIN,),
        rows=(
            (deployment("web-9999999", 1), "keep: keep-count"),
            (deployment("main-3333333", 2), "keep: live"),
            (deployment("main-2222222", 3), "delete: superseded"),
            (deployment("main-1111111", 4), "delete: superseded"),
            (deployment("main-line-1111111", 5), "delete: superseded"),
        ),
    ),
    "an incomplete build is not the newest, and an incomplete head does not count": Case(
        pins=(MAIN,),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (marker_only_deployment("main-a1b2c3d", 2), "keep: live"),
            (deployment("main-3333333", 3), "keep: live"),
            (marker_only_deployment("main-2222222", 4), "delete: superseded"),
            (deployment("main-1111111", 5), "delete: superseded"),
        ),
    ),
    "if no build is complete, all are kept": Case(
        pins=(MAIN,),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (marker_only_deployment("main-2222222", 4), "keep: live"),
            (marker_only_deployment("main-1111111", 5), "keep: live"),
            (empty_deployment("main-3333333"), "keep: no-objects"),
        ),
    ),
    "builds whose order is not known are all kept": Case(
        pins=(MAIN,),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("main-3333333", 4, 2), "keep: live"),
            (deployment("main-4444444", 3, 3), "keep: live"),
            (deployment("main-2222222", 5, 3), "keep: live"),
            (deployment("main-1111111", 6), "delete: superseded"),
        ),
    ),
    "a protected build is not the newest": Case(
        pins=(*pin_protected(["main-3*"]), MAIN),
        rows=(
            (deployment("d9", 1), "keep: keep-count"),
            (deployment("main-3333333", 2), "keep: protected live"),
            (deployment("main-2222222", 3), "keep: live"),
            (deployment("main-1111111", 4), "delete: superseded"),
        ),
    ),
    "each group is decided separately": Case(
        pins=(MAIN,),
        rules={"group_by": re.compile(r".*-(web|api)")},
        rows=(
            (deployment("d9-1111111-web", 1), "keep: keep-count"),
            (deployment("d9-1111111-api", 2), "keep: keep-count"),
            (deployment("main-2222222-api", 3), "keep: live"),
            (deployment("main-a1b2c3d-web", 4), "keep: live"),
            (deployment("main-1111111-api", 5), "delete: superseded"),
            (deployment("main-1111111-web", 6), "delete: superseded"),
        ),
    ),
    "names of git describe have a commit": Case(
        pins=pin_run([Reference(commits=("2222222" + "0" * 33,))]),
        rows=(
            (deployment("v1.2.3-4-g4444444", 1), "keep: keep-count"),
            (deployment("v1.2.3-3-g3333333", 2), "delete: superseded"),
            (deployment("v1.2.3-2-g2222222", 3), "keep: current-commit"),
            (deployment("v1.2.3-2-h2222222", 4), "delete: superseded"),
        ),
    ),
    "deployments of the pull request and branch of the run are kept": Case(
        pins=pin_run([Reference(commits=(HEAD,), pull_request=7, branches=("topic/x",))]),
        rows=(
            (deployment("pr-9", 1), "keep: keep-count"),
            (deployment("pr-8", 2), "delete: superseded"),
            (deployment("pr-7", 3), "keep: current-commit"),
            (deployment("topic-x", 4), "keep: current-commit"),
            (deployment("topic-x-2222222", 5), "keep: current-commit"),
            (deployment("topic-x-1111111", 6), "delete: superseded"),
        ),
    ),
    "a push to the default branch does not keep all of its builds": Case(
        pins=pin_run([Reference(commits=(HEAD,), branches=("main",))]),
        rows=(
            (deployment("main-a1b2c3d", 1), "keep: current-commit keep-count"),
            (deployment("main-2222222", 2), "delete: superseded"),
            (deployment("main-1111111", 3), "delete: superseded"),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_references_keep_what_the_table_lists(case):
    assert decide_case(case) == list_expected(case)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_pins_that_were_not_resolved_keep_at_least_as_much(case):
    """If a caller does not resolve them, more is kept."""
    deployments = [deployment for deployment, _ in case.rows]
    names = [deployment.name for deployment in deployments]
    resolved = resolve_pins(
        case.pins, deployments, group_by=case.rules.get("group_by"), age_from=AgeFrom.SPAN
    )

    for pin, resolved_pin in zip(case.pins, resolved, strict=True):
        assert replace(resolved_pin, newest_names=None) == pin
        for name in names:
            assert pin.matches(name) or not resolved_pin.matches(name)


def test_newest_build_depends_on_age_from():
    pins = (MAIN,)
    deployments = [deployment("main-1111111", 9, 1), deployment("main-2222222", 5, 2)]

    def find_newest(age_from):
        [pin] = resolve_pins(pins, deployments, group_by=None, age_from=age_from)
        return pin.newest_names

    assert find_newest(AgeFrom.SPAN) == {"main-1111111", "main-2222222"}
    assert find_newest(AgeFrom.NEWEST) == {"main-1111111"}
    assert find_newest(AgeFrom.OLDEST) == {"main-2222222"}
