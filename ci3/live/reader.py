"""Asks every live source what is live, several at once; none of them can bring the run down."""

import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, assert_never

from ci3.aws.bucket import BucketReader
from ci3.core.live.sources import LiveKind, LiveSource, Reading
from ci3.live.aws import read_cloudfront, read_parameter, read_pointer_object

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi

READERS: Final = 8
"""Sources that are read at once."""

NO_GITHUB: Final = (
    "there is no token, or no repository, to ask GitHub with. In a workflow give the input "
    "github-token; on a terminal set GITHUB_REPOSITORY and GITHUB_TOKEN."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the sources are read with."""

    bucket: BucketReader
    prefix: str
    region: str
    github: "GitHubApi | None"
    github_lock: Lock
    """GitHub wants its requests one after another.

    Source: https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """


def read_live_sources(
    sources: Sequence[LiveSource],
    *,
    bucket: BucketReader,
    prefix: str,
    region: str,
    github: "GitHubApi | None",
) -> tuple[Reading, ...]:
    """Read the sources, and give what came of each in their order.

    `region` is where SSM is asked, or empty for the AWS configuration's. A source that can't be
    read, or whose reader fails by a bug, is a reading with a problem; nothing is raised but
    KeyboardInterrupt.
    """
    asked = _Asked(bucket=bucket, prefix=prefix, region=region, github=github, github_lock=Lock())
    with ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="live") as pool:
        return tuple(pool.map(partial(_read_safely, asked), sources))


def _read_safely(asked: _Asked, source: LiveSource) -> Reading:
    try:
        return _read(asked, source)
    except Exception as exc:  # noqa: BLE001 - a bug in one reader must not hide what others say
        # An exception's own words may hold what was read, and that may be a secret.
        place = traceback.extract_tb(exc.__traceback__)[-1]
        what = f"{type(exc).__name__} in {Path(place.filename).name}, line {place.lineno}"
        return Reading(source=source, problem=f"a bug in ci3, please report it: {what}")


def _read(asked: _Asked, source: LiveSource) -> Reading:
    bucket, prefix = asked.bucket, asked.prefix
    match source.kind:
        case LiveKind.GITHUB_DEPLOYMENTS | LiveKind.OPEN_PULL_REQUESTS | LiveKind.BRANCHES:
            return _read_from_github(asked, source)
        case LiveKind.CLOUDFRONT | LiveKind.SSM:
            read = read_cloudfront if source.kind is LiveKind.CLOUDFRONT else read_parameter
            return read(
                source,
                bucket=bucket.bucket,
                prefix=prefix,
                region=asked.region,
                credentials=bucket.credentials,
            )
        case LiveKind.OBJECT:
            return read_pointer_object(source, bucket=bucket, prefix=prefix)
        case LiveKind.URL:
            from ci3.live.url import read_page  # noqa: PLC0415 - requests: few runs ask the web or GitHub

            return read_page(source, bucket=bucket.bucket, prefix=prefix)
        case _:
            assert_never(source.kind)


def _read_from_github(asked: _Asked, source: LiveSource) -> Reading:
    if asked.github is None:
        return Reading(source=source, problem=NO_GITHUB)
    from ci3.live.github import read_github  # noqa: PLC0415 - requests: few runs ask the web or GitHub

    with asked.github_lock:
        return read_github(source, asked.github.transport)
