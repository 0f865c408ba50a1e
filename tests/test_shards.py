"""A saved plan that several jobs apply at once, each its shard: together exactly the plan."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.cli import main
from tests.crash import small_batches
from tests.fault_proxy import FaultProxy
from tests.journals import intended, records
from tests.memory_site import MemorySite, running_site

PLAN = ["--plan-file", "plan.json"]
COUNT = 8
FILES = (9, 7, 5, 5, 4, 3, 2, 2, 1, 1, 1, 1)
DOOMED = {f"old-{number:02}" for number in range(len(FILES))}


@pytest.fixture
def empty() -> Iterator[MemorySite]:
    with running_site() as site:
        yield site


@pytest.fixture
def proxy(empty: MemorySite) -> FaultProxy:
    return empty.proxy


@pytest.fixture
def site(empty: MemorySite) -> MemorySite:
    """One deployment to keep, twelve of different sizes to delete, and a file at the root."""
    empty.deploy("new", days=1)
    for number, files in enumerate(FILES):
        empty.deploy(f"old-{number:02}", days=10 + number, files=files)
    empty.put("index.html")
    return empty


def save(site: MemorySite, *more: str) -> None:
    argv = ["plan-cleanup", *site.options(), "--keep-count", "1", *PLAN, *more]
    assert main(argv) == 0


@pytest.fixture
def saved(site: MemorySite, capsys) -> None:
    save(site)
    capsys.readouterr()


def apply(number: int, *more: str, count: int = COUNT) -> int:
    return main(["cleanup", *PLAN, "--shard", f"{number}/{count}", "--auto-approve", *more])


def numbers_of(capsys, number: int, *more: str, count: int = COUNT) -> dict:
    """Apply one shard; give its outputs."""
    capsys.readouterr()
    assert apply(number, "--output", "json", *more, count=count) == 0
    return json.loads(capsys.readouterr().out)


def keys_of(journal: str) -> set[str]:
    """The keys that a journal says were to be deleted."""
    return {one["key"] for one in intended(records(journal))}


def test_shards_one_after_another_delete_exactly_the_plan_and_each_journals_its_part(
    site, saved, capsys
):
    before = site.keys()
    parts = []
    for number in range(1, COUNT + 1):
        there = site.keys()
        numbers = numbers_of(capsys, number)
        gone = there - site.keys()
        names = {key.partition("/")[0] for key in gone}
        assert numbers["outcome"] == "applied"
        assert numbers["deployments-found"] == 13
        assert numbers["deployments-kept"] == 1
        assert numbers["deployments-to-delete"] == numbers["deployments-deleted"] == len(names)
        assert numbers["objects-deleted"] == len(gone)
        assert keys_of(numbers["journal-file"]) == gone
        head = records(numbers["journal-file"])[0]
        assert head["shard"] == f"{number}/{COUNT}"
        assert {one["name"] for one in head["deployments"]} == names
        parts.append(gone)

    assert sorted(key for part in parts for key in part) == sorted(
        key for key in before if key.startswith("old-")
    )
    assert site.keys() == {key for key in before if not key.startswith("old-")}
    assert len({record["plan_id"] for record in heads()}) == 1


def heads() -> list[dict]:
    return [records(str(path))[0] for path in sorted(Path().glob("ci3-journal-*.jsonl"))]


def test_journal_of_a_shard_brings_back_exactly_its_part(site, saved, capsys):
    site.enable_versioning()
    save(site)
    journals = {number: numbers_of(capsys, number)["journal-file"] for number in (2, 1)}
    assert main(["restore", journals[1], "--auto-approve"]) == 0

    back = {key for key in site.keys() if key.startswith("old-")}  # noqa: SIM118
    assert keys_of(journals[1]) <= back
    assert not keys_of(journals[2]) & back


def test_shard_that_ran_already_has_nothing_left_the_second_time(site, saved, proxy, capsys):
    assert numbers_of(capsys, 3)["objects-deleted"] > 0
    proxy.requests.clear()
    before = site.content()

    again = numbers_of(capsys, 3)

    assert (again["outcome"], again["objects-deleted"]) == ("applied", 0)
    assert [key for one in proxy.deletions for key in one.batch_keys] == []
    assert site.content() == before


def test_shard_of_a_plan_of_fewer_deployments_has_nothing_to_delete(site, capsys):
    save(site, "--protect", "old-0*")
    before = site.content()

    numbers = numbers_of(capsys, 3)

    assert (numbers["outcome"], numbers["deployments-to-delete"]) == ("nothing-to-delete", 0)
    assert numbers["journal-file"] == ""
    assert site.content() == before
    assert apply(3) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Nothing to delete by shard 3/8: 2 deployments left to other shards, 11 kept." in out


def test_report_tells_of_its_part_and_calls_no_others_failed(site, saved, capsys):
    assert apply(2, count=2) == 0

    out = " ".join(capsys.readouterr().out.split())
    assert "6 of 13 deployments would be deleted by shard 2/2," in out
    assert "freed; 6 deployments left to other shards, 1 kept." in out
    assert "6 deployments deleted by shard 2/2: 20 objects" in out
    assert "not deleted" not in out


# Others delete at the same time.


def test_shard_that_begins_late_is_not_stale_for_what_others_have_deleted_or_begun(
    site, saved, capsys
):
    for key in [key for key in site.keys() if key.startswith("old-00/")]:  # noqa: SIM118
        site.remove(key)
    site.remove("old-01/file-00000")
    site.remove("old-01/file-00003")

    numbers = numbers_of(capsys, 3)

    assert (numbers["outcome"], numbers["deployments-deleted"]) == ("applied", 1)
    assert len([key for key in site.keys() if key.startswith("old-01/")]) == 5  # noqa: SIM118


@pytest.mark.parametrize(
    ("number", "key", "days"), [(8, "old-01/more", 10), (1, "old-01/file-00000", 1)]
)
def test_change_in_any_shard_makes_every_shard_stale(  # noqa: PLR0917 - fixtures
    site, saved, proxy, number, key, days, capsys
):
    site.put(key, days=days)

    assert apply(number) == 5

    assert proxy.deletions == []
    out = " ".join(capsys.readouterr().out.split())
    assert "The plan is stale: 1 of 12 deployments can't be deleted as planned." in out
    assert "changed old-01: its objects changed since the plan" in out


def test_changed_deployment_is_skipped_by_its_shard_and_the_others_delete_theirs(
    site, saved, capsys
):
    site.put("old-01/more", days=10)
    for number in range(1, COUNT + 1):
        assert apply(number, "--skip-changed") == 0
    assert site.folders() == {"new", "old-01"}


def test_deployment_of_its_own_that_is_half_gone_makes_a_shard_stale(site, saved, proxy):
    site.remove("old-00/file-00000")
    assert apply(1) == 5
    assert proxy.deletions == []


@pytest.mark.parametrize("options", [("--protect", "old-01"), ("--keep-count", "3")])
def test_pin_or_rule_that_spares_anything_of_the_plan_stops_every_shard(
    site, saved, proxy, options
):
    assert apply(8, *options) == 5
    assert proxy.deletions == []


@pytest.mark.parametrize("gone", [(), ("old-00", "old-01", "old-02")])
def test_limit_is_held_against_the_whole_plan_though_a_shard_has_less(
    site, saved, proxy, gone, capsys
):
    for key in sorted(site.keys()) if gone else ():
        if key.startswith(gone):
            site.remove(key)

    assert apply(8, "--max-delete", "11") == 4

    assert proxy.deletions == []
    assert "12 deployments of 13 would be deleted, and max-delete allows 11" in " ".join(
        capsys.readouterr().err.split()
    )
    assert apply(8, "--max-delete", "12") == 0


def test_what_became_due_since_is_nobodys(site, saved):
    site.deploy("newer", days=0)
    for number in range(1, COUNT + 1):
        assert apply(number) == 0
    assert site.folders() == {"new", "newer"}


# Journals, and going on with a shard.


def test_shards_in_one_workspace_write_journals_of_their_own(site, saved):
    for number in (1, 2):
        assert apply(number, "--journal-file", "j.jsonl") == 0
    assert {path.name for path in Path().glob("*.jsonl")} == {"j-1of8.jsonl", "j-2of8.jsonl"}


def test_shards_that_begin_in_the_same_second_store_their_journals_apart(
    site, saved, monkeypatch, capsys
):
    monkeypatch.setattr("secrets.token_hex", lambda _: "0" * 8)
    found = [numbers_of(capsys, number, "--journal-file", "s3://") for number in (1, 2)]

    places = [one["journal-file"] for one in found]
    assert [place.rsplit("-", 1)[1] for place in places] == ["1of8/", "2of8/"]
    for place in places:
        key = f"{place.removeprefix('s3://site/')}00000001.jsonl"
        (head, _) = site.content()[key][0].decode().split("\n")
        assert place.endswith(f"/{json.loads(head)['run_id']}/")


@pytest.fixture
def stopped(site: MemorySite, saved, proxy: FaultProxy, monkeypatch) -> str:
    """The journal of shard 1 of 2, which lost its access in its second batch."""
    small_batches(monkeypatch)
    expired = "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>"
    proxy.answer("POST", r"\?delete", expired, status=400, nth=2)
    assert apply(1, "--journal-file", "j.jsonl", count=2) == 3
    proxy._rules.clear()
    proxy.requests.clear()
    return "j-1of2.jsonl"


def own_names(journal: str) -> set[str]:
    return {one["name"] for one in records(journal)[0]["deployments"]}


@pytest.mark.parametrize("more", [(), ("--shard", "1/2")])
def test_shard_is_gone_on_with_by_its_journal_and_leaves_the_others_alone(
    site, stopped, capsys, more
):
    capsys.readouterr()
    assert main(["cleanup", "--resume", stopped, "--auto-approve", *more]) == 0

    assert site.folders() == {"new"} | DOOMED - own_names(stopped)
    out = " ".join(capsys.readouterr().out.split())
    assert "shard 1/2, of" in out
    assert "was to delete 6 deployments" in out


def test_shard_is_gone_on_with_while_the_others_have_deleted_theirs(site, stopped):
    assert apply(2, "--skip-changed", count=2) == 0
    assert main(["cleanup", "--resume", stopped, "--auto-approve"]) == 0
    assert site.folders() == {"new"}


@pytest.mark.parametrize("shard", ["2/2", "1/3"])
def test_another_shard_than_the_journals_is_refused(site, stopped, proxy, capsys, shard):
    capsys.readouterr()
    assert main(["cleanup", "--resume", stopped, "--shard", shard, "--auto-approve"]) == 2
    assert "the run to resume was shard 1/2" in " ".join(capsys.readouterr().err.split())
    assert proxy.deletions == []


def test_partial_shard_says_how_to_go_on_and_no_other_shards_are_missed(site, stopped, capsys):
    (end,) = [one for one in records(stopped) if one["record"] == "end"]
    assert "ExpiredToken" in end["stopped"]
    numbers = numbers_of(capsys, 2, "--skip-changed", count=2)
    assert numbers["outcome"] == "applied"


# What is no shard, and where there can be none.


@pytest.mark.parametrize("shard", ["0/8", "9/8", "3", "1/99999999999", "/"])
def test_what_is_no_shard_deletes_nothing(site, saved, proxy, capsys, shard):
    assert main(["cleanup", *PLAN, "--shard", shard, "--auto-approve"]) == 2
    assert "option --shard" in capsys.readouterr().err
    assert proxy.deletions == []


def test_one_of_one_deletes_all_of_the_plan(site, saved):
    assert apply(1, count=1) == 0
    assert site.folders() == {"new"}


def test_last_of_as_many_as_there_may_be_is_taken(site, saved):
    assert apply(256, count=256) == 0


def test_without_a_saved_plan_there_are_no_shards(site, proxy, capsys):
    argv = ["cleanup", *site.options(), "--keep-count", "1", "--shard", "3/8", "--auto-approve"]
    assert main(argv) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "shard cuts a plan that is saved, and there is none" in err
    assert proxy.requests == []


def test_shard_of_no_job_is_no_key_of_a_policy_file(site, saved, capsys):
    Path("policy.yml").write_text("shard: 1/8\n", encoding="utf-8")
    assert main(["cleanup", *PLAN, "--policy-file", "policy.yml", "--auto-approve"]) == 2
    assert "shard" in capsys.readouterr().err


# Several targets.


@pytest.fixture
def both(empty: MemorySite, capsys) -> MemorySite:
    """Two targets, the one with three deployments to delete, the other with two; their plans."""
    for name, files in {"one/a": 5, "one/b": 4, "one/c": 3, "two/big": 12, "two/small": 1}.items():
        empty.deploy(name, days=10 + files, files=files)
    for folder in ("one", "two"):
        empty.deploy(f"{folder}/new", days=1)
    text = (
        f"defaults:\n  bucket: site\n  keep-count: 1\n  endpoint-url: {empty.endpoint_url}\n"
        "targets:\n  - prefix: one\n  - prefix: two\n"
    )
    Path("policy.yml").write_text(text, encoding="utf-8")
    assert main(["plan-cleanup", "--policy-file", "policy.yml", *PLAN]) == 0
    return empty


def test_plans_of_several_targets_are_shared_out_together(both, capsys):
    found = [numbers_of(capsys, number, count=3) for number in range(1, 4)]

    assert {key.rpartition("/")[0] for key in both.keys()} == {"one/new", "two/new"}  # noqa: SIM118
    assert [one["objects-deleted"] for one in found] == [12, 6, 7]


def test_shard_with_nothing_in_one_target_judges_it_all_the_same(both, proxy, capsys):
    both.put("two/small/more", days=1)
    for number in (1, 2, 3):
        assert apply(number, count=3) == 5
    assert proxy.deletions == []
    out = " ".join(capsys.readouterr().out.split())
    assert "The plan is stale: 1 of 5 deployments in 2 targets can't be deleted" in out
