"""The client: allowed operations, parsing of times, and error messages."""

import random
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import botocore.loaders
import botocore.utils
import pytest
from botocore.credentials import CredentialResolver
from botocore.exceptions import ClientError

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.aws.client import (
    JOURNAL_OPERATIONS,
    LIFECYCLE_OPERATIONS,
    READ_OPERATIONS,
    VERSION_OPERATIONS,
    WRITE_OPERATIONS,
    _get_loader,
    make_service_client,
    open_session,
    parse_timestamp,
)
from ci3.core.model.deployment import Versioning
from ci3.errors import AccessError, DeniedError, ExitCode, GateError
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.support.s3.answers import HTML, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

OTHER_CALLS: tuple[Callable[..., object], ...] = (
    lambda s3, **arguments: s3.copy_object(**arguments, Key="a/x", CopySource="b/c"),
    lambda s3, **arguments: s3.delete_bucket(**arguments),
    lambda s3, **arguments: s3.put_bucket_versioning(
        **arguments, VersioningConfiguration={"Status": "Enabled"}
    ),
    lambda s3, **arguments: s3.create_multipart_upload(**arguments, Key="a/x"),
    lambda s3, **arguments: s3.put_bucket_policy(**arguments, Policy="{}"),
    lambda s3, **arguments: s3.put_object_acl(**arguments, Key="a/x", ACL="public-read"),
    lambda s3, **arguments: s3.delete_object_tagging(**arguments, Key="a/x"),
    lambda s3, **arguments: s3.complete_multipart_upload(**arguments, Key="a/x", UploadId="u"),
    lambda s3, **_: s3.list_buckets(),
)
PUT_CALLS: tuple[Callable[..., object], ...] = (
    lambda s3, **arguments: s3.put_object(**arguments, Key="a/x", Body=b""),
)
ABORT_CALLS: tuple[Callable[..., object], ...] = (
    lambda s3, **arguments: s3.abort_multipart_upload(**arguments, Key="a/x", UploadId="u"),
)
DELETE_CALLS: tuple[Callable[..., object], ...] = (
    lambda s3, **arguments: s3.delete_object(**arguments, Key="a/x"),
    lambda s3, **arguments: s3.delete_objects(**arguments, Delete={"Objects": [{"Key": "a/x"}]}),
)
A_RULE = {"Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 9}}
LIFECYCLE_CALLS: tuple[Callable[..., object], ...] = (
    lambda s3, **arguments: s3.delete_bucket_lifecycle(**arguments),
    lambda s3, **arguments: s3.put_bucket_lifecycle_configuration(
        **arguments, LifecycleConfiguration={"Rules": [A_RULE]}
    ),
)
GET_CALLS: tuple[Callable[..., object], ...] = (
    lambda s3, **arguments: s3.get_object(**arguments, Key="a/x"),
)
READ_CALLS: tuple[Callable[..., object], ...] = (
    *GET_CALLS,
    lambda s3, **arguments: s3.head_object(**arguments, Key="a/x"),
    lambda s3, **arguments: s3.list_objects_v2(**arguments),
    lambda s3, **arguments: s3.get_bucket_versioning(**arguments),
    lambda s3, **arguments: s3.list_object_versions(**arguments),
    lambda s3, **arguments: s3.list_multipart_uploads(**arguments),
    lambda s3, **arguments: s3.get_bucket_lifecycle_configuration(**arguments),
    lambda s3, **arguments: s3.get_object_lock_configuration(**arguments),
)
ALL_CALLS = {
    *OTHER_CALLS,
    *PUT_CALLS,
    *ABORT_CALLS,
    *DELETE_CALLS,
    *LIFECYCLE_CALLS,
    *READ_CALLS,
}
CLIENTS = {
    "reader": (READ_OPERATIONS, READ_CALLS),
    "writer": (WRITE_OPERATIONS, DELETE_CALLS + ABORT_CALLS),
    "version remover": (VERSION_OPERATIONS, DELETE_CALLS),
    "lifecycle writer": (LIFECYCLE_OPERATIONS, LIFECYCLE_CALLS),
    "journal store": (JOURNAL_OPERATIONS, PUT_CALLS + GET_CALLS),
}
"""The operations that each client may call: their names, and calls of them."""


def make_client(url: str, operations: frozenset[str]):
    return make_service_client(
        "s3", region="us-east-1", endpoint_url=url, operations=operations, connections=2
    )


@pytest.mark.parametrize(("operations", "allowed_calls"), CLIENTS.values(), ids=CLIENTS)
def test_client_sends_nothing_for_an_operation_that_is_not_allowed(
    site: Bucket, proxy: FaultProxy, operations: frozenset[str], allowed_calls
) -> None:
    s3 = make_client(site.endpoint_url, operations)
    for call in ALL_CALLS.difference(allowed_calls):
        with pytest.raises(GateError):
            call(s3, Bucket=site.name)
    assert proxy.requests == []


@pytest.mark.parametrize(("operations", "allowed_calls"), CLIENTS.values(), ids=CLIENTS)
def test_client_may_call_each_allowed_operation(
    site: Bucket, proxy: FaultProxy, operations: frozenset[str], allowed_calls
) -> None:
    s3 = make_client(site.endpoint_url, operations)
    for call in allowed_calls:
        with suppress(ClientError):  # there is nothing in the bucket
            call(s3, Bucket=site.name)
    assert len(proxy.requests) == len(allowed_calls) == len(operations)


def test_reader_has_no_write_operation() -> None:
    assert {name for name in READ_OPERATIONS if not re.match("List|Get|Head", name)} == set()


def test_timestamps_are_parsed_as_by_botocore() -> None:
    rng = random.Random(20261123)  # noqa: S311 - no secret
    forms = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y%m%dT%H%M%SZ", "%Y-%m-%d %H:%M:%SZ",
             "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%S-07:30", "%Y-%m-%dT%H:%MZ",
             "%a, %d %b %Y %H:%M:%S GMT")  # fmt: skip
    start = datetime(1970, 1, 1, tzinfo=UTC)
    for number in range(800):
        timestamp = start + timedelta(microseconds=rng.randrange(4_000_000_000_000_000))
        text = timestamp.strftime(forms[number % len(forms)])
        for variant in (text, re.sub(r"\.(\d{3})\d{3}Z", r".\1Z", text), text.replace("Z", "z")):
            actual, expected = parse_timestamp(variant), botocore.utils.parse_timestamp(variant)
            assert (actual, actual.utcoffset()) == (expected, expected.utcoffset()), variant


@pytest.mark.parametrize("text", ["", "yesterdayZ", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z"])
def test_invalid_timestamp_is_an_error_as_in_botocore(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - botocore's message
        botocore.utils.parse_timestamp(text)
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        parse_timestamp(text)


ERRORS = [
    (403, error("AccessDenied"), DeniedError, "iam-policy"),
    (403, error("AllAccessDisabled"), DeniedError, "iam-policy"),
    (403, "", DeniedError, "iam-policy"),
    (403, error("InvalidAccessKeyId"), AccessError, ""),
    (403, error("SignatureDoesNotMatch"), AccessError, ""),
    (400, error("ExpiredToken"), AccessError, ""),
    (400, error("InvalidToken"), AccessError, ""),
    (403, error("RequestTimeTooSkewed"), AccessError, ""),
    (404, error("NoSuchBucket"), AccessError, "endpoint-url"),
    (404, "", AccessError, "endpoint-url"),
    (404, HTML, AccessError, "endpoint-url"),
    (400, error("AuthorizationHeaderMalformed", xml="<Region>eu-west-1</Region>"), AccessError,
     "eu-west-1"),
    (301, error("PermanentRedirect"), AccessError, "region"),
    (301, error("PermanentRedirect", xml="<Region>eu-west-1</Region>"), AccessError, "eu-west-1"),
    (302, "", AccessError, ""),
    (500, error("InternalError"), AccessError, ""),
    (503, error("SlowDown"), AccessError, ""),
    (418, "", AccessError, ""),
]  # fmt: skip


def get_code(status: int, body: str) -> str:
    code = re.search("<Code>(.*?)</Code>", body)
    return code[1] if code else str(status)


def list_refused(site: Bucket, proxy: FaultProxy, status: int, body: str) -> AccessError:
    proxy.forget_rules()
    proxy.answer("GET", "list-type=2", body, status=status)
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    with pytest.raises(AccessError) as caught:
        list(reader.list_pages("a/"))
    return caught.value


@pytest.mark.parametrize(("status", "body", "kind", "hint"), ERRORS)
def test_s3_error_has_a_code_an_address_and_a_hint(  # noqa: PLR0917 - a table's columns
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str, kind, hint: str
) -> None:
    caught = list_refused(site, proxy, status, body)
    assert type(caught) is kind
    assert caught.exit_code is ExitCode.ACCESS
    assert f"s3://{site.name}/a/" in words_in(caught.message)
    assert status in (301, 302) or get_code(status, body) in words_in(caught.message)
    assert not hint or hint in words_in(caught.hint)


def test_messages_are_the_golden_ones(site: Bucket, proxy: FaultProxy, pauses: list[float]) -> None:
    errors = [
        (f"{status} {get_code(status, body)}", list_refused(site, proxy, status, body))
        for status, body, *_ in ERRORS
    ]
    assert_messages(__file__, errors)


def test_lost_responses_are_retried_and_then_an_error(
    site: Bucket, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("GET", "list-type=2")
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    with pytest.raises(AccessError, match=f"s3://{site.name}/"):
        list(reader.list_pages(""))
    assert len(proxy.requests) == 5


def test_unreachable_address_is_retried_with_short_pauses(
    bucket: Bucket, closed_port_url: str, pauses: list[float]
) -> None:
    reader = BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=closed_port_url)
    with pytest.raises(AccessError, match=closed_port_url):
        list(reader.list_pages(""))
    assert len(pauses) == 4
    assert sum(pauses) < 15


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_missing_credentials_have_a_hint(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(AccessError) as caught:
        list(
            BucketReader(
                bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url
            ).list_pages("")
        )
    assert "configure-aws-credentials" in caught.value.hint


def test_unknown_profile_is_an_error_of_the_configuration(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AccessError, match="nobody"):
        BucketReader(bucket=bucket.name, region="", endpoint_url=bucket.endpoint_url)


VERSIONING = "<VersioningConfiguration><Status>{}</Status></VersioningConfiguration>"


@pytest.mark.parametrize(
    ("status", "body", "versioning"),
    [
        (200, "<VersioningConfiguration/>", Versioning.DISABLED),
        (200, VERSIONING.format("Enabled"), Versioning.ENABLED),
        (200, VERSIONING.format("Suspended"), Versioning.SUSPENDED),
        (200, VERSIONING.format("Paused"), Versioning.UNKNOWN),
        (403, error("AccessDenied"), Versioning.UNKNOWN),
        (501, error("NotImplemented"), Versioning.UNKNOWN),
    ],
)
def test_versioning_that_cannot_be_read_is_unknown(
    site: Bucket, proxy: FaultProxy, status: int, body: str, versioning: Versioning
) -> None:
    proxy.answer("GET", "versioning", body, status=status)
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    assert reader.describe_target("").versioning is versioning


def test_missing_credentials_are_searched_only_once(
    site: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each search can take seconds: the last provider waits for a network response."""
    resolvers: list[CredentialResolver] = []

    def find_none(resolver: CredentialResolver) -> None:
        resolvers.append(resolver)

    monkeypatch.setattr(CredentialResolver, "load_credentials", find_none)
    reader = BucketReader(bucket=site.name, region="", endpoint_url=site.endpoint_url)
    reader.open_writer()
    assert reader.export_access() is None
    with pytest.raises(AccessError, match="credentials"):
        reader.read_versioning_state()
    assert len(resolvers) == 1


def test_services_that_provide_credentials_are_available() -> None:
    """botocore uses these services for the credentials of some profiles."""
    session = open_session()
    for service in ("sso", "sso-oidc", "sts"):
        client = session.client(service, region_name="us-east-1")
        assert client.meta.service_model.service_name == service


def test_sessions_share_a_loader_and_keep_its_search_paths() -> None:
    """boto3.Session appends to the search paths of the loader that it finds."""
    paths = list(_get_loader(None).search_paths)
    open_session()
    assert _get_loader(None).search_paths == paths


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("s3", "service-2"),
        ("s3", "endpoint-rule-set-1"),
        ("s3", "paginators-1"),
        ("sts", "service-2"),
        ("ssm", "service-2"),
        ("cloudfront", "service-2"),
        ("sso", "service-2"),
    ],
)
def test_service_models_are_those_of_botocore_without_documentation(service, kind) -> None:
    expected = botocore.loaders.Loader().load_service_model(service, kind)
    assert make_loader().load_service_model(service, kind) == remove_documentation(expected)


def test_endpoints_are_those_of_botocore() -> None:
    expected = botocore.loaders.Loader().load_data("endpoints")
    assert make_loader().load_data("endpoints") == expected


def make_loader() -> botocore.loaders.Loader:
    """Return a new loader: clients modify the data that they have loaded."""
    return _get_loader.__wrapped__(None)


def remove_documentation(value: object) -> object:
    if isinstance(value, list):
        return [remove_documentation(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        name: ""
        if name == "documentation" and isinstance(element, str)
        else remove_documentation(element)
        for name, element in value.items()
    }


def test_user_agent_names_ci3() -> None:
    s3 = make_client("", READ_OPERATIONS)
    assert re.search(rf"^Boto3/.* ci3/{__version__}( |$)", s3.meta.config.user_agent)
