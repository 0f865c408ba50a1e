"""Where requests have the bucket's name: in the host or in the path."""

import socket
from urllib.parse import urlsplit

import pytest

from ci3.aws.bucket import BucketReader
from ci3.cli.main import main
from ci3.core.model.service_url import AddressingStyle
from tests.support.s3.answers import listing
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.moto_s3 import Bucket

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


def test_request_goes_to_the_buckets_own_host(proxy: FaultProxy, monkeypatch, capsys) -> None:
    resolve = socket.getaddrinfo

    def resolve_test_hosts(host, *args, **kwargs):
        return resolve("127.0.0.1" if str(host).endswith("s3.test") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_test_hosts)
    proxy.answer("GET", "list-type=2", listing(folders=()))
    url = proxy.url.replace("127.0.0.1", "s3.test")

    options = ["--bucket-name", "my-site", "--endpoint-url", url, "--addressing-style", "virtual"]
    assert main(["list-deployments", *options]) == 0
    hosts = {request.headers["Host"].partition(":")[0] for request in proxy.requests}
    assert hosts == {"my-site.s3.test"}
