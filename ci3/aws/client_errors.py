"""Translate the errors of AWS clients into ours, with hints."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.exceptions
import botocore.parsers

from ci3.ca_bundle import UNTRUSTED_HINT
from ci3.errors import AccessError, DeniedError, ListingError

NOT_IMPLEMENTED_CODES = ("NotImplemented", "501", "MethodNotAllowed", "405")
"""Errors of a server that does not have an operation at all."""
_HINTS_BY_CODE = {
    "NoSuchBucket": "Check the bucket name and, for an S3 service other than AWS, endpoint-url.",
    "SecondLevelDomainForbidden": "Set addressing-style: virtual.",
    "NoSuchKey": "Check the key; it is relative to the bucket's root.",
    "ParameterNotFound": "Check the parameter's name and region.",
    "UnrecognizedClientException": "Check the access key: AWS does not recognize it.",
    "InvalidAccessKeyId": "Check the access key: the S3 service does not recognize it.",
    "SignatureDoesNotMatch": "Check the secret key and the region.",
    "ExpiredToken": "The credentials have expired. Get new ones and run again.",
    "ExpiredTokenException": "The credentials have expired. Get new ones and run again.",
    "InvalidToken": "The session token is invalid. Get new credentials and run again.",
    "RequestTimeTooSkewed": "Correct the clock of this machine and run again.",
}
_CREDENTIALS_HINT = (
    "In a workflow, set role-to-assume, or run aws-actions/configure-aws-credentials first. The "
    "action runs in a container: on EC2, that needs a hop limit of 2 for the instance metadata. "
    "Elsewhere, set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
_PROFILE_HINT = (
    "In the action, the runner's ~/.aws is not available: remove AWS_PROFILE, and set "
    "role-to-assume or run aws-actions/configure-aws-credentials without a profile. Elsewhere, "
    "check AWS_PROFILE and the files in ~/.aws."
)
_FILE_HINT = (
    "Check the variables and the profile that name it. In the action, only files in the workspace "
    "are available, and no programs of the runner: role-to-assume needs none."
)
_LOOPBACK_NOTE = "In the action, localhost is the container, not the runner: use another host name."
_LOOPBACK_URL = re.compile(r"//(localhost|127\.[0-9.]+|\[::1\])[:/\"]")
_EXPECTED_REGION = re.compile(r"expecting '([a-z0-9-]+)'")
_REGION_CODES = (
    "301",
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
)
_DENIED_CODES = (
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "403",
    "AccountProblem",
)

_BARE_DENIALS = ("Access Denied", "AccessDenied", "Forbidden", "no message")
_POLICY_NAME = r"([A-Za-z -]*(?:policy|boundary))"
# The texts are those of
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_DENYING_POLICY = re.compile(rf"with an explicit deny in an? {_POLICY_NAME}")
_MISSING_POLICY = re.compile(rf"because no {_POLICY_NAME} allows")


@contextmanager
def translate_errors(action: str, service: str = "S3") -> Iterator[None]:
    """Translate botocore's exceptions into AccessError, with `action` in front and a hint.

    `action` is a phrase such as "listing s3://bucket/prefix".
    """
    is_s3 = service == "S3"
    try:
        yield
    except AccessError as exc:
        raise type(exc)(f"{action}: {exc.message}", exc.hint) from exc
    except botocore.exceptions.ClientError as exc:
        raise _translate_client_error(exc, action, service) from exc
    except botocore.parsers.ResponseParserError as exc:
        raise ListingError(
            f"{action}: the response is not a valid response of {service}",
            f"Check {'that endpoint-url points to an S3 service' if is_s3 else 'the network'}, and "
            "that no proxy or login page responds instead.",
        ) from exc
    except KeyError as exc:
        if service != "STS":
            raise
        raise AccessError(  # botocore accepts any XML as STS's
            f"{action}: the response is not a valid response of STS",
            "Check that no proxy or login page responds instead.",
        ) from exc
    except (botocore.exceptions.BotoCoreError, OSError, ValueError) as exc:
        raise _translate_local_error(exc, action, service) from exc


def _translate_local_error(exc: Exception, action: str, service: str) -> AccessError:
    """Return the error for a request that was not sent or not answered."""
    what_to_check = ", the region and endpoint-url" if service == "S3" else " and the region"
    match exc:
        case (
            botocore.exceptions.NoCredentialsError()
            | botocore.exceptions.PartialCredentialsError()
            | botocore.exceptions.CredentialRetrievalError()
        ):
            return AccessError(f"{action}: no usable AWS credentials ({exc})", _CREDENTIALS_HINT)
        case botocore.exceptions.HTTPClientError() | botocore.exceptions.ConnectionError():
            hint = _find_connection_hint(exc) or f"Check the network{what_to_check}, and run again."
            return AccessError(f"{action}: cannot reach {service} ({exc})", hint)
        case botocore.exceptions.ProfileNotFound():
            return AccessError(f"{action}: {exc}", _PROFILE_HINT)
        case OSError() if exc.filename and not isinstance(exc, botocore.exceptions.BotoCoreError):
            # botocore opens what the configuration names: the file of a token, or a program.
            message = f"{exc.filename!r} cannot be used: {exc.strerror}"
            return AccessError(f"{action}: {message}", _FILE_HINT)
    return AccessError(f"{action}: {exc}", f"Check the AWS configuration{what_to_check}.")


def _find_connection_hint(exc: Exception) -> str:
    """Return a hint for a certificate, a proxy or an address of this machine, or an empty text."""
    if isinstance(exc, botocore.exceptions.SSLError) and "certificate" in str(exc).lower():
        return UNTRUSTED_HINT
    if isinstance(exc, botocore.exceptions.ProxyConnectionError):
        return f"Check the variables HTTPS_PROXY and NO_PROXY. {_LOOPBACK_NOTE}"
    if _LOOPBACK_URL.search(str(exc)):
        return f"Check endpoint-url, and that the service runs. {_LOOPBACK_NOTE}"
    return ""


def get_error_code(exc: botocore.exceptions.ClientError) -> str:
    """Return AWS's code for an error, such as `AccessDenied`, or else the HTTP status."""
    code = exc.response.get("Error", {}).get("Code", "")
    return str(code or exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))


def _translate_client_error(
    exc: botocore.exceptions.ClientError, action: str, service: str
) -> AccessError:
    code = get_error_code(exc)
    text = exc.response.get("Error", {}).get("Message") or "no message"
    message = f"{action}: {service} returned {code or 'an error'} for {exc.operation_name}: {text}"
    if code in _DENIED_CODES:
        return DeniedError(message, _find_denied_hint(text, service))
    if code in _REGION_CODES or _EXPECTED_REGION.search(text):
        response: Any = exc.response
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
        if not region and (match := _EXPECTED_REGION.search(text)):
            region = match[1]
        return AccessError(message, f"Set region to {region or 'the region of the bucket'}.")
    if code == "404":
        code = "NoSuchBucket"
    if code == "NoSuchKey" and exc.operation_name.startswith("List"):
        hint = "Remove the bucket name from the path of endpoint-url."
        return AccessError(message, hint)
    hint = (
        f"Run again. If it fails again, contact {'the S3 provider' if service == 'S3' else 'AWS'}."
    )
    return AccessError(message, _HINTS_BY_CODE.get(code, hint))


def _find_denied_hint(text: str, service: str) -> str:
    if denying := _DENYING_POLICY.search(text):
        return f"Change the {denying[1]}, which explicitly denies this, or use another identity."
    missing = _MISSING_POLICY.search(text)
    if missing and missing[1] != "identity-based policy":
        return f"Allow it in the {missing[1]} too, or use another identity."
    hint = "Grant this identity the permissions that `ci3 iam-policy` prints, or use another one."
    if service == "S3" and text.strip(" .") in _BARE_DENIALS:
        return (
            f"{hint} If it has them, check that the bucket policy does not deny the request, and "
            "that the bucket is not a Requester Pays bucket, which only its owner can read."
        )
    return hint
