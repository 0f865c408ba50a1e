"""A journal that is stored in the bucket itself, in parts: written ahead, restored and resumed."""

import json
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.crash import small_batches
from tests.support.journals import read_intents, read_outcomes
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Answer, FaultProxy, Request, ignore_if_none_match

DELETE = r"\?delete"
FOLDER = ".ci3/journals/"
STORED = ("--journal-file", "s3://", "--keep-count", "1", "--match", ".*", "--auto-approve")


@pytest.fixture
def live(site: Bucket) -> Bucket:
    """A versioned bucket: `new` is kept, `old-1` and `old-2` (three objects each) are to delete."""
    site.enable_versioning()
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=20)
    return site


def read_journals(bucket: Bucket) -> dict[str, list[dict]]:
    """Return the records of each stored journal, in the order of its parts, by run ID."""
    records: dict[str, list[dict]] = {}
    for key, (body, _, _) in sorted(bucket.content().items()):
        if FOLDER in key and key.endswith(".jsonl"):
            run_id = key.split("/")[-2]
            records.setdefault(run_id, []).extend(map(json.loads, body.splitlines()))
    return records


def list_batches(proxy: FaultProxy) -> list[Request]:
    """Return the batch requests, without the PUT requests of the journal."""
    return [request for request in proxy.deletions if request.method == "POST"]


def clean(bucket: Bucket) -> int:
    return main(["cleanup", *bucket.options(), *STORED])


def crash_cleanup(bucket: Bucket, proxy: FaultProxy, batch_number: int) -> str:
    """Simulate a cleanup that is killed while a batch is in flight; return the journal's URL."""
    denial = Answer(status=403, body=error("AccessDenied").encode(), headers={})

    def stop() -> None:
        proxy.answer("PUT", ".", error("AccessDenied"), status=403)

    for nth in range(batch_number, batch_number + 20):
        proxy._add_rule("POST", DELETE, nth, before=stop, canned=denial)
    assert clean(bucket) == 3
    proxy._rules.clear()
    proxy.requests.clear()
    ((run_id, records),) = read_journals(bucket).items()
    assert records[-1]["record"] == "intent"
    return f"s3://{bucket.name}/{FOLDER}{run_id}/"


def resume(bucket: Bucket, journal: str) -> int:
    access = ["--endpoint-url", bucket.endpoint_url]
    return main(["cleanup", "--resume", journal, *access, "--auto-approve"])


def test_intent_is_in_the_bucket_before_its_request_is_sent(
    live: Bucket, proxy: FaultProxy
) -> None:
    journals_before_request: list[list[dict]] = []
    proxy.call_before(
        "POST", DELETE, lambda: journals_before_request.append(*read_journals(live).values())
    )

    assert clean(live) == 0

    (records,) = journals_before_request
    assert [record["record"] for record in records] == ["header", "intent"]
    assert {row["key"] for row in read_intents(records)} == set(list_batches(proxy)[0].batch_keys)
    ((run_id, records),) = read_journals(live).items()
    assert [record["record"] for record in records] == ["header", "intent", "outcome", "end"]
    assert records[0]["run_id"] == run_id
    assert len(read_outcomes(records)) == 6


def test_journal_folder_is_no_deployment_for_the_next_run(live: Bucket) -> None:
    assert clean(live) == 0
    assert clean(live) == 0
    assert live.folders() == {"new", ".ci3"}
    assert len(read_journals(live)) == 1


def test_stored_journal_is_restored_by_run_id_and_by_url(live: Bucket, capsys) -> None:
    before = live.keys()
    assert clean(live) == 0
    (run_id,) = read_journals(live)
    assert f"s3://{live.name}/{FOLDER}{run_id}/" in capsys.readouterr().out.split()

    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 0
    assert live.keys() >= before

    address = f"s3://{live.name}/{FOLDER}{run_id}/"
    capsys.readouterr()
    access = ["--endpoint-url", live.endpoint_url]
    assert main(["restore", address, *access, "--auto-approve", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "nothing-to-restore"


@pytest.mark.parametrize("batch_number", [1, 3])
def test_killed_run_is_resumed_from_its_stored_journal(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, batch_number: int
) -> None:
    small_batches(monkeypatch)
    address = crash_cleanup(live, proxy, batch_number)

    assert resume(live, address) == 0

    assert live.folders() == {"new", ".ci3"}
    (records,) = read_journals(live).values()
    assert records[-1] == {"record": "end", "stopped": ""}
    numbers = [record["batch"] for record in records if record["record"] == "intent"]
    assert numbers == sorted(set(numbers))
    access = ["--endpoint-url", live.endpoint_url]
    assert main(["restore", address, *access, "--auto-approve"]) == 0
    assert live.folders() == {"new", "old-1", "old-2", ".ci3"}


def test_part_written_by_another_run_stops_this_run_before_it_deletes(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs resume one journal: the next part is created with If-None-Match, as a lock."""
    small_batches(monkeypatch)
    address = crash_cleanup(live, proxy, 2)
    last = max(key for key in live.content() if FOLDER in key)
    next_part = f"{last.rpartition('/')[0]}/{int(last[-14:-6]) + 1:08}.jsonl"
    proxy.call_before("PUT", ".", lambda: live.put(next_part, body=b"other run\n"), nth=1)

    assert resume(live, address) == 6

    assert list_batches(proxy) == []
    assert live.content()[next_part][0] == b"other run\n"


@pytest.mark.parametrize("nth", [1, 2, 4])
def test_lost_response_to_a_part_of_the_journal_is_resolved(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, pauses, nth: int
) -> None:
    """S3 stored the part; the retry of boto3 finds that it exists."""
    monkeypatch.setattr("ci3.engine.deletion.sender.DELETE_BATCH_SIZE", 2)
    before = live.keys()
    proxy.drop("PUT", FOLDER, nth=nth)

    assert clean(live) == 0

    ((run_id, records),) = read_journals(live).items()
    assert records[-1] == {"record": "end", "stopped": ""}
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 0
    assert live.keys() >= before


@pytest.mark.usefixtures("command_pauses")
@pytest.mark.parametrize("nth", [4, 6])
def test_run_stops_if_another_run_resumes_its_journal(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Run B resumes the journal of run A, which is still running, and writes the next part."""
    monkeypatch.setattr("ci3.engine.deletion.sender.DELETE_BATCH_SIZE", 1)
    for number in range(4):
        live.deploy(f"older-{number}", days=30 + number)
    before = live.keys()
    line = {"record": "resumed", "ci3_version": "1", "resumed_at": "2026-11-23T12:00:00Z"}

    def take_over() -> None:
        key = (
            proxy.find_requests("PUT", FOLDER)[-1]
            .target.removeprefix(f"/{live.name}/")
            .split("?")[0]
        )
        live.put(key, body=json.dumps(line).encode() + b"\n")

    proxy.call_before("PUT", FOLDER, take_over, nth=nth)

    assert clean(live) == 3

    ((run_id, records),) = read_journals(live).items()
    assert len(proxy.find_requests("PUT", FOLDER)) == nth
    assert records[-1]["record"] == "resumed"
    journaled = {row["key"] for row in read_intents(records)}
    assert {key for request in list_batches(proxy) for key in request.batch_keys} <= journaled
    proxy.forget_rules()
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 0
    assert live.keys() >= before


def test_nothing_is_deleted_if_the_journal_cannot_be_stored(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    before = live.keys()
    proxy.answer("PUT", ".", error("AccessDenied"), status=403)
    assert clean(live) == 6
    assert_screen(capsys.readouterr().err)
    assert list_batches(proxy) == []
    assert live.keys() == before


@pytest.mark.parametrize("url", ["s3://other/.ci3/journals/", "s3://BUCKET/old-1/", "s3:old"])
def test_other_locations_in_s3_are_refused_before_any_request(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen, url: str
) -> None:
    url = url.replace("BUCKET", live.name)
    options = ["--journal-file", url, "--auto-approve"]
    assert main(["cleanup", *live.options(), *options]) == 2
    assert_screen(capsys.readouterr().err)
    assert proxy.requests == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_journal_without_a_part_is_an_error_that_names_the_part(
    live: Bucket, capsys, number: int
) -> None:
    assert clean(live) == 0
    (run_id,) = read_journals(live)
    live.remove(f"{FOLDER}{run_id}/{number:08}.jsonl")
    before = live.keys()
    address = f"s3://{live.name}/{FOLDER}{run_id}/"
    access = ["--endpoint-url", live.endpoint_url, "--auto-approve"]
    for argv in (["restore", address], ["cleanup", "--resume", address]):
        assert main([*argv, *access]) == 2
        assert f"{number:08}.jsonl" in capsys.readouterr().err
    assert live.keys() == before


def test_journal_of_another_s3_is_neither_resumed_nor_restored(  # noqa: PLR0917 - fixtures
    live: Bucket,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    capsys,
    assert_screen,
    closed_port_url: str,
) -> None:
    """The journal was copied from a bucket of the same name on another S3 server."""
    small_batches(monkeypatch)
    address = crash_cleanup(live, proxy, 2)
    key = f"{address.removeprefix(f's3://{live.name}/')}00000001.jsonl"
    header = json.loads(live.content()[key][0])
    header["target"]["endpoint_url"] = closed_port_url
    live.put(key, body=json.dumps(header).encode() + b"\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", live.endpoint_url)
    for argv in (["restore", address], ["cleanup", "--resume", address]):
        assert main([*argv, "--auto-approve"]) == 2
        assert_screen(capsys.readouterr().err, argv[0])
    assert {request.method for request in proxy.requests} == {"GET"}


@pytest.mark.parametrize("name", ["notes.txt", "1.jsonl", "00000000.jsonl"])
def test_unknown_object_among_the_journal_parts_is_refused(
    live: Bucket, capsys, assert_screen, name: str
) -> None:
    assert clean(live) == 0
    (run_id,) = read_journals(live)
    live.put(f"{FOLDER}{run_id}/{name}")
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 2
    assert_screen(capsys.readouterr().err)


def test_new_run_checks_once_that_no_other_run_can_write_its_journal(
    live: Bucket, proxy: FaultProxy, capsys
) -> None:
    assert clean(live) == 0
    headers = proxy.find_requests("PUT", "00000001.jsonl")
    assert len(headers) == 2
    assert headers[0].body == headers[1].body
    assert len(proxy.find_requests("PUT", FOLDER)) == 6
    assert "If-None-Match" not in capsys.readouterr().out


def test_new_run_reports_if_nothing_prevents_a_second_one(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    ignore_if_none_match(proxy)
    assert clean(live) == 0
    assert_screen(capsys.readouterr().out)
    ((_, records),) = read_journals(live).items()
    assert [record["record"] for record in records] == ["header", "intent", "outcome", "end"]


@pytest.mark.parametrize("status", [304, 403, 409, 500, 501])
def test_new_run_reports_if_support_of_if_none_match_is_unknown(
    live: Bucket, proxy: FaultProxy, pauses: list[float], capsys, status: int
) -> None:
    proxy.call_before(
        "PUT",
        "00000001.jsonl",
        lambda: proxy.answer("PUT", "00000001.jsonl", error("Other"), status=status),
        nth=1,
    )
    assert clean(live) == 0
    output = capsys.readouterr().out
    assert "If-None-Match" in output
    assert ("Not Modified" if status == 304 else "Other") in output


def test_run_is_not_resumed_if_nothing_prevents_a_second_one(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, capsys, assert_screen
) -> None:
    small_batches(monkeypatch)
    address = crash_cleanup(live, proxy, 2)
    stored, keys = read_journals(live), live.keys()
    ignore_if_none_match(proxy)

    assert resume(live, address) == 4

    message = capsys.readouterr().err
    assert "aws s3 cp --recursive" in message
    assert_screen(message)
    assert list_batches(proxy) == []
    assert live.keys() == keys
    assert read_journals(live) == stored

    Path("journal.jsonl").write_bytes(
        b"".join(body for key, (body, _, _) in sorted(live.content().items()) if FOLDER in key)
    )
    assert resume(live, "journal.jsonl") == 0
    assert live.folders() == {"new", ".ci3"}
    assert read_journals(live) == stored


@pytest.mark.parametrize("status", [304, 403, 409, 500, 501])
def test_run_is_not_resumed_if_support_of_if_none_match_is_unknown(
    live: Bucket,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    status: int,
) -> None:
    small_batches(monkeypatch)
    address = crash_cleanup(live, proxy, 2)
    stored, keys = read_journals(live), live.keys()
    proxy.answer("PUT", "00000001.jsonl", error("Other"), status=status)
    assert resume(live, address) == 4
    assert list_batches(proxy) == []
    assert (live.keys(), read_journals(live)) == (keys, stored)


@pytest.mark.parametrize("request_number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("is_if_none_match_supported", [True, False])
def test_two_runs_that_resume_one_journal_never_both_delete(
    live: Bucket,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    request_number: int,
    is_if_none_match_supported: bool,
) -> None:
    """The second run starts right before a request with which the first writes the journal."""
    # The second run is in a thread of the proxy; only the main thread may set signal handlers.
    monkeypatch.setattr("ci3.cli.main.signal.signal", lambda *_: None)
    small_batches(monkeypatch)
    address = crash_cleanup(live, proxy, 2)
    keys_before_crash = {row["key"] for row in read_outcomes(*read_journals(live).values())}
    keys = live.keys()
    exit_codes: list[int] = []
    if not is_if_none_match_supported:
        ignore_if_none_match(proxy)
    proxy.call_before(
        "PUT", ".", lambda: exit_codes.append(resume(live, address)), nth=request_number
    )

    exit_codes.append(resume(live, address))

    if not is_if_none_match_supported:
        assert set(exit_codes) == {4}
        assert (list_batches(proxy), live.keys()) == ([], keys)
        return
    second, first = exit_codes
    assert second == 0
    assert first in (3, 6)
    (records,) = read_journals(live).values()
    assert records[-1] == {"record": "end", "stopped": ""}
    deleted = [
        row["key"]
        for row in read_outcomes(records)
        if row["outcome"] == "deleted" and row["key"] not in keys_before_crash
    ]
    assert len(deleted) == len(set(deleted))
    requested_keys = [key for request in list_batches(proxy) for key in request.batch_keys]
    assert set(requested_keys) <= {row["key"] for row in read_intents(records)}
    assert live.folders() == {"new", ".ci3"}
    proxy.forget_rules()
    assert main(["restore", address, "--endpoint-url", live.endpoint_url, "--auto-approve"]) == 0
    assert live.folders() == {"new", "old-1", "old-2", ".ci3"}
