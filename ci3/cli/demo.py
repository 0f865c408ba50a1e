"""The `demo` command: an embedded S3 with a seeded bucket, on which it runs other commands."""

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ci3.errors import ExitCode, SettingsError

BUCKET = "demo-site"

DEPLOYMENTS = (
    ("9c41e07", 0.2, 18),
    ("5d2f8ab", 1.1, 18),
    ("e7730c9", 2.4, 17),
    ("0b96d14", 4.0, 17),
    ("release-2.4", 6.2, 17),
    ("c85fa32", 7.9, 16),
    ("71ae5d0", 11.3, 16),
    ("f20b6c8", 14.5, 15),
    ("release-2.3", 19.0, 15),
    ("3ad97e1", 23.6, 14),
    ("b64c210", 30.2, 12),
    ("8e15f7d", 37.8, 12),
)
"""Name, age in days, number of files."""

ROOT_FILES = ("index.html", "robots.txt")
_FILE_SIZES = (4_200, 61_000, 128_000, 17_500, 9_100)


def run_demo(run: Callable[[Sequence[str]], int]) -> int:
    """Seed an embedded S3 and run commands on it with `run`; return the first exit code not 0.

    Raises SettingsError when moto, which embeds the S3, is not installed.
    """
    with tempfile.TemporaryDirectory() as folder, embedded_s3() as endpoint_url:
        target = ("--bucket-name", BUCKET, "--endpoint-url", endpoint_url)
        rules = ("--keep-count", "4", "--protect", "release-*")
        journal = str(Path(folder, "journal.jsonl"))
        steps: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("Each folder is a deployment. Show what a cleanup would delete (read-only):",
             ("plan-cleanup", *target, *rules)),
            ("Explain why one of them would be deleted:", ("explain", "3ad97e1", *target, *rules)),
            ("Simulate these rules on the bucket's upload history:", ("simulate", *target, *rules)),
            ("Delete (--auto-approve skips the question):",
             ("cleanup", *target, *rules, "--auto-approve", "--journal-file", journal)),
            ("List the remaining deployments:", ("list-deployments", *target)),
            ("Restore what was deleted (the bucket is versioned):",
             ("restore", journal, "--auto-approve")),
            ("List the deployments again:", ("list-deployments", *target)),
        )  # fmt: skip
        for title, argv in steps:
            shown = " ".join(f"'{word}'" if "*" in word else word for word in argv)
            click.echo(f"\n{title}\n$ ci3 {shown}\n")
            if code := run(argv):
                return code
    click.echo("\nThe demo ran on an embedded S3 on this machine, which is now stopped.")
    click.echo("Next, show a plan for your bucket (read-only):")
    click.echo("  ci3 plan-cleanup --bucket-name YOUR-BUCKET --match '[0-9a-f]{40}'")
    return ExitCode.DONE


@contextmanager
def embedded_s3() -> Iterator[str]:
    """Run a seeded S3 in this process; yield its address."""
    try:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415 - an extra, and large
    except ImportError as exc:
        raise SettingsError(
            "the demo needs moto, which is not installed",
            "Install it with: pip install 'ci3[demo]'",
        ) from exc
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with _environment(_CREDENTIALS):
            _seed(datetime.now(UTC))
            yield f"http://{host}:{port}"
    finally:
        server.stop()


_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "demo",
    "AWS_SECRET_ACCESS_KEY": "demo",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}
_OTHER_CREDENTIALS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL")


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables and remove real credentials; restore both at the end."""
    names = (*values, *_OTHER_CREDENTIALS)
    previous_values = {name: os.environ.get(name) for name in names}
    for name in names:
        os.environ.pop(name, None)
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in previous_values.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _seed(now: datetime) -> None:
    """Fill the bucket. Ages are set in moto's backend, since S3's API cannot set them."""
    from moto.core.models import DEFAULT_ACCOUNT_ID  # noqa: PLC0415 - an extra, and large
    from moto.s3.models import s3_backends  # noqa: PLC0415 - an extra, and large

    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.reset()
    backend.create_bucket(BUCKET, "us-east-1")
    backend.put_bucket_versioning(BUCKET, "Enabled")
    _hide_emptied_folders(backend)
    for name in ROOT_FILES:
        backend.put_object(BUCKET, name, b"-" * 300)
    for name, age_days, file_count in DEPLOYMENTS:
        for number in range(file_count):
            folder = "assets/" if number else ""
            key = f"{name}/{folder}{f'chunk-{number:02}.js' if number else 'index.html'}"
            stored = backend.put_object(BUCKET, key, b"-" * _FILE_SIZES[number % 5])
            stored.last_modified = (
                now - timedelta(days=age_days) + timedelta(seconds=number)
            ).replace(tzinfo=None)


def _hide_emptied_folders(backend: Any) -> None:  # noqa: ANN401 - moto has no stubs
    """Make listings omit folders in which delete markers hide every object, as in S3.

    moto lists such folders as common prefixes.
    """
    from moto.s3.models import FakeKey  # noqa: PLC0415 - an extra, and large

    list_unfiltered = backend.list_objects

    def list_objects(bucket: Any, *args: object, **kwargs: object) -> tuple[Any, ...]:  # noqa: ANN401 - as above
        keys, folders, *other_values = list_unfiltered(bucket, *args, **kwargs)
        existing_keys = [name for name, key in bucket.keys.items() if isinstance(key, FakeKey)]
        folders = [
            folder for folder in folders if any(name.startswith(folder) for name in existing_keys)
        ]
        return keys, folders, *other_values

    backend.list_objects = list_objects
