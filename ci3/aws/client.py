"""Make AWS clients that are restricted to named operations."""

import gzip
import json
import os
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

from ci3 import __version__, ca_bundle
from ci3.aws.client_errors import translate_errors
from ci3.core.model.service_url import AddressingStyle, parse_url
from ci3.errors import AccessError, Ci3Error, GateError, SettingsError

if TYPE_CHECKING:
    from botocore.model import OperationModel

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
        core.set_config_variable("ca_bundle", _find_ca_bundle(core) or True)
        resolver = credentials or _CachingResolver(core.get_component("credential_provider"))
        core.register_component("credential_provider", resolver)
        session = boto3.Session(botocore_session=core)
        # Set after boto3.Session, which appends a folder to the search paths of the session's
        # loader: this loader is shared by all sessions, and the paths would grow with each.
        core.register_component("data_loader", _get_loader(core.get_config_variable("data_path")))
    return session


def _find_ca_bundle(core: botocore.session.Session) -> str:
    """Return the path of the bundle of authorities to trust, or "" for those of botocore.

    botocore has the same order, but fails on an empty value, and finds out that a file is missing
    only when it sends a request. Raises AccessError if the file can't be used.
    """
    bundles: dict[str, str] = {
        ca_bundle.VARIABLE: ca_bundle.find_ca_bundle(os.environ),
        "ca_bundle in the AWS profile": core.get_scoped_config().get("ca_bundle", ""),
        "REQUESTS_CA_BUNDLE": os.environ.get("REQUESTS_CA_BUNDLE", ""),
    }
    for setting, path in bundles.items():
        if path.strip():
            _check_ca_bundle(path, setting)
            return path
    return ""


@cache
def _check_ca_bundle(path: str, setting: str) -> None:
    ca_bundle.make_tls_context(path, setting)


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
    missing addressing style without an endpoint URL. Any other call raises GateError before a byte
    is sent, so that a client made for reading can delete nothing. Raises AccessError when the AWS
    configuration can't be used, and SettingsError for a malformed endpoint URL of S3.
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
        raise _make_endpoint_error(service, "is not a URL") from None


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
        f"Check AWS_ENDPOINT_URL_{name}, AWS_ENDPOINT_URL, and endpoint_url in the profile and "
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
                "the request was redirected, but the response does not name a region",
                "Check region and endpoint-url, and that no proxy or login page responds instead.",
            )
        if model.name not in operations:
            raise GateError(f"{model.name} was called on a client that does not allow it")

    return refuse_others
