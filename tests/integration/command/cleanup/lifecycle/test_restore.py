"""A restore of a run with `engine: lifecycle`: its rules are removed first."""

import json

from ci3.cli.main import main
from tests.integration.command.cleanup.lifecycle.conftest import (
    BY_S3,
    FOREIGN,
    add_rule,
    cleanup,
    expire,
    list_rule_names,
)


def read_outputs(text: str) -> dict:
    """Return the JSON at the end of a text."""
    return json.loads(text[text.index("{\n") :])


def test_restore_removes_the_rules_if_nothing_has_expired(site, capsys) -> None:
    cleanup(site, *BY_S3)
    before = site.content()
    assert main(["restore", "j.jsonl", "--auto-approve", "--output", "json"]) == 0
    outputs = read_outputs(capsys.readouterr().out)
    assert (outputs["outcome"], outputs["rules-removed"]) == ("restored", 2)
    assert outputs["objects-restored"] == 0
    assert site.lifecycle == FOREIGN
    assert site.content() == before


def test_restore_reports_what_has_permanently_expired(site, capsys, assert_screen) -> None:
    cleanup(site, *BY_S3)
    expire(site, "old-1")
    capsys.readouterr()
    assert main(["restore", "j.jsonl", "--auto-approve"]) == 3
    assert_screen(capsys.readouterr().out)
    assert site.lifecycle == FOREIGN


def test_restore_removes_the_delete_markers_of_expired_objects(site) -> None:
    site.enable_versioning()
    for days, name in enumerate(("old-1", "old-2"), start=20):
        site.deploy(name, days=days)
    before = site.content()
    cleanup(site, *BY_S3)
    expire(site, "old-1")
    cleanup(site, *BY_S3, journal="k.jsonl")  # writes a rule for noncurrent versions
    assert main(["restore", "j.jsonl", "--auto-approve"]) == 0
    assert site.content() == before
    assert site.lifecycle == FOREIGN


def test_restore_stops_if_rules_cannot_be_removed(site, capsys, assert_screen) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    cleanup(site, *BY_S3)
    expire(site, "old-1")
    site.proxy.answer("PUT", r"\?lifecycle", status=403)
    capsys.readouterr()
    assert main(["restore", "j.jsonl", "--auto-approve"]) == 3
    assert_screen(capsys.readouterr().out)
    assert "old-1" not in site.folders()


def test_restore_by_time_removes_the_rule_too(site, capsys, assert_screen) -> None:
    site.enable_versioning()
    site.deploy("old-1", days=20)
    cleanup(site, *BY_S3)
    argv = ["restore", "old-1", "--deleted-since", "1h", *site.options(), "--auto-approve"]
    site.remove("old-1/file-00000")
    capsys.readouterr()
    assert main(argv) == 0
    assert_screen(capsys.readouterr().out)
    assert list_rule_names(site) == ["logs", "old-2"]
    add_rule(site, "old-1", made_days_ago=1)
    argv += ["--output", "json"]
    assert main(argv) == 0
    outputs = read_outputs(capsys.readouterr().out)
    assert (outputs["rules-removed"], outputs["objects-restored"]) == (1, 0)
    assert list_rule_names(site) == ["logs", "old-2"]
    assert main(argv) == 0
    assert read_outputs(capsys.readouterr().out)["outcome"] == "nothing-to-restore"
