"""`engine: auto`: chosen by the number of objects, as far as rules can be made, and said."""

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
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let five objects be as many as ci3 deletes itself."""
    monkeypatch.setattr("ci3.core.plan.engine_choice.MAXIMUM_DIRECT_OBJECTS", 5)


def plan(site: MemorySite, *more: str) -> int:
    return main(["plan-cleanup", *site.options(), *AUTO, *PLAN, *more])


def cleanup(*options: str) -> int:
    return main(["cleanup", *options, "--auto-approve", "--journal-file", "j.jsonl"])


def saved() -> dict:
    return json.loads(Path("plan.json").read_text(encoding="utf-8"))


def test_few_objects_are_deleted_directly_and_the_plan_says_why(
    site, capsys, assert_screen
) -> None:
    assert plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert "engine" not in saved()["policy"]
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new"}
    assert site.lifecycle == FOREIGN


@pytest.mark.usefixtures("_few")
def test_many_objects_are_left_to_s3_and_the_plan_says_why(site, capsys, assert_screen) -> None:
    assert plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert saved()["policy"]["engine"] == {"value": "lifecycle", "from": "option"}
    assert cleanup(*PLAN) == 0
    assert len(rule_ids(site.lifecycle)) == 3
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.usefixtures("_few")
def test_choice_is_read_back_and_stands_in_the_markdown(site, capsys) -> None:
    assert plan(site, "--output", "markdown") == 0
    markdown = capsys.readouterr().out
    (loaded,) = load_plans(Path("plan.json").read_text(encoding="utf-8"), "plan.json")
    assert len(loaded.engine_explanation) == 3
    for sentence in saved()["choice"]:
        assert sentence.partition(" / ")[0] in markdown


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("more", [(), ("--engine", "auto")])
def test_saved_plan_is_applied_with_the_engine_that_was_chosen(site, monkeypatch, more) -> None:
    assert plan(site) == 0
    monkeypatch.setattr("ci3.core.plan.engine_choice.MAXIMUM_DIRECT_OBJECTS", 6)

    assert cleanup(*PLAN, *more) == 0

    assert len(rule_ids(site.lifecycle)) == 3
    assert site.folders() == {"new", "old-1", "old-2"}


def test_engine_that_was_shown_is_the_one_that_is_used_after_a_yes(site, monkeypatch) -> None:
    def come_to_be_many() -> None:
        monkeypatch.setattr("ci3.core.plan.engine_choice.MAXIMUM_DIRECT_OBJECTS", 5)

    ran = apply(site, engine="auto", before_approval=come_to_be_many)

    assert ran.exit_code == 0
    assert site.folders() == {"new"}
    assert site.lifecycle == FOREIGN


@pytest.mark.usefixtures("_few")
def test_obstacle_to_rules_has_ci3_delete_directly_and_is_told(site, capsys, assert_screen) -> None:
    site.enable_versioning()

    assert plan(site, "--delete-versions") == 0

    assert_screen(capsys.readouterr().out)
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new"}
    assert site.lifecycle == FOREIGN


@pytest.mark.usefixtures("_few")
def test_what_no_rule_can_be_made_for_is_deleted_directly(site, capsys, assert_screen) -> None:
    site.deploy("old-3", days=3, files=4)

    assert plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.usefixtures("_few")
def test_direct_is_chosen_where_no_deployment_is_old_enough_for_a_rule(
    site, capsys, assert_screen
) -> None:
    for name in ("old-1", "old-2"):
        site.deploy(name, days=3)

    assert plan(site) == 0

    assert_screen(capsys.readouterr().out)
    assert cleanup(*PLAN) == 0
    assert site.folders() == {"new"}


def test_run_that_took_direct_is_gone_on_with(site, capsys) -> None:
    expired = "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>"
    site.proxy.answer("POST", r"\?delete", expired, status=400, nth=1)
    assert cleanup(*site.options(), *AUTO) == 3
    site.proxy._rules.clear()

    assert main(["cleanup", "--resume", "j.jsonl", "--engine", "auto", "--auto-approve"]) == 0

    assert site.folders() == {"new"}


@pytest.mark.usefixtures("_few")
def test_later_run_goes_on_with_rules_while_what_s3_has_not_deleted_is_many(site) -> None:
    assert cleanup(*site.options(), *AUTO) == 0
    before = site.lifecycle

    assert main(["cleanup", *site.options(), *AUTO, "--auto-approve"]) == 0

    assert site.lifecycle == before
    assert site.folders() == {"new", "old-1", "old-2"}


@pytest.mark.usefixtures("_few")
def test_later_run_deletes_directly_what_little_s3_has_left(site) -> None:
    assert cleanup(*site.options(), *AUTO) == 0
    for key in [key for key in site.keys() if key.startswith("old-1/")]:  # noqa: SIM118
        site.remove(key)

    assert main(["cleanup", *site.options(), *AUTO, "--auto-approve"]) == 0

    assert site.folders() == {"new"}
    assert rule_ids(site.lifecycle) == rule_ids(FOREIGN)
