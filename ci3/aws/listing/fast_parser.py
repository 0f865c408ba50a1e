"""Reads the entries of a page of ListObjectsV2 from its XML, and leaves botocore the rest of it.

botocore takes twenty times as long. What is read here is exactly what botocore would have read;
whatever does not look like the pages of S3 and its kin goes botocore's way.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from ci3.aws.parser_hook import read_ahead, xml_text
from ci3.core.inventory.columns import Listed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ANSWER_KEY = "Listed"
"""Where the answer of a client that `read_entries` was told of has the entries, if read here."""

_LEAF = r"(?:<((?!Contents)[A-Za-z]+)(?:/>|>[^<>]*</\{}>)|[ \t\n])*"
_HEAD = re.compile(
    r'(?:<\?xml version="1\.0"(?: encoding="(?:UTF|utf)-8")?(?: standalone="yes")?\?>)?[ \t\n]*'
    r'<ListBucketResult(?: xmlns="[^"<&]*")?>' + _LEAF.format(1)
)
_TAIL = re.compile(_LEAF.format(1) + r"</ListBucketResult>[ \t\n]*")
_BEGIN, _END = "<Contents>", "</Contents>"

# Several times as fast as a class of three characters; what else may not be in it is looked for.
_TEXT = "[^<]*"
_ESSENTIALS = ("Key", "LastModified", "ETag", "Size")
_EXTRAS = ("StorageClass", "ChecksumAlgorithm", "ChecksumType")
_OWNER = f"<Owner>(?:<ID>{_TEXT}</ID>)?(?:<DisplayName>{_TEXT}</DisplayName>)?</Owner>"
_ANY_EXTRAS = (
    f"(?:<(?:{'|'.join(f'{one}>{_TEXT}</{one}>' for one in _EXTRAS)}|{_OWNER.removeprefix('<')}))*"
)
"""What may stand between the essentials; S3 gives an object's checksum only if it has one."""

_FIRST_ENTRY = re.compile(
    f"{_BEGIN}(?:<(?:{'|'.join(_ESSENTIALS + _EXTRAS)})>[^<>]*</[A-Za-z]+>)+{_END}"
)
_LEAF_NAMES = re.compile("<([A-Za-z]+)>[^<>]*</")
_SIZES = re.compile("(?:(?:0|[1-9][0-9]{0,17})\n)+")
_TIMES = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z\n)+")


def read_entries(client: "S3Client") -> None:
    """Make a client read its listings' entries here, ahead of botocore."""
    read_ahead(client, "ListObjectsV2", split_page, ANSWER_KEY)


def listed_by(answer: Mapping[str, Any]) -> Listed | None:
    """Give the entries that were read here, or None where botocore read them.

    Keys are decoded as botocore does it for a client that does not ask for an encoding itself.
    """
    listed: Listed | None = answer.get(ANSWER_KEY)
    if listed is None or answer.get("EncodingType") != "url":
        return listed
    return Listed(_decoded(listed.keys), listed.etags, listed.sizes, listed.times)


def split_page(body: bytes) -> tuple[bytes, Listed] | None:
    """Part a page into what botocore is to read and its entries, or None where it is to read all.

    Keys are as they stand there, encoded or not.
    """
    page = xml_text(body)
    if page is None:
        return None
    start, end = page.find(_BEGIN), page.rfind(_END) + len(_END)
    if not 0 <= start < end:
        return None
    head, tail = page[:start], page[end:]
    if not (_HEAD.fullmatch(head) and _TAIL.fullmatch(tail)):
        return None
    listed = _read(page[start:end])
    return ((head + tail).encode("utf-8"), listed) if listed is not None else None


def _read(entries: str) -> Listed | None:
    columns = _columns(entries)
    if columns is None:
        return None
    if entries.count("&") != "".join(columns["ETag"]).count("&"):
        return None
    etags, times = _unquoted(columns["ETag"]), _canonical(columns["LastModified"])
    if etags is None or times is None or not _are_sizes(columns["Size"]):
        return None
    return Listed(columns["Key"], etags, columns["Size"], times)


def _columns(entries: str) -> dict[str, list[str]] | None:
    """Part entries into the texts of their elements: by the first one's, or as known ones are."""
    first = _FIRST_ENTRY.match(entries)
    names = tuple(_LEAF_NAMES.findall(first[0])) if first else _ESSENTIALS
    order = tuple(name for name in names if name in _ESSENTIALS)
    if sorted(order) != sorted(_ESSENTIALS):
        return None
    step = len(order) + 1
    for pattern in (_pattern(names), _pattern(order, between=_ANY_EXTRAS)):
        parts = pattern.split(entries)
        if not any(parts[::step]):
            return {name: parts[place::step] for place, name in enumerate(order, 1)}
    return None


@cache
def _pattern(names: tuple[str, ...], between: str = "") -> re.Pattern[str]:
    """Make the pattern of an entry with elements of these names in this order."""
    return re.compile(between.join((_BEGIN, *map(_element, names), _END)))


def _element(name: str) -> str:
    return f"<{name}>{f'({_TEXT})' if name in _ESSENTIALS else _TEXT}</{name}>"


def _unquoted(etags: list[str]) -> list[str] | None:
    """Resolve the references to quotes, the only ones in an ETag: Amazon's, and Go's."""
    joined = "\n".join(etags)
    joined = joined.replace("&quot;", '"').replace("&#34;", '"')
    unquoted = joined.split("\n")
    return None if "&" in joined or len(unquoted) != len(etags) else unquoted


def _are_sizes(texts: list[str]) -> bool:
    joined = "\n".join([*texts, ""])
    return _SIZES.fullmatch(joined) is not None and joined.count("\n") == len(texts)


def _canonical(times: list[str]) -> list[str] | None:
    """Write times as `time_text` does, or None where one is no time; few differ in a deployment."""
    different = set(times)
    if not _TIMES.fullmatch("\n".join([*different, ""])):
        return None
    canonical = {text: text[:-1].removesuffix(".000") for text in different}
    try:
        for text in canonical.values():
            datetime.fromisoformat(text)
    except ValueError:
        return None
    return list(map(canonical.__getitem__, times))


def _decoded(keys: list[str]) -> list[str]:
    joined = "".join(keys)
    if "%" not in joined and "+" not in joined:
        return keys
    return [unquote_plus(key) if "%" in key or "+" in key else key for key in keys]
