"""Read all live sources, several at once; a failing source is a reading with a problem."""

import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, assert_never

from ci3.aws.bucket import BucketReader
from ci3.core.live.sources import LiveKind, LiveReading, LiveSource
from ci3.live.aws import list_origins, read_cloudfront, read_parameter, read_pointer_object

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi

MAX_CONCURRENT_SOURCES: Final = 8
"""Sources read at the same time."""

GITHUB_LOCK: Final = Lock()
"""GitHub asks for requests one after another.

Source: https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

NO_GITHUB_PROBLEM: Final = (
    "no GitHub token or no repository. In a workflow, set the input github-token; on a terminal, "
    "set GITHUB_REPOSITORY and GITHUB_TOKEN."
)


Share = Callable[[LiveSource | str, Callable[[], Any]], Any]
"""Returns what the callable reads, or what was read for the same key before."""


def _read_unshared(_key: object, read: Callable[[], Any]) -> Any:  # noqa: ANN401 - see Share
    return read()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """The clients and settings with which sources are read."""

    bucket: BucketReader
    prefix: str
    pattern: str
    region: str
    ca_bundle: str
    github: "GitHubApi | None"
    share: "Share"

    def find_prefix(self, source: LiveSource) -> str:
        """Return the prefix that a source's paths are in: the pattern if it is read for that."""
        return self.prefix if source.is_of_folder else self.pattern or self.prefix


def read_live_sources(  # noqa: PLR0913 - what sources are read with
    sources: Sequence[LiveSource],
    *,
    bucket: BucketReader,
    prefix: str,
    region: str,
    github: "GitHubApi | None",
    ca_bundle: str = "",
    pattern: str = "",
    share: Share = _read_unshared,
) -> tuple[LiveReading, ...]:
    """Read the sources and return their readings in the same order.

    `region` is the region of SSM, or empty for the AWS configuration's. `ca_bundle` is the path of
    a file with more authorities to trust when a URL is read, or empty. A source that can't be
    read, or whose reader fails by a bug, is a reading with a problem; nothing but
    KeyboardInterrupt is raised.

    With a `pattern`, a source without `{folder}` is read for all its targets, through `share`.
    """
    context = _Context(
        bucket=bucket,
        prefix=prefix,
        pattern=pattern,
        region=region,
        ca_bundle=ca_bundle,
        github=github,
        share=share,
    )
    with ThreadPoolExecutor(max_workers=MAX_CONCURRENT_SOURCES, thread_name_prefix="live") as pool:
        return tuple(pool.map(partial(_read_safely, context), sources))


def _read_safely(context: _Context, source: LiveSource) -> LiveReading:
    if source.kind is LiveKind.CLOUDFRONT:  # shares the listed origins only
        return _read_or_explain(context, source)
    reading: LiveReading = context.share(source, lambda: _read_or_explain(context, source))
    return reading


def _read_or_explain(context: _Context, source: LiveSource) -> LiveReading:
    try:
        return _read_source(context, source)
    except Exception as exc:  # noqa: BLE001 - a bug in one reader must not hide the others' results
        # The exception's message may contain what was read, which may be a secret.
        frame = traceback.extract_tb(exc.__traceback__)[-1]
        cause = f"{type(exc).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
        return LiveReading(source=source, problem=f"a bug in ci3, please report it: {cause}")


def _read_source(context: _Context, source: LiveSource) -> LiveReading:
    bucket, prefix = context.bucket, context.find_prefix(source)
    match source.kind:
        case LiveKind.GITHUB_DEPLOYMENTS | LiveKind.OPEN_PULL_REQUESTS | LiveKind.BRANCHES:
            return _read_from_github(context, source)
        case LiveKind.CLOUDFRONT:
            return _read_cloudfront(context, source)
        case LiveKind.SSM:
            return read_parameter(
                source,
                bucket=bucket.bucket,
                prefix=prefix,
                region=context.region,
                credentials=bucket.credentials,
            )
        case LiveKind.OBJECT:
            return read_pointer_object(source, bucket=bucket, prefix=prefix)
        case LiveKind.URL:
            from ci3.live.url import read_page  # noqa: PLC0415 - requests: few runs ask the web or GitHub

            return read_page(
                source, bucket=bucket.bucket, prefix=prefix, ca_bundle=context.ca_bundle
            )
        case _:
            assert_never(source.kind)


def _read_cloudfront(context: _Context, source: LiveSource) -> LiveReading:
    bucket = context.bucket
    list_all = partial(
        list_origins, bucket.bucket, region=context.region, credentials=bucket.credentials
    )
    return read_cloudfront(
        source,
        lambda: context.share("CloudFront origins", list_all),
        bucket=bucket.bucket,
        prefix=context.prefix,
        pattern=context.pattern,
    )


def _read_from_github(context: _Context, source: LiveSource) -> LiveReading:
    if context.github is None:
        return LiveReading(source=source, problem=NO_GITHUB_PROBLEM)
    from ci3.live.github import read_github  # noqa: PLC0415 - requests: few runs ask the web or GitHub

    transport = context.github.transport
    with GITHUB_LOCK:
        count_before = transport.request_count
        reading = read_github(source, transport, context.github.deployment_records)
        return replace(reading, request_count=transport.request_count - count_before)
