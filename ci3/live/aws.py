"""What AWS says is live: the origins of CloudFront, a parameter of SSM, a pointer object."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials, Service, make_service_client, open_session, translated
from ci3.core.formatting import listed
from ci3.core.live.pointer import POINTER_LIMIT_BYTES, PointerError, pointed_names, pointer_text
from ci3.core.live.sources import LiveSource, Reading, Sighting, folder_under
from ci3.errors import AccessError, ListingError

CLOUDFRONT_OPERATIONS: Final = frozenset({"ListDistributions"})
SSM_OPERATIONS: Final = frozenset({"GetParameter"})

_S3_HOST: Final = (
    r"s3(-[a-z0-9-]+)?(\.dualstack)?(\.[a-z]+(-[a-z]+)+-[0-9]+)?\.amazonaws\.com(\.cn)?"
)
"""Every name of S3 itself, in all regions, its websites among them.

Source: https://docs.aws.amazon.com/general/latest/gr/s3.html
"""
_SHOWN_ORIGINS: Final = 5
_CLOUDFRONT_HINT: Final = "Run again; if it stays, check that no proxy answers for CloudFront."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """One distribution's way to the bucket; `path` is where in the bucket it begins."""

    distribution: str
    path: str
    site: str


def read_cloudfront(
    source: LiveSource,
    *,
    bucket: str,
    prefix: str,
    region: str,
    credentials: Credentials | None = None,
) -> Reading:
    """Read which folders CloudFront serves: the origin paths of all distributions on this bucket.

    Distributions that are for staging, or disabled, count too. One whose origin is the bucket, but
    none of whose paths tells a folder, is a problem: something is live through it, and not known.
    """
    try:
        pages = _list_distributions(region, credentials)
        origins = [one for page in pages for one in _origins(page, bucket)]
    except AccessError as exc:
        return Reading(source=source, problem=exc.told)
    sightings = []
    for origin in origins:
        if name := folder_under(unquote(origin.path), prefix):
            evidence = f"CloudFront {origin.distribution} serves {origin.path} for {origin.site}"
            sightings.append(Sighting(name=name, evidence=evidence))
    if not sightings:
        return Reading(source=source, problem=_nothing_served(origins, bucket, prefix))
    if unknown := _untold(origins, prefix):
        shown = listed([f"{one.distribution} ({one.path}) for {one.site}" for one in unknown], 5)
        return Reading(
            source=source,
            problem=f"which folder is live through CloudFront {shown} can't be told by its path. "
            "Use another live source beside it in place of cloudfront.",
        )
    return Reading(source=source, sightings=tuple(dict.fromkeys(sightings)))


def _untold(origins: Sequence[_Origin], prefix: str) -> list[_Origin]:
    """List a way of each distribution that serves what is above the folders, and no folder."""
    telling = {one.distribution for one in origins if folder_under(unquote(one.path), prefix)}
    above = [one for one in origins if prefix.startswith(_as_prefix(unquote(one.path)))]
    return [one for one in above if one.distribution not in telling]


def _as_prefix(path: str) -> str:
    stripped = path.strip("/")
    return f"{stripped}/" if stripped else ""


def _list_distributions(
    region: str, credentials: Credentials | None
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """List every distribution, a page at a time; raises ListingError for a page not to trust."""
    where = "listing CloudFront's distributions"
    markers = [""]
    # CloudFront is one for all regions: the region only tells which of AWS's partitions is meant.
    with _client("cloudfront", region, CLOUDFRONT_OPERATIONS, credentials) as client:
        while True:
            request = {"Marker": markers[-1]} if markers[-1] else {}
            with translated(where, "CloudFront"):
                page = client.list_distributions(**request).get("DistributionList", {})
            distributions, marker = page.get("Items", ()), page.get("NextMarker", "")
            if "IsTruncated" not in page or page.get("Quantity") != len(distributions):
                raise ListingError(f"{where}: a page is not whole", _CLOUDFRONT_HINT)
            yield distributions
            if not page["IsTruncated"] and not marker:
                return
            if not page["IsTruncated"] or marker in markers:
                what = "a page does not say clearly whether and where more follow"
                raise ListingError(f"{where}: {what}", _CLOUDFRONT_HINT)
            markers.append(marker)


@contextmanager
def _client(
    service: Service, region: str, operations: frozenset[str], credentials: Credentials | None
) -> Iterator[Any]:
    client = make_service_client(
        service, region=region, operations=operations, session=open_session(credentials)
    )
    try:
        yield client
    finally:
        client.close()


def _origins(distributions: Sequence[Mapping[str, Any]], bucket: str) -> Iterator[_Origin]:
    for one in distributions:
        staging = ["staging"] if one.get("Staging") else []
        states = staging if one.get("Enabled") else [*staging, "disabled"]
        shown = f"{one.get('Id')} ({', '.join(states)})" if states else f"{one.get('Id')}"
        if not (origins := one.get("Origins", {}).get("Items")):
            raise ListingError(f"CloudFront {shown} is listed without origins", _CLOUDFRONT_HINT)
        for origin in origins:
            host, path = origin.get("DomainName", ""), origin.get("OriginPath", "")
            if (inside := _path_in_bucket(host, path, bucket)) is not None:
                yield _Origin(distribution=shown, path=inside or "/", site=_site(one))


def _path_in_bucket(host: str, path: str, bucket: str) -> str | None:
    """Give the path in the bucket where an origin begins, or None where it is another's."""
    if re.fullmatch(rf"{re.escape(bucket)}\.{_S3_HOST}", host, re.IGNORECASE):
        return path
    if re.fullmatch(_S3_HOST, host, re.IGNORECASE):
        first, slash, rest = path.removeprefix("/").partition("/")
        return f"{slash}{rest}" if first == bucket else None
    return None


def _site(distribution: Mapping[str, Any]) -> str:
    """Name what a distribution serves, as people call it."""
    aliases = distribution.get("Aliases", {}).get("Items", ())
    if not aliases:
        return str(distribution.get("DomainName", "no domain"))
    more = f" and {len(aliases) - 1} more" if len(aliases) > 1 else ""
    return f"{aliases[0]}{more}"


def _nothing_served(origins: Sequence[_Origin], bucket: str, prefix: str) -> str:
    if not origins:
        return (
            f"no CloudFront distribution of this account has s3://{bucket} as an origin. Check the "
            "bucket and the account, or take this source out."
        )
    shown = list(dict.fromkeys(f"{one.distribution} with path {one.path}" for one in origins))
    return (
        f"CloudFront has s3://{bucket} as an origin, but with no path that names a folder under "
        f"{prefix or 'its root'}: {listed(shown, _SHOWN_ORIGINS)}."
    )


def read_parameter(
    source: LiveSource,
    *,
    bucket: str,
    prefix: str,
    region: str,
    credentials: Credentials | None = None,
) -> Reading:
    """Read what a parameter of SSM names; what a SecureString holds is in no message."""
    where = f"SSM parameter {source.argument}"
    try:
        with (
            _client("ssm", region, SSM_OPERATIONS, credentials) as client,
            translated(f"reading {where} in {client.meta.region_name}", "SSM"),
        ):
            answer = client.get_parameter(Name=source.argument, WithDecryption=True)
    except AccessError as exc:
        return Reading(source=source, problem=exc.told)
    parameter = answer.get("Parameter", {})
    kind, value = parameter.get("Type", ""), parameter.get("Value", "")
    texts = value.split(",") if kind == "StringList" and not source.field else [value]
    try:
        names = [
            name
            for text in texts
            for name in pointed_names(text, field=source.field, bucket=bucket, prefix=prefix)
        ]
    except PointerError as exc:
        return Reading(source=source, problem=f"{where} {exc}")
    if kind in ("String", "StringList"):
        return _pointed(source, names, where)
    evidence = f"{where} ({kind}) names it"
    return Reading(
        source=source,
        sightings=tuple(Sighting(name=name, evidence=evidence) for name in dict.fromkeys(names)),
    )


def read_pointer_object(source: LiveSource, *, bucket: BucketReader, prefix: str) -> Reading:
    """Read what an object of the bucket names; its key is relative to the bucket's root."""
    where = f"s3://{bucket.bucket}/{source.argument}"
    try:
        text = pointer_text(bucket.read_start(source.argument, POINTER_LIMIT_BYTES + 1))
        names = pointed_names(text, field=source.field, bucket=bucket.bucket, prefix=prefix)
    except AccessError as exc:
        return Reading(source=source, problem=exc.told)
    except PointerError as exc:
        return Reading(source=source, problem=f"{where} {exc}")
    return _pointed(source, names, where)


def _pointed(source: LiveSource, names: Iterable[str], where: str) -> Reading:
    return Reading(
        source=source,
        sightings=tuple(
            Sighting(name=name, evidence=f"{where} says {name}", place=where)
            for name in dict.fromkeys(names)
        ),
    )
