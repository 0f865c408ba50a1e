"""As whom AWS is asked where a role is named: credentials that are got anew before they expire."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Never

import botocore.exceptions
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from ci3.aws.client import Credentials, error_code, make_service_client, open_session, translated
from ci3.core.formatting import visible
from ci3.errors import AccessError

FAILURE_LASTS: Final = timedelta(seconds=30)
"""Many threads wait for the same credentials: when one asked in vain, the others need not ask."""

_NOBODY: Final = CredentialResolver([])
"""A web identity is its own proof: the request is not signed."""
_SESSION_NAME_LENGTH: Final = 64
_SESSION_NAME_OUTSIDE: Final = re.compile(r"[^A-Za-z0-9_+=,.@-]")


def name_session(run_id: str) -> str:
    """Name a role's session, as CloudTrail shows it; empty where there is no workflow run."""
    name = f"ci3-{run_id}" if run_id else "ci3"
    return _SESSION_NAME_OUTSIDE.sub("-", name)[:_SESSION_NAME_LENGTH]


def assume_role(
    role: str,
    *,
    region: str,
    session_name: str,
    fetch_web_identity_token: Callable[[], str] | None,
    clock: Callable[[], datetime],
) -> Credentials:
    """Give the credentials of a role, for all clients of a run together.

    They are got when a client first needs them and again before they expire, in any thread: with a
    fresh web identity token, or where nothing fetches one with the AWS configuration's own
    credentials. A client then raises AccessError when the role can't be assumed.
    """
    assumption = _Assumption(
        role=role,
        region=region,
        session_name=session_name,
        fetch_web_identity_token=fetch_web_identity_token,
        clock=clock,
    )
    return CredentialResolver([_RoleProvider(assumption)])


@dataclass(slots=True, kw_only=True)
class _Assumption:
    """Asks STS for the role; botocore lets one thread at a time do so."""

    role: str
    region: str
    session_name: str
    fetch_web_identity_token: Callable[[], str] | None
    clock: Callable[[], datetime]
    _failure: AccessError | None = None
    _failed_at: datetime | None = None

    def refresh(self) -> dict[str, str]:
        """Get new credentials, in the form that botocore wants them."""
        if self._failure and self._failed_at and self.clock() < self._failed_at + FAILURE_LASTS:
            raise AccessError(self._failure.message, self._failure.hint)
        try:
            with translated(f"assuming the role {self.role}", "STS"):
                return self._ask()
        except AccessError as exc:
            # Not its own type: what is denied here is denied to the run, not of one folder alone.
            self._failure = AccessError(exc.message, exc.hint)
            self._failed_at = self.clock()
            raise self._failure from exc

    def _ask(self) -> dict[str, str]:
        fetch = self.fetch_web_identity_token
        try:
            return self._read(self._ask_with(fetch()) if fetch else self._ask_as_configured())
        except KeyError as exc:  # botocore takes any XML for STS's
            raise AccessError(
                "the answer could not be read as STS's",
                "Check that no proxy or login page answers for STS.",
            ) from exc

    def _ask_with(self, token: str) -> dict[str, Any]:
        client = self._client("AssumeRoleWithWebIdentity", _NOBODY)
        try:
            answer: dict[str, Any] = client.assume_role_with_web_identity(
                RoleArn=self.role, RoleSessionName=self.session_name, WebIdentityToken=token
            )
        except botocore.exceptions.ClientError as exc:
            _refuse(exc, _web_identity_hints(token))
        finally:
            client.close()
        return answer

    def _ask_as_configured(self) -> dict[str, Any]:
        client = self._client("AssumeRole", None)
        try:
            answer: dict[str, Any] = client.assume_role(
                RoleArn=self.role, RoleSessionName=self.session_name
            )
        except botocore.exceptions.NoCredentialsError as exc:
            raise AccessError(
                "there are no AWS credentials to assume it with",
                "In a workflow, give the job `permissions: id-token: write`; elsewhere set "
                "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            ) from exc
        except botocore.exceptions.ClientError as exc:
            hint = (
                "Let the role's trust policy allow these credentials, and let them do "
                "sts:AssumeRole on the role."
            )
            _refuse(exc, {"AccessDenied": hint})
        finally:
            client.close()
        return answer

    def _client(self, operation: str, credentials: Credentials | None) -> Any:  # noqa: ANN401 - botocore makes it
        return make_service_client(
            "sts",
            region=self.region,
            operations=frozenset({operation}),
            session=open_session(credentials),
        )

    def _read(self, answer: dict[str, Any]) -> dict[str, str]:
        given = answer["Credentials"]
        expiration: datetime = given["Expiration"]
        if expiration <= self.clock():
            raise AccessError(
                f"the new credentials expired at {expiration:%Y-%m-%dT%H:%M:%SZ}",
                "This machine's clock is off: set it, and run again.",
            )
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": expiration.isoformat(),
        }


class _RoleProvider(CredentialProvider):
    """Gives each client that asks the same credentials."""

    METHOD = "role-to-assume"

    def __init__(self, assumption: _Assumption) -> None:
        super().__init__()
        self._credentials = DeferredRefreshableCredentials(
            assumption.refresh, self.METHOD, time_fetcher=assumption.clock
        )

    def load(self) -> DeferredRefreshableCredentials:
        return self._credentials


def _refuse(exc: botocore.exceptions.ClientError, hints: dict[str, str]) -> Never:
    """Raise STS's error: with the hint for its code, or as it is for what all services say."""
    code = error_code(exc)
    if code not in hints:
        raise exc
    text = exc.response.get("Error", {}).get("Message") or "no message"
    raise AccessError(f"STS answered {code} to {exc.operation_name}: {text}", hints[code]) from exc


def _web_identity_hints(token: str) -> dict[str, str]:
    """Say what a role must trust, in the words of the token that was shown; they are no secret."""
    claims = _claims(token)
    shown = {name: visible(str(claims.get(name, "unknown"))) for name in ("iss", "aud", "sub")}
    provider = f"the identity provider {shown['iss']} with the audience {shown['aud']}"
    return {
        "AccessDenied": f"Check the ARN, and let the role's trust policy allow "
        f"sts:AssumeRoleWithWebIdentity to {provider} and the subject {shown['sub']}.",
        "InvalidIdentityToken": f"Add {provider} to IAM in the role's account.",
    }


def _claims(token: str) -> dict[str, object]:
    """Read what a token says of itself; nothing where that is not to be read."""
    payload = f"{token}..".split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
