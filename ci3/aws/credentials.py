"""Credentials of an assumed role, which are refreshed before they expire."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Never

import botocore
import botocore.exceptions
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from ci3.aws.client import Credentials, open_service_client
from ci3.aws.client_errors import get_error_code, translate_errors
from ci3.core.formatting import escape_control_chars
from ci3.errors import AccessError

FAILURE_REUSE_TIME: Final = timedelta(seconds=30)
"""A failure is reused for this long: other threads wait for the same credentials meanwhile."""

_ANONYMOUS: Final = CredentialResolver([])
"""No credentials: a request with a web identity token is not signed."""
_SESSION_NAME_LENGTH: Final = 64
_NOT_IN_SESSION_NAME: Final = re.compile(r"[^A-Za-z0-9_+=,.@-]")


def format_session_name(run_id: str) -> str:
    """Return the role session name that CloudTrail shows; `run_id` is empty outside a workflow."""
    name = f"ci3-{run_id}" if run_id else "ci3"
    return _NOT_IN_SESSION_NAME.sub("-", name)[:_SESSION_NAME_LENGTH]


def assume_role(
    role: str,
    *,
    region: str,
    session_name: str,
    fetch_web_identity_token: Callable[[], str] | None,
    clock: Callable[[], datetime],
) -> Credentials:
    """Return the credentials of a role, to be shared by all clients of a run.

    They are fetched when a client first needs them and again before they expire, in any thread:
    with a fresh web identity token, or, if `fetch_web_identity_token` is None, with the default
    credential provider chain. Clients raise AccessError when the role can't be assumed.
    """
    assumption = _RoleAssumption(
        role=role,
        region=region,
        session_name=session_name,
        fetch_web_identity_token=fetch_web_identity_token,
        clock=clock,
    )
    return CredentialResolver([_RoleProvider(assumption)])


@dataclass(slots=True, kw_only=True)
class _RoleAssumption:
    """Requests credentials for a role from STS; botocore lets one thread at a time do so."""

    role: str
    region: str
    session_name: str
    fetch_web_identity_token: Callable[[], str] | None
    clock: Callable[[], datetime]
    _failure: AccessError | None = None
    _failed_at: datetime | None = None

    def refresh(self) -> dict[str, str]:
        """Return new credentials in the form that botocore expects."""
        if (
            self._failure
            and self._failed_at
            and self.clock() < self._failed_at + FAILURE_REUSE_TIME
        ):
            raise AccessError(self._failure.message, self._failure.hint)
        try:
            with translate_errors(f"assuming the role {self.role}", "STS"):
                return self._request()
        except AccessError as exc:
            # Not its own type: DeniedError would be taken for a refusal of one folder, and this
            # one concerns the whole run.
            self._failure = AccessError(exc.message, exc.hint)
            self._failed_at = self.clock()
            raise self._failure from exc

    def _request(self) -> dict[str, str]:
        fetch_token = self.fetch_web_identity_token
        return self._parse(
            self._request_with_token(fetch_token())
            if fetch_token
            else self._request_with_default_chain()
        )

    def _request_with_token(self, token: str) -> dict[str, Any]:
        try:
            return self._call_sts(
                "AssumeRoleWithWebIdentity", _ANONYMOUS, {"WebIdentityToken": token}
            )
        except botocore.exceptions.ClientError as exc:
            _raise_with_hint(exc, _make_web_identity_hints(token))

    def _request_with_default_chain(self) -> dict[str, Any]:
        try:
            return self._call_sts("AssumeRole", None, {})
        except botocore.exceptions.NoCredentialsError as exc:
            raise AccessError(
                "no AWS credentials to assume it with",
                "In a workflow, give the job `permissions: id-token: write`. Elsewhere, set "
                "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            ) from exc
        except botocore.exceptions.ClientError as exc:
            hint = (
                "Allow these credentials in the role's trust policy, and grant them "
                "sts:AssumeRole on the role."
            )
            _raise_with_hint(exc, {"AccessDenied": hint})

    def _call_sts(
        self, operation: str, credentials: Credentials | None, parameters: dict[str, str]
    ) -> dict[str, Any]:
        with open_service_client(
            "sts",
            region=self.region,
            operations=frozenset({operation}),
            credentials=credentials,
        ) as client:
            call = getattr(client, botocore.xform_name(operation))
            response: dict[str, Any] = call(
                RoleArn=self.role, RoleSessionName=self.session_name, **parameters
            )
            return response

    def _parse(self, response: dict[str, Any]) -> dict[str, str]:
        credentials = response["Credentials"]
        expiration: datetime = credentials["Expiration"]
        if expiration <= self.clock():
            raise AccessError(
                f"the new credentials expired at {expiration:%Y-%m-%dT%H:%M:%SZ}",
                "Correct the clock of this machine and run again.",
            )
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": expiration.isoformat(),
        }


class _RoleProvider(CredentialProvider):
    """Provides the same refreshable credentials to every client."""

    METHOD = "role-to-assume"

    def __init__(self, assumption: _RoleAssumption) -> None:
        super().__init__()
        self._credentials = DeferredRefreshableCredentials(
            assumption.refresh, self.METHOD, time_fetcher=assumption.clock
        )

    def load(self) -> DeferredRefreshableCredentials:
        return self._credentials


def _raise_with_hint(exc: botocore.exceptions.ClientError, hints: dict[str, str]) -> Never:
    """Raise an AccessError with the hint for STS's code, or `exc` itself if it has no hint."""
    code = get_error_code(exc)
    if code not in hints:
        raise exc
    text = exc.response.get("Error", {}).get("Message") or "no message"
    raise AccessError(f"STS returned {code} for {exc.operation_name}: {text}", hints[code]) from exc


def _make_web_identity_hints(token: str) -> dict[str, str]:
    """Return hints by error code that show the token's claims, which are not secret."""
    claims = _decode_claims(token)
    displayed = {
        name: escape_control_chars(str(claims.get(name, "unknown")))
        for name in ("iss", "aud", "sub")
    }
    provider = f"the identity provider {displayed['iss']} with the audience {displayed['aud']}"
    return {
        "AccessDenied": f"Check the ARN, and allow sts:AssumeRoleWithWebIdentity in the role's "
        f"trust policy for {provider} and the subject {displayed['sub']}.",
        "InvalidIdentityToken": f"Add {provider} to IAM in the role's account.",
    }


def _decode_claims(token: str) -> dict[str, object]:
    """Return a token's claims, unverified, or an empty dict if they can't be decoded."""
    payload = f"{token}..".split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
