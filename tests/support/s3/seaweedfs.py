"""Runs a real S3 server, SeaweedFS, on loopback, and seeds its buckets."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from tests.support.s3.local_store import (
    answers,
    find_program,
    free_ports,
    running_process,
    started,
    wait_until,
)

UPLOADS = 16
UPLOAD_ATTEMPTS = 10
TICK_SECONDS = 5
ADMIN = {"accessKey": "admin-key", "secretKey": "admin-secret"}
READER = {"accessKey": "reader-key", "secretKey": "reader-secret"}
# A bucket takes a volume. By default there is one for each GiB of free disk; then uploads get 500.
VOLUMES = 1000
_SERVICES = ("master", "volume", "filer", "s3", "admin")


class SeaweedFS:
    """A running server with an admin's and a reader's credentials."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=ADMIN["accessKey"],
            aws_secret_access_key=ADMIN["secretKey"],
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=UPLOADS),
        )
        credentials = Credentials(ADMIN["accessKey"], ADMIN["secretKey"])
        self._signer = S3SigV4Auth(credentials, "s3", "us-east-1")
        self._session = URLLib3Session(max_pool_connections=UPLOADS)

    def environ(self, credentials: Mapping[str, str] = ADMIN) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": credentials["accessKey"],
            "AWS_SECRET_ACCESS_KEY": credentials["secretKey"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def seed(
        self, buckets: Mapping[str, list[Mapping[str, bytes]]], versioned: Iterable[str] = ()
    ) -> None:
        """Create buckets from rounds of objects; each round has a later time than the one before.

        All buckets share the rounds, so that there are few clock ticks to wait for.
        """
        for name in buckets:
            self.client.create_bucket(Bucket=name)
        for name in versioned:
            self.client.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            )
        rounds = max(map(len, buckets.values()))
        with ThreadPoolExecutor(UPLOADS) as pool:
            for number in range(rounds):
                uploads = [
                    pool.submit(self._put, name, key, body)
                    for name, content in buckets.items()
                    if number < len(content)
                    for key, body in content[number].items()
                ]
                for upload in uploads:
                    upload.result()
                wait_for_tick()

    def _put(self, bucket: str, key: str, body: bytes) -> None:
        """Upload an object; boto3 takes four times as long. A busy server may answer 500."""
        for _ in range(UPLOAD_ATTEMPTS):
            request = AWSRequest("PUT", f"{self.url}/{bucket}/{quote(key, safe='/~')}", data=body)
            self._signer.add_auth(request)
            response = self._session.send(request.prepare())
            if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(0.2)
        assert response.status_code == HTTPStatus.OK, response.text

    def content(self, bucket: str) -> dict[str, bytes]:
        """Return the body of every object, without boto3's paginators."""
        keys: list[str] = []
        request = {"Bucket": bucket, "MaxKeys": 300}
        while True:
            page = self.client.list_objects_v2(**request)
            keys += [entry["Key"] for entry in page.get("Contents", ())]
            if not page["IsTruncated"]:
                break
            request["ContinuationToken"] = page["NextContinuationToken"]
        with ThreadPoolExecutor(UPLOADS) as pool:
            bodies = pool.map(
                lambda key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read(), keys
            )
            return dict(zip(keys, bodies, strict=True))


def wait_for_tick() -> None:
    """Wait until the next second: the server's times have no fraction."""
    second = int(time.time())
    deadline = time.monotonic() + TICK_SECONDS
    while int(time.time()) == second:
        assert time.monotonic() < deadline, "the clock does not advance"
        time.sleep(0.01)


@contextmanager
def running_seaweedfs() -> Iterator[SeaweedFS]:
    """Run a server on free ports until the context ends; retry if a port was taken."""
    with started("weed", _start) as url:
        yield SeaweedFS(url)


def _start(folder: Path, processes: ExitStack) -> str:
    identities = [
        {"name": "admin", "credentials": [ADMIN], "actions": ["Admin"]},
        {"name": "reader", "credentials": [READER], "actions": ["Read", "List"]},
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    ports = free_ports(2 * len(_SERVICES))
    arguments = [
        argument
        for service, port, grpc_port in zip(_SERVICES, ports[::2], ports[1::2], strict=True)
        for argument in (f"-{service}.port={port}", f"-{service}.port.grpc={grpc_port}")
    ]
    command = [
        find_program("weed", "run pip install -r tests/requirements.txt"),
        "mini",
        "-dir=.",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.config=s3.json",
        f"-volume.max={VOLUMES}",
        *arguments,
    ]
    process = processes.enter_context(running_process(command, folder))
    url = f"http://127.0.0.1:{ports[6]}"
    return url if wait_until(lambda: answers(url), process) else ""
