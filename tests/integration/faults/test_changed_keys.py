"""A server that changes keys: ci3 stops at, and reports, deletions that it did not request."""

import pytest

from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.restore import Restoration
from ci3.engine.restore.sources import source_from_journal
from ci3.engine.workers.progress import NoProgress
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.fault_proxy import FaultProxy, Request
from tests.support.s3.memory_site import MemorySite

SPACES = [" v1", "\xa0v1", "\u2003v1", "\ufeffv1", "\tv1"]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("settings", [{}, {"delete_versions": "true"}], ids=["objects", "versions"])
@pytest.mark.parametrize("honours_conditions", [True, False])
def test_only_the_folder_whose_name_would_be_trimmed_is_deleted(
    site: MemorySite, name: str, settings: dict, *, honours_conditions: bool
) -> None:
    site.trim_batch_keys()
    site.set_conditional_deletes(yes=honours_conditions)
    if settings:
        site.enable_versioning()
    for days, folder in enumerate(["v2", "v1", "old", name], start=1):
        site.deploy(folder, days=days)
    run = apply(site, keep_count="2", protect="v1", **settings)
    assert run.exit_code is ExitCode.DONE
    assert "v1" in site.folders()  # protected
    assert name not in site.folders()
    assert run.counts(name) == {"deleted": 3}


def seed_trimmed_keys(site: MemorySite) -> None:
    site.trim_batch_keys()
    for number in range(3):
        site.put(f"new/file-{number}", days=1)
        site.put(f"old-1/file-{number}", days=9)
        site.put(f"old-2/file-{number}", days=10)


def test_response_that_names_another_key_stops_the_run_with_its_name(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed_trimmed_keys(site)

    def add_key(request: Request) -> str:
        keys = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in request.batch_keys)
        return f"<DeleteResult>{keys}<Deleted><Key>new/file-1</Key></Deleted></DeleteResult>"

    proxy.answer_with("POST", r"\?delete", add_key)
    run = apply(site)
    assert run.exit_code is ExitCode.PARTIAL
    assert "'new/file-1'" in run.result.stop_reason
    assert len([request for request in proxy.deletions if request.method == "POST"]) == 1


def test_restore_stops_if_a_response_names_another_key(site: MemorySite, proxy: FaultProxy) -> None:
    site.enable_versioning()
    seed_trimmed_keys(site)
    run = apply(site)
    assert run.exit_code is ExitCode.DONE
    body = "<DeleteResult><Deleted><Key>new/file-1</Key><VersionId>v1</VersionId></Deleted>"
    proxy.answer("POST", r"\?delete", f"{body}</DeleteResult>")
    with open_journal(run.result.journal_file) as journal:
        restoration = Restoration(
            reader=make_context(site).open_bucket(),
            source=source_from_journal(journal),
            progress=NoProgress(),
            sleep=lambda _seconds: None,
        )
        restored = restoration.restore(restoration.make_plan())
    assert not restored.is_complete
    assert "'new/file-1'" in restored.stop_reason
    assert "v1" in restored.stop_reason
