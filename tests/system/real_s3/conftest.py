import signal
from collections.abc import Iterator

import pytest

from ci3.cli.main import main
from tests.support.s3.seaweedfs import ADMIN, SeaweedFS, running_seaweedfs

UNUSUAL_KEYS = (
    "1+1=2",
    "50%",
    "%2F",
    "a&b",
    "é",
    "😀",
    "two  words ",
    "it's",
    "#hash?q=1",
    "x/y/z",
    "~-_.!*()",
)
BODIES = {f"a/{key}": key.encode() for key in UNUSUAL_KEYS}
NAMES = [
    BODIES | {"index.html": b"root", "a.txt": b"root too"},
    {"ab/index.html": b"ab", "ab/é.js": b"ab"},
    {"a./index.html": b"a."},
    {"a-b/index.html": b"a-b", "a-b/a/x": b"not in a"},
]
"""Deployments whose names are prefixes of one another, oldest first: a, ab, a., a-b."""

RELEASES = [{f"v{number}/{file}": b"x" * number for file in "abc"} for number in (1, 2, 3)]
OLD = {f"old/{key}": key.encode() for key in UNUSUAL_KEYS}
OLD_FIRST = OLD | {"index.html": b"root", "older/a": b"a", "older/b": b"b"}
OLD_SECOND = {"old/x/y/z": b"again, so that an older version lies below"}
FINAL = ("final", "final-null", "final-suspended", "final-lost", "final-between", "final-again")
RESTORED = ("undone", "stacked", "overtaken", "since")
RESUMED = ("resumed", "resumed-changed", "resumed-versioned", "stored")
PROBED = ("probe-versioned", "probe-plain")
BIG_COUNT = 1050
BUCKETS = {
    "names": NAMES,
    "untouched": NAMES,
    "big": [{f"old/{number:05}": b"x" for number in range(BIG_COUNT)}, {"new/index.html": b"n"}],
    "versioned": RELEASES,
    "releases": RELEASES,
    "targets": RELEASES,
    "reported": NAMES,
    "reports": [],
    "conditional": RELEASES,
    "conditional-lost": RELEASES,
    "uploads": RELEASES,
    "versioned-journal": RELEASES,
    "environments": [
        {
            f"{folder}/{key}": body
            for folder in ("staging", "production")
            for key, body in release.items()
        }
        for release in RELEASES
    ],
    **{name: [OLD_FIRST, OLD_SECOND | {"kept/a": b"k"}] for name in FINAL},
    **{
        name: [OLD_FIRST, OLD_SECOND | {"new/index.html": b"n"}, {"new/index.html": b"n2"}]
        for name in RESTORED
    },
    **dict.fromkeys(RESUMED, RELEASES),
    **dict.fromkeys(PROBED, RELEASES[:1]),
}
VERSIONED = {
    *("versioned", "versioned-journal", "resumed-versioned", "stored", "probe-versioned"),
    *FINAL,
    *RESTORED,
} - {"final-null"}


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    """Start a real S3 server with the buckets above; only one test changes each bucket."""
    with running_seaweedfs() as server:
        server.seed(BUCKETS, versioned=VERSIONED)
        yield server


@pytest.fixture
def ci3(seaweedfs, monkeypatch, capsys):
    """Return a function that runs ci3 on the server and returns exit code, stdout and stderr."""
    handlers = {
        signal_number: signal.getsignal(signal_number)
        for signal_number in (signal.SIGINT, signal.SIGTERM)
    }

    def run(*arguments, credentials=ADMIN):
        for name, value in seaweedfs.environ(credentials).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        exit_code = main([*arguments, "--endpoint-url", seaweedfs.url])
        return exit_code, *capsys.readouterr()

    yield run
    for signal_number, handler in handlers.items():
        signal.signal(signal_number, handler)
