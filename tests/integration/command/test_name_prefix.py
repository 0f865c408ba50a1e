"""Commands with a NAME argument accept any unique beginning of a deployment's name."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite, running_site

COMMITS = [f"{number:x}".rjust(2, "b") * 20 for number in range(12)]
LIVE = "ab12cd3" + "0" * 33
MATCH = ("--match", "[0-9a-f]{40}")
SINCE = ("--deleted-since", "2h", "--auto-approve")


def run_json(site: Bucket, capsys, *argv: str):
    assert main([*argv, *site.options(), "--output", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def run_refused(site: Bucket, capsys, *argv: str) -> str:
    before = site.versions()
    assert main([*argv, *site.options()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert site.versions() == before
    return captured.err


@pytest.fixture
def memory_site() -> Iterator[MemorySite]:
    """A bucket on a server that, unlike moto, does not list folders with only deleted objects."""
    with running_site() as memory_site:
        yield memory_site


@pytest.fixture
def commits(site: Bucket) -> Bucket:
    """A bucket with 13 commits, a folder of assets, and an index."""
    for days, name in enumerate([LIVE, *COMMITS]):
        site.deploy(name, days=days + 1, files=1)
    site.deploy("assets", days=30)
    site.put("ab12.html")
    return site


def find_examples() -> list[str]:
    """Return the commands about ab12cd3 in the README, the docs and the commands' help."""
    root = Path(__file__).parents[3]
    paths = [root / "README.md", *(root / "docs").glob("*.md"), *(root / "ci3/cli").glob("*.py")]
    return sorted(
        {
            re.split("  | #|`", line)[0].strip()
            for path in paths
            for line in re.findall(r"ci3 [a-z-]+ ab12cd3.*", path.read_text(encoding="utf-8"))
        }
    )


@pytest.mark.parametrize("example", find_examples())
def test_example_works_with_a_name_of_40_characters(commits, capsys, example: str) -> None:
    text = f"bucket: {commits.name}\nmatch: '[0-9a-f]{{40}}'\nkeep-count: 10\n"
    Path("ci3.yml").write_text(text, encoding="utf-8")
    argv = [*shlex.split(example.replace("my-site", commits.name))[1:], "--output", "json"]
    if argv[0] == "restore":
        commits.enable_versioning()
        commits.remove(f"{LIVE}/file-00000")
        argv.append("--auto-approve")

    assert main([*argv, "--endpoint-url", commits.endpoint_url]) == 0
    result = json.loads(capsys.readouterr().out)
    assert LIVE in json.dumps(result)
    assert f"{LIVE}/file-00000" in commits.content()
    if argv[0] == "explain":
        assert (result["name"], result["decision"]) == (LIVE, "keep")


def test_examples_are_found_in_the_readme_the_docs_and_the_help() -> None:
    readme = "ci3 explain ab12cd3 --bucket-name my-site --match '[0-9a-f]{40}' --keep-count 10"
    assert readme in find_examples()
    assert {example.split()[1] for example in find_examples()} == {
        "explain",
        "list-objects",
        "restore",
    }


@pytest.mark.parametrize("typed", ["ab12cd3", "ab12cd3/", "AB12CD3", "ab12cd30000", LIVE])
@pytest.mark.parametrize("command", [("explain", *MATCH), ("explain",), ("list-objects",)])
def test_unique_beginning_is_the_name(commits, capsys, command, typed) -> None:
    assert run_json(commits, capsys, command[0], typed, *command[1:])["name"] == LIVE


def test_folder_that_is_no_deployment_does_not_make_a_name_ambiguous(
    commits, capsys, assert_screen
) -> None:
    assert run_json(commits, capsys, "explain", "a", *MATCH)["name"] == LIVE
    assert_screen(run_refused(commits, capsys, "explain", "as", *MATCH), "no deployment")
    assert_screen(run_refused(commits, capsys, "explain", "a"), "ambiguous")


@pytest.mark.parametrize(
    ("names", "typed", "expected_name"),
    [
        (("v1", "v1.2", "v1.3"), "v1", "v1"),
        (("pr-1", "pr-12"), "pr-1", "pr-1"),
        (("pr-1", "pr-12"), "pr-12", "pr-12"),
        (("AB12", "ab12cd"), "AB", "AB12"),
        (("AB12", "ab12cd"), "ab1", "ab12cd"),
        (("AB12cd",), "ab12", "AB12cd"),
        (("ABCD12",), "abcd", "ABCD12"),
        (("Main", "main"), "Ma", "Main"),
        (("Main",), "main", ""),
        (("a b", "ab"), "a ", "a b"),
        (("été-1", "ete-1"), "é", "été-1"),
        (("a+b%20", "a b"), "a+", "a+b%20"),
    ],
)
def test_exact_case_is_preferred(  # noqa: PLR0917 - fixtures
    site, capsys, assert_screen, names, typed, expected_name
) -> None:
    for days, name in enumerate(names):
        site.deploy(name, days=days + 1)

    if expected_name:
        assert run_json(site, capsys, "explain", typed)["name"] == expected_name
        assert {
            entry["key"].partition("/")[0]
            for entry in run_json(site, capsys, "list-objects", typed)["objects"]
        } == {expected_name}
    else:
        assert_screen(run_refused(site, capsys, "explain", typed), "explain")
        assert_screen(run_refused(site, capsys, "list-objects", typed), "list-objects")


@pytest.mark.parametrize(
    "command",
    [("explain",), ("list-objects",), ("restore", *SINCE)],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(
    ("typed", "count"), [("build", 31), ("build-", 31), ("build-3", 0), ("build-1", 0)]
)
def test_candidates_are_counted(site, capsys, command, typed, count) -> None:
    """An equal name, such as build-1 and build-3, is not ambiguous."""
    site.enable_versioning()
    for number in range(1, 31):
        site.deploy(f"build-{number}", days=number, files=1)
    site.deploy("buildx", days=1, files=1)
    site.deploy("build-10-old", days=40, files=1)

    if not count:
        assert main([command[0], typed, *command[1:], *site.options()]) == 0
        return
    message = " ".join(run_refused(site, capsys, command[0], typed, *command[1:]).split())
    expected = count + (typed == "build")
    assert f" {expected} " in message
    assert f"s3://{site.name}/: build-1, build-10, build-10-old" in message
    assert f" {expected - 5} " in message


@pytest.mark.parametrize(
    "command",
    [("explain",), ("list-objects",), ("restore", *SINCE)],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("typed", ["\udcff", "ab\udcff"])
def test_text_that_cannot_be_a_name_is_refused(site, capsys, command, typed) -> None:
    site.deploy("ab12", days=1)

    assert repr(typed) in run_refused(site, capsys, command[0], typed, *command[1:])


def test_hostile_candidates_are_escaped(site, capsys) -> None:
    for name in ("a\x1b[2J", "a\u202egpj", "a::error::x", "a[b]"):
        site.deploy(name, days=1)

    message = run_refused(site, capsys, "explain", "a")
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert "a\\x1b[2J, a::error::x, a[b], a\\u202egpj" in message


def test_name_is_looked_up_with_one_request_for_folders_with_its_beginning(
    commits, proxy: FaultProxy
) -> None:
    assert main(["list-objects", "ab12cd", *commits.options()]) == 0

    listings = [request.target for request in proxy.find_requests("GET", "list-type=2")]
    assert len(listings) == 2
    assert "prefix=ab12cd&" in listings[0]
    assert "delimiter=%2F" in listings[0]


def test_name_that_cannot_be_looked_up_is_an_access_error(
    commits, proxy: FaultProxy, capsys
) -> None:
    proxy.answer("GET", "delimiter", error("AccessDenied", "Access Denied"), status=403)

    assert main(["list-objects", "ab12cd3", *commits.options()]) == 6


POLICY = (
    "targets:\n- {{bucket: {0}, prefix: web, match: '[0-9a-f]+'}}\n- {{bucket: {0}, prefix: api}}\n"
)


@pytest.mark.parametrize(
    ("web", "api", "typed", "urls"),
    [
        (("ab12cd",), ("ab12cd",), "ab", ["web/", "api/"]),
        (("ab12cd",), ("ab99",), "ab1", ["web/"]),
        (("ab12cd", "ab-assets"), ("ab12cd",), "ab", ["web/", "api/"]),
        (("ab12cd",), ("ab99",), "ab", []),
        (("ab",), ("ab99",), "ab", ["web/"]),
    ],
)
def test_name_is_looked_up_in_all_targets(  # noqa: PLR0917 - a table's columns
    site, capsys, web, api, typed, urls
) -> None:
    for folder, names in (("web", web), ("api", api)):
        for name in names:
            site.deploy(f"{folder}/{name}", days=1)
    Path("ci3.yml").write_text(POLICY.format(site.name), encoding="utf-8")
    options = ["--policy-file", "ci3.yml", "--endpoint-url", site.endpoint_url, "--output", "json"]

    for command in ("explain", "list-objects"):
        exit_code = main([command, typed, *options])
        captured = capsys.readouterr()
        if urls:
            target_urls = [entry["url"] for entry in json.loads(captured.out)["targets"]]
            assert target_urls == [f"s3://{site.name}/{url}" for url in urls]
        else:
            assert exit_code == 2
            assert "2 names" in captured.err


@pytest.mark.parametrize(
    ("typed", "exit_code", "restored"),
    [
        ("ab12", 0, {"ab12cd3"}),
        ("AB12CD3/", 0, {"ab12cd3"}),
        ("ab", 2, set()),
        ("pr-1", 0, {"pr-1"}),
        ("pr", 2, set()),
        ("zz", 2, set()),
    ],
)
def test_deleted_deployment_is_restored_by_the_beginning_of_its_name(
    memory_site: MemorySite, typed, exit_code, restored
) -> None:
    site = memory_site
    site.enable_versioning()
    deleted = ("ab12cd3", "ab99999", "pr-1", "pr-12")
    for name in (*deleted, "kept"):
        site.deploy(f"app/{name}", days=1, files=2)
    for name in deleted:
        for number in range(2):
            site.remove(f"app/{name}/file-{number:05}")

    options = [*site.options(), "--prefix", "app"]
    assert main(["restore", typed, *SINCE, *options]) == exit_code
    folders = {key.split("/")[1] for key in site.content()}
    assert folders == {"kept", *restored}
