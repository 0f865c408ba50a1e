"""A role that cannot be assumed is an error of the run, not of each request."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.errors import AccessError, GitHubReadOnlyError
from tests.support.github.fake_oidc import ISSUER, SUBJECT, make_token
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.support.s3.answers import HTML
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.aws.credentials.sts import (
    ROLE,
    STS,
    Clock,
    format_sts_error,
    list_s3_signers,
    open_reader,
    request_listing,
)


@pytest.mark.parametrize(
    ("code", "status", "hints"),
    [
        ("AccessDenied", 403, ["sts:AssumeRoleWithWebIdentity", ISSUER, "sts.amazonaws.com",
                               SUBJECT]),
        ("InvalidIdentityToken", 400, [ISSUER, "sts.amazonaws.com", "IAM"]),
        ("ExpiredTokenException", 400, []),
        ("RegionDisabledException", 403, []),
        ("InternalFailure", 500, []),
    ],
)  # fmt: skip
def test_role_that_cannot_be_assumed_is_an_error_of_the_run(  # noqa: PLR0917 - a table
    reader: BucketReader,
    proxy: FaultProxy,
    pauses: list[float],
    fetched_tokens: list[str],
    code: str,
    status: int,
    hints: list[str],
) -> None:
    proxy.answer("POST", STS, format_sts_error(code), status=status)
    with pytest.raises(AccessError) as caught:
        request_listing(reader)

    assert type(caught.value) is AccessError
    assert {ROLE, code} <= words_in(caught.value.message)
    assert [hint for hint in hints if hint not in caught.value.hint] == []
    assert fetched_tokens[0] not in caught.value.full_message
    assert list_s3_signers(proxy) == []


def test_invalid_token_has_a_hint_without_its_claims(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    proxy.answer("POST", STS, format_sts_error("AccessDenied"), status=403)
    for token in ("none", "a.b.c", "a.bnVsbA.c", make_token(), make_token(sub="\x1b[31m")):
        with pytest.raises(AccessError) as caught:
            request_listing(open_reader(site, assume(lambda token=token: token)))
        assert words_in(caught.value.hint).isdisjoint({ISSUER, SUBJECT})
        assert caught.value.hint.isprintable()


@pytest.mark.parametrize("answer", [HTML, "<AssumeRoleWithWebIdentityResponse/>"])
def test_invalid_sts_response_is_an_error_of_the_run(
    reader: BucketReader, proxy: FaultProxy, pauses: list[float], answer: str
) -> None:
    proxy.answer("POST", STS, answer)
    with pytest.raises(AccessError, match=ROLE) as caught:
        request_listing(reader)

    assert type(caught.value) is AccessError


def test_expired_credentials_are_reported_with_their_expiration(
    reader: BucketReader, clock: Clock
) -> None:
    clock.ahead = timedelta(hours=2)
    with pytest.raises(AccessError, match=rf"{ROLE}.* \d{{4}}-\d\d-\d\dT[\d:]+Z"):
        request_listing(reader)


def fail_to_fetch() -> str:
    raise GitHubReadOnlyError("a-message", "a-hint")


def test_failed_token_source_is_an_error_of_the_run(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    with pytest.raises(AccessError, match=f"{ROLE}.* a-message") as caught:
        request_listing(open_reader(site, assume(fail_to_fetch)))

    assert type(caught.value) is AccessError
    assert caught.value.hint == "a-hint"
    assert proxy.requests == []


def test_failed_refresh_during_a_deletion_stops_the_run_and_is_no_denial(
    reader: BucketReader, proxy: FaultProxy
) -> None:
    proxy.answer("POST", STS, format_sts_error("AccessDenied"), status=403)
    to_delete = StoredObject(key="a/x", etag='"e"', size_bytes=1, modified_at=datetime.now(UTC))
    outcome = reader.open_writer().delete_objects([to_delete])["a/x"]

    assert (outcome.outcome, outcome.should_stop_run) == (ObjectOutcome.UNKNOWN, True)
    assert {ROLE, "AccessDenied"} <= words_in(outcome.message)


def test_empty_token_does_not_fall_back_to_other_credentials(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    with pytest.raises(AccessError, match=ROLE):
        request_listing(open_reader(site, assume(lambda: "")))

    assert proxy.requests == []


def test_denied_default_credentials_name_the_missing_permission(
    site: Bucket, proxy: FaultProxy, assume: Callable[..., Credentials]
) -> None:
    proxy.answer("POST", STS, format_sts_error("AccessDenied"), status=403)
    with pytest.raises(AccessError) as caught:
        request_listing(open_reader(site, assume(None)))

    assert type(caught.value) is AccessError
    assert {ROLE, "AccessDenied", "AssumeRole"} <= words_in(caught.value.message)
    assert "sts:AssumeRole" in words_in(caught.value.hint)


def test_missing_default_credentials_have_a_hint(
    site: Bucket, assume: Callable[..., Credentials], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(AccessError, match=ROLE) as caught:
        request_listing(open_reader(site, assume(None)))

    assert {"id-token", "AWS_PROFILE"} <= words_in(caught.value.hint)


def test_messages_are_the_golden_ones(
    site: Bucket,
    proxy: FaultProxy,
    pauses: list[float],
    assume: Callable[..., Credentials],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases: dict[str, AccessError] = {}

    def record(case: str, credentials: Credentials) -> None:
        with pytest.raises(AccessError) as caught:
            request_listing(open_reader(site, credentials))
        cases[case] = caught.value

    for code in ("InvalidIdentityToken", "ExpiredTokenException", "OtherError", "AccessDenied"):
        proxy.answer("POST", STS, format_sts_error(code), status=400)
        record(code, assume())
    record("AccessDenied, unreadable token", assume(lambda: "none"))
    record("AccessDenied, default chain", assume(None))
    proxy.answer("POST", STS, HTML)
    record("a page that is not XML", assume())
    proxy.answer("POST", STS, "<AssumeRoleWithWebIdentityResponse/>")
    record("an answer without credentials", assume())
    proxy.forget_rules()
    expired = b"<Expiration>2001-02-03T04:05:06Z<"
    proxy.rewrite("POST", STS, lambda body: re.sub(b"<Expiration>.*?<", expired, body))
    record("expired credentials", assume())
    record("no token source", assume(fail_to_fetch))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    record("no credentials", assume(None))
    assert_messages(__file__, cases.items())
