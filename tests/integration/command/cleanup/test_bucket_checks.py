"""Names, times and folders that do not fit the settings, on the command line."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

BUILDS = [f"build-{number}" for number in range(95, 105)]
COMMITS = [f"{number:x}" * 40 for number in range(1, 9)]
KEEP_2 = ("--keep-count", "2")


def upload(site: Bucket, names: list[str], prefix: str = "") -> None:
    """Upload deployments of which the first is the oldest."""
    for index, name in enumerate(names):
        site.deploy(f"{prefix}{name}", days=len(names) - index)


def list_plan_codes(site: Bucket, capsys, *options: str) -> tuple[list[str], list[str]]:
    """Return the codes of the refusals and of the warnings of a plan."""
    capsys.readouterr()
    main(["plan-cleanup", *site.options(), *KEEP_2, *options, "--output", "json"])
    plan = json.loads(capsys.readouterr().out)
    return tuple([item["code"] for item in plan[key]] for key in ("refusals", "warnings"))


def list_doctor_levels(site: Bucket, capsys, *options: str) -> dict[str, str]:
    capsys.readouterr()
    main(["doctor", *site.options(), *KEEP_2, *options, "--output", "json"])
    return {
        item["topic"]: item["level"] for item in json.loads(capsys.readouterr().out)["findings"]
    }


@pytest.mark.parametrize(
    "names",
    [
        sorted(BUILDS),
        sorted(name.replace("build", "web") for name in BUILDS),
        [f"release-2026.{month}" for month in (9, 8, 7)],
        [f"202611{day}-ab12cd{day % 10}" for day in (24, 23, 22, 21)],
    ],
    ids=["builds", "words", "calendar-versions", "dates"],
)
def test_cleanup_of_a_copied_bucket_is_refused(site: Bucket, capsys, names: list[str]) -> None:
    upload(site, names)
    before = site.content()
    command = ["cleanup", *site.options(), *KEEP_2, "--auto-approve"]

    assert main(command) == 4
    assert site.content() == before
    assert list_plan_codes(site, capsys) == (["names-contradict-times"], [])
    assert list_doctor_levels(site, capsys)["names-contradict-times"] == "problem"

    assert main([*command, "--age-from", "span"]) == 0
    assert site.folders() == {*names[-2:]}


def test_saved_plan_with_an_explicit_default_is_applied(site: Bucket) -> None:
    upload(site, sorted(BUILDS))
    options = [*site.options(), "--plan-file", "plan.json"]
    assert main(["plan-cleanup", *options, *KEEP_2, "--age-from", "span"]) == 0
    policy = json.loads(Path("plan.json").read_text(encoding="utf-8"))["policy"]
    assert policy["age-from"]["value"] == "span"

    assert main(["cleanup", "--plan-file", "plan.json", "--auto-approve"]) == 0
    assert site.folders() == {"build-98", "build-99"}


def test_bucket_that_is_copied_after_a_saved_plan_is_not_cleaned(site: Bucket) -> None:
    upload(site, BUILDS)
    assert main(["plan-cleanup", *site.options(), "--plan-file", "plan.json", *KEEP_2]) == 0
    upload(site, sorted(BUILDS))
    before = site.content()

    assert main(["cleanup", "--plan-file", "plan.json", "--auto-approve"]) == 4
    assert site.content() == before


@pytest.mark.parametrize("names", [COMMITS, BUILDS, [f"pr-{number}" for number in range(8)]])
def test_deployments_that_overlap_are_reported(site: Bucket, capsys, names: list[str]) -> None:
    upload(site, names)
    assert "never-deletable" not in list_doctor_levels(site, capsys)
    for index, name in enumerate(names):
        site.put(f"{name}/robots.txt", days=0.5 - index / 1000)

    refusals, warnings = list_plan_codes(site, capsys)

    assert refusals == []
    assert "never-deletable" in warnings
    assert list_doctor_levels(site, capsys)["never-deletable"] == "warning"


@pytest.mark.parametrize("names", [COMMITS, BUILDS, [f"v1.{number}.0" for number in range(8)]])
def test_long_lived_folder_is_not_reported_and_is_kept(
    site: Bucket, capsys, names: list[str]
) -> None:
    match = ("--match", ".*")
    upload(site, ["stable", *names[:2]])
    site.put("stable/index.html", days=0.5)
    assert "never-deletable" not in list_plan_codes(site, capsys, *match)[1]
    assert "never-deletable" not in list_doctor_levels(site, capsys, *match)

    site.deploy(names[2], days=0.1)
    assert main(["cleanup", *site.options(), *KEEP_2, *match, "--auto-approve"]) == 0
    assert site.folders() == {"stable", *names[1:3]}


@pytest.mark.parametrize(
    "options",
    [("--match", "[0-9a-f]{40}/"), ("--prefix", "stie"), ("--prefix", "site/1"), ("--match", "x")],
)
def test_target_without_deployments_is_reported(
    site: Bucket, proxy: FaultProxy, capsys, options: tuple[str, ...]
) -> None:
    upload(site, COMMITS, prefix="site/" if "--prefix" in options else "")

    assert list_plan_codes(site, capsys, *options) == ([], ["nothing-matches"])
    assert list_doctor_levels(site, capsys, *options)["nothing-matches"] == "warning"
    assert main(["cleanup", *site.options(), *options, "--auto-approve"]) == 0
    assert proxy.deletions == []


def test_bucket_that_may_be_listed_under_the_prefix_only_is_reported(
    site: Bucket, proxy: FaultProxy, capsys
) -> None:
    site.put("other/index.html")
    denied = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    proxy.answer("GET", r"delimiter=%2F.*prefix=(&|$)", denied, status=403)

    refusals, warnings = list_plan_codes(site, capsys, "--prefix", "site")

    assert (refusals, warnings) == ([], ["nothing-matches"])


def test_empty_bucket_gives_no_warning_and_its_root_is_listed_once(
    site: Bucket, proxy: FaultProxy, capsys
) -> None:
    assert list_plan_codes(site, capsys) == ([], [])
    count = len(proxy.requests)
    assert list_plan_codes(site, capsys, "--prefix", "site") == ([], [])
    assert len(proxy.requests) == 2 * count + 1
