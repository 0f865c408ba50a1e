"""Addressing style: the bucket's name is in the host or in the path of requests."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from ci3.aws.bucket import BucketReader
from ci3.cli.main import main
from ci3.core.model.service_url import AddressingStyle
from tests.support.s3.answers import error, listing
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Answer, FaultProxy, Request, serve_proxy
from tests.support.s3.memory_site import MemorySite

URL = "http://s3.test:9000"


def sign_url(reader: BucketReader) -> str:
    """Return host and path of a request, without sending it."""
    url = reader._client.generate_presigned_url(
        "get_object", Params={"Bucket": reader.bucket, "Key": "a"}
    )
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


@pytest.mark.parametrize(
    ("endpoint_url", "style", "expected"),
    [
        (URL, None, "s3.test:9000/my-site/a"),
        (URL, AddressingStyle.PATH, "s3.test:9000/my-site/a"),
        (URL, AddressingStyle.VIRTUAL, "my-site.s3.test:9000/a"),
        (URL, AddressingStyle.AUTO, "s3.test:9000/my-site/a"),
        ("", None, "my-site.s3.amazonaws.com/a"),
        ("", AddressingStyle.AUTO, "my-site.s3.amazonaws.com/a"),
        ("", AddressingStyle.PATH, "s3.amazonaws.com/my-site/a"),
    ],
)
def test_bucket_is_in_host_or_path(endpoint_url, style, expected) -> None:
    reader = BucketReader(
        bucket="my-site", region="us-east-1", endpoint_url=endpoint_url, addressing_style=style
    )
    access = reader.export_access()

    assert sign_url(reader) == expected
    assert access is not None
    assert sign_url(BucketReader.from_access(access)) == expected
    assert sign_url(reader.reader_for("other")) == expected.replace("my-site", "other")


@pytest.mark.parametrize(
    ("options", "folders"),
    [
        ((), {"new"}),
        (("--addressing-style", "path"), {"new"}),
        (("--addressing-style", "auto"), {"new"}),
    ],
)
def test_bucket_is_cleaned_up_with_its_name_in_the_path(site: Bucket, options, folders) -> None:
    for days, name in enumerate(("new", "old")):
        site.deploy(name, days=days + 1)

    command = ["cleanup", *site.options(), "--auto-approve", "--keep-count", "1"]
    assert main([*command, *options]) == 0
    assert site.folders() == folders


@pytest.fixture
def loopback_hosts(monkeypatch) -> None:
    """Resolve all names that end in s3.test to loopback."""
    resolve = socket.getaddrinfo

    def resolve_test_hosts(host, *args, **kwargs):
        return resolve("127.0.0.1" if str(host).endswith("s3.test") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_test_hosts)


@pytest.fixture
def virtual_site(loopback_hosts) -> Iterator[MemorySite]:
    """Return a bucket of an S3 server that refuses path-style requests."""
    site = MemorySite()

    def respond(request: Request) -> Answer:
        bucket, _, host = request.headers["Host"].partition(".")
        if not host.startswith("s3.test:"):
            return Answer(status=403, body=error("SecondLevelDomainForbidden").encode())
        return site.answer(replace(request, target=f"/{bucket}{request.target}"))

    with serve_proxy(FaultProxy(respond)) as proxy:
        site.proxy, site.endpoint_url = proxy, proxy.url.replace("127.0.0.1", "s3.test")
        yield site


VIRTUAL = ("--addressing-style", "virtual", "--prefix", "app", "--auto-approve")


def test_bucket_in_the_host_is_cleaned_up_and_restored(virtual_site: MemorySite) -> None:
    virtual_site.enable_versioning()
    for days, name in enumerate(("new", "old-1", "old-2")):
        virtual_site.deploy(f"app/{name}", days=days + 1)
    before = virtual_site.content()
    options = [*virtual_site.options(), *VIRTUAL]

    journal = ("--journal-file", "s3://site/app/.ci3/journals/")
    rules = ("--keep-count", "1", "--match", ".*")
    assert main(["cleanup", *options, *rules, *journal]) == 0
    remaining_keys = {key for key in virtual_site.content() if "/.ci3/" not in key}
    assert remaining_keys == {key for key in before if key.startswith("app/new/")}

    for name in ("old-1", "old"):
        argv = ["restore", name, "--deleted-since", "1h", *options]
        assert main(argv) == (0 if name == "old-1" else 2)
    assert main(["restore", "old-2", "--deleted-since", "1h", *options]) == 0
    assert {key: virtual_site.content()[key] for key in before} == before


def test_stored_journal_of_a_bucket_in_the_host_is_restored(
    virtual_site: MemorySite, capsys
) -> None:
    virtual_site.enable_versioning()
    for days, name in enumerate(("new", "old")):
        virtual_site.deploy(f"app/{name}", days=days + 1)
    before = virtual_site.content()
    options = [*virtual_site.options(), *VIRTUAL]
    journal = ("--journal-file", "s3://site/app/.ci3/journals/")
    rules = ("--keep-count", "1", "--match", ".*")
    assert main(["cleanup", *options, *rules, *journal]) == 0

    run_id = capsys.readouterr().out.partition("s3://site/app/.ci3/journals/")[2]
    assert main(["restore", "--run-id", run_id.partition("/")[0], *options]) == 0
    assert {key: virtual_site.content()[key] for key in before} == before


SUGGESTION = "addressing-style: virtual"


@pytest.mark.parametrize("style", ["path", "auto", ""])
def test_refused_path_style_suggests_the_virtual_style(
    virtual_site: MemorySite, capsys, style: str
) -> None:
    virtual_site.deploy("app/old", days=9)
    options = ["--addressing-style", style] if style else []

    argv = ["cleanup", *virtual_site.options(), *VIRTUAL[2:], *options, "--keep-count", "1"]
    assert main(argv) == 6
    assert SUGGESTION in capsys.readouterr().err
    assert virtual_site.content()


def test_request_goes_to_the_buckets_own_host(proxy: FaultProxy, loopback_hosts) -> None:
    proxy.answer("GET", "list-type=2", listing(folders=()))
    url = proxy.url.replace("127.0.0.1", "s3.test")

    options = ["--bucket-name", "my-site", "--endpoint-url", url, "--addressing-style", "virtual"]
    assert main(["list-deployments", *options]) == 0
    requested_hosts = {request.headers["Host"].partition(":")[0] for request in proxy.requests}
    assert requested_hosts == {"my-site.s3.test"}
