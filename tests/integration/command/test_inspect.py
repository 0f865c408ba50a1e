"""`explain` and `simulate`: output, and no write requests."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.answers import GROUP_LISTING
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


@pytest.fixture
def site(site: Bucket) -> Bucket:
    """Five deployments ten days apart, `d0` the newest, and one that another pattern matches."""
    for number in range(5):
        site.deploy(f"d{number}", days=10 * number + 1)
    site.deploy("x9", days=45)
    return site


def run(site: Bucket, *argv: str) -> int:
    return main([*argv, *site.options()])


def test_explanation_shows_each_rule_and_pin_and_when_it_is_deleted(site, capsys, assert_screen):
    rules = ["--keep-count", "2", "--keep-within", "30d", "--protect", "x*", "--match", "d."]
    assert run(site, "explain", "d2", *rules, "--output", "json") == 0

    explanation = json.loads(capsys.readouterr().out)
    matched = {check["code"]: check["is_matched"] for check in explanation["checks"]}
    assert matched == {"protected": False, "keep-count": False, "keep-within": True}
    assert (explanation["decision"], explanation["name"]) == ("keep", "d2")
    assert_screen(explanation["outlook"])


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_explanation_of_a_deployment_to_delete_names_its_successor(
    site, capsys, assert_screen, output
):
    assert run(site, "explain", "d4", "--keep-count", "2", "--output", output) == 0

    assert_screen(capsys.readouterr().out)


def test_folder_that_is_no_deployment_cannot_be_explained(site, capsys, assert_screen):
    assert run(site, "explain", "x9", "--match", "d.") == 2
    assert_screen(capsys.readouterr().err)


@pytest.mark.parametrize("name", ["d7", "", "/", "X0", "d0/index.html"])
def test_unknown_deployment_name_is_an_error(site, capsys, assert_screen, name):
    assert run(site, "explain", name, "--match", "d.") == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert repr(name) in captured.err
    assert_screen(captured.err)


def test_slash_after_a_name_is_ignored(site, capsys):
    assert run(site, "explain", "d0/", "--output", "json") == 0
    explanation = json.loads(capsys.readouterr().out)
    assert (explanation["name"], explanation["decision"]) == ("d0", "keep")


def test_explain_and_simulate_send_no_write_request(site, proxy: FaultProxy):
    assert run(site, "explain", "d4", "--keep-count", "1") == 0
    assert run(site, "simulate", "--keep-count", "1") == 0

    assert {request.method for request in proxy.requests} == {"GET"}


def test_last_state_of_a_simulation_equals_the_plan(site, capsys):
    rules = ["--keep-count", "2", "--protect", "d4", "--match", ".*"]
    assert run(site, "simulate", *rules, "--output", "json") == 0
    last = json.loads(capsys.readouterr().out)["policies"][0]["states"][-1]
    assert run(site, "plan-cleanup", *rules, "--output", "json") == 0
    totals = json.loads(capsys.readouterr().out)["totals"]

    assert last["kept_count"] == totals["keep"] == 3


def test_two_policies_are_simulated_with_one_listing(site, proxy, capsys):
    Path("other.yml").write_text("keep-count: 1\nmax-delete: 1\n", encoding="utf-8")

    argv = ["simulate", "--keep-count", "3", "--against", "other.yml", "--output", "json"]
    assert run(site, *argv) == 0

    first, second = json.loads(capsys.readouterr().out)["policies"]
    assert (first["policy_file"], second["policy_file"]) == (None, "other.yml")
    assert [policy["states"][-1]["kept_count"] for policy in (first, second)] == [3, 1]
    assert len(proxy.find_requests("GET", GROUP_LISTING)) == 1


def test_policy_with_another_match_is_simulated_with_its_own_deployments(site, capsys):
    Path("other.yml").write_text("match: x.\n", encoding="utf-8")

    argv = ["simulate", "--match", "d.", "--against", "other.yml", "--output", "json"]
    assert run(site, *argv) == 0

    first, second = json.loads(capsys.readouterr().out)["policies"]
    assert (first["deployments"], second["deployments"]) == (5, 1)


def test_policy_file_with_targets_is_compared_by_the_matching_target(site, capsys):
    text = f"targets:\n  - bucket: elsewhere\n  - bucket: {site.name}\n    keep-count: 1\n"
    text += f"    endpoint-url: {site.endpoint_url}\n"
    Path("other.yml").write_text(text, encoding="utf-8")

    argv = ["simulate", "--against", "other.yml", "--output", "json"]
    assert run(site, *argv) == 0

    assert json.loads(capsys.readouterr().out)["policies"][1]["states"][-1]["kept_count"] == 1


@pytest.mark.parametrize(
    "text",
    ["targets:\n  - bucket: elsewhere\n", "keep-cuont: 1\n", "- keep-count: 1\n"],
    ids=["no such target", "unknown key", "list"],
)
def test_unusable_policy_to_compare_with_is_an_error(site, capsys, assert_screen, text):
    Path("other.yml").write_text(text, encoding="utf-8")

    assert run(site, "simulate", "--against", "other.yml") == 2

    assert_screen(capsys.readouterr().err)


def test_hostile_name_is_not_a_workflow_command_in_json(site, capsys):
    Path("##[error].yml").write_text("keep-count: 2\n")
    assert run(site, "simulate", "--against", "##[error].yml", "--output", "json") == 0
    out = capsys.readouterr().out
    assert "##[" not in out
    assert json.loads(out)["policies"][1]["policy_file"] == "##[error].yml"


@pytest.mark.parametrize("keys", [(), ("a.txt", "b/c", "d/e", "f/g")], ids=["empty", "ignored"])
@pytest.mark.parametrize("output", ["table", "markdown"])
def test_listing_without_deployments_shows_what_was_listed(
    bucket, capsys, assert_screen, output, keys
):
    for key in keys:
        bucket.put(key)
    argv = ["list-deployments", *bucket.options(), "--match", "v[0-9]+"]
    assert main([*argv, "--output", output]) == 0
    assert_screen(capsys.readouterr().out)
    assert main([*argv, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["deployments"] == []
