"""Targets of a prefix pattern with unusual folder names: their journals restore and resume."""

from pathlib import Path

import pytest

from ci3.cli.main import main
from ci3.core.journal.location import JournalLocation
from tests.support.apps import MATCH, commit
from tests.support.crash import small_batches
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

NAMES = [" ", " lead", "trail ", "a b", "a\nb", "\n", "a\tb", "\u3000wide", "\x7f", "é", "{folder}"]
NEIGHBORS = ["lead", "trail", "wide", "b"]
"""The folders that result if white space is removed from the names."""


def deploy(bucket: Bucket, *names: str) -> None:
    for name in names:
        for number in range(4):
            path = f"{name}/{commit('app', number)}"
            bucket.deploy(path, days=number + 1, files=1)


def clean_up(bucket: Bucket, journal: str) -> int:
    settings = ("--match", MATCH, "--keep-count", "1", "--journal-file", journal)
    options = [*bucket.options(), "--prefix", "*/", *settings, "--auto-approve"]
    return main(["cleanup", *options])


def find_journal(bucket: Bucket, journal: str, name: str) -> str:
    if journal != "s3://":
        [path] = Path().glob("ci3-*.jsonl")
        return str(path)
    journal_prefix = f"{name}/.ci3/journals/"
    parts = {
        key.removeprefix(journal_prefix)
        for key in bucket.content()
        if key.startswith(journal_prefix)
    }
    [run_id] = {part.partition("/")[0] for part in parts if "/" in part}
    return JournalLocation.for_run(bucket.name, f"{name}/", run_id).url


def find_deployed(bucket: Bucket) -> set[str]:
    return {key for key in bucket.content() if "/.ci3/" not in key}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("journal", ["ci3.jsonl", "s3://"])
def test_target_with_any_folder_name_is_restored(site: Bucket, journal: str, name: str) -> None:
    site.enable_versioning()
    deploy(site, name)
    deployed = find_deployed(site)
    assert clean_up(site, journal) == 0
    assert len(find_deployed(site)) == len(deployed) - 3
    deploy(site, *NEIGHBORS)
    source = find_journal(site, journal, name)
    options = ["--endpoint-url", site.endpoint_url] if journal == "s3://" else []
    assert main(["restore", source, *options, "--auto-approve"]) == 0
    assert deployed <= find_deployed(site)
    records = {key.partition("/.ci3/")[0] for key in site.content() if "/.ci3/" in key}
    assert records <= {name}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("journal", ["ci3.jsonl", "s3://"])
def test_run_with_any_folder_name_is_resumed(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, journal: str, name: str
) -> None:
    small_batches(monkeypatch)
    deploy(site, name)
    # Some keys are deleted in batches, others one by one.
    for method, target in (("POST", r"\?delete"), ("DELETE", "file-")):
        proxy.answer(method, target, status=403, body=error("ExpiredToken"), nth=2)
    assert clean_up(site, journal) == 3
    proxy.forget_rules()
    assert 1 < len(find_deployed(site)) < 4
    deploy(site, *NEIGHBORS)
    neighbors = find_deployed(site)
    source = find_journal(site, journal, name)
    options = ["--endpoint-url", site.endpoint_url, "--auto-approve"]
    assert main(["cleanup", "--resume", source, *options]) == 0
    remaining_keys = find_deployed(site)
    assert [key for key in neighbors - remaining_keys if not key.startswith(f"{name}/")] == []
    assert {key for key in remaining_keys if key.startswith(f"{name}/")} == {
        f"{name}/{commit('app', 0)}/file-00000"
    }
