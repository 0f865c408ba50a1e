"""Make AWS clients that are restricted to named operations, and translate their errors."""

import gzip
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import boto3
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.loaders
import botocore.parsers
import botocore.session
import botocore.utils

from ci3 import __version__
from ci3.core.model.service_url import AddressingStyle, parse_url
from ci3.errors import (
    AccessError,
    Ci3Error,
    DeniedError,
    GateError,
    ListingError,
    SettingsError,
)

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_s3 import S3Client

READ_OPERATIONS = frozenset(
    {
        "ListObjectsV2",
        "ListObjectVersions",
        "ListMultipartUploads",
        "GetBucketVersioning",
        "GetBucketLifecycleConfiguration",
        "GetObjectLockConfiguration",
        "GetObject",
        "HeadObject",
    }
)
WRITE_OPERATIONS = frozenset({"DeleteObjects", "DeleteObject", "AbortMultipartUpload"})
VERSION_OPERATIONS = frozenset({"DeleteObjects", "DeleteObject"})
LIFECYCLE_OPERATIONS = frozenset({"PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"})
RESTORE_PROBE_OPERATIONS = frozenset({"PutObject", "GetObject", "DeleteObject"})
JOURNAL_OPERATIONS = frozenset({"PutObject", "GetObject"})
NOT_IMPLEMENTED_CODES = ("NotImplemented", "501", "MethodNotAllowed", "405")
"""Errors of a server that does not have an operation at all."""
CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60
MAX_ATTEMPTS = 5

Session = boto3.Session
Service = Literal["cloudfront", "s3", "ssm", "sts"]

Credentials = botocore.credentials.CredentialResolver
"""The identity that clients use; None means the default credential provider chain."""

_DEFAULT_REGIONS = {"s3": "us-east-1", "cloudfront": "us-east-1", "sts": "us-east-1"}
"""Used where no region is configured.

S3 redirects to the right region, CloudFront is global, and STS answers in every region.
"""

_HINTS_BY_CODE = {
    "NoSuchBucket": "Check the bucket's name and, for an S3 other than AWS, the endpoint-url.",
    "SecondLevelDomainForbidden": "Set addressing-style: virtual.",
    "NoSuchKey": "Check the key; it is relative to the bucket's root.",
    "ParameterNotFound": "Check the parameter's name, and the region that it is in.",
    "UnrecognizedClientException": "Check the access key; it is unknown to AWS.",
    "InvalidAccessKeyId": "Check the access key; it is unknown to this S3.",
    "SignatureDoesNotMatch": "Check the secret key, and the region.",
    "ExpiredToken": "The credentials have expired: get new ones and run again.",
    "ExpiredTokenException": "The credentials have expired: get new ones and run again.",
    "InvalidToken": "The session token is not valid: get new credentials and run again.",
    "RequestTimeTooSkewed": "This machine's clock is off: set it, and run again.",
}
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


def make_client(  # noqa: PLR0913 - every setting of a client
    *,
    region: str,
    endpoint_url: str,
    operations: frozenset[str],
    connections: int,
    addressing_style: AddressingStyle | None = None,
    session: Session | None = None,
) -> "S3Client":
    """Make an S3 client that can call only the named operations.

    Any other call raises GateError before a byte is sent, so that a client made for reading can
    delete nothing. Raises AccessError when the AWS configuration can't be used.
    """
    client: S3Client = make_service_client(
        "s3",
        region=region,
        operations=operations,
        connections=connections,
        endpoint_url=endpoint_url,
        addressing_style=addressing_style,
        session=session,
    )
    return client


def open_session(credentials: Credentials | None = None) -> Session:
    """Make a session, so that clients share the AWS configuration and the loaded credentials.

    Raises AccessError when the AWS configuration can't be used.
    """
    core = botocore.session.get_session()
    # botocore's own parser takes 34 µs per timestamp of a listing, this one 0.1 µs.
    core.get_component("response_parser_factory").set_parser_defaults(
        timestamp_parser=parse_timestamp
    )
    with translate_errors("the AWS configuration"):
        resolver = credentials or _CachingResolver(core.get_component("credential_provider"))
        core.register_component("credential_provider", resolver)
        session = boto3.Session(botocore_session=core)
        # Set after boto3.Session, which appends a folder to the search paths of the session's
        # loader: this loader is shared by all sessions, and the paths would grow with each.
        core.register_component("data_loader", _get_loader(core.get_config_variable("data_path")))
    return session


def make_service_client(  # noqa: PLR0913 - every setting of a client
    service: Service,
    *,
    region: str,
    operations: frozenset[str],
    connections: int = 1,
    endpoint_url: str = "",
    addressing_style: AddressingStyle | None = None,
    session: Session | None = None,
) -> Any:  # noqa: ANN401 - boto3 generates client classes at run time
    """Make a client of any AWS service that can call only the named operations.

    An empty region or endpoint URL, and a missing session, mean the AWS configuration's; so does a
    missing addressing style without an endpoint URL. Raises the same errors as `make_client`.
    """
    session = session or open_session()
    style = addressing_style or (AddressingStyle.PATH if endpoint_url else None)
    with translate_errors("the AWS configuration"), _endpoint_errors(service):
        client = session.client(
            service,
            region_name=region or session.region_name or _DEFAULT_REGIONS.get(service),
            endpoint_url=endpoint_url or None,
            config=botocore.config.Config(
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                read_timeout=READ_TIMEOUT_SECONDS,
                max_pool_connections=connections,
                retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
                s3={"addressing_style": style.value} if style else None,
                user_agent_extra=f"ci3/{__version__}",
            ),
        )
    _validate_endpoint_url(service, client.meta.endpoint_url)
    client.meta.events.register_first(f"before-call.{service}", _make_operation_check(operations))
    return client


@contextmanager
def open_service_client(
    service: Service, *, region: str, operations: frozenset[str], credentials: Credentials | None
) -> Iterator[Any]:
    """Open a client as `make_service_client` does, with a new session; close it at the end."""
    client = make_service_client(
        service, region=region, operations=operations, session=open_session(credentials)
    )
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _endpoint_errors(service: Service) -> Iterator[None]:
    """Replace botocore's error for an endpoint URL, which quotes it."""
    try:
        yield
    except ValueError as exc:
        if "endpoint" not in str(exc).lower():
            raise
        raise _make_endpoint_error(service, "is no address") from None


def _validate_endpoint_url(service: Service, url: str) -> None:
    """Raise an error for an endpoint URL that the setting would not allow; it is not quoted.

    The URL may be the AWS configuration's. Plans, journals and reports show it, so it must not have
    a password in it.
    """
    try:
        parse_url(url)
    except ValueError as exc:
        raise _make_endpoint_error(service, str(exc)) from None


def _make_endpoint_error(service: Service, predicate: str) -> Ci3Error:
    name = service.upper()
    error_type = SettingsError if service == "s3" else AccessError
    return error_type(
        f"the endpoint URL of {name} in the AWS configuration {predicate}",
        f"Check AWS_ENDPOINT_URL_{name} and AWS_ENDPOINT_URL, and endpoint_url in the profile and "
        "its services section. Nothing was deleted.",
    )


class _CachingResolver:
    """Caches the result of a resolver, also "no credentials": searching again takes seconds."""

    def __init__(self, resolver: Credentials) -> None:
        self.load_credentials = cache(resolver.load_credentials)


@cache
def _get_loader(data_path: str | None) -> botocore.loaders.Loader:
    """Make a loader once per data path, so that clients share the parsed service descriptions.

    Parsing them takes most of the time of making a client.
    """
    paths = data_path.split(os.pathsep) if data_path else ()
    return _Loader([str(Path(os.path.expandvars(path)).expanduser()) for path in paths])


class _PlainJsonLoader(botocore.loaders.JSONFileLoader):
    """Loads service descriptions as plain dicts, without their documentation.

    botocore's own loader makes an OrderedDict of each JSON object, which takes 10 MB more per
    process.
    """

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the parsed content of a file, compressed or not, or None if it does not exist."""
        for suffix, open_file in ((".json", open), (".json.gz", gzip.open)):
            path = file_path + suffix
            if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises if access is denied
                with open_file(path, "rb") as file:
                    return json.loads(file.read(), object_hook=_remove_documentation)
        return None


def _remove_documentation(json_object: dict[str, Any]) -> dict[str, Any]:
    if isinstance(json_object.get("documentation"), str):
        json_object["documentation"] = ""  # botocore reads some of these keys
    return json_object


class _Loader(botocore.loaders.Loader):
    """Loads service descriptions like botocore's loader, without opening all 400 of them."""

    FILE_LOADER_CLASS = _PlainJsonLoader

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's
        """Return the names of all services that have a folder, sorted; the folders are not read.

        Services that ci3 does not call are included: botocore calls some of them, such as SSO, to
        get credentials.
        """
        names: set[str] = set()
        for path in map(Path, self.search_paths):
            with suppress(OSError):
                names.update(folder.name for folder in path.iterdir())
        return sorted(names)


def parse_timestamp(value: str) -> datetime:
    """Parse a timestamp: ISO 8601, as S3 writes it, directly; any other form with botocore."""
    if isinstance(value, str) and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    parsed: datetime = botocore.utils.parse_timestamp(value)
    return parsed


def _make_operation_check(operations: frozenset[str]) -> Callable[..., None]:
    def refuse_others(model: "OperationModel", **_: object) -> None:
        if model.name == "HeadBucket":
            # botocore sends it by itself when a redirect names no region. If that is redirected
            # too, for example by a login page, botocore would repeat it forever.
            raise AccessError(
                "the request was redirected, and the answer does not say to which region",
                "Check the region and the endpoint-url, and that no proxy or login page answers.",
            )
        if model.name not in operations:
            raise GateError(f"{model.name} was called on a client that may not call it")

    return refuse_others


@contextmanager
def translate_errors(action: str, service: str = "S3") -> Iterator[None]:
    """Translate botocore's exceptions into AccessError, with `action` in front and a hint.

    `action` is a phrase such as "listing s3://bucket/prefix".
    """
    is_s3 = service == "S3"
    what_to_check = ", the region and the endpoint-url" if is_s3 else " and the region"
    try:
        yield
    except AccessError as exc:
        raise type(exc)(f"{action}: {exc.message}", exc.hint) from exc
    except botocore.exceptions.ClientError as exc:
        raise _translate_client_error(exc, action, service) from exc
    except (
        botocore.exceptions.NoCredentialsError,
        botocore.exceptions.PartialCredentialsError,
        botocore.exceptions.CredentialRetrievalError,
    ) as exc:
        raise AccessError(
            f"{action}: there are no AWS credentials that can be used ({exc})",
            "In a workflow, run aws-actions/configure-aws-credentials before; elsewhere set "
            "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from exc
    except botocore.parsers.ResponseParserError as exc:
        raise ListingError(
            f"{action}: the answer could not be read as {service}'s",
            f"Check {'that the endpoint-url is an S3' if is_s3 else 'the network'}, and that no "
            "proxy or login page answers for it.",
        ) from exc
    except KeyError as exc:
        if service != "STS":
            raise
        raise AccessError(  # botocore accepts any XML as STS's
            f"{action}: the answer could not be read as STS's",
            "Check that no proxy or login page answers for STS.",
        ) from exc
    except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError) as exc:
        hint = f"Check the network{what_to_check}, and run again."
        if isinstance(exc, botocore.exceptions.SSLError) and "certificate" in str(exc).lower():
            hint = (
                "If an authority of your own signs its certificate, name the file with that "
                "authority's certificate in AWS_CA_BUNDLE; for the action, a path in the workspace."
            )
        raise AccessError(f"{action}: {service} can't be reached ({exc})", hint) from exc
    except (botocore.exceptions.BotoCoreError, ValueError) as exc:
        raise AccessError(
            f"{action}: {exc}", f"Check the AWS configuration{what_to_check}."
        ) from exc


def get_error_code(exc: botocore.exceptions.ClientError) -> str:
    """Return AWS's code for an error, such as `AccessDenied`, or else the HTTP status."""
    code = exc.response.get("Error", {}).get("Code", "")
    return str(code or exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))


def _translate_client_error(
    exc: botocore.exceptions.ClientError, action: str, service: str
) -> AccessError:
    code = get_error_code(exc)
    text = exc.response.get("Error", {}).get("Message") or "no message"
    message = f"{action}: {service} answered {code or 'an error'} to {exc.operation_name}: {text}"
    if code in _DENIED_CODES:
        return DeniedError(message, _find_denied_hint(text, service))
    if code in _REGION_CODES or _EXPECTED_REGION.search(text):
        response: Any = exc.response
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
        if not region and (match := _EXPECTED_REGION.search(text)):
            region = match[1]
        return AccessError(
            message, f"Set region to {region or 'the region that the bucket is in'}."
        )
    if code == "404":
        code = "NoSuchBucket"
    if code == "NoSuchKey" and exc.operation_name.startswith("List"):
        hint = "Check the endpoint-url: leave the bucket's name out of its path."
        return AccessError(message, hint)
    hint = f"Run again; if it stays, ask {'this S3' if service == 'S3' else 'AWS'}."
    return AccessError(message, _HINTS_BY_CODE.get(code, hint))


def _find_denied_hint(text: str, service: str) -> str:
    if "explicit deny in a resource-based policy" in text:
        return (
            "An allow can't help: change the policy of the resource so that it does not deny this "
            "identity, or use another one."
        )
    hint = "Allow this identity what ci3 iam-policy prints, or use another one."
    if service == "S3" and text.strip(" .") in ("Access Denied", "AccessDenied", "no message"):
        return (
            f"{hint} If it is allowed that, check that the bucket's policy does not deny it, and "
            "that the bucket is not one whose requester pays: only its owner can read that."
        )
    return hint
