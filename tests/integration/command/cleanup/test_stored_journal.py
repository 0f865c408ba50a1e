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
    """A bucket that keeps versions: the newest, and two of three objects each that are due."""
    site.enable_versioning()
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=20)
    return site


def parts(bucket: Bucket) -> dict[str, list[dict]]:
    """What is stored of journals, as records in the order of their parts, by run."""
    found: dict[str, list[dict]] = {}
    for key, (body, _, _) in sorted(bucket.content().items()):
        if FOLDER in key and key.endswith(".jsonl"):
            run_id = key.split("/")[-2]
            found.setdefault(run_id, []).extend(map(json.loads, body.splitlines()))
    return found


def sent(proxy: FaultProxy) -> list[Request]:
    """The batches that were sent, but for those that only probe."""
    return [one for one in proxy.deletions if one.method == "POST"]


def clean(bucket: Bucket) -> int:
    return main(["cleanup", *bucket.options(), *STORED])


def crash(bucket: Bucket, proxy: FaultProxy, at: int) -> str:
    """Clean up and be killed while a batch is out: nothing is sent any more. Gives the address."""
    refused = Answer(status=403, body=error("AccessDenied").encode(), headers={})

    def stop() -> None:
        proxy.answer("PUT", ".", error("AccessDenied"), status=403)

    for nth in range(at, at + 20):
        proxy._add_rule("POST", DELETE, nth, before=stop, canned=refused)
    assert clean(bucket) == 3
    proxy._rules.clear()
    proxy.requests.clear()
    ((run_id, records),) = parts(bucket).items()
    assert records[-1]["record"] == "intent"
    return f"s3://{bucket.name}/{FOLDER}{run_id}/"


def test_intent_is_in_the_bucket_before_its_request_goes_out(
    live: Bucket, proxy: FaultProxy
) -> None:
    seen: list[list[dict]] = []
    proxy.call_before("POST", DELETE, lambda: seen.append(*parts(live).values()))

    assert clean(live) == 0

    (records,) = seen
    assert [one["record"] for one in records] == ["header", "intent"]
    assert {one["key"] for one in read_intents(records)} == set(sent(proxy)[0].batch_keys)
    ((run_id, records),) = parts(live).items()
    assert [one["record"] for one in records] == ["header", "intent", "outcome", "end"]
    assert records[0]["run_id"] == run_id
    assert len(read_outcomes(records)) == 6


def test_folder_of_the_journals_is_no_deployment_to_the_next_run(live: Bucket) -> None:
    assert clean(live) == 0
    assert clean(live) == 0
    assert live.folders() == {"new", ".ci3"}
    assert len(parts(live)) == 1


def test_stored_journal_is_restored_by_the_runs_id_and_by_its_address(live: Bucket, capsys) -> None:
    before = live.keys()
    assert clean(live) == 0
    (run_id,) = parts(live)
    assert f"s3://{live.name}/{FOLDER}{run_id}/" in capsys.readouterr().out.split()

    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 0
    assert live.keys() >= before

    address = f"s3://{live.name}/{FOLDER}{run_id}/"
    capsys.readouterr()
    access = ["--endpoint-url", live.endpoint_url]
    assert main(["restore", address, *access, "--auto-approve", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "nothing-to-restore"


@pytest.mark.parametrize("at", [1, 3])
def test_killed_run_is_gone_on_with_by_its_stored_journal(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    small_batches(monkeypatch)
    address = crash(live, proxy, at)
    access = ["--endpoint-url", live.endpoint_url]

    assert main(["cleanup", "--resume", address, *access, "--auto-approve"]) == 0

    assert live.folders() == {"new", ".ci3"}
    (records,) = parts(live).values()
    assert records[-1] == {"record": "end", "stopped": ""}
    numbers = [one["batch"] for one in records if one["record"] == "intent"]
    assert numbers == sorted(set(numbers))
    assert main(["restore", address, *access, "--auto-approve"]) == 0
    assert live.folders() == {"new", "old-1", "old-2", ".ci3"}


def test_part_that_another_run_has_written_stops_this_one_before_it_deletes(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that go on with one journal at once: the number of the next part is the lock."""
    small_batches(monkeypatch)
    address = crash(live, proxy, 2)
    last = max(key for key in live.content() if FOLDER in key)
    taken = f"{last.rpartition('/')[0]}/{int(last[-14:-6]) + 1:08}.jsonl"
    proxy.call_before("PUT", ".", lambda: live.put(taken, body=b"the other's\n"), nth=1)

    access = ["--endpoint-url", live.endpoint_url]
    assert main(["cleanup", "--resume", address, *access, "--auto-approve"]) == 6

    assert sent(proxy) == []
    assert live.content()[taken][0] == b"the other's\n"


@pytest.mark.parametrize("nth", [1, 2, 4])
def test_lost_answer_to_a_part_of_the_journal_is_settled(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, pauses, nth: int
) -> None:
    """It was stored, and the request that boto3 sends again meets it."""
    monkeypatch.setattr("ci3.engine.deletion.sender.DELETE_BATCH_SIZE", 2)
    before = live.keys()
    proxy.drop("PUT", FOLDER, nth=nth)

    assert clean(live) == 0

    ((run_id, records),) = parts(live).items()
    assert records[-1] == {"record": "end", "stopped": ""}
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 0
    assert live.keys() >= before


@pytest.mark.usefixtures("command_pauses")
@pytest.mark.parametrize("nth", [4, 6])
def test_run_whose_journal_another_one_goes_on_with_sends_nothing_more(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Run A is alive; B took it for dead, and has put its first line where A's next would be."""
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

    ((run_id, records),) = parts(live).items()
    assert len(proxy.find_requests("PUT", FOLDER)) == nth
    assert records[-1]["record"] == "resumed"
    journaled = {one["key"] for one in read_intents(records)}
    assert {key for one in sent(proxy) for key in one.batch_keys} <= journaled
    proxy.forget_rules()
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 0
    assert live.keys() >= before


def test_journal_that_can_not_be_stored_deletes_nothing(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    before = live.keys()
    proxy.answer("PUT", ".", error("AccessDenied"), status=403)
    assert clean(live) == 6
    assert_screen(capsys.readouterr().err)
    assert sent(proxy) == []
    assert live.keys() == before


@pytest.mark.parametrize("place", ["s3://other/.ci3/journals/", "s3://BUCKET/old-1/", "s3:old"])
def test_other_places_in_s3_are_refused_before_anything_is_read(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen, place: str
) -> None:
    place = place.replace("BUCKET", live.name)
    options = ["--journal-file", place, "--auto-approve"]
    assert main(["cleanup", *live.options(), *options]) == 2
    assert_screen(capsys.readouterr().err)
    assert proxy.requests == []


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_journal_that_lacks_a_part_is_told_as_such(live: Bucket, capsys, lost: int) -> None:
    assert clean(live) == 0
    (run_id,) = parts(live)
    live.remove(f"{FOLDER}{run_id}/{lost:08}.jsonl")
    before = live.keys()
    address = f"s3://{live.name}/{FOLDER}{run_id}/"
    access = ["--endpoint-url", live.endpoint_url, "--auto-approve"]
    for argv in (["restore", address], ["cleanup", "--resume", address]):
        assert main([*argv, *access]) == 2
        assert f"{lost:08}.jsonl" in capsys.readouterr().err
    assert live.keys() == before


def test_journal_of_another_s3_is_neither_gone_on_with_nor_restored(  # noqa: PLR0917 - fixtures
    live: Bucket,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    capsys,
    assert_screen,
    closed_port_url: str,
) -> None:
    """Its bytes lie in a bucket of the same name, and name the S3 that they were copied from."""
    small_batches(monkeypatch)
    address = crash(live, proxy, 2)
    key = f"{address.removeprefix(f's3://{live.name}/')}00000001.jsonl"
    header = json.loads(live.content()[key][0])
    header["target"]["endpoint_url"] = closed_port_url
    live.put(key, body=json.dumps(header).encode() + b"\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", live.endpoint_url)
    for argv in (["restore", address], ["cleanup", "--resume", address]):
        assert main([*argv, "--auto-approve"]) == 2
        assert_screen(capsys.readouterr().err, argv[0])
    assert {one.method for one in proxy.requests} == {"GET"}


@pytest.mark.parametrize("odd", ["notes.txt", "1.jsonl", "00000000.jsonl"])
def test_what_is_no_part_among_the_parts_is_refused(
    live: Bucket, capsys, assert_screen, odd: str
) -> None:
    assert clean(live) == 0
    (run_id,) = parts(live)
    live.put(f"{FOLDER}{run_id}/{odd}")
    assert main(["restore", "--run-id", run_id, *live.options(), "--auto-approve"]) == 2
    assert_screen(capsys.readouterr().err)


def resume(bucket: Bucket, journal: str) -> int:
    access = ["--endpoint-url", bucket.endpoint_url]
    return main(["cleanup", "--resume", journal, *access, "--auto-approve"])


def test_new_run_checks_once_that_no_other_run_can_write_its_journal(
    live: Bucket, proxy: FaultProxy, capsys
) -> None:
    assert clean(live) == 0
    headers = proxy.find_requests("PUT", "00000001.jsonl")
    assert len(headers) == 2
    assert headers[0].body == headers[1].body
    assert len(proxy.find_requests("PUT", FOLDER)) == 6
    assert "If-None-Match" not in capsys.readouterr().out


def test_new_run_says_where_nothing_prevents_a_second_one(
    live: Bucket, proxy: FaultProxy, capsys, assert_screen
) -> None:
    ignore_if_none_match(proxy)
    assert clean(live) == 0
    assert_screen(capsys.readouterr().out)
    ((_, records),) = parts(live).items()
    assert [record["record"] for record in records] == ["header", "intent", "outcome", "end"]


@pytest.mark.parametrize("status", [304, 403, 409, 500, 501])
def test_new_run_says_where_it_is_unknown_whether_a_second_one_is_prevented(
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


def test_run_is_not_resumed_where_nothing_prevents_a_second_one(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, capsys, assert_screen
) -> None:
    small_batches(monkeypatch)
    address = crash(live, proxy, 2)
    stored, keys = parts(live), live.keys()
    ignore_if_none_match(proxy)

    assert resume(live, address) == 4

    message = capsys.readouterr().err
    assert "aws s3 cp --recursive" in message
    assert_screen(message)
    assert sent(proxy) == []
    assert live.keys() == keys
    assert parts(live) == stored

    Path("journal.jsonl").write_bytes(
        b"".join(body for key, (body, _, _) in sorted(live.content().items()) if FOLDER in key)
    )
    assert resume(live, "journal.jsonl") == 0
    assert live.folders() == {"new", ".ci3"}
    assert parts(live) == stored


@pytest.mark.parametrize("status", [304, 403, 409, 500, 501])
def test_run_is_not_resumed_where_it_is_unknown_whether_a_second_one_is_prevented(
    live: Bucket,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    status: int,
) -> None:
    small_batches(monkeypatch)
    address = crash(live, proxy, 2)
    stored, keys = parts(live), live.keys()
    proxy.answer("PUT", "00000001.jsonl", error("Other"), status=status)
    assert resume(live, address) == 4
    assert sent(proxy) == []
    assert (live.keys(), parts(live)) == (keys, stored)


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("is_honored", [True, False])
def test_two_runs_that_resume_one_journal_never_both_delete(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, at: int, is_honored: bool
) -> None:
    """The second resumes right before a request by which the first writes the journal."""
    # The second runs in a thread of the proxy, and only the main thread may set handlers.
    monkeypatch.setattr("ci3.cli.main.signal.signal", lambda *_: None)
    small_batches(monkeypatch)
    address = crash(live, proxy, 2)
    crashed = {row["key"] for row in read_outcomes(*parts(live).values())}
    keys = live.keys()
    exit_codes: list[int] = []
    if not is_honored:
        ignore_if_none_match(proxy)
    proxy.call_before("PUT", ".", lambda: exit_codes.append(resume(live, address)), nth=at)

    exit_codes.append(resume(live, address))

    if not is_honored:
        assert set(exit_codes) == {4}
        assert (sent(proxy), live.keys()) == ([], keys)
        return
    second, first = exit_codes
    assert second == 0
    assert first in (3, 6)
    (records,) = parts(live).values()
    assert records[-1] == {"record": "end", "stopped": ""}
    deleted = [
        row["key"]
        for row in read_outcomes(records)
        if row["outcome"] == "deleted" and row["key"] not in crashed
    ]
    assert len(deleted) == len(set(deleted))
    asked = [key for request in sent(proxy) for key in request.batch_keys]
    assert set(asked) <= {row["key"] for row in read_intents(records)}
    assert live.folders() == {"new", ".ci3"}
    proxy.forget_rules()
    assert main(["restore", address, "--endpoint-url", live.endpoint_url, "--auto-approve"]) == 0
    assert live.folders() == {"new", "old-1", "old-2", ".ci3"}
