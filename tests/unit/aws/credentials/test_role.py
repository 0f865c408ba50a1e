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
    format_sts_error,
    list_s3_signers,
    list_signers,
    list_sts_requests,
    open_reader,
    request_listing,
    set_lifetime,
)

THREADS = 16


def test_all_clients_of_a_run_share_the_credentials_of_one_role(
    reader: BucketReader, site: Bucket, proxy: FaultProxy, fetched_tokens: list[str]
) -> None:
    site.put("a/x")
    with closing(boto3.client("ssm", endpoint_url=site.endpoint_url)) as ssm:
        ssm.put_parameter(Name=f"/{site.name}", Value="a", Type="String", Overwrite=True)
    proxy.requests.clear()

    options = {"bucket": site.name, "prefix": "", "region": "", "credentials": reader.credentials}
    request_listing(reader)
    read_parameter(LiveSource.parse(f"ssm:/{site.name}"), **options)
    list_origins(site.name, region="", credentials=reader.credentials)
    stored = next(item for page in reader.list_pages("") for item in page.objects)
    reader.open_writer().delete_objects([stored])

    [request, *others] = proxy.requests
    assert list_sts_requests(proxy) == [
        {
            "Action": "AssumeRoleWithWebIdentity",
            "RoleArn": ROLE,
            "RoleSessionName": "ci3-42",
            "Version": "2011-06-15",
            "WebIdentityToken": fetched_tokens[0],
        }
    ]
    assert "Authorization" not in request.headers
    assert len(others) >= 5
    assert {request.method for request in others} == {"GET", "POST"}
    [signer] = set(list_signers(others))
    assert signer.startswith("ASIA")
    assert site.keys() == set()


def test_role_is_assumed_without_searching_other_credentials(
    reader: BucketReader, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("config").write_text("[default]\ncredential_process = touch was-run\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    request_listing(reader)

    assert list_s3_signers(proxy)[0].startswith("ASIA")
    assert not Path("was-run").exists()


def test_sts_is_not_requested_before_a_client_needs_credentials(
    reader: BucketReader, proxy: FaultProxy, fetched_tokens: list[str]
) -> None:
    reader.open_writer()

    assert (proxy.requests, fetched_tokens) == ([], [])


def test_expiring_credentials_are_refreshed_with_a_new_token(
    reader: BucketReader, proxy: FaultProxy, fetched_tokens: list[str]
) -> None:
    proxy.rewrite("POST", STS, set_lifetime(timedelta(minutes=5)), nth=1)
    for _ in range(4):
        request_listing(reader)

    first, second, third, fourth = list_s3_signers(proxy)
    assert first != second == third == fourth
    assert [request["WebIdentityToken"] for request in list_sts_requests(proxy)] == fetched_tokens
    assert len(set(fetched_tokens)) == 2


def test_credentials_are_refreshed_before_they_expire(
    reader: BucketReader, proxy: FaultProxy, clock: Clock, fetched_tokens: list[str]
) -> None:
    for minutes in (0, 40, 50, 51):
        clock.ahead = timedelta(minutes=minutes)
        proxy.rewrite("POST", STS, set_lifetime(timedelta(minutes=minutes + 60)))
        request_listing(reader)

    first, second, third, fourth = list_s3_signers(proxy)
    assert first == second != third == fourth
    assert len(fetched_tokens) == 2


def test_many_threads_refresh_credentials_once(
    reader: BucketReader, proxy: FaultProxy, fetched_tokens: list[str]
) -> None:
    proxy.rewrite("POST", STS, set_lifetime(timedelta(minutes=5)), nth=1)
    request_listing(reader)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(request_listing, [reader] * THREADS))

    first, *others = list_s3_signers(proxy)
    assert len(fetched_tokens) == 2
    assert len(others) == THREADS
    assert len({first, *others}) == 2
    assert first not in others


def test_failed_refresh_is_shared_by_threads_and_retried_later(
    reader: BucketReader, proxy: FaultProxy, clock: Clock, fetched_tokens: list[str]
) -> None:
    proxy.rewrite("POST", STS, set_lifetime(timedelta(minutes=5)), nth=1)
    request_listing(reader)
    proxy.answer("POST", STS, format_sts_error("AccessDenied"), status=403, nth=1)

    def read_key(_: int) -> str:
        with pytest.raises(AccessError) as caught:
            request_listing(reader)
        return caught.value.full_message

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(read_key, range(THREADS)))) == 1
    assert len(fetched_tokens) == 2

    clock.ahead = timedelta(minutes=1)
    request_listing(reader)
    assert len(fetched_tokens) == 3


def test_failed_refresh_is_ignored_while_credentials_are_valid(
    reader: BucketReader,
    proxy: FaultProxy,
    fetched_tokens: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    proxy.rewrite("POST", STS, set_lifetime(timedelta(minutes=12)), nth=1)
    request_listing(reader)
    proxy.answer("POST", STS, format_sts_error("AccessDenied"), status=403)
    for _ in range(3):
        request_listing(reader)

    assert len(set(list_s3_signers(proxy))) == 1
    assert len(fetched_tokens) == 2
    assert capfd.readouterr().err == ""


# Without a token source, the default credentials assume the role.


def test_default_credentials_assume_the_role_and_refresh_it(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    proxy.rewrite("POST", STS, set_lifetime(timedelta(minutes=5)), nth=1)
    reader = open_reader(site, assume(None))
    for _ in range(3):
        request_listing(reader)

    assert [request["Action"] for request in list_sts_requests(proxy)] == ["AssumeRole"] * 2
    assert list_signers(proxy.find_requests("POST", STS)) == [CREDENTIALS["AWS_ACCESS_KEY_ID"]] * 2
    first, second, third = list_s3_signers(proxy)
    assert first != second == third
    assert {first[:4], second[:4]} == {"ASIA"}


@pytest.mark.parametrize(
    ("run_id", "name"),
    [("42", "ci3-42"), ("", "ci3"), ("4 2/é", "ci3-4-2--"), ("1" * 99, "ci3-" + "1" * 60)],
)
def test_session_name_has_the_run_id_in_valid_characters(run_id: str, name: str) -> None:
    assert format_session_name(run_id) == name
