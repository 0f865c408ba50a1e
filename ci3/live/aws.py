"""Live sources on AWS: CloudFront origins, SSM parameters, pointer objects."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials, open_service_client
from ci3.aws.client_errors import translate_errors
from ci3.aws.partitions import list_dns_suffixes
from ci3.core.formatting import join_names
from ci3.core.live.pointer import POINTER_LIMIT_BYTES, PointerError, decode_pointer, parse_pointer
from ci3.core.live.sources import LiveReading, LiveReference, LiveSource, extract_folder
from ci3.core.model.prefix_pattern import PrefixPattern, is_above, is_pattern
from ci3.errors import AccessError, ListingError

CLOUDFRONT_OPERATIONS: Final = frozenset({"ListDistributions"})
SSM_OPERATIONS: Final = frozenset({"GetParameter"})

_S3_HOST: Final = r"s3(-[a-z0-9-]+)?(\.dualstack)?(\.[a-z]+(-[a-z]+)+-[0-9]+)?"
"""Host names of S3 in all regions, including website endpoints, before the partition's domain.

Source: https://docs.aws.amazon.com/general/latest/gr/s3.html
"""
_DISPLAYED_ORIGINS: Final = 5
_CLOUDFRONT_HINT: Final = (
    "Run again. If it fails again, check that no proxy responds instead of CloudFront."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An origin of a distribution in the bucket; `path` is where in the bucket it begins."""

    distribution: str
    path: str
    site: str


def list_origins(
    bucket: str, *, region: str, credentials: Credentials | None = None
) -> tuple[Origin, ...]:
    """List the origins in a bucket of all CloudFront distributions; raises AccessError.

    Staging and disabled distributions count too.
    """
    pages = _list_distributions(region, credentials)
    return tuple(origin for page in pages for origin in _find_origins(page, bucket))


def read_cloudfront(
    source: LiveSource,
    read_origins: Callable[[], Sequence[Origin]],
    *,
    bucket: str,
    prefix: str,
    pattern: str = "",
) -> LiveReading:
    """Read which folders CloudFront serves: the origin paths of all distributions on this bucket.

    A distribution whose origins are in the bucket but name no folder is a problem: something
    unknown is live through it. For example, with the prefix `sites/`:

    | origin paths of one distribution | result |
    |---|---|
    | `/sites/a` | `a` is live |
    | `/sites/a`, `/` | `a` is live |
    | `/` or `/sites` | a problem |
    | `/docs` | not counted: outside the prefix |

    With a `pattern`, the references are those of all its targets, and the problems those of the
    target with this prefix: `/apps/blog` is a problem of `apps/blog/` unless the same distribution
    has an origin in a folder there. An origin above no target of the distribution is a problem of
    all targets.
    """
    try:
        origins = read_origins()
    except AccessError as exc:
        return LiveReading(source=source, problem=exc.full_message)
    paths = pattern or prefix
    references = []
    for origin in origins:
        if name := extract_folder(unquote(origin.path), paths):
            evidence = f"CloudFront {origin.distribution} serves {origin.path} for {origin.site}"
            references.append(LiveReference.from_path(name, paths, evidence))
    if not references:
        return LiveReading(source=source, problem=_explain_nothing_served(origins, bucket, paths))
    if unresolved := _find_unresolved(origins, prefix, paths):
        shown = join_names(
            [f"{origin.distribution} ({origin.path}) for {origin.site}" for origin in unresolved], 5
        )
        return LiveReading(
            source=source,
            problem=f"the origin path of CloudFront {shown} does not show which folder is live. "
            "Use another live source instead of cloudfront.",
        )
    return LiveReading(source=source, references=tuple(dict.fromkeys(references)))


def _find_unresolved(origins: Sequence[Origin], prefix: str, pattern: str) -> list[Origin]:
    """Return the origins above the folders, of distributions that have no origin in a folder.

    `pattern` is the prefix pattern, or the prefix again without one.
    """
    resolved = {
        (origin.distribution, _find_target_prefix(origin, pattern))
        for origin in origins
        if extract_folder(unquote(origin.path), pattern)
    }
    unresolved = []
    for origin in origins:
        folder = _as_prefix(unquote(origin.path))
        is_resolved = any(
            distribution == origin.distribution and target_prefix.startswith(folder)
            for distribution, target_prefix in resolved
        )
        if prefix.startswith(folder):
            is_resolved = (origin.distribution, prefix) in resolved
        if is_above(folder, pattern) and not is_resolved:
            unresolved.append(origin)
    return unresolved


def _find_target_prefix(origin: Origin, pattern: str) -> str:
    path = unquote(origin.path).lstrip("/")
    return PrefixPattern(pattern).find_prefix(path) if is_pattern(pattern) else pattern


def _as_prefix(path: str) -> str:
    stripped = path.strip("/")
    return f"{stripped}/" if stripped else ""


def _list_distributions(
    region: str, credentials: Credentials | None
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """List all distributions page by page; raises ListingError for an inconsistent page."""
    action = "listing CloudFront's distributions"
    markers = [""]
    # CloudFront is global: the region only selects the AWS partition.
    with open_service_client(
        "cloudfront", region=region, operations=CLOUDFRONT_OPERATIONS, credentials=credentials
    ) as client:
        while True:
            request = {"Marker": markers[-1]} if markers[-1] else {}
            with translate_errors(action, "CloudFront"):
                page = client.list_distributions(**request).get("DistributionList", {})
            distributions, marker = page.get("Items", ()), page.get("NextMarker", "")
            if "IsTruncated" not in page or page.get("Quantity") != len(distributions):
                raise ListingError(f"{action}: a page is incomplete", _CLOUDFRONT_HINT)
            yield distributions
            if not page["IsTruncated"] and not marker:
                return
            if not page["IsTruncated"] or marker in markers:
                problem = "a page has inconsistent pagination markers"
                raise ListingError(f"{action}: {problem}", _CLOUDFRONT_HINT)
            markers.append(marker)


def _find_origins(distributions: Sequence[Mapping[str, Any]], bucket: str) -> Iterator[Origin]:
    for distribution in distributions:
        staging = ["staging"] if distribution.get("Staging") else []
        states = staging if distribution.get("Enabled") else [*staging, "disabled"]
        shown = (
            f"{distribution.get('Id')} ({', '.join(states)})"
            if states
            else f"{distribution.get('Id')}"
        )
        if not (origins := distribution.get("Origins", {}).get("Items")):
            raise ListingError(f"CloudFront {shown} is listed without origins", _CLOUDFRONT_HINT)
        for origin in origins:
            host, path = origin.get("DomainName", ""), origin.get("OriginPath", "")
            if (path_in_bucket := _path_in_bucket(host, path, bucket)) is not None:
                yield Origin(
                    distribution=shown, path=path_in_bucket or "/", site=_get_site(distribution)
                )


def _path_in_bucket(host: str, path: str, bucket: str) -> str | None:
    """Return the path in the bucket where an origin begins, or None for another origin."""
    s3_host = rf"{_S3_HOST}\.({'|'.join(map(re.escape, list_dns_suffixes()))})"
    if re.fullmatch(rf"{re.escape(bucket)}\.{s3_host}", host, re.IGNORECASE):
        return path
    if re.fullmatch(s3_host, host, re.IGNORECASE):
        first, slash, rest = path.removeprefix("/").partition("/")
        return f"{slash}{rest}" if first == bucket else None
    return None


def _get_site(distribution: Mapping[str, Any]) -> str:
    """Return a distribution's display name: its first alias, or else its domain name."""
    aliases = distribution.get("Aliases", {}).get("Items", ())
    if not aliases:
        return str(distribution.get("DomainName", "no domain"))
    more = f" and {len(aliases) - 1} more" if len(aliases) > 1 else ""
    return f"{aliases[0]}{more}"


def _explain_nothing_served(origins: Sequence[Origin], bucket: str, prefix: str) -> str:
    if not origins:
        return (
            f"no CloudFront distribution of this account has s3://{bucket} as an origin. Check the "
            "bucket and the account, or remove this source."
        )
    shown = list(
        dict.fromkeys(f"{origin.distribution} with path {origin.path}" for origin in origins)
    )
    return (
        f"CloudFront has s3://{bucket} as an origin, but no origin path is a folder under "
        f"{prefix or 'the root'}: {join_names(shown, _DISPLAYED_ORIGINS)}."
    )


def read_parameter(
    source: LiveSource,
    *,
    bucket: str,
    prefix: str,
    region: str,
    credentials: Credentials | None = None,
) -> LiveReading:
    """Read the names in an SSM parameter; a SecureString's value is in no message."""
    where = f"SSM parameter {source.argument}"
    try:
        with (
            open_service_client(
                "ssm",
                region=_find_region(source.argument) or region,
                operations=SSM_OPERATIONS,
                credentials=credentials,
            ) as client,
            translate_errors(f"reading {where} in {client.meta.region_name}", "SSM"),
        ):
            response = client.get_parameter(Name=source.argument, WithDecryption=True)
    except AccessError as exc:
        return LiveReading(source=source, problem=exc.full_message)
    parameter = response.get("Parameter", {})
    kind, value = parameter.get("Type", ""), parameter.get("Value", "")
    texts = value.split(",") if kind == "StringList" and not source.field else [value]
    try:
        names = [
            name
            for text in texts
            for name in parse_pointer(text, field=source.field, bucket=bucket, prefix=prefix)
        ]
    except PointerError as exc:
        return LiveReading(source=source, problem=f"{where} {exc}")
    if kind in ("String", "StringList"):
        return LiveReading.from_names(source, names, where, prefix)
    evidence = f"{where} ({kind}) names it"
    return LiveReading(
        source=source,
        references=tuple(
            LiveReference.from_path(name, prefix, evidence) for name in dict.fromkeys(names)
        ),
    )


def _find_region(parameter: str) -> str:
    """Return the region of a parameter that is named by its ARN, or ""."""
    match = re.match(r"arn:[a-z-]+:ssm:([a-z0-9-]+):", parameter)
    return match[1] if match else ""


def read_pointer_object(source: LiveSource, *, bucket: BucketReader, prefix: str) -> LiveReading:
    """Read the names in an object of the bucket; its key is relative to the bucket's root."""
    where = f"s3://{bucket.bucket}/{source.argument}"
    try:
        text = decode_pointer(bucket.read_first_bytes(source.argument, POINTER_LIMIT_BYTES + 1))
        names = parse_pointer(text, field=source.field, bucket=bucket.bucket, prefix=prefix)
    except AccessError as exc:
        return LiveReading(source=source, problem=exc.full_message)
    except PointerError as exc:
        return LiveReading(source=source, problem=f"{where} {exc}")
    return LiveReading.from_names(source, names, where, prefix)
