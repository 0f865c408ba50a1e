"""`engine: auto` chooses by the number of objects and where rules are possible, and reports it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.core.plan.json_reader import load_plans
from tests.support.cleanup_run import apply
from tests.support.s3.lifecycle_texts import config, foreign_rule
from tests.support.s3.memory_lifecycle import rule_ids
from tests.support.s3.memory_site import MemorySite, running_site

FOREIGN = config(foreign_rule())
PLAN = ("--plan-file", "plan.json")
AUTO = ("--keep-count", "1", "--match", ".*", "--engine", "auto")


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """One deployment to keep, and two of three objects each to delete."""
    with running_site() as site:
        site.deploy("new", days=1)
        for days, name in enumerate(("old-1", "old-2"), start=20):
            site.deploy(name, days=days)
        site.lifecycle = FOREIGN
        yield site


@pytest.fixture
def _low_direct_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit direct deletion to five objects."""
    monkeypatch.setattr("ci3.core.plan.engine_choice.MAXIMUM_DIRECT_OBJECTS", 5)


def save_plan(site: MemorySite, *options: str) -> int:
    return main(["plan-cleanup", *site.options(), *AUTO, *PLAN, *options])


def cleanup(*options: str) -> int:
    return main(["cleanup", *options, "--auto-approve", "--journal-file", "j.jsonl"])


def read_plan() -> dict:
    return json.loads(Path("plan.json").read_text(encoding="utf-8"))


def test_few_objects_are_deleted_directly_and_the_plan_shows_why(
    site, capsys, assert_screen
) -> None:
    assert save_plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert "engine" not in read_plan()["policy"]
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new"}
    assert site.lifecycle == FOREIGN


@pytest.mark.usefixtures("_low_direct_limit")
def test_many_objects_are_deleted_by_s3_and_the_plan_shows_why(site, capsys, assert_screen) -> None:
    assert save_plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert read_plan()["policy"]["engine"] == {"value": "lifecycle", "from": "option"}
    assert cleanup(*PLAN) == 0
    assert len(rule_ids(site.lifecycle)) == 3
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.usefixtures("_low_direct_limit")
def test_explanation_of_the_choice_is_saved_and_shown_in_markdown(site, capsys) -> None:
    assert save_plan(site, "--output", "markdown") == 0
    markdown = capsys.readouterr().out
    (loaded,) = load_plans(Path("plan.json").read_text(encoding="utf-8"), "plan.json")
    assert len(loaded.engine_explanation) == 3
    for sentence in read_plan()["choice"]:
        assert sentence.partition(" / ")[0] in markdown


@pytest.mark.usefixtures("_low_direct_limit")
@pytest.mark.parametrize("options", [(), ("--engine", "auto")])
def test_saved_plan_is_applied_with_the_engine_that_was_chosen(site, monkeypatch, options) -> None:
    assert save_plan(site) == 0
    monkeypatch.setattr("ci3.core.plan.engine_choice.MAXIMUM_DIRECT_OBJECTS", 6)

    assert cleanup(*PLAN, *options) == 0

    assert len(rule_ids(site.lifecycle)) == 3
    assert site.folders() == {"new", "old-1", "old-2"}


def test_engine_of_the_approved_plan_is_used(site, monkeypatch) -> None:
    def lower_direct_limit() -> None:
        monkeypatch.setattr("ci3.core.plan.engine_choice.MAXIMUM_DIRECT_OBJECTS", 5)

    completed = apply(site, engine="auto", before_approval=lower_direct_limit)

    assert completed.exit_code == 0
    assert site.folders() == {"new"}
    assert site.lifecycle == FOREIGN


@pytest.mark.usefixtures("_low_direct_limit")
def test_direct_is_chosen_with_the_reason_if_rules_are_impossible(
    site, capsys, assert_screen
) -> None:
    site.enable_versioning()

    assert save_plan(site, "--delete-versions") == 0

    assert_screen(capsys.readouterr().out)
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new"}
    assert site.lifecycle == FOREIGN


@pytest.mark.usefixtures("_low_direct_limit")
def test_deployment_that_is_too_new_for_a_rule_is_deleted_directly(
    site, capsys, assert_screen
) -> None:
    site.deploy("old-3", days=3, files=4)

    assert save_plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.usefixtures("_low_direct_limit")
def test_direct_is_chosen_if_no_deployment_is_old_enough_for_a_rule(
    site, capsys, assert_screen
) -> None:
    for name in ("old-1", "old-2"):
        site.deploy(name, days=3)

    assert save_plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new"}


def test_run_that_deletes_directly_is_resumed(site, capsys) -> None:
    expired = "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>"
    site.proxy.answer("POST", r"\?delete", expired, status=400, nth=1)
    assert cleanup(*site.options(), *AUTO) == 3
    site.proxy._rules.clear()

    assert main(["cleanup", "--resume", "j.jsonl", "--engine", "auto", "--auto-approve"]) == 0

    assert site.folders() == {"new"}


@pytest.mark.usefixtures("_low_direct_limit")
def test_later_run_keeps_the_rules_while_many_objects_remain(site) -> None:
    assert cleanup(*site.options(), *AUTO) == 0
    before = site.lifecycle

    assert main(["cleanup", *site.options(), *AUTO, "--auto-approve"]) == 0

    assert site.lifecycle == before
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.usefixtures("_low_direct_limit")
def test_later_run_deletes_the_rest_directly_if_few_objects_remain(site) -> None:
    assert cleanup(*site.options(), *AUTO) == 0
    for key in [key for key in site.keys() if key.startswith("old-1/")]:  # noqa: SIM118
        site.remove(key)

    assert main(["cleanup", *site.options(), *AUTO, "--auto-approve"]) == 0

    assert site.folders() == {"new"}
    assert rule_ids(site.lifecycle) == rule_ids(FOREIGN)
