"""The action trusts the authority in AWS_CA_BUNDLE for S3, STS, GitHub and its tokens."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.github.fake_oidc import running_oidc
from tests.support.tls import Authority, make_authority, running_tls

ROLE = "arn:aws:iam::123456789012:role/clean-my-site"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


@pytest.fixture
def act_over_tls(  # noqa: PLR0917 - fixtures
    act, bucket, proxy, github, authority, monkeypatch
) -> Iterator:
    """Return a function that runs a step; every server has a certificate of the authority."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with ExitStack() as stack:
        oidc = stack.enter_context(running_oidc())
        s3_url, github_url, oidc_url = (
            stack.enter_context(running_tls(url, authority))
            for url in (proxy.url, github.url, oidc.site.url)
        )
        bucket.endpoint_url = s3_url
        token_url = oidc.environ["ACTIONS_ID_TOKEN_REQUEST_URL"].replace(oidc.site.url, oidc_url)
        environ = {
            **oidc.environ,
            "ACTIONS_ID_TOKEN_REQUEST_URL": token_url,
            "AWS_ENDPOINT_URL_STS": s3_url,
        }

        def act_over_tls(ca_bundle: str, **inputs: str):
            variables = {**environ, "AWS_CA_BUNDLE": ca_bundle}
            return act(api_url=github_url, environ=variables, role_to_assume=ROLE, **inputs)

        yield act_over_tls


def test_step_trusts_the_bundle_everywhere(act_over_tls, bucket, github) -> None:
    run = act_over_tls("ca.pem", keep_count="1", mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "applied")
    assert bucket.folders() == {"site-6"}
    assert github.requests


@pytest.mark.parametrize("ca_bundle", ["missing.pem", "certs", "text.pem"])
def test_bundle_that_cannot_be_used_is_named_before_any_request(
    act_over_tls, bucket, proxy, github, ca_bundle
) -> None:
    Path("text.pem").write_text("no certificate", encoding="utf-8")
    run = act_over_tls(ca_bundle, keep_count="1", mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (6, "failed")
    [message] = run.annotations("error")
    assert ca_bundle in message
    assert "AWS_CA_BUNDLE" in message
    assert "workspace" in message
    assert (proxy.requests, github.requests) == ([], ())
    assert len(bucket.folders()) == 6
