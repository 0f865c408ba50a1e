"""The credentials of a role, from the in-process STS behind a proxy."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import boto3
import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from ci3.aws.credentials import assume_role, format_session_name
from ci3.core.live.sources import LiveSource
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.errors import AccessError, GitHubReadOnlyError
from ci3.live.aws import read_cloudfront, read_parameter
from tests.support.github.fake_oidc import ISSUER, SUBJECT, make_token
from tests.support.s3.answers import HTML
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, Request
from tests.support.s3.moto_s3 import CREDENTIALS

ROLE = "arn:aws:iam::123456789012:role/clean-my-site"
STS = "^/$"
THREADS = 16


class Clock:
    """The real time, and what was added to it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _aws(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point all services but S3 at the proxy, as S3 is by its endpoint."""
    for service in ("STS", "SSM", "CLOUDFRONT"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", proxy.url)


@pytest.fixture
def shown() -> list[str]:
    """Every web identity token that was fetched."""
    return []


@pytest.fixture
def assume(clock: Clock, shown: list[str]) -> Callable[..., Credentials]:
    def fetch() -> str:
        claims = {"iss": ISSUER, "aud": "sts.amazonaws.com", "sub": SUBJECT}
        shown.append(make_token(**claims, jti=len(shown)))
        return shown[-1]

    def assume(fetch_web_identity_token: Callable[[], str] | None = fetch) -> Credentials:
        return assume_role(
            ROLE,
            region="",
            session_name="ci3-42",
            fetch_web_identity_token=fetch_web_identity_token,
            clock=clock,
        )

    return assume


@pytest.fixture
def reader(site: Bucket, assume: Callable[..., Credentials]) -> Iterator[BucketReader]:
    return open_reader(site, assume())


def open_reader(site: Bucket, credentials: Credentials) -> BucketReader:
    return BucketReader(
        bucket=site.name, region="", endpoint_url=site.endpoint_url, credentials=credentials
    )


def look(reader: BucketReader) -> None:
    list(reader.list_pages(""))


def signers(requests: list[Request]) -> list[str]:
    """With which access key each request was signed; empty for none."""
    found = (
        re.search("Credential=([^/]+)/", one.headers.get("Authorization", "")) for one in requests
    )
    return [one[1] if one else "" for one in found]


def asked(proxy: FaultProxy) -> list[dict[str, str]]:
    """What STS was asked, in order."""
    return [
        {name: values[0] for name, values in parse_qs(one.body.decode()).items()}
        for one in proxy.find_requests("POST", STS)
        if b"AssumeRole" in one.body
    ]


def s3_signers(proxy: FaultProxy) -> list[str]:
    return signers(proxy.find_requests("GET", "list-type=2"))


def lasting(length: timedelta) -> Callable[[bytes], bytes]:
    """Change STS's answer: the credentials last so long."""
    until = f"{datetime.now(UTC) + length:%Y-%m-%dT%H:%M:%SZ}".encode()
    return lambda body: re.sub(b"<Expiration>.*?<", b"<Expiration>" + until + b"<", body)


def sts_error(code: str) -> str:
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>told by the test</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    )


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
    read_cloudfront(LiveSource.parse("cloudfront"), **where)
    stored = next(one for page in reader.list_pages("") for one in page.objects)
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
    assert {one.method for one in others} == {"GET", "POST"}
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
    assert [one["WebIdentityToken"] for one in asked(proxy)] == shown
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

    def told(_: int) -> str:
        with pytest.raises(AccessError) as caught:
            look(reader)
        return caught.value.full_message

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(told, range(THREADS)))) == 1
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


@pytest.mark.parametrize(
    ("code", "status", "hints"),
    [
        ("AccessDenied", 403, ["trust policy", "sts:AssumeRoleWithWebIdentity", ISSUER,
                               "audience sts.amazonaws.com", f"subject {SUBJECT}"]),
        ("InvalidIdentityToken", 400, [ISSUER, "audience sts.amazonaws.com", "IAM"]),
        ("ExpiredTokenException", 400, ["expired"]),
        ("RegionDisabledException", 403, ["Run again"]),
        ("InternalFailure", 500, ["Run again"]),
    ],
)  # fmt: skip
def test_role_that_cannot_be_assumed_is_one_error_of_the_whole_run(  # noqa: PLR0917 - a table
    reader: BucketReader,
    proxy: FaultProxy,
    pauses: list[float],
    shown: list[str],
    code: str,
    status: int,
    hints: list[str],
) -> None:
    proxy.answer("POST", STS, sts_error(code), status=status)
    with pytest.raises(
        AccessError, match=f"assuming the role {ROLE}: STS answered {code}"
    ) as caught:
        look(reader)

    assert type(caught.value) is AccessError
    assert [hint for hint in hints if hint not in caught.value.hint] == []
    assert shown[0] not in caught.value.full_message
    assert s3_signers(proxy) == []


def test_token_that_names_nothing_is_still_told_of_in_the_hint(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    proxy.answer("POST", STS, sts_error("AccessDenied"), status=403)
    for token in ("none", "a.b.c", "a.bnVsbA.c", make_token(), make_token(sub="\x1b[31m")):
        with pytest.raises(AccessError) as caught:
            look(open_reader(site, assume(lambda token=token: token)))
        assert "unknown" in caught.value.hint
        assert caught.value.hint.isprintable()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (HTML, "could not be read as STS's"),
        ("<AssumeRoleWithWebIdentityResponse/>", "could not be read as STS's"),
    ],
)
def test_answer_that_is_not_stss_is_an_error_of_the_whole_run(
    reader: BucketReader, proxy: FaultProxy, pauses: list[float], answer: str, told: str
) -> None:
    proxy.answer("POST", STS, answer)
    with pytest.raises(AccessError, match=told) as caught:
        look(reader)

    assert type(caught.value) is AccessError
    assert "proxy" in caught.value.hint


def test_credentials_that_are_over_already_tell_of_the_clock(
    reader: BucketReader, clock: Clock
) -> None:
    clock.ahead = timedelta(hours=2)
    with pytest.raises(AccessError, match="the new credentials expired at") as caught:
        look(reader)

    assert "clock" in caught.value.hint


def test_source_of_tokens_that_fails_is_an_error_of_the_whole_run(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    def fetch() -> str:
        raise GitHubReadOnlyError("GitHub's service answered 403", "Give the permission.")

    with pytest.raises(AccessError, match=f"{ROLE}: GitHub's service answered 403") as caught:
        look(open_reader(site, assume(fetch)))

    assert type(caught.value) is AccessError
    assert caught.value.hint == "Give the permission."
    assert proxy.requests == []


def test_deletion_whose_credentials_cannot_be_got_anew_stops_the_run_and_is_no_denial_of_s3(
    reader: BucketReader, proxy: FaultProxy
) -> None:
    proxy.answer("POST", STS, sts_error("AccessDenied"), status=403)
    doomed = StoredObject(key="a/x", etag='"e"', size_bytes=1, modified_at=datetime.now(UTC))
    said = reader.open_writer().delete_objects([doomed])["a/x"]

    assert (said.outcome, said.should_stop_run) == (ObjectOutcome.UNKNOWN, True)
    assert f"assuming the role {ROLE}: STS answered AccessDenied" in said.message


def test_empty_token_is_no_reason_to_ask_with_other_credentials(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    with pytest.raises(AccessError, match="assuming the role"):
        look(open_reader(site, assume(lambda: "")))

    assert proxy.requests == []


# Where nothing fetches a token: the credentials at hand assume the role.


def test_credentials_at_hand_assume_the_role_and_do_so_again(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    proxy.rewrite("POST", STS, lasting(timedelta(minutes=5)), nth=1)
    reader = open_reader(site, assume(None))
    for _ in range(3):
        look(reader)

    assert [one["Action"] for one in asked(proxy)] == ["AssumeRole"] * 2
    assert signers(proxy.find_requests("POST", STS)) == [CREDENTIALS["AWS_ACCESS_KEY_ID"]] * 2
    first, second, third = s3_signers(proxy)
    assert first != second == third
    assert {first[:4], second[:4]} == {"ASIA"}


def test_credentials_at_hand_that_may_not_assume_the_role_say_who_must_allow_it(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    proxy.answer("POST", STS, sts_error("AccessDenied"), status=403)
    with pytest.raises(AccessError, match="STS answered AccessDenied to AssumeRole:") as caught:
        look(open_reader(site, assume(None)))

    assert type(caught.value) is AccessError
    assert "trust policy" in caught.value.hint
    assert "sts:AssumeRole on the role" in caught.value.hint


def test_no_credentials_at_hand_say_what_is_missing(
    site: Bucket, assume: Callable[..., Credentials], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(AccessError, match="no AWS credentials to assume it with") as caught:
        look(open_reader(site, assume(None)))

    assert "id-token: write" in caught.value.hint
    assert "AWS_PROFILE" in caught.value.hint


@pytest.mark.parametrize(
    ("run_id", "name"),
    [("42", "ci3-42"), ("", "ci3"), ("4 2/é", "ci3-4-2--"), ("1" * 99, "ci3-" + "1" * 60)],
)
def test_session_is_named_after_the_run_in_the_characters_that_sts_takes(
    run_id: str, name: str
) -> None:
    assert format_session_name(run_id) == name
