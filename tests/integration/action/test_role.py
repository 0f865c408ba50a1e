"""The action assumes a role with a GitHub OIDC token, and renews the credentials."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci3.cli.main import main
from tests.support.action_reports import ALL, read_journal
from tests.support.github.fake_oidc import SUBJECT, running_oidc
from tests.support.s3.answers import error
from tests.support.s3.moto_s3 import CREDENTIALS

ROLE = "arn:aws:iam::123456789012:role/clean-my-site"
STS = "^/$"
DELETE = r"\?delete"


@pytest.fixture
def oidc():
    with running_oidc() as oidc:
        yield oidc


@pytest.fixture
def as_role(act, oidc, bucket, proxy, monkeypatch):
    """Return a function that runs a step as the role, without other credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    bucket.endpoint_url = proxy.url

    def as_role(tokens=oidc.environ, **inputs):
        environ = {"AWS_ENDPOINT_URL_STS": proxy.url, **tokens}
        return act(environ=environ, role_to_assume=ROLE, **inputs)

    return as_role


def list_assume_role_requests(proxy):
    return [
        request for request in proxy.find_requests("POST", STS) if b"AssumeRole" in request.body
    ]


def list_signers(proxy):
    """Return the access key of each signed request to S3, in order."""
    signatures = (request.headers.get("Authorization", "") for request in proxy.requests)
    return [text.partition("Credential=")[2].partition("/")[0] for text in signatures if text]


def expire_in(proxy, duration):
    expires_at = f"{datetime.now(UTC) + duration:%Y-%m-%dT%H:%M:%SZ}".encode()
    proxy.rewrite("POST", STS, lambda body: re.sub(b"(?<=<Expiration>).*?(?=<)", expires_at, body))


def test_apply_as_a_role_needs_no_other_credentials_and_shows_no_secret(
    as_role, bucket, proxy, oidc
):
    run = as_role(keep_count="4", mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "applied")
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    [assumption], [token] = list_assume_role_requests(proxy), oidc.tokens
    assert b"RoleSessionName=ci3-42" in assumption.body
    assert token.encode() in assumption.body
    [signer] = set(list_signers(proxy))
    assert signer.startswith("ASIA")
    assert run.annotations("add-mask").count(token) == 1
    mask_lines = "".join(line for line in run.log.splitlines() if "::add-mask::" in line)
    other_lines = "".join(line for line in run.log.splitlines() if "::add-mask::" not in line)
    journal = Path(run.outputs["journal-file"]).read_text()
    assert token in mask_lines
    assert token not in f"{other_lines}{run.errors}{run.summary}{run.outputs}{journal}"


def test_plan_as_a_role_sends_no_write_but_the_assumption(as_role, proxy):
    assert as_role(keep_count="4").exit_code == 0
    assert [request for request in proxy.requests if request.is_write] == (
        list_assume_role_requests(proxy)
    )


def test_apply_renews_credentials_that_are_about_to_expire(as_role, bucket, proxy, oidc):
    expire_in(proxy, timedelta(minutes=5))
    proxy.call_before("POST", DELETE, lambda: expire_in(proxy, timedelta(hours=1)))
    run = as_role(keep_count="4", mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "applied")
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert len(set(oidc.tokens)) == len(list_assume_role_requests(proxy)) > 2
    first, *_, last = list_signers(proxy)
    assert first != last
    assert set(oidc.tokens) == set(run.annotations("add-mask")[-len(oidc.tokens) :])


def test_run_whose_credentials_cannot_be_renewed_stops_and_a_second_run_completes_it(
    as_role, bucket, proxy, oidc
):
    bucket.deploy("site-1", days=50, files=1500)
    expire_in(proxy, timedelta(minutes=5))

    proxy.call_before("POST", DELETE, lambda: oidc.failures.extend([(403, b"")] * 100), nth=1)
    run = as_role(keep_count="4", mode="apply")

    assert run.exit_code == 3
    assert run.outputs["outcome"] == "partial"
    error_text = " ".join(run.annotations("error"))
    assert ROLE in error_text
    assert "403" in error_text
    end = read_journal(run.outputs["journal-file"])[-1]
    assert end["record"] == "end"
    assert ROLE in end["stopped"]
    assert bucket.folders() >= ALL - {"site-1", "site-2"}
    assert len(oidc.failures) == 99

    oidc.failures.clear()
    second_run = as_role(keep_count="4", mode="apply")
    assert second_run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1", "site-2"}


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"])
def test_rejected_credentials_stop_the_run_and_a_second_run_completes_it(
    as_role, bucket, proxy, code
):
    wrong = {"body": error(code), "status": 400}
    proxy.answer("POST", DELETE, **wrong)
    run = as_role(keep_count="4", mode="apply")

    assert run.exit_code in (3, 6)
    assert any(code in message for message in run.annotations("error"))
    assert code in read_journal(run.outputs["journal-file"])[-1]["stopped"]
    assert bucket.folders() == ALL

    proxy.rewrite("POST", DELETE, lambda body: body)
    second_run = as_role(keep_count="4", mode="apply")
    assert second_run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1", "site-2"}


def test_job_without_the_permission_fails_before_any_request(as_role, bucket, proxy, assert_screen):
    run = as_role(tokens={}, keep_count="4", mode="apply")

    assert (run.exit_code, run.outputs) == (2, {"outcome": "failed"})
    [message] = run.annotations("error")
    assert_screen(message)
    assert proxy.requests == []
    assert bucket.folders() == ALL


def test_role_that_may_not_be_assumed_is_one_error_with_the_subject_to_trust(
    as_role, bucket, proxy, assert_screen
):
    denied = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
        "<Message>Not authorized</Message></Error></ErrorResponse>"
    )
    proxy.answer("POST", STS, denied, status=403)
    run = as_role(keep_count="4", mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (6, "failed")
    [message] = run.annotations("error")
    assert SUBJECT in message
    assert_screen(message)
    assert len(list_assume_role_requests(proxy)) == len(proxy.requests) == 1
    assert bucket.folders() == ALL


@pytest.mark.parametrize(
    "role", ["clean-my-site", "arn:aws:iam::1:role/a", "arn:aws:s3:::a", f"{ROLE}/", f"{ROLE} b"]
)
def test_text_that_is_not_the_arn_of_a_role_is_refused(act, role):
    run = act(role_to_assume=role)

    assert run.exit_code == 2
    assert role in run.annotations("error")[0]


def test_policy_file_may_not_set_the_role(as_role, proxy, assert_screen):
    Path("policy.yml").write_text(f"role-to-assume: {ROLE}\n")
    run = as_role(policy_file="policy.yml")

    assert run.exit_code == 2
    assert_screen(run.annotations("error")[0])
    assert proxy.requests == []


def test_live_sources_of_aws_are_read_as_the_role(as_role, bucket, proxy, monkeypatch):
    for service in ("SSM", "CLOUDFRONT"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", proxy.url)
    as_role(live_from="cloudfront\nssm:/live")

    assert proxy.find_requests("GET", "distribution")
    assert [request for request in proxy.find_requests("POST", STS) if b"/live" in request.body]
    [signer] = set(list_signers(proxy))
    assert signer.startswith("ASIA")


# The command: with an OIDC token in a workflow, otherwise with the default credentials.


@pytest.fixture
def plan_as_role(bucket, proxy, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    bucket.endpoint_url = proxy.url
    return lambda: main(["plan-cleanup", *bucket.options(), "--role-to-assume", ROLE])


def test_command_assumes_the_role_with_the_default_credentials(plan_as_role, proxy):
    assert plan_as_role() == 0
    [assumption] = list_assume_role_requests(proxy)
    assert b"Action=AssumeRole&" in assumption.body
    default_key, *other_keys = list_signers(proxy)
    assert default_key == CREDENTIALS["AWS_ACCESS_KEY_ID"]
    assert {key[:4] for key in other_keys} == {"ASIA"}


def test_command_in_a_workflow_uses_a_github_token_and_never_prints_it(
    plan_as_role, proxy, oidc, monkeypatch, capsys
):
    for name, value in {**oidc.environ, "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "42"}.items():
        monkeypatch.setenv(name, value)
    assert plan_as_role() == 0
    [assumption], [token] = list_assume_role_requests(proxy), oidc.tokens
    assert token.encode() in assumption.body
    assert b"RoleSessionName=ci3-42" in assumption.body
    assert token not in "".join(capsys.readouterr())
