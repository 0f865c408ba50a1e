"""SSM parameters and pointer objects as live sources, on an in-process AWS and a scripted one."""

from collections.abc import Callable, Iterator
from contextlib import closing

import boto3
import pytest
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from ci3.aws.bucket import BucketReader
from ci3.aws.client import make_service_client
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.errors import GateError
from ci3.live.aws import CLOUDFRONT_OPERATIONS, SSM_OPERATIONS, read_parameter, read_pointer_object
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in
from tests.support.s3.answers import HTML, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.web_site import running_site

SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _aws(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Send all requests to the proxy in front of the in-process AWS, and clear its parameters."""
    backend = get_backend("ssm")[DEFAULT_ACCOUNT_ID]["us-east-1"]
    backend.reset()
    for service in ("CLOUDFRONT", "SSM"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", proxy.url)
    yield
    backend.reset()


@pytest.mark.parametrize(
    ("service", "operations", "call"),
    [
        ("cloudfront", CLOUDFRONT_OPERATIONS, lambda client: client.delete_distribution(Id="E")),
        ("cloudfront", CLOUDFRONT_OPERATIONS, lambda client: client.get_distribution(Id="E")),
        ("ssm", SSM_OPERATIONS, lambda client: client.put_parameter(Name="/x", Value="y")),
        ("ssm", SSM_OPERATIONS, lambda client: client.delete_parameter(Name="/x")),
        ("ssm", SSM_OPERATIONS, lambda client: client.get_parameters(Names=["/x"])),
    ],
)
def test_client_sends_no_byte_for_a_forbidden_operation(
    proxy: FaultProxy, service: str, operations: frozenset[str], call: Callable[..., object]
) -> None:
    with pytest.raises(GateError):
        call(make_service_client(service, region="us-east-1", operations=operations))

    assert proxy.requests == []


def list_names(reading: LiveReading) -> list[str]:
    assert reading.problem == ""
    return [reference.name for reference in reading.references]


def get_problem(reading: LiveReading) -> str:
    assert reading.references == ()
    return reading.problem


def put_parameter(value: str, kind: str = "String", region: str = "us-east-1") -> None:
    with closing(boto3.client("ssm", region_name=region)) as ssm:
        ssm.put_parameter(Name="/my-site/live", Value=value, Type=kind, Overwrite=True)


def read_test_parameter(
    field: str = "", prefix: str = "", region: str = "us-east-1"
) -> LiveReading:
    source = LiveSource.parse(f"ssm:/my-site/live{field}")
    return read_parameter(source, bucket="my-site", prefix=prefix, region=region)


@pytest.mark.parametrize(
    ("value", "kind", "field", "prefix", "expected"),
    [
        ("ab12cd3", "String", "", "", ["ab12cd3"]),
        ("\n ab12cd3 \n", "String", "", "", ["ab12cd3"]),
        ("s3://my-site/app/ab12cd3/", "String", "", "app/", ["ab12cd3"]),
        ("ab12cd3,release-1, ab12cd3", "StringList", "", "", ["ab12cd3", "release-1"]),
        ("ab12cd3,9c41e07", "String", "", "", ["ab12cd3", "9c41e07"]),
        ("ab12cd3\nrelease-1", "String", "", "", ["ab12cd3", "release-1"]),
        ('{"blue": "ab12cd3", "green": "x"}', "String", "#blue", "", ["ab12cd3"]),
        ('{"blue": "ab12cd3", "green": "x"}', "StringList", "#blue", "", ["ab12cd3"]),
        ("ab12cd3", "SecureString", "", "", ["ab12cd3"]),
    ],
)
def test_value_of_a_parameter_is_the_live_deployment(
    value: str, kind: str, field: str, prefix: str, expected: list[str]
) -> None:
    put_parameter(value, kind)

    assert list_names(read_test_parameter(field, prefix)) == expected


def test_evidence_of_a_parameter_contains_its_value() -> None:
    put_parameter("ab12cd3")

    assert {"SSM", "/my-site/live", "ab12cd3"} <= words_in(
        read_test_parameter().references[0].evidence
    )


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (SECRET, ""),
        (f'{{"live": "{SECRET}"}}', "#live"),
        (f"{SECRET}\n{SECRET}", ""),
        (f"{SECRET}/x/y", ""),
        (f"{SECRET}", "#live"),
        (f'{{"{SECRET}": 1}}', "#live"),
        (f'{{"{SECRET}": 1, "{SECRET}": 1}}', "#live"),
        (f"<{SECRET}>", ""),
        (f"{SECRET}\x07", ""),
        (SECRET * 80, ""),
        (f"s3://{SECRET}/x", ""),
        (f"https://{SECRET}/x", ""),
    ],
)
def test_secure_string_is_in_no_message(value: str, field: str) -> None:
    put_parameter(value, "SecureString")
    reading = read_test_parameter(field, prefix="" if "/x/y" not in value else "app/")
    messages = [reading.problem, *(reference.evidence for reference in reading.references)]

    assert "/my-site/live" in "".join(messages)
    assert SECRET not in "".join(messages)


def test_secure_string_is_decrypted(proxy: FaultProxy) -> None:
    put_parameter("ab12cd3", "SecureString")
    reading = read_test_parameter()

    assert b'"WithDecryption": true' in proxy.find_requests("POST")[-1].body
    assert {"/my-site/live", "SecureString"} <= words_in(reading.references[0].evidence)
    assert "ab12cd3" not in reading.references[0].evidence


@pytest.mark.parametrize("value", ["ab12cd3,,release-1", "ab12cd3,", "a,b/c/d"])
def test_invalid_part_of_a_list_is_a_problem(value: str) -> None:
    put_parameter(value, "StringList")

    assert "/my-site/live" in words_in(get_problem(read_test_parameter(prefix="app/")))


def test_problem_of_a_missing_parameter_names_what_to_check() -> None:
    words = words_in(get_problem(read_test_parameter(region="eu-west-1")))

    assert {"SSM", "/my-site/live", "eu-west-1", "ParameterNotFound", "region"} <= words


def test_parameter_is_read_in_the_given_region_or_the_default_region(monkeypatch) -> None:
    put_parameter("ab12cd3", region="eu-west-1")
    put_parameter("release-1", region="us-east-1")

    assert list_names(read_test_parameter(region="eu-west-1")) == ["ab12cd3"]
    assert list_names(read_test_parameter(region="")) == ["release-1"]
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "region" in get_problem(read_test_parameter(region=""))


def test_problem_of_a_denied_read_links_the_required_permissions(proxy: FaultProxy) -> None:
    denied = '{"__type": "AccessDeniedException", "message": "refused by the test"}'
    proxy.answer("POST", ".", denied, status=400)

    assert {"AccessDeniedException", "iam-policy"} <= words_in(get_problem(read_test_parameter()))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, '{"__type": "AccessDeniedException", "message": "refused by the test"}'),
        (400, '{"__type": "UnrecognizedClientException", "message": "refused by the test"}'),
        (500, '{"__type": "InternalServerError"}'),
        (200, "{}"),
        (200, ""),
        (200, HTML),
        (200, '{"Parameter": {"Type": "String", "Value": ""}}'),
        (200, '{"Parameter": {"Type": "String"}}'),
    ],
)
def test_answer_without_a_parameter_is_a_problem(
    proxy: FaultProxy, pauses: list[float], status: int, body: str
) -> None:
    proxy.answer("POST", ".", body, status=status)

    assert "SSM" in get_problem(read_test_parameter())


def test_unreachable_ssm_is_a_problem(
    closed_port_url: str, monkeypatch, pauses: list[float]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", closed_port_url)

    assert closed_port_url in get_problem(read_test_parameter())


def test_missing_credentials_are_a_problem(monkeypatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    assert "AWS_ACCESS_KEY_ID" in words_in(get_problem(read_test_parameter()))


def test_unknown_profile_is_a_problem(monkeypatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    assert "nobody" in get_problem(read_test_parameter())


def read_pointer(bucket: Bucket, text: str, prefix: str = "") -> LiveReading:
    reader = BucketReader(bucket=bucket.name, region="", endpoint_url=bucket.endpoint_url)
    return read_pointer_object(LiveSource.parse(f"object:{text}"), bucket=reader, prefix=prefix)


def test_content_of_a_pointer_object_is_the_live_deployment(
    site: Bucket, proxy: FaultProxy
) -> None:
    site.put("app/current +é", body=b"\xef\xbb\xbfab12cd3\n")
    [reference] = read_pointer(site, "app/current +é", prefix="app/").references

    assert reference.name == "ab12cd3"
    assert f"s3://{site.name}/app/current +é" in reference.evidence
    assert "ab12cd3" in words_in(reference.evidence)
    assert [(request.method, "Range" in request.headers) for request in proxy.requests] == [
        ("GET", False)
    ]


def test_field_of_a_pointer_object_is_the_live_deployment(site: Bucket) -> None:
    site.put("version.json", body=b'{"live": {"web": ["ab12cd3", "release-1"]}}')

    assert list_names(read_pointer(site, "version.json#live.web")) == ["ab12cd3", "release-1"]


WRONG_POINTERS = {
    "empty": b"",
    "a line break": b"\n",
    "HTML": b"<html>",
    "not UTF-8": b"\xff",
    "a long name": b"x" * (1 << 20),
    "too large": b"x" * ((1 << 20) + 1),
}


@pytest.mark.parametrize("body", WRONG_POINTERS.values(), ids=WRONG_POINTERS)
def test_pointer_object_with_invalid_content_is_a_problem(site: Bucket, body: bytes) -> None:
    site.put("current", body=body)

    assert get_problem(read_pointer(site, "current")).startswith(f"s3://{site.name}/current ")


def test_pointer_object_that_is_missing_or_denied_is_a_problem(
    site: Bucket, proxy: FaultProxy
) -> None:
    assert {f"s3://{site.name}/current", "NoSuchKey"} <= words_in(
        get_problem(read_pointer(site, "current"))
    )
    proxy.answer("GET", "current", error("AccessDenied"), status=403)
    assert {"AccessDenied", "iam-policy"} <= words_in(get_problem(read_pointer(site, "current")))


def test_truncated_pointer_object_is_a_problem(site: Bucket, pauses: list[float]) -> None:
    with running_site() as web_site:
        site.endpoint_url = web_site.url
        web_site.answer(f"/{site.name}/current", b"release-1", Content_Length="10")

        assert f"s3://{site.name}/current" in words_in(get_problem(read_pointer(site, "current")))


def test_pointer_object_of_a_gigabyte_is_closed_after_the_limit(site: Bucket) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"
    with running_site() as web_site:
        site.endpoint_url = web_site.url
        web_site.send(f"/{site.name}/current", head, b"x" * 65536)

        assert numbers_in(get_problem(read_pointer(site, "current"))) == [1 << 20]
        assert web_site.sent_bytes < 50_000_000


def test_messages_are_the_golden_ones(site: Bucket, proxy: FaultProxy) -> None:
    put_parameter("ab12cd3")
    cases = {"parameter": read_test_parameter().references[0].evidence}
    put_parameter("ab12cd3", "SecureString")
    cases["secure parameter"] = read_test_parameter().references[0].evidence
    cases["missing parameter"] = get_problem(read_test_parameter(region="sa-east-1"))
    site.put("current", body=b"ab12cd3")
    cases["pointer"] = read_pointer(site, "current").references[0].evidence
    for case, body in WRONG_POINTERS.items():
        site.put("current", body=body)
        cases[f"pointer: {case}"] = get_problem(read_pointer(site, "current"))
    cases["missing pointer"] = get_problem(read_pointer(site, "missing"))
    assert_messages(__file__, cases.items())
