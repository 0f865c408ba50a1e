"""`ci3 restore` on stores that differ from AWS: only current objects count as restored."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.engine.restore import restore
from ci3.errors import ExitCode
from tests.support.s3.memory_site import MemorySite, running_site

ALL_FOLDERS = {"new", "old-1", "old-2"}
KEEP_1 = ("--keep-count", "1", "--match", "(?s).*")
VERSIONS, LISTING = r"\?versions", "list-type=2"


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses of the command, which are recorded and not made."""
    seconds: list[float] = []
    monkeypatch.setattr(
        "ci3.pipeline.context_factory.time.sleep", seconds.append
    )  # botocore's, too
    return seconds


@pytest.fixture
def site() -> Iterator[MemorySite]:
    with running_site() as site:
        site.enable_versioning()
        site.deploy("new", days=1)
        site.deploy("old-1", days=10)
        site.deploy("old-2", days=11)
        yield site


@pytest.fixture
def run(site: MemorySite, capsys) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command: exit code and stdout."""

    def run(*argv: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main([*argv])
        return code, capsys.readouterr().out

    return run


def clean_up(site: MemorySite, run, *options: str) -> str:
    """Delete the two older deployments; return the journal's path or address."""
    journal = [] if options else ["--journal-file", "journal.jsonl"]
    # One request at a time: the journal's order is that of the deployments.
    code, out = run("cleanup", *site.options(), *KEEP_1, "--auto-approve", *journal,
                    "--concurrency", "1", *options)  # fmt: skip
    assert code == ExitCode.DONE
    assert site.folders() - {".ci3"} == {"new"}
    address = out.partition("\n  ci3 restore ")[2].split()
    return address[0] if address else "journal.jsonl"


def restore_journal(run, journal: str, *argv: str) -> tuple[int, dict]:
    code, out = run("restore", journal, "--auto-approve", "--output", "json", *argv)
    return code, json.loads(out)


def count_reasons(report: dict) -> dict[str, int]:
    """Return the number of skipped objects by reason."""
    counts: dict[str, int] = {}
    for deployment in report["deployments"]:
        for skipped in deployment["skipped"]:
            counts[skipped["reason"]] = counts.get(skipped["reason"], 0) + skipped["objects"]
    return counts


def test_everything_is_restored_as_on_aws(site: MemorySite, run) -> None:
    before = site.current_versions()
    journal = clean_up(site, run)
    code, report = restore_journal(run, journal)
    assert (code, report["outcome"], report["objects-restored"]) == (0, "restored", 6)
    assert site.current_versions() == before
    code, report = restore_journal(run, journal)
    assert (code, report["outcome"], report["objects-already-there"]) == (
        0,
        "nothing-to-restore",
        6,
    )


def test_store_like_swift_restores_nothing_and_is_reported_each_time(
    site: MemorySite, run, assert_screen
) -> None:
    journal = clean_up(site, run)
    site.behave_like_swift()
    code, report = restore_journal(run, journal)
    assert (code, report["outcome"]) == (ExitCode.PARTIAL, "partial")
    assert (report["objects-restored"], report["objects-failed"]) == (0, 6)
    assert_screen(report["deployments"][0]["problem"])
    for _ in range(2):
        code, report = restore_journal(run, journal)
        assert (code, report["outcome"]) == (ExitCode.PARTIAL, "partial")
        assert report["objects-already-there"] == 0
        assert count_reasons(report) == {"not-current": 6}
    since = ("restore", "old-1", "--deleted-since", "2h", *site.options(), "--auto-approve")
    assert run(*since)[0] == ExitCode.PARTIAL
    assert site.folders() == {"new"}


def test_suspended_bucket_without_markers_is_never_reported_as_restored(
    site: MemorySite, run
) -> None:
    site.suspend_versioning()
    site.store_no_null_markers()
    journal = clean_up(site, run)
    code, report = restore_journal(run, journal)
    assert (code, count_reasons(report)) == (ExitCode.PARTIAL, {"not-current": 6})


def test_suspended_bucket_with_markers_is_refused(site: MemorySite, run) -> None:
    site.suspend_versioning()
    code, report = restore_journal(run, clean_up(site, run))
    assert (code, report["outcome"], count_reasons(report)) == (
        ExitCode.REFUSED, "refused", {"null-marker": 6})  # fmt: skip


def test_version_uploaded_and_deleted_since_is_not_current(site: MemorySite, run) -> None:
    journal = clean_up(site, run)
    site.put("old-1/file-00000", body=b"newer")
    site.remove("old-1/file-00000")
    code, report = restore_journal(run, journal)
    assert (code, report["objects-restored"], count_reasons(report)) == (
        ExitCode.PARTIAL, 5, {"newer-deleted": 1})  # fmt: skip


WRONG_LISTINGS = {
    "IsLatest only on delete markers": lambda body: body.replace(
        b"<IsLatest>true</IsLatest>", b"<IsLatest>false</IsLatest>"
    ),
    "no IsLatest": lambda body: body.replace(b"<IsLatest>true</IsLatest>", b""),
    "everything is the latest": lambda body: body.replace(
        b"<IsLatest>false</IsLatest>", b"<IsLatest>true</IsLatest>"
    ),
    "HTML": lambda _: b"<html><body>Sign in</body></html>",
    "cut": lambda body: body[: len(body) // 2],
    "no end": lambda body: body.replace(
        b"<IsTruncated>false</IsTruncated>", b"<IsTruncated>true</IsTruncated>"
    ),
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("name", WRONG_LISTINGS)
@pytest.mark.parametrize("is_restored", [False, True])
def test_wrong_listing_of_versions_is_not_reported_as_a_restore(
    site: MemorySite, run, name: str, is_restored: bool
) -> None:
    site.put("old-1/file-00000", days=9, body=b"an older version lies below")
    journal = clean_up(site, run)
    if is_restored:
        assert restore_journal(run, journal)[0] == ExitCode.DONE
    site.proxy.rewrite("GET", VERSIONS, WRONG_LISTINGS[name])
    code, out = run("restore", journal, "--auto-approve", "--output", "json")
    assert code in (ExitCode.PARTIAL, ExitCode.ACCESS)
    if out:
        report = json.loads(out)
        current_count = sum(key.startswith("old-") for key in site.content())
        claimed_count = report["objects-restored"] + report["objects-already-there"]
        assert claimed_count <= min(current_count, 5)


@pytest.mark.parametrize("hidden_prefix", ["old-1/file-00001", "old-2/"])
def test_object_that_a_plain_listing_does_not_show_is_not_restored(
    site: MemorySite, run, hidden_prefix: str
) -> None:
    journal = clean_up(site, run)
    number = sum(key.startswith(hidden_prefix) for key, _ in site.all_versions())

    def hide_entries(body: bytes) -> bytes:
        pattern = rf"<Contents><Key>{hidden_prefix}.*?</Contents>".encode()
        return re.sub(pattern, b"", body)

    site.proxy.rewrite("GET", LISTING, hide_entries)
    code, report = restore_journal(run, journal)
    assert (code, report["objects-restored"], report["objects-failed"]) == (
        ExitCode.PARTIAL, 6 - number, number)  # fmt: skip
    code, report = restore_journal(run, journal)
    assert (code, count_reasons(report)) == (
        ExitCode.PARTIAL, {"already-there": 6 - number, "not-current": number})  # fmt: skip


def test_plain_listing_that_is_denied_is_not_a_restore(site: MemorySite, run) -> None:
    journal = clean_up(site, run)
    error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    site.proxy.answer("GET", LISTING, error, status=403)
    code, report = restore_journal(run, journal)
    assert (code, report["objects-restored"], report["objects-failed"]) == (ExitCode.PARTIAL, 0, 6)


def test_older_version_that_becomes_current_is_not_a_restore(site: MemorySite, run) -> None:
    site.put("old-1/file-00000", days=10, body=b"newest")
    for number in range(3):  # only one deployment: the first request to delete is that of old-1
        site.remove(f"old-2/file-{number:05}")
    journal = clean_up(site, run)
    key = "old-1/file-00000"

    def lose_newest() -> None:
        stored = site._bucket.versions[key]
        stored.remove(next(version for version in stored if version.body == b"newest"))
        older_at = stored[-1].modified_at - timedelta(days=9)
        stored[-1] = replace(stored[-1], modified_at=older_at)

    site.proxy.call_before("POST", r"\?delete", lose_newest, nth=1)
    code, report = restore_journal(run, journal)
    assert (code, report["objects-failed"]) == (ExitCode.PARTIAL, 1)


# A journal without an end: the store may still execute the requests of the killed run.


def remove_end(journal: str) -> None:
    """Remove the end of a journal, which a killed run does not write."""
    lines = Path(journal).read_bytes().splitlines(keepends=True)
    assert b'"end"' in lines[-1]
    Path(journal).write_bytes(b"".join(lines[:-1]))


def test_late_request_of_a_killed_run_is_restored_too(
    site: MemorySite, run, pauses: list[float]
) -> None:
    before = site.current_versions()
    journal = clean_up(site, run)
    remove_end(journal)
    pauses_before = len(pauses)

    def delete_late(seconds: float) -> None:
        pauses.append(seconds)
        for key in ("old-1/file-00000", "old-2/file-00002"):
            site.remove(key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ci3.pipeline.context_factory.time.sleep", delete_late)
        code, report = restore_journal(run, journal)
    assert (code, report["objects-restored"], report["objects-failed"]) == (0, 6, 0)
    assert site.current_versions() == before
    assert pauses[pauses_before:] == [restore.SECOND_LOOK_SECONDS]


def test_late_request_is_found_if_all_objects_were_current_at_first(
    site: MemorySite, run, pauses: list[float]
) -> None:
    before = site.current_versions()
    journal = clean_up(site, run)
    remove_end(journal)
    assert restore_journal(run, journal)[0] == ExitCode.DONE
    with pytest.MonkeyPatch.context() as patch:
        late_keys = iter(["old-1/file-00001"])
        patch.setattr(
            "ci3.pipeline.context_factory.time.sleep",
            lambda _: [site.remove(key) for key in late_keys] and None,
        )
        code, report = restore_journal(run, journal)
    assert (code, report["objects-restored"]) == (0, 1)
    assert site.current_versions() == before


def test_failed_second_listing_is_a_partial_restore(site: MemorySite, run, assert_screen) -> None:
    journal = clean_up(site, run)
    remove_end(journal)
    error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    with pytest.MonkeyPatch.context() as patch:
        deny = lambda _: site.proxy.answer("GET", VERSIONS, error, status=403)  # noqa: E731
        patch.setattr("ci3.pipeline.context_factory.time.sleep", deny)
        code, report = restore_journal(run, journal)
    assert code == ExitCode.PARTIAL
    assert_screen(report["stopped"].replace("old-2", "old-1"))  # both are listed at once


def test_journal_with_an_end_is_restored_without_a_second_listing(
    site: MemorySite, run, pauses: list[float]
) -> None:
    journal = clean_up(site, run)
    pauses.clear()
    assert restore_journal(run, journal)[0] == ExitCode.DONE
    assert pauses == []


# What is restored is scheduled for deletion again.

HOSTILE_NAMES = ("v[12]", "a b", "x*y", "#c", "d,e", "q`q", "plain-1")


def plan_warnings(site: MemorySite, run, *options: str) -> list[dict]:
    code, out = run("plan-cleanup", *site.options(), *KEEP_1, "--output", "json",
                    *options)  # fmt: skip
    assert code == ExitCode.DONE
    return [warning for warning in json.loads(out)["warnings"] if warning["code"] == "restored"]


def test_restored_deployments_are_named_for_protect(site: MemorySite, run) -> None:
    for number, name in enumerate(HOSTILE_NAMES):
        site.deploy(name, days=20 + number)
    journal = clean_up(site, run)
    code, report = restore_journal(run, journal)
    names = {"old-1", "old-2", *HOSTILE_NAMES}
    assert code == ExitCode.DONE
    assert len(report["protect"]) == len(names)
    assert {"old-1", "old-2", "plain-1"} <= {*report["protect"]}
    protect = [part for line in report["protect"] for part in ("--protect", line)]
    code, out = run("plan-cleanup", *site.options(), *KEEP_1, "--output", "json",
                    *protect)  # fmt: skip
    decisions = {
        deployment["name"]: deployment["decision"] for deployment in json.loads(out)["deployments"]
    }
    assert decisions == dict.fromkeys({"new", *names}, "keep")


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_first_names_are_shown_with_the_number_of_the_others(
    site: MemorySite, run, output: str
) -> None:
    for number in range(10):
        site.deploy(f"more-{number}", days=20 + number)
    journal = clean_up(site, run)
    _, out = run("restore", journal, "--auto-approve", "--output", output)
    shown_names = re.findall(r"^  (?:more|old)-\d$", out, re.MULTILINE)
    assert len(shown_names) == 5
    assert re.search(r"\b7\b", out)


def test_next_plan_warns_that_it_deletes_what_was_restored(site: MemorySite, run) -> None:
    journal = clean_up(site, run, "--journal-file", "s3://")
    assert plan_warnings(site, run) == []
    code, report = restore_journal(run, journal, "--endpoint-url", site.endpoint_url)
    assert (code, report["record-problem"]) == (ExitCode.DONE, "")
    [warning] = plan_warnings(site, run)
    assert "old-1, old-2" in warning["message"]
    [warning] = plan_warnings(site, run, "--protect", "old-1")
    assert ": old-2." in warning["message"]
    site.deploy("old-2", days=-0.01)
    assert plan_warnings(site, run, "--protect", "old-1") == []


def test_records_that_cannot_be_read_are_reported(site: MemorySite, run, assert_screen) -> None:
    site.put(".ci3/restored/x.json", body=b"[]")
    [warning] = plan_warnings(site, run)
    assert_screen(warning["message"])


def test_restore_that_may_not_store_its_record_reports_it(
    site: MemorySite, run, assert_screen
) -> None:
    journal = clean_up(site, run, "--journal-file", "s3://")
    error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    site.proxy.answer("PUT", "/restored/", error, status=403)
    code, report = restore_journal(run, journal, "--endpoint-url", site.endpoint_url)
    assert (code, report["objects-restored"]) == (ExitCode.DONE, 6)
    assert_screen(report["record-problem"])


def test_restore_from_a_local_journal_stores_no_record_and_a_plan_reads_none(
    site: MemorySite, run
) -> None:
    assert restore_journal(run, clean_up(site, run))[0] == ExitCode.DONE
    assert plan_warnings(site, run) == []
    assert not site.proxy.find_requests("GET", "restored")
    assert not site.proxy.find_requests("PUT", "restored")
