"""Folders that are not one deployment each: nothing is deleted until `match` or `prefix` is set."""

import json
from collections.abc import Callable, Iterable

import pytest

from ci3.cli.main import main
from tests.support.s3.bucket import Bucket
from tests.support.s3.local_s3 import LocalS3

COMMITS = tuple(f"{digit * 6}a" for digit in "12345678")
FULL = tuple(digit * 39 + "f" for digit in "12345678")
REGIONS = ("eu-west-1", "eu-south-2")
MIXED = "mixed-names"
NESTED = "nested-deployments"

# The folders from the oldest to the newest, the refusal, and the settings that resolve it, with
# the remaining folders.
MIXED_SITES = {
    "old shared folders next to full commits": (
        ("assets", "user-uploads/alice", "user-uploads/bob", *FULL),
        MIXED,
        ("--match", "[0-9a-f]{40}"),
        {"assets", "user-uploads/alice", "user-uploads/bob", *FULL[-2:]},
    ),
    "new shared folder next to short commits": (
        (*COMMITS, "assets/3f2a9c1b", "assets/9d8e7f6a"),
        MIXED,
        ("--match", "[0-9a-f]{7,40}"),
        {*COMMITS[-2:], "assets/3f2a9c1b", "assets/9d8e7f6a"},
    ),
    "an alias next to versions": (
        ("v1.2.0", "v1.3.0", "v2.0.0", "latest"),
        MIXED,
        ("--protect", "latest"),
        {"v1.3.0", "v2.0.0", "latest"},
    ),
    "a folder that is a deployment, too": (
        ("initial", "build-9", "build-10", "build-11"),
        MIXED,
        ("--match", ".*"),
        {"build-10", "build-11"},
    ),
    "assets next to one commit": (
        ("assets", "fonts", FULL[0]),
        MIXED,
        ("--protect", "assets", "--protect", "fonts"),
        {"assets", "fonts", FULL[0]},
    ),
    "a backup next to builds": (
        ("backup-2024", *(f"build-{number}" for number in range(1, 9))),
        MIXED,
        ("--match", "build-[0-9]+"),
        {"backup-2024", "build-7", "build-8"},
    ),
    "uploads next to builds and commits": (
        ("user-uploads", *(f"build-{number}" for number in range(1, 5)), *COMMITS),
        MIXED,
        ("--match", "build-[0-9]+|[0-9a-f]{7,40}"),
        {"user-uploads", *COMMITS[-2:]},
    ),
    "assets next to names of a random generator": (
        ("assets", "v1stgxr8z5", "jxhi6bmqyq", "4fq0dd13ax", "zz9xr1kq0a"),
        MIXED,
        ("--match", "[0-9a-z]{10}"),
        {"assets", "4fq0dd13ax", "zz9xr1kq0a"},
    ),
    "assets next to digests": (
        ("assets", *(name[:32] * 2 for name in FULL)),
        MIXED,
        ("--match", "[0-9a-f]{64}"),
        {"assets", *(name[:32] * 2 for name in FULL[-2:])},
    ),
    "regions": (
        tuple(f"{region}/{name}" for region in ("us-east-1", *REGIONS) for name in FULL),
        NESTED,
        ("--prefix", "us-east-1/"),
        {
            *(f"us-east-1/{name}" for name in FULL[-2:]),
            *(f"{region}/{name}" for region in REGIONS for name in FULL),
        },
    ),
    "applications with commits": (
        (*(f"admin/{name}" for name in FULL), *(f"api/{name}" for name in FULL), "web/index"),
        NESTED,
        ("--prefix", "admin/"),
        {*(f"admin/{name}" for name in FULL[-2:]), *(f"api/{name}" for name in FULL), "web/index"},
    ),
    "branches with commits": (
        (*(f"feature/login/{name}" for name in COMMITS[:4]), *(f"main/{name}" for name in COMMITS)),
        NESTED,
        ("--prefix", "feature/login/"),
        {
            *(f"feature/login/{name}" for name in COMMITS[2:4]),
            *(f"main/{name}" for name in COMMITS),
        },
    ),
    "previews": (
        ("site/a", "previews/pr-1", "previews/pr-2", "previews/pr-3", "docs/b", "shop/c"),
        NESTED,
        ("--match", ".*"),
        {"docs/b", "shop/c"},
    ),
}  # fmt: skip
UNIFORM_SITES = {
    "nothing": (),
    "main next to pull requests": ("main", "pr-1", "pr-2", "pr-3", "pr-4"),
    "describe names next to tags": ("v1.2.0", "v1.2.0-2-g2222222", "v1.3.0", "v1.3.0-1-g3a3b3c3"),
    "years": ("2022/01", "2022/02", "2023/01", "2024/12"),
    "hashed assets": tuple(
        f"{name}/assets/{digest}"
        for name in ("blue", "green", "red")
        for digest in ("3f2a9c1b", "9d8e7f6a")
    ),
}  # fmt: skip


def deploy(site: Bucket, folders: Iterable[str]) -> None:
    """Upload the folders one day after another, the last one today."""
    ordered = [*folders]
    for days, folder in enumerate(reversed(ordered)):
        site.deploy(folder, days=days + 1)


def list_folders(site: Bucket) -> set[str]:
    return {key.rpartition("/")[0] for key in site.content()}


@pytest.fixture
def site(local_s3: LocalS3) -> Bucket:
    return local_s3.new_bucket()


@pytest.fixture
def cleanup(site: Bucket) -> Callable[..., int]:
    def run(*options: str) -> int:
        return main(["cleanup", *site.options(), "--auto-approve", "--keep-count", "2", *options])

    return run


@pytest.mark.parametrize("case", MIXED_SITES)
def test_nothing_is_deleted_until_the_setting_is_made(site, cleanup, case) -> None:
    folders, _, options, remaining = MIXED_SITES[case]
    deploy(site, folders)
    before = site.content()
    assert cleanup() == 4
    assert site.content() == before
    assert cleanup(*options) == 0
    assert list_folders(site) == remaining


@pytest.mark.parametrize("case", MIXED_SITES)
def test_plan_and_doctor_report_the_refusal(site, capsys, case) -> None:
    folders, code, options, _ = MIXED_SITES[case]
    deploy(site, folders)
    command = ["plan-cleanup", *site.options(), "--keep-count", "2", "--output", "json"]
    assert main(command) == 4
    plan = json.loads(capsys.readouterr().out)
    assert [refusal["code"] for refusal in plan["refusals"]] == [code]
    assert plan["applyable"] is False
    assert main([*command, *options]) == 0
    assert json.loads(capsys.readouterr().out)["refusals"] == []

    assert main(["doctor", *site.options(), "--output", "json"]) == 4
    findings = json.loads(capsys.readouterr().out)["findings"]
    messages = [finding["message"] for finding in findings if finding["level"] == "problem"]
    assert messages == [plan["refusals"][0]["message"]]


@pytest.mark.parametrize("case", UNIFORM_SITES)
def test_folders_of_one_kind_are_cleaned_up(site, cleanup, case) -> None:
    deploy(site, UNIFORM_SITES[case])
    top_folders = {folder.partition("/")[0] for folder in UNIFORM_SITES[case]}
    assert cleanup() == 0
    assert len(site.folders()) == min(2, len(top_folders))


def test_protected_release_next_to_commits_is_kept(site, cleanup) -> None:
    deploy(site, ("release-1", *FULL))
    assert cleanup() == 4
    assert cleanup("--protect", "release-1") == 0
    assert site.folders() == {"release-1", *FULL[-2:]}


@pytest.mark.parametrize("age_from", ["span", "first-object"])
def test_nested_deployments_are_found_with_both_kinds_of_listing(site, cleanup, age_from) -> None:
    deploy(site, (*(f"admin/{name}" for name in FULL), "shop/a", "docs/b", "web/c"))
    before = site.content()
    assert cleanup("--age-from", age_from) == 4
    assert site.content() == before
