"""The credentials of a role, from the in-process STS behind a proxy."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import boto3
import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from ci3.aws.credentials import format_session_name
from ci3.core.live.sources import LiveSource
from ci3.errors import AccessError
from ci3.live.aws import list_origins, read_parameter
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.moto_s3 import CREDENTIALS
from tests.unit.aws.credentials.sts import (
    ROLE,
    STS,
    Clock,
    asked,
    lasting,
    look,
    open_reader,
    s3_signers,
    signers,
    sts_error,
)

THREADS = 16


def test_all_clients_of_a_run_share_the_credentials_of_one_role(
    reader: BucketReader, site: Bucket, proxy: FaultProxy, shown: list[str]
) -> None:
    site.put("a/x")
    with closing(boto3.client("ssm", endpoint_url=site.endpoint_url)) as ssm:
        ssm.put_parameter(Name=f"/{site.name}", Value="a", Type="String", Overwrite=True)
    proxy.requests.clear()

    where = {"bucket": site.name, "prefix": "", "region": "", "credentials": reader.credentials}
    look(reader)
    read_parameter(LiveSource.parse(f"ssm:/{site.name}"), **where)
    list_origins(site.name, region="", credentials=reader.credentials)
    stored = next(item for page in reader.list_pages("") for item in page.objects)
    reader.open_writer().delete_objects([stored])

    [request, *others] = proxy.requests
    assert asked(proxy) == [
        {
            "Action": "AssumeRoleWithWebIdentity",
            "RoleArn": ROLE,
            "RoleSessionName": "ci3-42",
            "Version": "2011-06-15",
            "WebIdentityToken": shown[0],
        }
    ]
    assert "Authorization" not in request.headers
    assert len(others) >= 5
    assert {item.method for item in others} == {"GET", "POST"}
    [signer] = set(signers(others))
    assert signer.startswith("ASIA")
    assert site.keys() == set()


def test_role_is_assumed_without_any_other_credentials_and_none_are_looked_for(
    reader: BucketReader, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config").write_text("[default]\ncredential_process = touch looked-for\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    look(reader)

    assert s3_signers(proxy)[0].startswith("ASIA")
    assert not Path("looked-for").exists()


def test_nothing_is_asked_of_sts_before_a_client_needs_it(
    reader: BucketReader, proxy: FaultProxy, shown: list[str]
) -> None:
    reader.open_writer()

    assert (proxy.requests, shown) == ([], [])


def test_credentials_that_are_about_to_expire_are_got_anew_with_a_fresh_token(
    reader: BucketReader, proxy: FaultProxy, shown: list[str]
) -> None:
    proxy.rewrite("POST", STS, lasting(timedelta(minutes=5)), nth=1)
    for _ in range(4):
        look(reader)

    first, second, third, fourth = s3_signers(proxy)
    assert first != second == third == fourth
    assert [item["WebIdentityToken"] for item in asked(proxy)] == shown
    assert len(set(shown)) == 2


def test_credentials_are_got_anew_as_time_goes_by(
    reader: BucketReader, proxy: FaultProxy, clock: Clock, shown: list[str]
) -> None:
    for minutes in (0, 40, 50, 51):
        clock.ahead = timedelta(minutes=minutes)
        proxy.rewrite("POST", STS, lasting(timedelta(minutes=minutes + 60)))
        look(reader)

    first, second, third, fourth = s3_signers(proxy)
    assert first == second != third == fourth
    assert len(shown) == 2


def test_many_threads_get_new_credentials_once(
    reader: BucketReader, proxy: FaultProxy, shown: list[str]
) -> None:
    proxy.rewrite("POST", STS, lasting(timedelta(minutes=5)), nth=1)
    look(reader)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(look, [reader] * THREADS))

    first, *others = s3_signers(proxy)
    assert len(shown) == 2
    assert len(others) == THREADS
    assert len({first, *others}) == 2
    assert first not in others


def test_many_threads_are_told_of_one_failure_and_a_later_try_may_succeed(
    reader: BucketReader, proxy: FaultProxy, clock: Clock, shown: list[str]
) -> None:
    proxy.rewrite("POST", STS, lasting(timedelta(minutes=5)), nth=1)
    look(reader)
    proxy.answer("POST", STS, sts_error("AccessDenied"), status=403, nth=1)

    def read_key(_: int) -> str:
        with pytest.raises(AccessError) as caught:
            look(reader)
        return caught.value.full_message

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(read_key, range(THREADS)))) == 1
    assert len(shown) == 2

    clock.ahead = timedelta(minutes=1)
    look(reader)
    assert len(shown) == 3


def test_failure_while_there_is_time_left_is_no_reason_to_stop(
    reader: BucketReader, proxy: FaultProxy, shown: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    proxy.rewrite("POST", STS, lasting(timedelta(minutes=12)), nth=1)
    look(reader)
    proxy.answer("POST", STS, sts_error("AccessDenied"), status=403)
    for _ in range(3):
        look(reader)

    assert len(set(s3_signers(proxy))) == 1
    assert len(shown) == 2
    assert capfd.readouterr().err == ""


# Where nothing fetches a token: the credentials at hand assume the role.


def test_credentials_at_hand_assume_the_role_and_do_so_again(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    proxy.rewrite("POST", STS, lasting(timedelta(minutes=5)), nth=1)
    reader = open_reader(site, assume(None))
    for _ in range(3):
        look(reader)

    assert [item["Action"] for item in asked(proxy)] == ["AssumeRole"] * 2
    assert signers(proxy.find_requests("POST", STS)) == [CREDENTIALS["AWS_ACCESS_KEY_ID"]] * 2
    first, second, third = s3_signers(proxy)
    assert first != second == third
    assert {first[:4], second[:4]} == {"ASIA"}


@pytest.mark.parametrize(
    ("run_id", "name"),
    [("42", "ci3-42"), ("", "ci3"), ("4 2/é", "ci3-4-2--"), ("1" * 99, "ci3-" + "1" * 60)],
)
def test_session_is_named_after_the_run_in_the_characters_that_sts_takes(
    run_id: str, name: str
) -> None:
    assert format_session_name(run_id) == name
